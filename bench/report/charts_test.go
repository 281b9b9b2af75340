package report_test

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/report"
	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

// image is the part of an SVG that the tests read.
type image struct {
	Group struct {
		Paths []struct {
			Points string `xml:"d,attr"`
			Style  string `xml:"style,attr"`
		} `xml:"path"`
		Texts []string `xml:"text"`
	} `xml:"g"`
}

func parse(t *testing.T, svg []byte) image {
	t.Helper()
	var i image
	if err := xml.Unmarshal(svg, &i); err != nil {
		t.Fatalf("not XML: %v", err)
	}
	return i
}

// points returns the points of each path whose style has a prefix. Y points upwards.
func (i image) points(t *testing.T, style string) [][][2]float64 {
	t.Helper()
	var paths [][][2]float64
	for _, path := range i.Group.Paths {
		if !strings.HasPrefix(path.Style, style) {
			continue
		}
		var points [][2]float64
		for _, point := range strings.FieldsFunc(path.Points, func(r rune) bool { return strings.ContainsRune("MLZ", r) }) {
			var p [2]float64
			if _, err := fmt.Sscanf(point, "%g,%g", &p[0], &p[1]); err != nil {
				t.Fatalf("%s: %v", path.Points, err)
			}
			points = append(points, p)
		}
		paths = append(paths, points)
	}
	return paths
}

func TestBars(t *testing.T) {
	t.Parallel()
	s := &report.Section{Rows: []suite.Row{
		{Scenario: "big", Target: "ours", Medians: suite.Metrics{Delivery: 2}},
		{Scenario: "big", Target: "ours-redis", Medians: suite.Metrics{Delivery: 8}},
		{Scenario: "big", Target: "centrifugo", Medians: suite.Metrics{Delivery: 9}},
		{Scenario: "big", Target: "paced"},
	}}
	delivery := func(m *suite.Metrics) float64 { return m.Delivery }
	noPeers := func(t *suite.Target) bool { return t.Kind != suite.Peer }
	i := parse(t, report.Bars(s, "µs", delivery, noPeers))
	width := func(color string) float64 {
		bars := i.points(t, "fill:"+color)
		if len(bars) != 1 {
			t.Fatalf("%d bars of color %s, want 1", len(bars), color)
		}
		return bars[0][2][0] - bars[0][0][0]
	}
	if ours, redis := width("#0969DA"), width("#54AEFF"); ours <= 0 || math.Abs(redis-4*ours) > 0.1 {
		t.Errorf("bars of 2 and 8 are %v and %v wide", ours, redis)
	}
	texts := strings.Join(i.Group.Texts, "|")
	if want := "1 room × 1,000, 100 messages/s|ephemeral chat, Redis|ephemeral chat, memory|8.00 µs|2.00 µs"; texts != want {
		t.Errorf("the texts are %s, want %s", texts, want)
	}
	if report.Bars(s, "µs", func(*suite.Metrics) float64 { return 0 }, noPeers) != nil {
		t.Error("a chart without values was drawn")
	}
}

func TestCurve(t *testing.T) {
	t.Parallel()
	curve := suite.Curves()[2] // with five points
	s := new(report.Section)
	for i, p := range curve.Points {
		s.Rows = append(s.Rows, suite.Row{Scenario: p.Scenario.Name, Target: "ours", Medians: suite.Metrics{
			Post: float64(10 * (i + 1)), P50: math.Pow10(i - 1), P99: 5000,
		}})
	}
	// Cost, p50 and p99 of ours.
	lines := parse(t, report.Curve(s, &curve)).points(t, "fill:none;stroke:#0969DA")
	var steps [][]float64
	for _, line := range lines {
		if len(line) != len(curve.Points) {
			continue // of a legend
		}
		var heights []float64
		for i := 1; i < len(line); i++ {
			heights = append(heights, line[i][1]-line[i-1][1])
		}
		steps = append(steps, heights)
	}
	if len(steps) != 3 {
		t.Fatalf("%d lines with all points, want 3", len(steps))
	}
	for i, name := range []string{"10, 20, …, linear", "0.1, 1, …, logarithmic", "5000, 5000, …"} {
		for _, step := range steps[i] {
			if math.Abs(step-steps[i][0]) > 0.1 || (step > 1) == (i == 2) {
				t.Errorf("%s rises by %v", name, steps[i])
			}
		}
	}
	s.Rows = s.Rows[1:]
	if report.Curve(s, &curve) != nil {
		t.Error("a curve without its first point was drawn")
	}
}

func TestDigits(t *testing.T) {
	t.Parallel()
	for value, want := range map[float64]string{
		0: "–", 0.123: "0.12", 1: "1.00", 1.267: "1.27", 12.62: "12.6", 9999: "9999", 10_000: "10k", 12_345: "12.3k", 2_500_000: "2.5M",
	} {
		if got := report.Digits(value); got != want {
			t.Errorf("%v is formatted as %s, want %s", value, got, want)
		}
	}
}
