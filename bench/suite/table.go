package suite

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// Table formats rows for the terminal, with the ratios to those references that ran.
func Table(rows []Row) string {
	ran := slices.DeleteFunc(slices.Clone(references), func(name string) bool {
		return !slices.ContainsFunc(rows, func(r Row) bool { return r.Ratios[name] != Ratio{} })
	})
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprint(table, "scenario\ttarget\tµs/delivery\tµs/post\tRedis µs/post\tdeliveries/s\tp50 ms\tp99 ms\tmax ms\t/read\tKiB/conn\tKiB left\tclient µs\tlate ms\tothers %\tfaults")
	for _, name := range ran {
		_, _ = fmt.Fprintf(table, "\t× %s", name)
	}
	_, _ = fmt.Fprint(table, "\t\n")
	for i := range rows {
		r := &rows[i]
		m := &r.Medians
		_, _ = fmt.Fprintf(table, "%s\t%s\t%.2f\t%.1f\t%.1f\t%.0f\t%.2f\t%.2f\t%.1f\t%.1f\t%.1f\t%.1f\t%.2f\t%.1f\t%.0f\t%.0f", r.Scenario, r.Target,
			m.Delivery, m.Post, m.RedisPost, m.Deliveries, m.P50, m.P99, m.Max, m.PerRead, m.Connection, m.Left,
			m.Client, m.Late, 100*m.Others, m.Faults)
		for _, name := range ran {
			_, _ = fmt.Fprintf(table, "\t%s", r.Ratios[name].text())
		}
		_, _ = fmt.Fprint(table, "\t\n")
	}
	_ = table.Flush() // a strings.Builder takes everything
	return text.String()
}

// text formats the ratio of the quantity that the scenario measures.
func (r Ratio) text() string {
	switch {
	case r.Connection > 0:
		return fmt.Sprintf("%.2f KiB", r.Connection)
	case r.Delivery > 0:
		return fmt.Sprintf("%.2f, p50 %.2f", r.Delivery, r.P50)
	}
	return "–"
}
