package load

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// histograms is the number of latency histograms that connections share: few, to
// save memory; several, so that readers seldom contend for a cache line.
const histograms = 16

// run is one run of the load.
type run struct {
	// Fixed.
	options  *Options
	protocol Protocol
	client   *http.Client
	start    time.Time
	rooms    []*room
	conns    []*conn

	// A latency counts if the message was sent in this window of time.
	from, until atomic.Int64
	latency     [histograms]Histogram
	late        Histogram // delay of messages sent at a fixed rate
	reading     sync.WaitGroup

	mu             sync.Mutex
	log            io.Writer
	logged         time.Time // when the last line was
	disconnected   int       // connections that the server closed, or that failed
	disconnectedBy error     // the first of these
	refusedFor     string
}

// Run puts load on a site and writes progress to log. Lost messages are not an
// error, but in the result.
func Run(ctx context.Context, o *Options, protocol Protocol, log io.Writer) (*Result, error) {
	r := &run{
		options:  o,
		protocol: protocol,
		client:   o.httpClient(),
		log:      log,
		start:    time.Now(),
		logged:   time.Now(),
	}
	r.from.Store(math.MaxInt64)
	r.until.Store(math.MaxInt64)
	// Fails early if a process does not exist.
	if _, err := readAll(o.Processes, cpuOf); err != nil {
		return nil, err
	}
	defer r.client.CloseIdleConnections()
	defer r.close()
	if err := r.admit(ctx); err != nil {
		return nil, err
	}
	result := &Result{Rooms: len(r.rooms), Connections: len(r.conns)}
	for _, c := range r.conns {
		if c.stalled {
			result.Stalled++
		}
	}
	var err error
	switch {
	case o.Idle > 0:
		err = r.idle(ctx, result)
	case o.Storm > 0:
		err = r.storm(ctx, result)
	default:
		err = r.exchange(ctx, result)
	}
	return result, err
}

func (o *Options) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		NextProtos:         []string{"http/1.1"},
		InsecureSkipVerify: o.Insecure, //nolint:gosec // the user's choice
	}
}

// httpClient returns a client with at most Parallel connections to a host.
func (o *Options) httpClient() *http.Client {
	return &http.Client{Timeout: dialTimeout, Transport: &http.Transport{
		TLSClientConfig:     o.tlsConfig(),
		MaxConnsPerHost:     o.Parallel,
		MaxIdleConnsPerHost: o.Parallel,
	}}
}

// now returns the time since the start of the run, in nanoseconds.
func (r *run) now() int64 { return int64(time.Since(r.start)) }

// noteDisconnect counts a connection that the server closed, or that failed, once.
func (r *run) noteDisconnect(c *conn, err error) {
	if c.lost.Swap(true) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.disconnected++; r.disconnectedBy == nil {
		r.disconnectedBy = err
	}
}

// noteRefusal keeps the first reason.
func (r *run) noteRefusal(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refusedFor == "" {
		r.refusedFor = reason
	}
}

// close closes all connections and waits for their readers.
func (r *run) close() {
	for _, c := range r.conns {
		c.close()
	}
	r.reading.Wait()
}

// admit creates the rooms and admits their members.
func (r *run) admit(ctx context.Context) error {
	defer r.client.CloseIdleConnections() // they would count as memory of the server
	sizes := r.options.roomSizes()
	r.rooms = make([]*room, len(sizes))
	var admitted atomic.Int64
	err := each(ctx, len(sizes)+r.options.Empty, r.options.Parallel, func(ctx context.Context, i int) error {
		base := r.options.node(i)
		if i >= len(sizes) { // a room without connections
			_, err := r.protocol.Open(ctx, r.client, base, i, 1)
			return err
		}
		members, err := r.protocol.Open(ctx, r.client, base, i, sizes[i])
		if err != nil {
			return err
		}
		room := &room{run: r, slots: make([]slot, r.options.InFlight)}
		room.limit.Store(math.MaxUint64)
		for j, m := range members {
			room.conns = append(room.conns, &conn{run: r, room: room, member: m, node: r.options.node(i + j)})
		}
		r.rooms[i] = room
		r.progress("%d members admitted", admitted.Add(int64(sizes[i])))
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

// connect connects all members and records the time that each of them took.
func (r *run) connect(ctx context.Context, took *Histogram) error {
	var connected atomic.Int64
	err := each(ctx, len(r.conns), r.options.Parallel, func(ctx context.Context, i int) error {
		begin := time.Now()
		if err := r.conns[i].connect(ctx); err != nil {
			return fmt.Errorf("joining: %w", err)
		}
		took.Record(time.Since(begin))
		r.progress("%d of %d joined", connected.Add(1), len(r.conns))
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range r.conns {
		c.room.base = max(c.room.base, c.sequence.last)
	}
	return nil
}

// each calls do for 0 to n-1, in parallel goroutines, and returns the first error,
// after which calls get a canceled context.
func each(ctx context.Context, n, parallel int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range n {
		group.Go(func() error { return do(ctx, i) }) // Wait waits for it
	}
	return group.Wait()
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

// progressInterval is the shortest time between two lines of progress.
const progressInterval = 5 * time.Second

// progress logs a line, unless the run or the previous line has just begun.
func (r *run) progress(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// A little less than the interval, so that no tick of a ticker is skipped.
	if now := time.Now(); now.Sub(r.logged) >= progressInterval-progressInterval/10 {
		r.logged = now
		_, _ = fmt.Fprintf(r.log, "… "+format+"\n", args...)
	}
}
