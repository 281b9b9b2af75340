package report

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

// missing is the text of an empty cell.
const missing = "–"

// column is a column of a table.
type column struct {
	title string
	value func(*suite.Row) string
}

func ratio(base, title string, of func(suite.Ratio) float64) column {
	return column{title + base, func(r *suite.Row) string {
		if v := of(r.Ratios[base]); v > 0 {
			return fmt.Sprintf("%.2f", v)
		}
		return missing
	}}
}

func metric(title string, of func(*suite.Metrics) float64) column {
	return column{title, func(r *suite.Row) string { return digits(of(&r.Medians)) }}
}

// digits formats a number with three significant digits.
func digits(v float64) string {
	switch {
	case v == 0:
		return missing
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	case v < 10_000:
		return fmt.Sprintf("%.0f", v)
	case v < 1_000_000:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v/1000), ".0") + "k"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v/1_000_000), ".0") + "M"
}

// messageColumns are the columns of a table of deliveries.
func messageColumns(scenario string, bases []string) []column {
	columns := []column{metric("CPU µs per delivery", func(m *suite.Metrics) float64 { return m.Delivery })}
	for i, base := range bases {
		if scenario == "ping" && i == 0 {
			columns = append(columns, ratio(base, "p50 × ", func(r suite.Ratio) float64 { return r.P50 }))
			continue
		}
		columns = append(columns, ratio(base, "× ", func(r suite.Ratio) float64 { return r.Delivery }))
	}
	return append(columns,
		metric("Redis µs per post", func(m *suite.Metrics) float64 { return m.RedisPost }),
		metric("deliveries/s", func(m *suite.Metrics) float64 { return m.Deliveries }),
		metric("p50 ms", func(m *suite.Metrics) float64 { return m.P50 }),
		metric("p99 ms", func(m *suite.Metrics) float64 { return m.P99 }),
		metric("max ms", func(m *suite.Metrics) float64 { return m.Max }),
		metric("messages per read", func(m *suite.Metrics) float64 { return m.PerRead }),
		column{"faults", func(r *suite.Row) string { return fmt.Sprintf("%.0f", r.Medians.Faults) }},
	)
}

// memoryColumns are the columns of a table of idle connections.
func memoryColumns() []column {
	return []column{
		metric("KiB per connection", func(m *suite.Metrics) float64 { return m.Connection }),
		ratio("direct", "× ", func(r suite.Ratio) float64 { return r.Connection }),
		metric("KiB kept after it closed", func(m *suite.Metrics) float64 { return m.Left }),
	}
}

// comparison returns the tables of all scenarios, with the targets that show accepts.
func comparison(s *Section, bases []string, show func(*suite.Target) bool) string {
	var text strings.Builder
	text.WriteString(s.provenance())
	for _, scenario := range suite.Scenarios() {
		columns := messageColumns(scenario.Name, bases)
		if scenario.Memory {
			columns = memoryColumns()
		}
		lines := [][]string{{""}}
		for _, c := range columns {
			lines[0] = append(lines[0], c.title)
		}
		for _, t := range suite.Targets() {
			r := s.row(scenario.Name, t.Name)
			if r == nil || !show(&t) {
				continue
			}
			line := []string{t.Title}
			for _, c := range columns {
				line = append(line, c.value(r))
			}
			lines = append(lines, line)
		}
		if len(lines) > 1 {
			fmt.Fprintf(&text, "\n**%s**\n\n%s", scenario.Title, table(lines))
		}
	}
	return text.String()
}

// provenance describes when, where and how the section was measured.
func (s *Section) provenance() string {
	others := 0.0
	for i := range s.Rows {
		others += s.Rows[i].Medians.Others / float64(len(s.Rows))
	}
	return fmt.Sprintf("Measured on %s: %s; medians of %d rounds of %s. Other processes used %.0f %% of the machine.\n",
		s.Date, s.Machine, s.Rounds, s.Duration, 100*others)
}

// table formats a table. The first line has the titles; a column without any value
// is left out.
func table(lines [][]string) string {
	text := make([]string, len(lines)+1)
	for i := range lines[0] {
		empty := i > 0
		for _, line := range lines[1:] {
			empty = empty && line[i] == missing
		}
		if empty {
			continue
		}
		text[0] += "| " + lines[0][i] + " "
		text[1] += "|--:"
		for j, line := range lines[1:] {
			text[j+2] += "| " + line[i] + " "
		}
	}
	text[1] = strings.Replace(text[1], "|--:", "|---", 1)
	return strings.Join(text, "|\n") + "|\n"
}

// growth returns the table of a curve.
func growth(s *Section, c *suite.Curve) string {
	cost, title := costOf(c)
	lines := [][]string{{c.X}}
	for _, t := range curveTargets {
		lines[0] = append(lines[0], t.short+": CPU "+title, "p50 ms", "p99 ms", "Redis µs per post")
	}
	for _, point := range c.Points {
		line := []string{humanize.Comma(int64(point.X))}
		for _, t := range curveTargets {
			m := s.metrics(point.Scenario.Name, t.name)
			line = append(line, digits(cost(m)), digits(m.P50), digits(m.P99), digits(m.RedisPost))
		}
		lines = append(lines, line)
	}
	return table(lines)
}

// costOf returns the CPU time that a curve shows, and its unit.
func costOf(c *suite.Curve) (cost func(*suite.Metrics) float64, unit string) {
	if c.PerDelivery {
		return func(m *suite.Metrics) float64 { return m.Delivery }, "µs per delivery"
	}
	return func(m *suite.Metrics) float64 { return m.Post }, "µs per post"
}
