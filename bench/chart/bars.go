package chart

import "fmt"

// Bar is a value in a panel of bars.
type Bar struct {
	Series Series
	Value  float64
}

// Panel is a group of bars with a scale of their own.
type Panel struct {
	Title string
	Bars  []Bar
}

const (
	barLabels = 186 // width of the names
	barWidth  = 430 // of the longest bar
	barHeight = 16
	barGap    = 6
)

// Bars draws panels of horizontal bars, one below the other. Each bar has its
// value written at its end.
func Bars(title, unit string, panels []Panel) []byte {
	height := 40.0
	for _, p := range panels {
		height += 30 + float64(len(p.Bars))*(barHeight+barGap)
	}
	d := newDrawing(barLabels+barWidth+80, height+6, title)
	d.write(16, 24, "start", ink, "600", title)
	y := 40.0
	for _, p := range panels {
		y += 20
		d.write(16, y-4, "start", faint, "400", p.Title)
		y += 4
		top := 0.0
		for _, b := range p.Bars {
			top = max(top, b.Value)
		}
		for _, b := range p.Bars {
			length := 0.0
			if top > 0 {
				length = b.Value / top * barWidth
			}
			d.write(barLabels-8, y+barHeight-4, "end", ink, "400", b.Series.Name)
			fmt.Fprintf(&d.text, `<rect x="%d" y="%s" width="%s" height="%d" rx="2" fill="%s"/>`+"\n",
				barLabels, number(y), number(length), barHeight, b.Series.Color)
			d.write(barLabels+length+6, y+barHeight-4, "start", ink, "400", Short(b.Value)+" "+unit)
			y += barHeight + barGap
		}
		y += 6
	}
	return d.bytes()
}
