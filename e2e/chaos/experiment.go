package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/poll"
	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// progressInterval is the time between two lines of progress.
const progressInterval = 15 * time.Second

// experiment is a run of all parts.
type experiment struct {
	o          Options
	journal    *journal
	topology   *topology
	nodes      []*node
	http       *http.Client
	sequences  atomic.Uint64 // number of random sequences
	shortLived sync.RWMutex  // held by each short-lived room, and exclusively while the nodes are measured

	mu        sync.Mutex
	open      map[*room]bool
	ended     []endedRoom
	processes []*Process // of the nodes, in the order of their first samples
	converged []time.Duration
	rounds    int
}

// quietLogger drops the lines that go-redis writes about servers that it cannot
// reach: the nemesis stops them on purpose.
type quietLogger struct{}

// Printf implements the logger of go-redis.
func (quietLogger) Printf(context.Context, string, ...any) {}

// Run runs an experiment and reports all violations. It returns an error if the
// experiment itself fails.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	redis.SetLogger(quietLogger{})
	running, stop := context.WithCancel(ctx)
	defer stop()
	stopEarly := func() {}
	if o.StopEarly {
		stopEarly = stop
	}
	x := &experiment{
		o: o, journal: newJournal(o.Log, stopEarly), open: make(map[*room]bool),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}},
	}
	x.journal.log("topology %s, seed %d, %s of faults with one every %s", o.Topology, o.Seed, o.Duration, o.Pace)
	if x.topology, err = startTopology(ctx, o.Topology, o.Dir, o.Nodes); err != nil {
		return nil, fmt.Errorf("chaos: %s: %w", o.Topology, err)
	}
	defer x.close()
	for i := range o.Nodes {
		n, err := startNode(ctx, o.Caddy, filepath.Join(o.Dir, fmt.Sprint("node", i)), x.topology.directive(i))
		if err != nil {
			return nil, fmt.Errorf("chaos: node %d: %w", i, err)
		}
		x.nodes = append(x.nodes, n)
	}
	if err := x.run(running); err != nil {
		if x.journal.violationCount() == 0 {
			return nil, err
		}
		x.journal.log("the experiment ends early: %v", err)
	}
	for _, n := range x.nodes {
		if text := harness.Crash(n.Log()); text != "" {
			x.journal.violate("crash", n.name+" has logged: "+text, nil)
		}
	}
	x.checkGrowth()
	return x.report(), nil
}

func (x *experiment) close() {
	for _, n := range x.nodes {
		n.close()
	}
	x.http.CloseIdleConnections()
	if err := x.topology.close(); err != nil {
		x.journal.log("closing Redis: %v", err)
	}
}

// run runs short-lived rooms all the time, and rounds of faults and quiet.
func (x *experiment) run(ctx context.Context) error {
	running, stop := context.WithCancel(ctx)
	var working, reporting sync.WaitGroup
	last := make(chan struct{})
	for i := range x.o.Rooms - x.o.Rooms/3 {
		// Ends with the current room after last is closed, or with running.
		working.Go(func() { x.runShortLivedRooms(running, last, uint64(i)) })
	}
	// Ends with running.
	reporting.Go(func() { x.logProgress(running) })
	defer reporting.Wait()
	defer stop()

	var err error
	nemesis := newNemesis(x)
	begin, measured := time.Now(), time.Now()
	for err == nil && ctx.Err() == nil && time.Since(begin) < x.o.Duration {
		err = x.round(ctx, nemesis, min(x.o.Round, x.o.Duration-time.Since(begin)))
		if err == nil && time.Since(measured) >= x.o.MeasureEvery {
			x.measure(ctx)
			measured = time.Now()
		}
	}
	close(last)
	if err != nil {
		stop()
	}
	working.Wait()
	if err != nil || ctx.Err() != nil {
		return err
	}
	x.measure(ctx)
	x.checkNoKeysLeft(ctx)
	return nil
}

// round injects faults for a while, and then checks all invariants in quiet.
func (x *experiment) round(ctx context.Context, nemesis *nemesis, length time.Duration) error {
	x.mu.Lock()
	x.rounds++
	round := x.rounds
	x.mu.Unlock()
	alive, cancel := context.WithCancel(ctx)
	var rooms []*room
	defer func() {
		for _, r := range rooms {
			x.setOpen(r, false)
			r.close(cancel)
		}
		cancel()
	}()
	for i := range x.o.Rooms / 3 {
		r, err := x.createRoom(alive, "lasting", length+2*time.Minute, x.o.Members)
		if r != nil {
			rooms = append(rooms, r)
		}
		if err != nil {
			return fmt.Errorf("chaos: room %d of round %d: %w", i, round, err)
		}
		r.active.Store(true)
		x.setOpen(r, true)
	}
	var changing sync.WaitGroup
	faulty, quiet := context.WithCancel(alive)
	for _, r := range rooms {
		// Ends with faulty.
		changing.Go(func() { r.changeMembers(alive, faulty) })
	}
	err := nemesis.run(ctx, length)
	quiet()
	changing.Wait()
	if err != nil {
		return fmt.Errorf("chaos: %s does not recover: %w", x.o.Topology, err)
	}
	if ctx.Err() != nil {
		return nil
	}
	x.journal.log("round %d: quiet", round)
	x.checkConvergence(ctx, rooms)
	x.checkEndedRooms(ctx)
	x.deleteAll(ctx, rooms)
	return nil
}

// newRandom returns the next random sequence of the seed.
func (x *experiment) newRandom() *rand.Rand { return newRandom(x.o.Seed, x.sequences.Add(1)) }

// setOpen records whether a room's clients suffer faults.
func (x *experiment) setOpen(r *room, open bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if open {
		x.open[r] = true
	} else {
		delete(x.open, r)
	}
}

// openRooms returns the open rooms, the oldest first.
func (x *experiment) openRooms() []*room {
	x.mu.Lock()
	defer x.mu.Unlock()
	rooms := make([]*room, 0, len(x.open))
	for r := range x.open {
		rooms = append(rooms, r)
	}
	slices.SortFunc(rooms, func(a, b *room) int { return a.requested.Compare(b.requested) })
	return rooms
}

func (x *experiment) logProgress(ctx context.Context) {
	for poll.Pause(ctx, progressInterval) {
		clients, connected := 0, 0
		for _, r := range x.openRooms() {
			for _, c := range r.remaining() {
				clients++
				if c.Connected() {
					connected++
				}
			}
		}
		r := x.report()
		x.journal.log("progress: %s, %d faults, %d of %d clients connected, %d messages, %d deliveries, %d reconnects, %d violations",
			r.Topology, r.FaultCount(), connected, clients, r.Counts["messages"], r.Counts["deliveries"], r.Counts["reconnects"], len(r.Violations))
	}
}
