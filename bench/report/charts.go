package report

import (
	"bytes"
	"image/color"
	"math"
	"slices"

	"github.com/dustin/go-humanize"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

// colors of the targets.
var colors = map[string]color.Color{
	"ours":             color.RGBA{R: 0x09, G: 0x69, B: 0xda, A: 0xff},
	"ours-redis":       color.RGBA{R: 0x54, G: 0xae, B: 0xff, A: 0xff},
	"direct":           color.Gray{Y: 0x96},
	"batched":          color.Gray{Y: 0xb4},
	"paced":            color.Gray{Y: 0xd2},
	"centrifugo":       color.RGBA{R: 0xbf, G: 0x87, A: 0xff},
	"centrifugo-redis": color.RGBA{R: 0xe3, G: 0xb3, B: 0x41, A: 0xff},
}

var redisColor = color.RGBA{R: 0xcf, G: 0x22, B: 0x2e, A: 0xff}

// curveTargets are the targets of the growth curves.
var curveTargets = []struct{ name, short string }{{"ours", "memory"}, {"ours-redis", "Redis"}}

// Lengths, in points.
const (
	chartWidth   = 560
	margin       = 10
	barHeight    = 16
	plotHeight   = 190
	legendHeight = 60
)

const bold = 3 // golang.org/x/image/font.WeightBold

var sans = font.Font{Typeface: "Liberation", Variant: "Sans", Size: 10}

// newPlot returns an empty plot without axis lines.
func newPlot(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.Title.Padding = title, 6
	for _, style := range []*text.Style{
		&p.Title.TextStyle, &p.Legend.TextStyle, &p.X.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label,
	} {
		style.Font = sans
	}
	p.Title.TextStyle.Font.Weight = bold
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Width, axis.Tick.Width = 0, 0
	}
	return p
}

// svg draws into an image with a white background.
func svg(height vg.Length, content func(draw.Canvas)) []byte {
	image := vgsvg.New(chartWidth, height)
	canvas := draw.New(image)
	canvas.FillPolygon(color.White, []vg.Point{{}, {X: chartWidth}, {X: chartWidth, Y: height}, {Y: height}})
	content(draw.Crop(canvas, margin, -margin, margin, -margin))
	var text bytes.Buffer
	_, _ = image.WriteTo(&text) // a bytes.Buffer takes everything
	// Readers without Liberation Sans get Arial, which has the same widths.
	return bytes.ReplaceAll(text.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,sans-serif;"))
}

// bars draws a panel for each scenario with a bar for each target that show accepts.
// It returns nil if there is no value.
func bars(s *Section, unit string, value func(*suite.Metrics) float64, show func(*suite.Target) bool) []byte {
	var panels []*plot.Plot
	var heights []vg.Length
	total := vg.Length(2 * margin)
	for _, scenario := range suite.Scenarios() {
		panel := newPlot(scenario.Title)
		labels := plotter.XYLabels{}
		var names []string
		targets := suite.Targets()
		slices.Reverse(targets) // the lowest is drawn first
		for _, t := range targets {
			v := value(s.metrics(scenario.Name, t.Name))
			if v == 0 || !show(&t) {
				continue
			}
			at := float64(len(names))
			panel.Add(&plotter.BarChart{Values: plotter.Values{v}, Width: barHeight - 4, Color: colors[t.Name], XMin: at, Horizontal: true})
			labels.XYs = append(labels.XYs, plotter.XY{X: v, Y: at})
			labels.Labels = append(labels.Labels, digits(v)+" "+unit)
			names = append(names, t.Title)
		}
		if len(names) == 0 {
			continue
		}
		values, err := plotter.NewLabels(labels)
		if err != nil {
			panic(err) // only for values that are no numbers
		}
		for i := range values.TextStyle {
			values.TextStyle[i].Font, values.TextStyle[i].YAlign = sans, text.YCenter
		}
		values.Offset = vg.Point{X: 4, Y: sans.Size / 5} // the axis lifts its labels as well
		panel.Add(values)
		panel.NominalY(names...)
		panel.X.Min = 0
		panel.HideX()
		panels = append(panels, panel)
		heights = append(heights, barHeight*vg.Length(len(names)+2)+margin)
		total += heights[len(heights)-1]
	}
	if len(panels) == 0 {
		return nil
	}
	return svg(total, func(c draw.Canvas) {
		for i, panel := range panels {
			panel.Draw(draw.Crop(c, 0, 0, c.Max.Y-c.Min.Y-heights[i]+margin, 0))
			c = draw.Crop(c, 0, 0, 0, -heights[i])
		}
	})
}

// curve draws cost and latency side by side. It returns nil if no target has all
// points.
func curve(s *Section, c *suite.Curve) []byte {
	value, unit := costOf(c)
	cost, latency := newPlot("Server CPU, "+unit), newPlot("Latency, ms")
	for _, p := range []*plot.Plot{cost, latency} {
		grid := plotter.NewGrid()
		grid.Vertical.Width = 0
		p.Add(grid)
	}
	found := false
	for _, t := range curveTargets {
		if slices.ContainsFunc(c.Points, func(p suite.Point) bool { return s.row(p.Scenario.Name, t.name) == nil }) {
			continue
		}
		found = true
		line := func(p *plot.Plot, name string, color color.Color, dashed bool, value func(*suite.Metrics) float64) {
			points := make(plotter.XYs, len(c.Points))
			for i, point := range c.Points {
				points[i] = plotter.XY{X: float64(i), Y: value(s.metrics(point.Scenario.Name, t.name))}
			}
			line, dots, err := plotter.NewLinePoints(points)
			if err != nil {
				panic(err) // only for values that are no numbers
			}
			line.Color, dots.Color = color, color
			line.Width, dots.Shape, dots.Radius = 1.5, draw.CircleGlyph{}, 2.5
			if dashed {
				line.Dashes = []vg.Length{4, 3}
			}
			p.Add(line, dots)
			p.Legend.Add(name, line)
		}
		line(cost, t.short, colors[t.name], false, value)
		if t.name == "ours-redis" && !c.PerDelivery {
			line(cost, "Redis itself", redisColor, true, func(m *suite.Metrics) float64 { return m.RedisPost })
		}
		line(latency, t.short+", p50", colors[t.name], false, func(m *suite.Metrics) float64 { return m.P50 })
		line(latency, t.short+", p99", colors[t.name], true, func(m *suite.Metrics) float64 { return m.P99 })
	}
	if !found {
		return nil
	}
	logarithmic(&latency.Y)
	if c.PerDelivery {
		logarithmic(&cost.Y)
	} else {
		linear(&cost.Y)
	}
	var names []string
	for _, point := range c.Points {
		names = append(names, humanize.Comma(int64(point.X)))
	}
	plots, legends := [][]*plot.Plot{{cost, latency}}, []plot.Legend{cost.Legend, latency.Legend}
	for _, p := range plots[0] {
		p.X.Label.Text = c.X
		p.NominalX(names...)
		p.Legend = plot.NewLegend() // empty: the legends are below the plots
	}
	return svg(plotHeight+legendHeight+2*margin, func(c draw.Canvas) {
		tiles := draw.Tiles{Rows: 1, Cols: 2, PadX: 2 * margin}
		for i, canvas := range plot.Align(plots, tiles, draw.Crop(c, 0, 0, legendHeight, 0))[0] {
			plots[0][i].Draw(canvas)
			legends[i].Top, legends[i].Left, legends[i].Padding = true, true, 2
			legends[i].Draw(tiles.At(draw.Crop(c, 3*margin, 0, 0, -plotHeight-margin), i, 0))
		}
	})
}

// linear extends an axis from 0 to a round number.
func linear(axis *plot.Axis) {
	step := math.Pow10(int(math.Floor(math.Log10(axis.Max))))
	if axis.Max < 3*step {
		step /= 2
	}
	axis.Min, axis.Max = 0, step*math.Ceil(axis.Max/step)
	var marks plot.ConstantTicks
	for n := 0.0; n*step <= axis.Max; n++ {
		marks = append(marks, plot.Tick{Value: n * step, Label: humanize.Ftoa(n * step)})
	}
	axis.Tick.Marker = marks
}

// logarithmic extends an axis to powers of ten and makes it logarithmic.
func logarithmic(axis *plot.Axis) {
	low, high := int(math.Floor(math.Log10(axis.Min))), int(math.Ceil(math.Log10(axis.Max)))
	axis.Min, axis.Max, axis.Scale = math.Pow10(low), math.Pow10(high), plot.LogScale{}
	var marks plot.ConstantTicks
	for e := low; e <= high; e++ {
		marks = append(marks, plot.Tick{Value: math.Pow10(e), Label: humanize.Ftoa(math.Pow10(e))})
	}
	axis.Tick.Marker = marks
}
