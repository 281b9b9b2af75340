package report_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/report"
	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

// everything returns results for all scenarios, curves and targets.
func everything() *report.Results {
	var rows, points []suite.Row
	row := func(scenario, target string, value float64) suite.Row {
		m := suite.Metrics{Delivery: value, Post: 2 * value, Deliveries: 100_000, P50: 1, P99: 2, Max: 3, PerRead: 4, Connection: value, Left: 0.5}
		if strings.HasSuffix(target, "-redis") {
			m.RedisPost = 12
		}
		ratio := suite.Ratio{Delivery: 0.25, P50: 1.5, Connection: 0.75}
		return suite.Row{Scenario: scenario, Target: target, Rounds: 3, Medians: m, Ratios: map[string]suite.Ratio{"direct": ratio, "paced": ratio}}
	}
	for i, s := range suite.Scenarios() {
		for j, target := range suite.Targets() {
			rows = append(rows, row(s.Name, target.Name, float64(10*i+j+1)))
		}
	}
	for _, c := range suite.Curves() {
		for i, p := range c.Points {
			points = append(points, row(p.Scenario.Name, "ours", float64(i+1)), row(p.Scenario.Name, "ours-redis", float64(i+2)))
		}
	}
	all := report.NewSection(rows, 3, time.Second)
	return &report.Results{Baselines: all, Peers: all, Growth: report.NewSection(points, 2, time.Second)}
}

// copyDocument copies the real document into a temporary directory.
func copyDocument(t *testing.T) (file, content string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, string(text)
}

// TestWrite writes into a copy of the real document.
func TestWrite(t *testing.T) {
	t.Parallel()
	document, _ := copyDocument(t)
	data := everything()
	if err := data.Write(document); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	text := string(first)
	for _, want := range []string{
		"| ephemeral chat, memory | 1.00 | 0.25 | 0.25 |",
		"| Centrifugo, Redis | 7.00 | 0.25 | 12.0 |",
		"| 100,000 | 12.0 |",
		"**10,000 idle connections, TLS**",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing from\n%s", want, text)
		}
	}
	// Every image in the document exists.
	for _, part := range strings.Split(text, "](performance/")[1:] {
		name, _, _ := strings.Cut(part, ")")
		if _, err := os.Stat(filepath.Join(filepath.Dir(document), "performance", name)); err != nil {
			t.Error(err)
		}
	}
	if err := data.Write(document); err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(document); err != nil || string(second) != text {
		t.Errorf("writing it again changes it: %v", err)
	}
}

func TestSave(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "new", "results.json")
	if d, err := report.Load(file); err != nil || d.Baselines != nil {
		t.Fatalf("results without a file: %v, %v", d, err)
	}
	saved := everything()
	if err := saved.Save(file); err != nil {
		t.Fatal(err)
	}
	loaded, err := report.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(saved, loaded) {
		t.Error("what is loaded differs from what was saved")
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	text := "before\n<!-- a -->\nold\n<!-- /a -->\nafter\n"
	got, err := report.Replace(text, "a", "new\n")
	if want := "before\n<!-- a -->\n\nnew\n\n<!-- /a -->\nafter\n"; err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
	for _, text := range []string{"", "<!-- a -->\n", "<!-- /a -->", "<!-- b -->\n<!-- /b -->"} {
		if got, err := report.Replace(text, "a", "new"); err == nil || got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// TestPublished checks that the document in the repository has the saved results.
func TestPublished(t *testing.T) {
	t.Parallel()
	data, err := report.Load("../../docs/performance/results.json")
	if err != nil {
		t.Fatal(err)
	}
	document, original := copyDocument(t)
	if err := data.Write(document); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(document); err != nil || string(again) != original {
		t.Errorf("docs/performance.md differs from results.json; run in bench/: go run ./cmd/run -report (%v)", err)
	}
}
