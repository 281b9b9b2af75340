package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

// Write writes all results into a document, and the charts into the directory of the
// same name next to it.
func (r *Results) Write(document string) error {
	content, err := os.ReadFile(document) //nolint:gosec // in the repository
	if err != nil {
		return err
	}
	text, charts := string(content), r.charts()
	for name, block := range r.blocks(charts) {
		if text, err = Replace(text, name, block); err != nil {
			return fmt.Errorf("%s: %w", document, err)
		}
	}
	for name, chart := range charts {
		if err := writeFile(filepath.Join(strings.TrimSuffix(document, ".md"), name+".svg"), chart); err != nil {
			return err
		}
	}
	return writeFile(document, []byte(text))
}

// blocks returns the text of each section with results, by its name.
func (r *Results) blocks(charts map[string][]byte) map[string]string {
	image := func(title, name string) string {
		if charts[name] == nil {
			return ""
		}
		return fmt.Sprintf("**%s**\n\n![%s](performance/%s.svg)\n\n", title, title, name)
	}
	blocks := make(map[string]string)
	if r.Baselines != nil {
		blocks["baselines"] = image("Server CPU per delivery", "delivery") +
			comparison(r.Baselines, []string{"direct", "paced"}, func(t *suite.Target) bool { return t.Kind != suite.Peer }) +
			"\n" + image("Memory per idle connection", "memory")
	}
	if r.Peers != nil {
		blocks["peers"] = image("Server CPU per delivery, with peers", "peers") +
			comparison(r.Peers, []string{"direct"}, func(t *suite.Target) bool { return t.Kind != suite.Baseline })
	}
	if r.Growth != nil {
		parts := []string{r.Growth.provenance()}
		for _, c := range suite.Curves() {
			if charts[c.Name] != nil {
				parts = append(parts, image(c.Title, c.Name)+growth(r.Growth, &c))
			}
		}
		blocks["growth"] = strings.Join(parts, "\n")
	}
	return blocks
}

// charts returns those charts for which there are results, by name.
func (r *Results) charts() map[string][]byte {
	cost := func(m *suite.Metrics) float64 { return m.Delivery }
	memory := func(m *suite.Metrics) float64 { return m.Connection }
	charts := make(map[string][]byte)
	set := func(name string, image []byte) {
		if image != nil {
			charts[name] = image
		}
	}
	set("delivery", bars(r.Baselines, "µs", cost, func(t *suite.Target) bool { return t.Kind != suite.Peer }))
	set("peers", bars(r.Peers, "µs", cost, func(*suite.Target) bool { return true }))
	set("memory", bars(r.Baselines, "KiB", memory, func(*suite.Target) bool { return true }))
	for _, c := range suite.Curves() {
		set(c.Name, curve(r.Growth, &c))
	}
	return charts
}

var errNoBlock = errors.New("no such block")

// Replace replaces the text between the markers <!-- name --> and <!-- /name -->.
func Replace(text, name, block string) (string, error) {
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, ok := strings.Cut(text, begin)
	_, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		return text, fmt.Errorf("%w: %s", errNoBlock, name)
	}
	return before + begin + "\n" + strings.TrimSpace(block) + "\n\n" + end + after, nil
}
