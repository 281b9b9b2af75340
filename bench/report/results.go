// Package report writes results into docs/performance.md: tables between markers, and
// charts next to it.
package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

// Results are the results in the document.
type Results struct {
	// Baselines has ours and the baselines, Peers ours and the peers; they may come
	// from the same run.
	Baselines *Section `json:"baselines,omitempty"`
	Peers     *Section `json:"peers,omitempty"`
	// Growth has the points of the curves.
	Growth *Section `json:"growth,omitempty"`
}

// Section holds the results of one run.
type Section struct {
	Date     string      `json:"date"`
	Machine  string      `json:"machine"`
	Rounds   int         `json:"rounds"`
	Duration string      `json:"duration"` // of a measurement
	Rows     []suite.Row `json:"rows"`
}

// NewSection returns a section for rows that were measured today on this machine.
func NewSection(rows []suite.Row, rounds int, duration time.Duration) *Section {
	return &Section{
		Date:     time.Now().UTC().Format(time.DateOnly),
		Machine:  machine(),
		Rounds:   rounds,
		Duration: duration.String(),
		Rows:     rows,
	}
}

// machine describes this machine: cores, processor and kernel if known, Go.
func machine() string {
	parts := []string{fmt.Sprintf("%d cores", runtime.NumCPU())}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				parts = append(parts, strings.TrimSpace(value))
				break
			}
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		release, _, _ := strings.Cut(strings.TrimSpace(string(text)), "-")
		parts = append(parts, "Linux "+release)
	}
	return strings.Join(append(parts, runtime.Version()), ", ")
}

// Load reads results from a file. Without a file they are empty.
func Load(file string) (*Results, error) {
	r := new(Results)
	text, err := os.ReadFile(file) //nolint:gosec // in the repository
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// Save writes results to a file and creates its directory.
func (r *Results) Save(file string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return writeFile(file, append(text, '\n'))
}

// writeFile writes a file for all to read and creates its directory.
func writeFile(file string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // in the repository
		return err
	}
	return os.WriteFile(file, content, 0o644) //nolint:gosec // in the repository
}

// metrics returns the medians of a row, or zeros if it is missing.
func (s *Section) metrics(scenario, target string) *suite.Metrics {
	if row := s.row(scenario, target); row != nil {
		return &row.Medians
	}
	return new(suite.Metrics)
}

// row returns a row, or nil if it is missing.
func (s *Section) row(scenario, target string) *suite.Row {
	if s == nil {
		return nil
	}
	for i := range s.Rows {
		if r := &s.Rows[i]; r.Scenario == scenario && r.Target == target {
			return r
		}
	}
	return nil
}
