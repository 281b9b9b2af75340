package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

// Write writes all that there is data for into a document, and the charts into
// the directory beside it that is called like it.
func (d *Data) Write(document string) error {
	content, err := os.ReadFile(document) //nolint:gosec // of the repository
	if err != nil {
		return err
	}
	text, dir := string(content), strings.TrimSuffix(document, ".md")
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // for everybody
		return err
	}
	for name, block := range d.blocks() {
		if block == "" {
			continue
		}
		if text, err = Replace(text, name, block); err != nil {
			return fmt.Errorf("%s: %w", document, err)
		}
	}
	for name, image := range d.charts() {
		if image == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name+".svg"), image, 0o644); err != nil { //nolint:gosec // for everybody
			return err
		}
	}
	return os.WriteFile(document, []byte(text), 0o644) //nolint:gosec // for everybody
}

// blocks returns the texts of the document's blocks, by name; empty where there is
// no data.
func (d *Data) blocks() map[string]string {
	blocks := make(map[string]string)
	if d.Floors != nil {
		blocks["floors"] = image("Server CPU of a delivery", "delivery") +
			comparison(d.Floors, []string{"direct", "paced"}, func(t *suite.Target) bool { return !t.Peer })
		if d.charts()["memory"] != nil {
			blocks["floors"] += "\n" + image("Memory of an idle connection", "memory")
		}
	}
	if d.Peers != nil {
		blocks["peers"] = image("Server CPU of a delivery, with peers", "peers") +
			comparison(d.Peers, []string{"direct"}, func(t *suite.Target) bool { return t.Peer || strings.HasPrefix(t.Name, "ours") })
	}
	if d.Growth != nil {
		var text strings.Builder
		text.WriteString(d.Growth.provenance())
		for _, c := range suite.Curves() {
			if curve(d.Growth, &c) != nil {
				fmt.Fprintf(&text, "\n%s\n%s", image(c.Title, c.Name), growth(d.Growth, &c))
			}
		}
		blocks["growth"] = text.String()
	}
	return blocks
}

// charts returns the images, by name; nil where there is no data.
func (d *Data) charts() map[string][]byte {
	cost := func(m *suite.Metrics) float64 { return m.Delivery }
	charts := map[string][]byte{
		"delivery": bars(d.Floors, "Server CPU of a delivery", "µs", cost),
		"peers":    bars(d.Peers, "Server CPU of a delivery", "µs", cost),
		"memory":   bars(d.Floors, "Memory of an idle connection", "KiB", func(m *suite.Metrics) float64 { return m.Connection }),
	}
	for _, c := range suite.Curves() {
		charts[c.Name] = curve(d.Growth, &c)
	}
	return charts
}

func image(title, name string) string {
	return fmt.Sprintf("![%s](performance/%s.svg)\n\n", title, name)
}

// errNoBlock is the error of Replace.
var errNoBlock = errors.New("no such block")

// Replace replaces what stands between the markers <!-- name --> and
// <!-- /name -->.
func Replace(text, name, block string) (string, error) {
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, ok := strings.Cut(text, begin)
	_, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		return text, fmt.Errorf("%w: %s", errNoBlock, name)
	}
	return before + begin + "\n" + strings.TrimSpace(block) + "\n\n" + end + after, nil
}
