package suite

// Row is what came out of a scenario for one target.
type Row struct {
	Scenario string  `json:"scenario"`
	Target   string  `json:"target"`
	Rounds   int     `json:"rounds"`
	Medians  Metrics `json:"medians"`
	// Ratios to a base, by its name: medians of the ratios within each round, of
	// the CPU time of a delivery, the median latency and the memory of a
	// connection.
	Ratios map[string]Ratio `json:"ratios,omitempty"`
}

// Ratio compares a target with another one.
type Ratio struct {
	Delivery   float64 `json:"delivery,omitempty"`
	P50        float64 `json:"p50,omitempty"`
	Connection float64 `json:"connection,omitempty"`
}

// bases are the targets that others are compared with.
var bases = []string{"direct", "batched", "paced"}

// Summarize takes the medians, in the order in which things were run first.
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
		for _, base := range bases {
			if others := rounds[key{k.scenario, base}]; len(others) > 0 {
				row.Ratios[base] = ratioOf(rounds[k], others)
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
