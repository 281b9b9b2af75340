package report

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

// missing is the text of an empty cell.
const missing = "–"

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

// cell is a cell of a table, with the title of its column.
type cell struct{ title, text string }

// messageCells are the cells of a row about deliveries. The first ratio of one
// message at a time is that of latencies.
func messageCells(r *suite.Row, bases []string) []cell {
	m := &r.Medians
	cells := []cell{{"CPU µs per delivery", digits(m.Delivery)}}
	for i, base := range bases {
		if i == 0 && r.Scenario == "ping" {
			cells = append(cells, cell{"p50 × " + base, digits(r.Ratios[base].P50)})
		} else {
			cells = append(cells, cell{"× " + base, digits(r.Ratios[base].Delivery)})
		}
	}
	return append(cells,
		cell{"Redis µs per post", digits(m.RedisPost)},
		cell{"deliveries/s", digits(m.Deliveries)},
		cell{"p50 ms", digits(m.P50)},
		cell{"p99 ms", digits(m.P99)},
		cell{"max ms", digits(m.Max)},
		cell{"messages per read", digits(m.PerRead)},
		cell{"faults", fmt.Sprintf("%.0f", m.Faults)},
	)
}

// memoryCells are the cells of a row about idle connections.
func memoryCells(r *suite.Row) []cell {
	return []cell{
		{"KiB per connection", digits(r.Medians.Connection)},
		{"× direct", digits(r.Ratios["direct"].Connection)},
		{"KiB kept after it closed", digits(r.Medians.Left)},
	}
}

// comparison returns the tables of all scenarios, with the targets that show accepts.
func comparison(s *Section, bases []string, show func(*suite.Target) bool) string {
	var text strings.Builder
	text.WriteString(s.provenance())
	for _, scenario := range suite.Scenarios() {
		var names []string
		var rows [][]cell
		for _, t := range suite.Targets() {
			r := s.row(scenario.Name, t.Name)
			if r == nil || !show(&t) {
				continue
			}
			cells := messageCells(r, bases)
			if scenario.Memory {
				cells = memoryCells(r)
			}
			names, rows = append(names, t.Title), append(rows, cells)
		}
		if len(rows) > 0 {
			fmt.Fprintf(&text, "\n**%s**\n\n%s", scenario.Title, table("", names, rows))
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

// table formats rows that begin with a name. It leaves out columns without values.
func table(corner string, names []string, rows [][]cell) string {
	head, rule := "| "+corner, "|---"
	lines := make([]string, len(rows))
	for j, name := range names {
		lines[j] = "| " + name
	}
	for i, column := range rows[0] {
		empty := true
		for _, row := range rows {
			empty = empty && row[i].text == missing
		}
		if empty {
			continue
		}
		head, rule = head+" | "+column.title, rule+"|--:"
		for j, row := range rows {
			lines[j] += " | " + row[i].text
		}
	}
	return head + " |\n" + rule + "|\n" + strings.Join(lines, " |\n") + " |\n"
}

// growth returns the table of a curve.
func growth(s *Section, c *suite.Curve) string {
	cost, unit := costOf(c)
	var names []string
	var rows [][]cell
	for _, point := range c.Points {
		var cells []cell
		for _, t := range curveTargets {
			m := s.metrics(point.Scenario.Name, t.name)
			cells = append(cells,
				cell{t.short + ": CPU " + unit, digits(cost(m))},
				cell{"p50 ms", digits(m.P50)},
				cell{"p99 ms", digits(m.P99)},
				cell{"Redis µs per post", digits(m.RedisPost)},
			)
		}
		names, rows = append(names, humanize.Comma(int64(point.X))), append(rows, cells)
	}
	return table(c.X, names, rows)
}

// costOf returns the CPU time that a curve shows, and its unit.
func costOf(c *suite.Curve) (cost func(*suite.Metrics) float64, unit string) {
	if c.PerDelivery {
		return func(m *suite.Metrics) float64 { return m.Delivery }, "µs per delivery"
	}
	return func(m *suite.Metrics) float64 { return m.Post }, "µs per post"
}
