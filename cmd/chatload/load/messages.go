package load

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"
)

const (
	// drainTimeout is the time without a delivery after which missing messages count
	// as lost; drainInterval is that between two checks.
	drainTimeout  = 5 * time.Second
	drainInterval = 5 * time.Millisecond
	// maxSenders is the number of goroutines that send at a fixed rate.
	maxSenders = 8
	// fillInFlight is the number of messages in flight in a room that is filled.
	fillInFlight = 32
)

// exchange connects all members and lets them send messages.
func (r *run) exchange(ctx context.Context, result *Result) error {
	if err := r.connect(ctx, new(Histogram)); err != nil {
		return err
	}
	if err := r.fill(ctx); err != nil {
		return err
	}
	stop := r.startSending(ctx)
	err := wait(ctx, r.options.Warmup)
	if err == nil {
		err = r.measure(ctx, result)
	}
	var sizes []int64
	if err == nil {
		sizes, err = readAll(r.options.Processes, memoryOf)
	}
	stop()
	if err != nil {
		return err
	}
	for i, size := range sizes {
		result.Memory = append(result.Memory, Memory{Process: r.options.Processes[i].Name, Connected: size})
	}
	if err := r.drain(ctx); err != nil {
		return err
	}
	r.close()
	result.setTotals(r)
	return nil
}

// fill sends messages to each room before the measurement.
func (r *run) fill(ctx context.Context) error {
	if r.options.Fill == 0 {
		return nil
	}
	r.progress("sending %d messages to each room", r.options.Fill)
	for _, room := range r.rooms {
		slots := room.slots
		room.slots = make([]slot, min(fillInFlight, r.options.Fill))
		room.limit.Store(uint64(r.options.Fill)) //nolint:gosec // positive
		for i := range room.slots {
			room.send(i)
		}
		if err := r.drain(ctx); err != nil {
			return err
		}
		room.slots = slots
		room.limit.Store(math.MaxUint64)
	}
	return nil
}

// startSending starts the members' sending, and returns a function that stops it.
func (r *run) startSending(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var senders sync.WaitGroup
	for _, room := range r.rooms {
		for i := range room.slots {
			room.send(i)
		}
	}
	if r.options.InFlight == 0 {
		count := min(maxSenders, len(r.rooms))
		for i := range count {
			// Ends with ctx; stop waits for it.
			senders.Go(func() { r.sendAtRate(ctx, i, count) })
		}
	}
	return func() {
		cancel()
		senders.Wait()
		for _, room := range r.rooms {
			room.limit.Store(0)
		}
	}
}

// sendAtRate sends the messages of every count-th room, beginning with the first,
// evenly spread over time.
func (r *run) sendAtRate(ctx context.Context, first, count int) {
	var rooms []*room
	for i := first; i < len(r.rooms); i += count {
		rooms = append(rooms, r.rooms[i])
	}
	interval := float64(time.Second) / (r.options.Rate * float64(len(rooms)))
	begin := r.now() + int64(interval)*int64(first)/int64(count)
	for n := 0; ctx.Err() == nil; n++ {
		due := begin + int64(float64(n)*interval)
		if ahead := due - r.now(); ahead > 0 && wait(ctx, time.Duration(ahead)) != nil {
			return
		}
		if now := r.now(); now >= r.from.Load() {
			r.late.Record(time.Duration(now - due))
		}
		rooms[n%len(rooms)].send(0)
	}
}

// measure measures for the duration of the options.
func (r *run) measure(ctx context.Context, result *Result) error {
	begin, err := r.snapshot()
	if err != nil {
		return err
	}
	r.from.Store(begin.at)
	end := time.NewTimer(r.options.Duration)
	defer end.Stop()
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	last := begin
	for running := true; running; {
		select {
		case <-end.C:
			running = false
		case <-ticker.C:
			now, err := r.snapshot()
			if err != nil {
				return err
			}
			r.progress("%s of %s: %.0f deliveries/s, p99 %s so far",
				time.Duration(now.at-begin.at).Round(time.Second), r.options.Duration,
				float64(now.received-last.received)/time.Duration(now.at-last.at).Seconds(),
				r.latencies().Quantile(0.99).Round(10*time.Microsecond))
			last = now
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	r.until.Store(r.now())
	finish, err := r.snapshot()
	if err != nil {
		return err
	}
	result.setWindow(r, begin, finish)
	return nil
}

// drain waits until all accepted messages have arrived, or none arrives any more.
func (r *run) drain(ctx context.Context) error {
	ticker := time.NewTicker(drainInterval)
	defer ticker.Stop()
	last, since := uint64(0), time.Now()
	for {
		expected, received := uint64(0), r.received()
		for _, room := range r.rooms {
			expected += room.accepted() * uint64(len(room.listeners))
		}
		if received != last {
			last, since = received, time.Now()
		}
		if received >= expected || time.Since(since) > drainTimeout {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("load: waiting for messages: %w", context.Cause(ctx))
		}
	}
}

func (r *run) received() (total uint64) {
	for _, c := range r.conns {
		total += c.received.Load()
	}
	return total
}

// latencies returns the latencies of all members.
func (r *run) latencies() *Histogram {
	total := new(Histogram)
	for i := range r.latency {
		total.Add(&r.latency[i])
	}
	return total
}

// The text of a message is ~<slot>.<time>~ and padding. The time is in nanoseconds
// since the start of the run. The slot identifies the message among those in flight
// in its room.

// appendText appends a text of size bytes, or of more if slot and time need them.
// JSON needs no escapes for it.
func appendText(b []byte, slot, sent int64, size int) []byte {
	end := len(b) + size
	b = append(b, '~')
	b = strconv.AppendInt(b, slot, 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, sent, 10)
	b = append(b, '~')
	for len(b) < end {
		b = append(b, 'x')
	}
	return b
}

// parseText finds slot and time anywhere in a text.
func parseText(text []byte) (slot, sent int64, ok bool) {
	_, text, _ = bytes.Cut(text, []byte{'~'})
	n := int64(0)
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			n = n*10 + int64(c-'0')
		case c == '.' && !ok:
			slot, n, ok = n, 0, true
		case c == '~' && ok:
			return slot, n, true
		default:
			return 0, 0, false
		}
	}
	return 0, 0, false
}
