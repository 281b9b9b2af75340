package suite

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Text is a table for the terminal.
func Text(rows []Row) string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(table, "scenario\ttarget\tµs/delivery\tµs/post\tRedis µs/post\tdeliveries/s\tp50 ms\tp99 ms\tmax ms\t/read\tKiB/conn\tKiB left\tclient µs\tlate ms\tothers %%\tfaults\t× direct\t× batched\t× paced\t\n")
	for i := range rows {
		r := &rows[i]
		m := &r.Medians
		_, _ = fmt.Fprintf(table, "%s\t%s\t%.2f\t%.1f\t%.1f\t%.0f\t%.2f\t%.2f\t%.1f\t%.1f\t%.1f\t%.1f\t%.2f\t%.1f\t%.0f\t%.0f", r.Scenario, r.Target,
			m.Delivery, m.Post, m.RedisPost, m.Deliveries, m.P50, m.P99, m.Max, m.PerRead, m.Connection, m.Left,
			m.Client, m.Late, 100*m.Others, m.Faults)
		for _, base := range bases {
			_, _ = fmt.Fprintf(table, "\t%s", r.Ratios[base].text())
		}
		_, _ = fmt.Fprint(table, "\t\n")
	}
	_ = table.Flush() // a strings.Builder takes everything
	return text.String()
}

// text is the ratio of what the scenario is about.
func (r Ratio) text() string {
	switch {
	case r.Connection > 0:
		return fmt.Sprintf("%.2f KiB", r.Connection)
	case r.Delivery > 0:
		return fmt.Sprintf("%.2f, p50 %.2f", r.Delivery, r.P50)
	}
	return "–"
}
