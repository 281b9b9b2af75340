package load

import (
	"time"
)

// Result is the result of a run. Times are in milliseconds and sizes in bytes,
// unless the name of a field has another unit.
type Result struct {
	Rooms         int     `json:"rooms"`
	Connections   int     `json:"connections"`
	Stalled       int     `json:"stalled"`
	Seconds       float64 `json:"seconds"`
	Posts         uint64  `json:"posts"`
	PostsPerSec   float64 `json:"postsPerSecond"`
	Deliveries    uint64  `json:"deliveries"`
	DeliveriesSec float64 `json:"deliveriesPerSecond"`
	// MessagesPerRead is the number of messages that a client receives in one read.
	// It rises when the server coalesces, and when the clients lack CPU time.
	MessagesPerRead float64 `json:"messagesPerRead"`

	Latency Latency `json:"latency"`
	// Late is the delay of messages that were sent at a rate.
	Late Latency `json:"late"`

	// Faults of the whole run.
	Lost           uint64 `json:"lost"`
	Duplicated     uint64 `json:"duplicated"`
	Reordered      uint64 `json:"reordered"`
	Refused        uint64 `json:"refused"`
	RefusedFor     string `json:"refusedFor,omitempty"`
	Disconnected   int    `json:"disconnected"`
	DisconnectedBy string `json:"disconnectedBy,omitempty"`

	CPU    []CPU `json:"cpu,omitempty"`
	Client CPU   `json:"client"`
	// Others is the fraction of the machine's CPU time that neither the clients nor
	// the processes above spent, if these are known.
	Others float64  `json:"others,omitempty"`
	Memory []Memory `json:"memory,omitempty"`
	Joins  *Joins   `json:"joins,omitempty"`
}

// Latency is the distribution of a time.
type Latency struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// CPU is the CPU time of a process.
type CPU struct {
	Process        string  `json:"process"`
	Seconds        float64 `json:"seconds"`
	MicrosDelivery float64 `json:"microsPerDelivery"`
	MicrosPost     float64 `json:"microsPerPost"`
}

// Memory is the memory of a process.
type Memory struct {
	Process       string  `json:"process"`
	Before        int64   `json:"before,omitempty"` // without connections
	Connected     int64   `json:"connected"`
	Left          int64   `json:"left,omitempty"` // after all have disconnected
	PerConnection float64 `json:"perConnection,omitempty"`
}

// Joins are the times and costs of connecting and joining.
type Joins struct {
	Seconds     float64 `json:"seconds"`
	PerSecond   float64 `json:"perSecond"`
	Latency     Latency `json:"latency"`
	MicrosOfCPU float64 `json:"microsOfCPU"` // of all processes, for each connection
}

// Faultless reports whether no message was lost, doubled, reordered or refused, and
// no member was disconnected.
func (r *Result) Faultless() bool {
	return r.Lost == 0 && r.Duplicated == 0 && r.Reordered == 0 && r.Refused == 0 && r.Disconnected == 0
}

// setWindow sets the rates and costs between two snapshots.
func (r *Result) setWindow(run *run, begin, end *snapshot) {
	r.Seconds = time.Duration(end.at - begin.at).Seconds()
	r.Posts = end.sent - begin.sent
	r.Deliveries = end.received - begin.received
	r.PostsPerSec = float64(r.Posts) / r.Seconds
	r.DeliveriesSec = float64(r.Deliveries) / r.Seconds
	if reads := end.reads - begin.reads; reads > 0 {
		r.MessagesPerRead = float64(r.Deliveries) / float64(reads)
	}
	r.Client = r.cpu("chatload", end.client-begin.client)
	for i, process := range run.options.Processes {
		r.CPU = append(r.CPU, r.cpu(process.Name, end.servers[i]-begin.servers[i]))
	}
	if all := end.all - begin.all; all > 0 && len(r.CPU) > 0 {
		others := end.busy - begin.busy - (end.client - begin.client) - spent(begin.servers, end.servers)
		r.Others = max(others.Seconds()/all.Seconds(), 0)
	}
}

func (r *Result) cpu(process string, spent time.Duration) CPU {
	c := CPU{Process: process, Seconds: spent.Seconds()}
	if r.Deliveries > 0 {
		c.MicrosDelivery = c.Seconds * 1e6 / float64(r.Deliveries)
	}
	if r.Posts > 0 {
		c.MicrosPost = c.Seconds * 1e6 / float64(r.Posts)
	}
	return c
}

// setTotals sets latencies and faults. All readers must have ended.
func (r *Result) setTotals(run *run) {
	for _, room := range run.rooms {
		for _, c := range room.listeners {
			r.Lost += c.sequence.lost(room.newest())
			r.Duplicated += c.sequence.duplicated
			r.Reordered += c.sequence.reordered
		}
		for _, c := range room.conns {
			r.Refused += c.refused.Load()
		}
	}
	r.Latency, r.Late = latencyOf(run.latencies()), latencyOf(&run.late)
	r.Disconnected, r.RefusedFor = run.disconnected, run.refusedFor
	if run.disconnectedBy != nil {
		r.DisconnectedBy = run.disconnectedBy.Error()
	}
}

func latencyOf(h *Histogram) Latency {
	milliseconds := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return Latency{
		P50: milliseconds(h.Quantile(0.5)),
		P90: milliseconds(h.Quantile(0.9)),
		P99: milliseconds(h.Quantile(0.99)),
		Max: milliseconds(h.Max()),
	}
}
