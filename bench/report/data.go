// Package report writes what was measured into docs/performance.md: tables between
// markers, and charts beside it.
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

// Data is what the document shows.
type Data struct {
	// Floors has ours and the floors, Peers ours and the peers; both are of one
	// run each, maybe the same.
	Floors *Part `json:"floors,omitempty"`
	Peers  *Part `json:"peers,omitempty"`
	// Growth has the points of the curves.
	Growth *Part `json:"growth,omitempty"`
}

// Part is what was measured in one go.
type Part struct {
	Date     string      `json:"date"`
	Machine  string      `json:"machine"`
	Rounds   int         `json:"rounds"`
	Duration string      `json:"duration"` // of a measurement
	Rows     []suite.Row `json:"rows"`
}

// NewPart describes what was measured just now on this machine.
func NewPart(rows []suite.Row, rounds int, duration time.Duration) *Part {
	return &Part{
		Date:     time.Now().UTC().Format(time.DateOnly),
		Machine:  machine(),
		Rounds:   rounds,
		Duration: duration.String(),
		Rows:     rows,
	}
}

// machine describes the machine, as far as it says what it is.
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

// Load reads data from a file; there is none if there is no file.
func Load(file string) (*Data, error) {
	d := new(Data)
	text, err := os.ReadFile(file) //nolint:gosec // of the repository
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(d); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return d, nil
}

// Save writes data to a file, and makes its directory.
func (d *Data) Save(file string) error {
	text, err := json.MarshalIndent(d, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // for everybody
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644) //nolint:gosec // for everybody
}

// row returns a row, nil if it was not measured.
func (p *Part) row(scenario, target string) *suite.Row {
	if p == nil {
		return nil
	}
	for i := range p.Rows {
		if r := &p.Rows[i]; r.Scenario == scenario && r.Target == target {
			return r
		}
	}
	return nil
}
