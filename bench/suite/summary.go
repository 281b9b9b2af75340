package suite

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
