package chart

import (
	"fmt"
	"math"
	"strings"
)

// Line is a series of values, one for each position.
type Line struct {
	Series Series
	Values []float64
}

// Graph is lines with a scale of their own.
type Graph struct {
	Title string // with the unit
	Lines []Line
	// Log has each power of ten at the same distance from the next; all values
	// must be above 0.
	Log bool
}

const (
	graphWidth  = 300
	graphHeight = 170
	graphLeft   = 56
	graphTop    = 62
	legendLine  = 18
)

// Lines draws graphs side by side over the same positions, which have labels, and
// named as a whole.
func Lines(title, xName string, positions []string, graphs []Graph) []byte {
	legend := 0
	for _, g := range graphs {
		legend = max(legend, len(g.Lines))
	}
	width := float64(len(graphs))*(graphLeft+graphWidth+16) + 8
	height := float64(graphTop + graphHeight + 48 + legend*legendLine)
	d := newDrawing(width, height, title)
	d.write(16, 24, "start", ink, "600", title)
	for i := range graphs {
		d.graph(float64(i)*(graphLeft+graphWidth+16)+graphLeft, &graphs[i], xName, positions)
	}
	return d.bytes()
}

// graph draws one graph; left is where its area begins.
func (d *drawing) graph(left float64, g *Graph, xName string, positions []string) {
	d.write(left-graphLeft+16, 46, "start", faint, "400", g.Title)
	scale := g.scale()
	y := func(v float64) float64 { return graphTop + graphHeight*(1-g.at(v, scale)) }
	x := func(i int) float64 {
		return left + graphWidth*(float64(i)+0.5)/float64(max(len(positions), 1))
	}
	for _, tick := range scale {
		d.line(left, y(tick), left+graphWidth, y(tick), rule)
		d.write(left-6, y(tick)+4, "end", faint, "400", Short(tick))
	}
	for i, label := range positions {
		d.write(x(i), graphTop+graphHeight+18, "middle", faint, "400", label)
	}
	d.write(left+graphWidth/2, graphTop+graphHeight+34, "middle", faint, "400", xName)
	for i, l := range g.Lines {
		d.polyline(&l, x, y)
		below := float64(graphTop + graphHeight + 52 + i*legendLine)
		fmt.Fprintf(&d.text, `<line x1="%s" y1="%s" x2="%s" y2="%s" stroke="%s" stroke-width="2"%s/>`+"\n",
			number(left), number(below-4), number(left+20), number(below-4), l.Series.Color, dash(l.Series))
		d.write(left+26, below, "start", ink, "400", l.Series.Name)
	}
}

// scale returns the values that have a line, ascending; all values are between
// the first and the last.
func (g *Graph) scale() []float64 {
	low, top := math.Inf(1), 0.0
	for _, l := range g.Lines {
		for _, v := range l.Values {
			low, top = min(low, v), max(top, v)
		}
	}
	if !g.Log || low <= 0 || math.IsInf(low, 1) {
		return ticks(top, 5)
	}
	var values []float64
	for power := math.Floor(math.Log10(low)); ; power++ {
		values = append(values, math.Pow(10, power))
		if n := len(values); n > 1 && values[n-1] >= top {
			return values
		}
	}
}

// at returns how high in the graph a value is, from 0 to 1.
func (g *Graph) at(v float64, scale []float64) float64 {
	low, top := scale[0], scale[len(scale)-1]
	if low > 0 {
		return math.Log(v/low) / math.Log(top/low)
	}
	return v / top
}

func dash(s Series) string {
	if s.Dashed {
		return ` stroke-dasharray="5 3"`
	}
	return ""
}

func (d *drawing) polyline(l *Line, x func(int) float64, y func(float64) float64) {
	var points []string
	for i, v := range l.Values {
		points = append(points, number(x(i))+","+number(y(v)))
	}
	fmt.Fprintf(&d.text, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"%s/>`+"\n", strings.Join(points, " "), l.Series.Color, dash(l.Series))
	for i, v := range l.Values {
		fmt.Fprintf(&d.text, `<circle cx="%s" cy="%s" r="3" fill="%s"/>`+"\n", number(x(i)), number(y(v)), l.Series.Color)
	}
}
