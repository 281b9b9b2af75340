package chart_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/chart"
)

// elements parses an image and returns the attributes of all elements of a name,
// with the text that they contain.
func elements(t *testing.T, image []byte, name string) []map[string]string {
	t.Helper()
	var found []map[string]string
	decoder := xml.NewDecoder(bytes.NewReader(image))
	var open map[string]string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("no XML: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			open = nil
			if token.Name.Local == name {
				open = make(map[string]string)
				for _, a := range token.Attr {
					open[a.Name.Local] = a.Value
				}
				found = append(found, open)
			}
		case xml.CharData:
			if open != nil {
				open["text"] += string(token)
			}
		case xml.EndElement:
			open = nil
		}
	}
}

func TestBars(t *testing.T) {
	t.Parallel()
	image := chart.Bars("CPU <µs> & more", "µs", []chart.Panel{{Title: "a room", Bars: []chart.Bar{
		{Series: chart.Series{Name: "ours", Color: "#111111"}, Value: 2},
		{Series: chart.Series{Name: "theirs", Color: "#222222"}, Value: 8},
		{Series: chart.Series{Name: "nothing", Color: "#333333"}, Value: 0},
	}}})
	widths := make(map[string]float64)
	for _, r := range elements(t, image, "rect") {
		width, err := strconv.ParseFloat(r["width"], 64)
		if err != nil {
			t.Fatal(err)
		}
		widths[r["fill"]] = width
	}
	if widths["#222222"] != 4*widths["#111111"] || widths["#222222"] == 0 || widths["#333333"] != 0 {
		t.Errorf("bars of 2, 8 and 0 are %v wide", widths)
	}
	var texts []string
	for _, e := range elements(t, image, "text") {
		texts = append(texts, e["text"])
	}
	if all := strings.Join(texts, "|"); !strings.Contains(all, "CPU <µs> & more") || !strings.Contains(all, "|ours|2 µs|") {
		t.Errorf("it says %s", all)
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	image := chart.Lines("Growth", "rooms", []string{"1", "10", "100"}, []chart.Graph{{Title: "µs", Lines: []chart.Line{
		{Series: chart.Series{Name: "flat", Color: "#111111"}, Values: []float64{5, 5, 5}},
		{Series: chart.Series{Name: "growing", Color: "#222222", Dashed: true}, Values: []float64{0, 5, 10}},
	}}})
	lines := heights(t, image)
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2", len(lines))
	}
	flat, growing := lines[0], lines[1]
	if flat[0] != flat[1] || flat[1] != flat[2] {
		t.Errorf("5, 5, 5 is drawn at %v", flat)
	}
	// Upwards is down in an SVG.
	if growing[0]-growing[1] != growing[1]-growing[2] || growing[1] != flat[1] || growing[2] >= growing[0] {
		t.Errorf("0, 5, 10 is drawn at %v", growing)
	}
}

// heights returns where the points of the lines of an image are, from the top.
func heights(t *testing.T, image []byte) [][]float64 {
	t.Helper()
	var lines [][]float64
	for _, line := range elements(t, image, "polyline") {
		var all []float64
		for point := range strings.FieldsSeq(line["points"]) {
			_, y, _ := strings.Cut(point, ",")
			height, err := strconv.ParseFloat(y, 64)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, height)
		}
		lines = append(lines, all)
	}
	return lines
}

func TestLogarithmicLines(t *testing.T) {
	t.Parallel()
	image := chart.Lines("Growth", "rooms", []string{"1", "10", "100", "1000"}, []chart.Graph{{Title: "ms", Log: true, Lines: []chart.Line{
		{Series: chart.Series{Name: "growing", Color: "#111111"}, Values: []float64{0.1, 1, 10, 100}},
	}}})
	got := heights(t, image)[0]
	for i := 1; i < len(got); i++ {
		if step := got[i-1] - got[i]; step <= 0 || math.Abs(step-(got[0]-got[1])) > 0.2 {
			t.Errorf("0.1, 1, 10, 100 is drawn at %v", got)
		}
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for value, want := range map[float64]string{
		0: "0", 0.123: "0.12", 1: "1", 1.26: "1.3", 12.6: "13", 9999: "9999", 10_000: "10k", 12_345: "12.3k", 2_500_000: "2.5M",
	} {
		if got := chart.Short(value); got != want {
			t.Errorf("%v is written %s, want %s", value, got, want)
		}
	}
}
