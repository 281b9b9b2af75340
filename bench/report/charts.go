package report

import (
	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/chart"
	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

// colors of the targets.
var colors = map[string]string{
	"ours":             "#0969da",
	"ours-redis":       "#54aeff",
	"direct":           "#8c959f",
	"batched":          "#afb8c1",
	"paced":            "#ced3d9",
	"centrifugo":       "#bf8700",
	"centrifugo-redis": "#e3b341",
}

// curveTargets are the targets of curves.
var curveTargets = []struct{ name, short string }{{"ours", "memory"}, {"ours-redis", "Redis"}}

// bars draws a number of all scenarios that have it; nil if none has.
func bars(p *Part, title, unit string, value func(*suite.Metrics) float64) []byte {
	if p == nil {
		return nil
	}
	var panels []chart.Panel
	for _, s := range suite.Scenarios() {
		panel := chart.Panel{Title: s.Title}
		for _, t := range suite.Targets() {
			r := p.row(s.Name, t.Name)
			if r == nil || value(&r.Medians) == 0 {
				continue
			}
			panel.Bars = append(panel.Bars, chart.Bar{
				Series: chart.Series{Name: t.Title, Color: colors[t.Name]},
				Value:  value(&r.Medians),
			})
		}
		if len(panel.Bars) > 0 {
			panels = append(panels, panel)
		}
	}
	if len(panels) == 0 {
		return nil
	}
	return chart.Bars(title, unit, panels)
}

// curve draws a curve; nil if not all of it was measured.
func curve(p *Part, c *suite.Curve) []byte {
	cost := chart.Graph{Title: "Server CPU, µs a post"}
	if c.PerDelivery {
		cost = chart.Graph{Title: "Server CPU, µs a delivery", Log: true}
	}
	times := chart.Graph{Title: "Latency, ms", Log: true}
	var positions []string
	for _, point := range c.Points {
		positions = append(positions, chart.Short(float64(point.X)))
	}
	for _, t := range curveTargets {
		color := colors[t.name]
		server := chart.Line{Series: chart.Series{Name: t.short, Color: color}}
		redis := chart.Line{Series: chart.Series{Name: "Redis itself", Color: "#cf222e", Dashed: true}}
		half := chart.Line{Series: chart.Series{Name: t.short + ", p50", Color: color}}
		tail := chart.Line{Series: chart.Series{Name: t.short + ", p99", Color: color, Dashed: true}}
		for _, point := range c.Points {
			r := p.row(point.Scenario.Name, t.name)
			if r == nil {
				break
			}
			m := &r.Medians
			value := m.Post
			if c.PerDelivery {
				value = m.Delivery
			}
			server.Values = append(server.Values, value)
			redis.Values = append(redis.Values, m.RedisPost)
			half.Values = append(half.Values, m.P50)
			tail.Values = append(tail.Values, m.P99)
		}
		if len(server.Values) < len(c.Points) {
			continue
		}
		cost.Lines = append(cost.Lines, server)
		if t.name == "ours-redis" && !c.PerDelivery {
			cost.Lines = append(cost.Lines, redis)
		}
		times.Lines = append(times.Lines, half, tail)
	}
	if len(cost.Lines) == 0 {
		return nil
	}
	return chart.Lines(c.Title, c.X, positions, []chart.Graph{cost, times})
}
