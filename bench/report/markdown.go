package report

import (
	"fmt"
	"strings"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/chart"
	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/suite"
)

// column is a column of a table.
type column struct {
	title string
	value func(*suite.Row) string
}

func ratioTo(base string, of func(suite.Ratio) float64) func(*suite.Row) string {
	return func(r *suite.Row) string {
		if v := of(r.Ratios[base]); v > 0 {
			return fmt.Sprintf("%.2f", v)
		}
		return "–"
	}
}

func metric(of func(*suite.Metrics) float64) func(*suite.Row) string {
	return func(r *suite.Row) string { return digits(of(&r.Medians)) }
}

// digits writes a number with three digits that count.
func digits(v float64) string {
	switch {
	case v == 0:
		return "–"
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	case v < 10_000:
		return fmt.Sprintf("%.0f", v)
	}
	return chart.Short(v)
}

func delivery(r suite.Ratio) float64   { return r.Delivery }
func latency(r suite.Ratio) float64    { return r.P50 }
func connection(r suite.Ratio) float64 { return r.Connection }

// traffic are the columns of a table about deliveries.
func traffic(bases []string) []column {
	columns := []column{{"CPU µs a delivery", metric(func(m *suite.Metrics) float64 { return m.Delivery })}}
	for _, base := range bases {
		columns = append(columns, column{"× " + base, ratioTo(base, delivery)})
	}
	return append(columns,
		column{"Redis µs a post", metric(func(m *suite.Metrics) float64 { return m.RedisPost })},
		column{"deliveries/s", metric(func(m *suite.Metrics) float64 { return m.Deliveries })},
		column{"p50 ms", metric(func(m *suite.Metrics) float64 { return m.P50 })},
		column{"p99 ms", metric(func(m *suite.Metrics) float64 { return m.P99 })},
		column{"max ms", metric(func(m *suite.Metrics) float64 { return m.Max })},
		column{"messages a read", metric(func(m *suite.Metrics) float64 { return m.PerRead })},
		column{"faults", func(r *suite.Row) string { return fmt.Sprintf("%.0f", r.Medians.Faults) }},
	)
}

// standing are the columns of a table about idle connections.
func standing() []column {
	return []column{
		{"KiB a connection", metric(func(m *suite.Metrics) float64 { return m.Connection })},
		{"× direct", ratioTo("direct", connection)},
		{"KiB kept when it has left", metric(func(m *suite.Metrics) float64 { return m.Left })},
	}
}

// comparison is the tables of all scenarios, with those targets that show accepts.
func comparison(p *Part, bases []string, show func(*suite.Target) bool) string {
	var text strings.Builder
	text.WriteString(p.provenance())
	for _, s := range suite.Scenarios() {
		columns := traffic(bases)
		if s.Name == "ping" {
			columns[1] = column{"p50 × direct", ratioTo("direct", latency)}
		}
		if s.Memory {
			columns = standing()
		}
		var rows []*suite.Row
		var names []string
		for _, t := range suite.Targets() {
			if r := p.row(s.Name, t.Name); r != nil && show(&t) {
				rows, names = append(rows, r), append(names, t.Title)
			}
		}
		if len(rows) > 0 {
			fmt.Fprintf(&text, "\n**%s**\n\n%s", s.Title, table("", columns, names, rows))
		}
	}
	return text.String()
}

// provenance says where the numbers come from, and what they have to be taken
// with.
func (p *Part) provenance() string {
	others := 0.0
	for i := range p.Rows {
		others += p.Rows[i].Medians.Others / float64(len(p.Rows))
	}
	return fmt.Sprintf("Measured on %s: %s; medians of %d rounds of %s. Meanwhile other processes used %.0f %% of the machine.\n",
		p.Date, p.Machine, p.Rounds, p.Duration, 100*others)
}

// table leaves out columns that are empty.
func table(corner string, columns []column, names []string, rows []*suite.Row) string {
	head, line := "| "+corner, "|---"
	cells := make([]string, len(rows))
	for i := range rows {
		cells[i] = "| " + names[i]
	}
	for _, c := range columns {
		empty := true
		values := make([]string, len(rows))
		for i, r := range rows {
			values[i] = "–"
			if r != nil {
				values[i] = c.value(r)
			}
			empty = empty && values[i] == "–"
		}
		if empty {
			continue
		}
		head, line = head+" | "+c.title, line+"|--:"
		for i := range cells {
			cells[i] += " | " + values[i]
		}
	}
	return head + " |\n" + line + "|\n" + strings.Join(cells, " |\n") + " |\n"
}

// growth is the table of a curve.
func growth(p *Part, c *suite.Curve) string {
	var columns []column
	var rows []*suite.Row
	var names []string
	cost := func(m *suite.Metrics) float64 { return m.Post }
	title := "CPU µs a post"
	if c.PerDelivery {
		cost, title = func(m *suite.Metrics) float64 { return m.Delivery }, "CPU µs a delivery"
	}
	for i := range c.Points {
		rows, names = append(rows, new(suite.Row)), append(names, thousands(c.Points[i].X))
	}
	for _, t := range curveTargets {
		at := make(map[*suite.Row]*suite.Row)
		for i := range c.Points {
			at[rows[i]] = p.row(c.Points[i].Scenario.Name, t.name)
		}
		value := func(of func(*suite.Metrics) float64) func(*suite.Row) string {
			return func(r *suite.Row) string {
				if at[r] == nil {
					return "–"
				}
				return digits(of(&at[r].Medians))
			}
		}
		columns = append(columns,
			column{t.short + ": " + title, value(cost)},
			column{"p50 ms", value(func(m *suite.Metrics) float64 { return m.P50 })},
			column{"p99 ms", value(func(m *suite.Metrics) float64 { return m.P99 })},
			column{"Redis µs a post", value(func(m *suite.Metrics) float64 { return m.RedisPost })},
		)
	}
	return table(c.X, columns, names, rows)
}

// thousands writes a whole number in groups of three digits.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
