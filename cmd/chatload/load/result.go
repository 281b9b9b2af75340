package load

import (
	"time"
)

// Result is what a run has observed. Times are in milliseconds and sizes in
// bytes, where a name does not say otherwise.
type Result struct {
	Rooms         int     `json:"rooms"`
	Connections   int     `json:"connections"`
	Stalled       int     `json:"stalled"`
	Seconds       float64 `json:"seconds"`
	Posts         uint64  `json:"posts"`
	PostsPerSec   float64 `json:"postsPerSecond"`
	Deliveries    uint64  `json:"deliveries"`
	DeliveriesSec float64 `json:"deliveriesPerSecond"`
	// MessagesPerRead is how many messages a client finds in one read: how well
	// the server coalesces, or how late the clients come.
	MessagesPerRead float64 `json:"messagesPerRead"`

	Latency Latency `json:"latency"`
	// Late is how much later than planned messages were sent.
	Late Latency `json:"late"`

	// What went wrong, in the whole run.
	Lost         uint64 `json:"lost"`
	Duplicated   uint64 `json:"duplicated"`
	Reordered    uint64 `json:"reordered"`
	Refused      uint64 `json:"refused"`
	RefusedFor   string `json:"refusedFor,omitempty"`
	Disconnected int    `json:"disconnected"`
	LostBy       string `json:"disconnectedBy,omitempty"`

	CPU    []CPU `json:"cpu,omitempty"`
	Client CPU   `json:"client"`
	// Others is the fraction of the machine that was spent by neither the clients
	// nor the processes above, if these are known.
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

// CPU is what a process has spent.
type CPU struct {
	Process        string  `json:"process"`
	Seconds        float64 `json:"seconds"`
	MicrosDelivery float64 `json:"microsPerDelivery"`
	MicrosPost     float64 `json:"microsPerPost"`
}

// Memory is what a process has in memory.
type Memory struct {
	Process       string  `json:"process"`
	Before        int64   `json:"before,omitempty"` // nobody was connected
	Connected     int64   `json:"connected"`
	Left          int64   `json:"left,omitempty"` // all have gone
	PerConnection float64 `json:"perConnection,omitempty"`
}

// Joins says how connections were opened and joined.
type Joins struct {
	Seconds      float64 `json:"seconds"`
	PerSecond    float64 `json:"perSecond"`
	Latency      Latency `json:"latency"`
	MicrosOfCPU  float64 `json:"microsOfCPU"` // of all processes, for each
	Disconnected int     `json:"disconnected"`
}

// Faultless reports whether nothing was lost, doubled, reordered or refused, and
// nobody was disconnected.
func (r *Result) Faultless() bool {
	return r.Lost == 0 && r.Duplicated == 0 && r.Reordered == 0 && r.Refused == 0 && r.Disconnected == 0
}

func newResult(r *run) *Result {
	result := &Result{Rooms: len(r.rooms), Connections: len(r.conns)}
	for _, c := range r.conns {
		if c.stalled {
			result.Stalled++
		}
	}
	return result
}

// measured fills in what was seen between two points in time.
func (r *Result) measured(begin, end *counts, before, after []time.Duration) {
	r.Seconds = time.Duration(end.at - begin.at).Seconds()
	r.Posts = end.sent - begin.sent
	r.Deliveries = end.received - begin.received
	r.PostsPerSec = float64(r.Posts) / r.Seconds
	r.DeliveriesSec = float64(r.Deliveries) / r.Seconds
	if reads := end.reads - begin.reads; reads > 0 {
		r.MessagesPerRead = float64(r.Deliveries) / float64(reads)
	}
	r.Client = r.cpu("chatload", end.client-begin.client)
	for i := range before {
		r.CPU = append(r.CPU, r.cpu("", after[i]-before[i]))
	}
	if all := end.all - begin.all; all > 0 && len(before) > 0 {
		others := end.busy - begin.busy - (end.client - begin.client) - spent(before, after)
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

// account fills in what is known when all readers have ended.
func (r *Result) account(run *run) {
	for i := range r.CPU {
		r.CPU[i].Process = run.meter.processes[i].Name
	}
	for _, room := range run.rooms {
		for _, c := range room.listeners {
			r.Lost += c.order.lost(room.newest())
			r.Duplicated += c.order.duplicated
			r.Reordered += c.order.reordered
		}
		for _, c := range room.conns {
			r.Refused += c.refused.Load()
		}
	}
	r.Latency, r.Late = latencyOf(run.latencies()), latencyOf(&run.late)
	r.Disconnected, r.RefusedFor = run.lost, run.refusedFor
	if run.lostBy != nil {
		r.LostBy = run.lostBy.Error()
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
