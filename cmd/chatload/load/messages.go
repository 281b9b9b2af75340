package load

import (
	"context"
	"fmt"
	"math"
	"time"
)

const (
	// drainTimeout is how long nothing may arrive until what is missing counts as
	// lost.
	drainTimeout = 5 * time.Second
	// maxSenders is how many goroutines send at a fixed rate.
	maxSenders = 8
	// fillFlight is how many messages are under way in a room that is filled.
	fillFlight = 32
)

// traffic lets the members of all rooms talk.
func (r *run) traffic(ctx context.Context, progress *Progress) (*Result, error) {
	result := newResult(r)
	if err := r.connect(ctx, progress, new(Histogram)); err != nil {
		return nil, err
	}
	if err := r.fill(ctx, progress); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := r.talk(ctx)
	err := wait(ctx, r.options.Warmup)
	if err == nil {
		err = r.measure(ctx, result, progress)
	}
	if err == nil {
		err = r.meter.connected(ctx, len(r.conns), 0, &result.Memory)
	}
	stop()
	if err != nil {
		return nil, err
	}
	if err := r.drain(ctx); err != nil {
		return nil, err
	}
	r.leave()
	result.account(r)
	return result, nil
}

// fill puts messages into each room before anything is measured.
func (r *run) fill(ctx context.Context, progress *Progress) error {
	if r.options.Fill == 0 {
		return nil
	}
	progress.Line("putting %d messages into each room", r.options.Fill)
	for _, room := range r.rooms {
		slots := room.slots
		room.slots = make([]slot, min(fillFlight, r.options.Fill))
		room.limit.Store(uint64(r.options.Fill)) //nolint:gosec // positive
		for i := range room.slots {
			room.say(i)
		}
		if err := r.drain(ctx); err != nil {
			return err
		}
		room.slots = slots
		room.limit.Store(math.MaxUint64)
	}
	return nil
}

// talk starts the members' talking, and returns what ends it.
func (r *run) talk(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var senders []chan struct{}
	if r.options.Flight > 0 {
		for _, room := range r.rooms {
			for i := range room.slots {
				room.say(i)
			}
		}
	} else {
		count := min(maxSenders, len(r.rooms))
		for i := range count {
			done := make(chan struct{})
			senders = append(senders, done)
			// Ends with ctx; stop waits for it.
			go func() {
				defer close(done)
				r.sendAtRate(ctx, i, count)
			}()
		}
	}
	return func() {
		cancel()
		for _, done := range senders {
			<-done
		}
		for _, room := range r.rooms {
			room.limit.Store(0)
		}
	}
}

// sendAtRate sends the messages of every count-th room, from the first one given,
// evenly spread over time.
func (r *run) sendAtRate(ctx context.Context, first, count int) {
	var rooms []*room
	for i := first; i < len(r.rooms); i += count {
		rooms = append(rooms, r.rooms[i])
	}
	interval := float64(time.Second) / (r.options.Rate * float64(len(rooms)))
	begin := r.now() + int64(interval)*int64(first)/int64(count)
	for n := 0; ; n++ {
		due := begin + int64(float64(n)*interval)
		if ahead := due - r.now(); ahead > 0 {
			if wait(ctx, time.Duration(ahead)) != nil {
				return
			}
		} else if ctx.Err() != nil {
			return
		}
		if now := r.now(); now >= r.from.Load() {
			r.late.Record(time.Duration(now - due))
		}
		rooms[n%len(rooms)].say(0)
	}
}

// measure waits for as long as is to be measured.
func (r *run) measure(ctx context.Context, result *Result, progress *Progress) error {
	before, err := r.meter.cpu()
	if err != nil {
		return err
	}
	begin := r.count()
	r.from.Store(begin.at)
	end := time.NewTimer(r.options.Duration)
	defer end.Stop()
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	last := begin
	for running := true; running; {
		select {
		case <-end.C:
			running = false
		case <-tick.C:
			now := r.count()
			progress.Line("%s of %s: %.0f deliveries/s, p99 %s so far",
				time.Duration(now.at-begin.at).Round(time.Second), r.options.Duration,
				float64(now.received-last.received)/time.Duration(now.at-last.at).Seconds(),
				r.latencies().Quantile(0.99).Round(10*time.Microsecond))
			last = now
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	r.until.Store(r.now())
	finish := r.count()
	after, err := r.meter.cpu()
	if err != nil {
		return err
	}
	result.measured(&begin, &finish, before, after)
	return nil
}

// counts are the counters of a run at one time.
type counts struct {
	at                    int64 // nanoseconds since the start
	sent, received, reads uint64
	// CPU times, 0 where unknown: of this process, of everything on the machine,
	// and what that could be at most.
	client, busy, all time.Duration
}

func (r *run) count() counts {
	n := counts{at: r.now()}
	for _, room := range r.rooms {
		n.sent += room.sent.Load()
	}
	for _, c := range r.conns {
		n.received += c.received.Load()
		n.reads += c.reads.Load()
	}
	n.client, _ = cpuOf("self") // not known on every system
	n.busy, n.all = machine()
	return n
}

// drain waits until all that was sent has arrived, or nothing comes any more.
func (r *run) drain(ctx context.Context) error {
	last, since := uint64(0), time.Now()
	for {
		expected := uint64(0)
		for _, room := range r.rooms {
			expected += room.accepted() * uint64(len(room.listeners))
		}
		received := uint64(0)
		for _, c := range r.conns {
			received += c.received.Load()
		}
		if received >= expected {
			return nil
		}
		if received != last {
			last, since = received, time.Now()
		} else if time.Since(since) > drainTimeout {
			return nil
		}
		if err := wait(ctx, 5*time.Millisecond); err != nil {
			return fmt.Errorf("load: waiting for messages: %w", err)
		}
	}
}

// latencies returns the latencies of all members.
func (r *run) latencies() *Histogram {
	total := new(Histogram)
	for i := range r.latency {
		total.Add(&r.latency[i])
	}
	return total
}
