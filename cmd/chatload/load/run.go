package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// histograms is how many there are: connections share them, few enough to be
// small, enough for readers not to wait for each other's cache lines.
const histograms = 16

// run is one run of the load.
type run struct {
	// Fixed.
	options *Options
	dialect Dialect
	dialer  *dialer
	meter   *meter
	start   time.Time
	rooms   []*room
	conns   []*conn

	// The window of time in which messages are counted, by the time they were
	// sent.
	from, until atomic.Int64
	latency     [histograms]Histogram
	late        Histogram // how late messages were sent at a fixed rate
	readers     sync.WaitGroup

	mu         sync.Mutex
	lost       int   // connections that the server closed, or that failed
	lostBy     error // the first of these
	refusedFor string
}

// Run puts load on a site. A result with losses is no error.
func Run(ctx context.Context, o *Options, dialect Dialect, progress *Progress) (*Result, error) {
	r := &run{
		options: o,
		dialect: dialect,
		dialer:  &dialer{tls: o.tlsConfig()},
		start:   time.Now(),
	}
	r.from.Store(math.MaxInt64)
	r.until.Store(math.MaxInt64)
	var err error
	if r.meter, err = newMeter(o); err != nil {
		return nil, err
	}
	defer r.meter.client.CloseIdleConnections()
	defer r.leave()
	if err := r.admit(ctx, progress); err != nil {
		return nil, err
	}
	switch {
	case o.Idle > 0:
		return r.idle(ctx, progress)
	case o.Storm > 0:
		return r.storm(ctx, progress)
	default:
		return r.traffic(ctx, progress)
	}
}

func (o *Options) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		NextProtos:         []string{"http/1.1"},
		InsecureSkipVerify: o.Insecure, //nolint:gosec // asked for
	}
}

// httpClient returns a client that has at most Parallel connections to a host.
func (o *Options) httpClient() *http.Client {
	return &http.Client{Timeout: dialTimeout, Transport: &http.Transport{
		TLSClientConfig:     o.tlsConfig(),
		MaxConnsPerHost:     o.Parallel,
		MaxIdleConnsPerHost: o.Parallel,
	}}
}

// now returns the time since the start of the run, in nanoseconds.
func (r *run) now() int64 { return int64(time.Since(r.start)) }

// lose notes a connection that was not closed by this side.
func (r *run) lose(c *conn, err error) {
	if c.gone.Swap(true) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost++; r.lostBy == nil {
		r.lostBy = err
	}
}

// refuse notes that a message was refused.
func (r *run) refuse(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refusedFor == "" {
		r.refusedFor = reason
	}
}

// leave closes all connections and waits for their readers.
func (r *run) leave() {
	for _, c := range r.conns {
		c.close()
	}
	r.readers.Wait()
}

// admit makes the rooms and admits their members.
func (r *run) admit(ctx context.Context, progress *Progress) error {
	client := r.options.httpClient()
	defer client.CloseIdleConnections()

	sizes := r.options.rooms()
	r.rooms = make([]*room, len(sizes))
	var admitted atomic.Int64
	err := each(ctx, len(sizes)+r.options.Empty, r.options.Parallel, func(ctx context.Context, i int) error {
		base := r.options.base(i)
		if i >= len(sizes) { // nobody connects to it
			_, err := r.dialect.Open(ctx, client, base, i, 1)
			return err
		}
		members, err := r.dialect.Open(ctx, client, base, i, sizes[i])
		if err != nil {
			return err
		}
		room := &room{run: r, slots: make([]slot, r.options.Flight)}
		room.limit.Store(math.MaxUint64)
		for _, m := range members {
			room.conns = append(room.conns, &conn{run: r, room: room, member: m})
		}
		r.rooms[i] = room
		progress.Line("%d members admitted", admitted.Add(int64(sizes[i])))
		return nil
	})
	if err != nil {
		return err
	}
	for _, room := range r.rooms {
		for i, c := range room.conns {
			c.latency = &r.latency[len(r.conns)%histograms]
			// Spread evenly over the room; its first member never stalls.
			c.stalled = int(float64(i+1)*r.options.Stall) > int(float64(i)*r.options.Stall)
			r.conns = append(r.conns, c)
			if !c.stalled {
				room.listeners = append(room.listeners, c)
			}
		}
	}
	return nil
}

// connect connects all members. It records how long each of them took.
func (r *run) connect(ctx context.Context, progress *Progress, took *Histogram) error {
	type seat struct {
		conn *conn
		node int
	}
	seats := make([]seat, 0, len(r.conns))
	for i, room := range r.rooms {
		for j, c := range room.conns {
			seats = append(seats, seat{c, i + j})
		}
	}
	var connected atomic.Int64
	err := each(ctx, len(seats), r.options.Parallel, func(ctx context.Context, i int) error {
		begin := time.Now()
		base := r.options.base(seats[i].node)
		if err := seats[i].conn.connect(ctx, base+r.dialect.Path()); err != nil {
			return fmt.Errorf("joining: %w", err)
		}
		took.Record(time.Since(begin))
		progress.Line("%d of %d joined", connected.Add(1), len(seats))
		return nil
	})
	if err != nil {
		return err
	}
	for _, room := range r.rooms {
		for _, c := range room.conns {
			room.base = max(room.base, c.order.last)
		}
	}
	return nil
}

// each calls do for 0 to n-1, so many at a time, and returns the first error.
func each(ctx context.Context, n, parallel int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, parallel) {
		// Ends when there is nothing left to do; waited for below.
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return nil
}

// wait waits for a duration.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errHelp says that the flags asked for help.
var errHelp = errors.New("help")
