package load

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// String formats the result as a table.
func (r *Result) String() string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(table, "%s\t"+format+"\n", append([]any{name}, args...)...)
	}
	row("connections", "%d in %d rooms", r.Connections, r.Rooms)
	if r.Stalled > 0 {
		row("", "%d of them do not read", r.Stalled)
	}
	if r.Joins != nil {
		row("joined", "all in %.2f s, %.0f/s, each in %s", r.Joins.Seconds, r.Joins.PerSecond, r.Joins.Latency)
		if r.Joins.MicrosOfCPU > 0 {
			row("", "%.0f µs of CPU each", r.Joins.MicrosOfCPU)
		}
	}
	if r.Deliveries > 0 {
		row("posts", "%.0f/s", r.PostsPerSec)
		row("deliveries", "%.0f/s in %.1f s, %.2f per read", r.DeliveriesSec, r.Seconds, r.MessagesPerRead)
		row("latency", "%s", r.Latency)
	}
	if r.Late.Max > 0 {
		row("sent late", "%s", r.Late)
	}
	for _, c := range r.CPU {
		r.printCPU(row, c)
	}
	if r.Deliveries > 0 {
		r.printCPU(row, r.Client)
	}
	if r.Others > 0 {
		row("CPU of others", "%.0f %% of the machine", 100*r.Others)
	}
	for _, m := range r.Memory {
		if m.Before == 0 {
			row("memory of "+m.Process, "%.1f MiB", mebi(m.Connected))
			continue
		}
		row("memory of "+m.Process, "%.1f MiB, before %.1f: %.1f KiB for each connection",
			mebi(m.Connected), mebi(m.Before), m.PerConnection/1024)
		if m.Left > 0 {
			row("", "%.1f MiB when all have left", mebi(m.Left))
		}
	}
	row("faults", "%d lost, %d doubled, %d reordered, %d refused, %d disconnected",
		r.Lost, r.Duplicated, r.Reordered, r.Refused, r.Disconnected)
	if r.RefusedFor != "" {
		row("", "refused: %q", r.RefusedFor)
	}
	if r.DisconnectedBy != "" {
		row("", "disconnected: %s", r.DisconnectedBy)
	}
	_ = table.Flush() // a strings.Builder takes everything
	return text.String()
}

func (r *Result) printCPU(row func(name, format string, args ...any), c CPU) {
	switch {
	case r.Deliveries > 0:
		row("CPU of "+c.Process, "%.2f µs per delivery, %.1f µs per post, %.0f %% of a core",
			c.MicrosDelivery, c.MicrosPost, 100*c.Seconds/r.Seconds)
	case r.Seconds > 0:
		row("CPU of "+c.Process, "%.1f %% of a core", 100*c.Seconds/r.Seconds)
	}
}

// String formats a distribution in one line.
func (l Latency) String() string {
	return fmt.Sprintf("p50 %.2f ms, p90 %.2f ms, p99 %.2f ms, max %.2f ms", l.P50, l.P90, l.P99, l.Max)
}

func mebi(bytes int64) float64 { return float64(bytes) / (1 << 20) }
