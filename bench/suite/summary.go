package suite

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// Row is the result of a scenario for one target.
type Row struct {
	Scenario string  `json:"scenario"`
	Target   string  `json:"target"`
	Rounds   int     `json:"rounds"`
	Medians  Metrics `json:"medians"`
	// Ratios to each baseline, by its name, and to the same target before, by
	// "before". A ratio is the median of the ratios within each round.
	Ratios map[string]Ratio `json:"ratios,omitempty"`
}

// Ratio compares CPU time per delivery, median latency, and memory per connection.
type Ratio struct {
	Delivery   float64 `json:"delivery,omitempty"`
	P50        float64 `json:"p50,omitempty"`
	Connection float64 `json:"connection,omitempty"`
}

// before is the name of the ratio to an earlier build.
const before = "before"

// references are the names of ratios: the baselines and the earlier build.
var references = []string{"direct", "batched", "paced", before}

// Summarize returns medians and ratios, in the order of the first round.
func Summarize(runs []Run) []Row {
	type key struct{ scenario, target string }
	var order []key
	rounds := make(map[key]map[int]Metrics)
	for i := range runs {
		k := key{runs[i].Scenario, runs[i].Target}
		if rounds[k] == nil {
			rounds[k] = make(map[int]Metrics)
			order = append(order, k)
		}
		rounds[k][runs[i].Round] = metricsOf(runs[i].Result)
	}
	rows := make([]Row, 0, len(order))
	for _, k := range order {
		var all []Metrics
		for _, m := range rounds[k] {
			all = append(all, m)
		}
		row := Row{Scenario: k.scenario, Target: k.target, Rounds: len(all), Medians: medianOf(all), Ratios: make(map[string]Ratio)}
		for _, name := range references {
			base := key{k.scenario, name}
			if name == before {
				base.target = k.target + beforeSuffix
			}
			if others := rounds[base]; len(others) > 0 {
				row.Ratios[name] = ratioOf(rounds[k], others)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// ratioOf compares round by round.
func ratioOf(ours, base map[int]Metrics) Ratio {
	ratio := func(value func(Metrics) float64) float64 {
		var all []float64
		for round, m := range ours {
			if other, ok := base[round]; ok && value(other) > 0 {
				all = append(all, value(m)/value(other))
			}
		}
		return median(all)
	}
	return Ratio{
		Delivery:   ratio(func(m Metrics) float64 { return m.Delivery }),
		P50:        ratio(func(m Metrics) float64 { return m.P50 }),
		Connection: ratio(func(m Metrics) float64 { return m.Connection }),
	}
}

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
