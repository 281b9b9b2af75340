// Package chart draws charts as SVG, in a style of its own: bars in panels, and
// lines over values that each stand at the same distance from the next.
package chart

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Series is a name with its color.
type Series struct {
	Name  string
	Color string
	// Dashed lines are for what is compared with.
	Dashed bool
}

// drawing is an SVG that grows.
type drawing struct {
	text strings.Builder
}

// Colors of everything but series.
const (
	paper = "#ffffff"
	ink   = "#24292f"
	faint = "#6e7781"
	rule  = "#d8dee4"
)

// newDrawing begins an image of a width and a height, on paper of its own, so that
// it can be read on any page.
func newDrawing(width, height float64, title string) *drawing {
	d := new(drawing)
	fmt.Fprintf(&d.text, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%s" height="%s" role="img" font-family="system-ui, sans-serif" font-size="12">`+"\n",
		number(width), number(height), number(width), number(height))
	fmt.Fprintf(&d.text, "<title>%s</title>\n", html.EscapeString(title))
	fmt.Fprintf(&d.text, `<rect width="%s" height="%s" rx="6" fill="%s"/>`+"\n", number(width), number(height), paper)
	return d
}

func (d *drawing) bytes() []byte { return []byte(d.text.String() + "</svg>\n") }

// write writes text at a place; anchor is start, middle or end.
func (d *drawing) write(x, y float64, anchor, color, weight, text string) {
	fmt.Fprintf(&d.text, `<text x="%s" y="%s" text-anchor="%s" fill="%s" font-weight="%s">%s</text>`+"\n",
		number(x), number(y), anchor, color, weight, html.EscapeString(text))
}

func (d *drawing) line(x1, y1, x2, y2 float64, color string) {
	fmt.Fprintf(&d.text, `<line x1="%s" y1="%s" x2="%s" y2="%s" stroke="%s"/>`+"\n", number(x1), number(y1), number(x2), number(y2), color)
}

// number writes a coordinate, short.
func number(v float64) string {
	text := fmt.Sprintf("%.1f", v)
	return strings.TrimSuffix(text, ".0")
}

// ticks returns about so many round values from 0 up to the first one that is not
// below top.
func ticks(top float64, about int) []float64 {
	if top <= 0 || math.IsInf(top, 0) || math.IsNaN(top) {
		return []float64{0, 1}
	}
	step := math.Pow(10, math.Floor(math.Log10(top/float64(about))))
	for _, factor := range []float64{1, 2, 5, 10} {
		if top/(step*factor) <= float64(about) {
			step *= factor
			break
		}
	}
	values := []float64{0}
	for n := 1; values[n-1] < top*(1-1e-9); n++ {
		values = append(values, step*float64(n))
	}
	return values
}

// Short writes a value with two or three digits that count.
func Short(v float64) string {
	switch a := math.Abs(v); {
	case v == 0:
		return "0"
	case a < 1:
		return fmt.Sprintf("%.2f", v)
	case a < 10:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	case a < 10_000:
		return fmt.Sprintf("%.0f", v)
	case a < 1_000_000:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v/1000), ".0") + "k"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v/1_000_000), ".0") + "M"
}
