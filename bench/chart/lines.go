package chart

import (
	"fmt"
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
	top := 0.0
	for _, l := range g.Lines {
		for _, v := range l.Values {
			top = max(top, v)
		}
	}
	scale := ticks(top, 5)
	top = scale[len(scale)-1]
	y := func(v float64) float64 { return graphTop + graphHeight*(1-v/top) }
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
		fmt.Fprintf(&d.text, `<rect x="%s" y="%s" width="14" height="4" rx="2" fill="%s"/>`+"\n", number(left), number(below-6), l.Series.Color)
		d.write(left+22, below, "start", ink, "400", l.Series.Name)
	}
}

func (d *drawing) polyline(l *Line, x func(int) float64, y func(float64) float64) {
	var points []string
	for i, v := range l.Values {
		points = append(points, number(x(i))+","+number(y(v)))
	}
	dash := ""
	if l.Series.Dashed {
		dash = ` stroke-dasharray="5 3"`
	}
	fmt.Fprintf(&d.text, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"%s/>`+"\n", strings.Join(points, " "), l.Series.Color, dash)
	for i, v := range l.Values {
		fmt.Fprintf(&d.text, `<circle cx="%s" cy="%s" r="3" fill="%s"/>`+"\n", number(x(i)), number(y(v)), l.Series.Color)
	}
}
