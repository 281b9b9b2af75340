package chaos

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// quietTime is in which everything must be right after the last fault.
	quietTime = 20 * time.Second
	// lateAfter is how long after a deadline a client that could hear it must have
	// been told.
	lateAfter = 2 * time.Second
	// progressEvery is how often a line of progress is written.
	progressEvery = 15 * time.Second
)

// Lab is a run of the laboratory.
type Lab struct {
	o        Options
	journal  *journal
	topology topology
	nodes    []*node
	http     *http.Client
	people   atomic.Uint64 // numbers dice
	living   sync.RWMutex  // held by each short life of a room, and wholly by rest

	mu        sync.Mutex
	active    map[*chat]bool // chats that take part
	graves    []grave
	processes []*Process // of the nodes, in the order in which they were first measured
	settled   []time.Duration
	rounds    int
}

// grave is a room that has ended.
type grave struct {
	id   string
	kind string
	gone time.Time // when nothing of it may be left
}

// Run runs the laboratory and reports what has been found. It fails if the
// laboratory itself does.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	redis.SetLogger(quietLogger{})
	l := &Lab{
		o: o, journal: newJournal(o.Log), active: make(map[*chat]bool),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}},
	}
	var err error
	if l.topology, err = newTopology(o.Topology); err != nil {
		return nil, err
	}
	l.journal.note("topology %s, seed %d, %s of faults with one every %s", o.Topology, o.Seed, o.Duration, o.Pace)
	defer l.stop()
	if err := l.start(ctx); err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	if o.StopEarly {
		l.journal.stop = stop
	}
	if err := l.run(running); err != nil && l.journal.violationCount() == 0 {
		return nil, err
	}
	l.inspectNodes()
	l.inspectGrowth()
	return l.report(), nil
}

func (l *Lab) start(ctx context.Context) error {
	if err := l.topology.start(ctx, l.o.Dir, l.o.Nodes); err != nil {
		return fmt.Errorf("lab: %s: %w", l.o.Topology, err)
	}
	for i := range l.o.Nodes {
		n, err := newNode(ctx, l.o.Caddy, l.o.Dir, fmt.Sprint("node", i), l.topology.directive(i))
		if err != nil {
			return fmt.Errorf("lab: node %d: %w", i, err)
		}
		l.nodes = append(l.nodes, n)
	}
	return nil
}

func (l *Lab) stop() {
	for _, n := range l.nodes {
		n.close()
	}
	l.http.CloseIdleConnections()
	l.topology.stop()
}

// run has short rooms live and die all the time, and rounds of faults and quiet.
func (l *Lab) run(ctx context.Context) error {
	lives, endLives := context.WithCancel(ctx)
	defer endLives()
	var living, telling sync.WaitGroup
	last := make(chan struct{})
	for i := range l.o.Rooms - l.o.Rooms/3 {
		// It ends with the life of a room after last is closed, or with lives.
		living.Go(func() { l.liveOn(lives, last, uint64(i)) })
	}
	// It ends with lives.
	telling.Go(func() { l.tellProgress(lives) })
	defer telling.Wait()
	defer endLives()

	var err error
	plan := newSchedule(l)
	begin, rested := time.Now(), time.Now()
	for err == nil && ctx.Err() == nil && time.Since(begin) < l.o.Duration {
		err = l.round(ctx, plan, min(l.o.Round, l.o.Duration-time.Since(begin)))
		if err == nil && time.Since(rested) >= l.o.Rest {
			l.rest(ctx)
			rested = time.Now()
		}
	}
	close(last)
	if err != nil {
		endLives()
	}
	living.Wait()
	if err != nil || ctx.Err() != nil {
		return err
	}
	l.measure(ctx)
	l.buryAll(ctx)
	return nil
}

// round has faults for a while, and then looks whether all is right.
func (l *Lab) round(ctx context.Context, plan *schedule, length time.Duration) error {
	l.mu.Lock()
	l.rounds++
	round := l.rounds
	l.mu.Unlock()
	lasting, cancel := context.WithCancel(ctx)
	var chats []*chat
	defer func() {
		for _, ch := range chats {
			l.leave(ch)
			ch.close(cancel)
		}
		cancel()
	}()
	for i := range l.o.Rooms / 3 {
		ch, err := l.openRoom(lasting, "lasting", length+2*time.Minute, l.o.Members)
		if ch != nil {
			chats = append(chats, ch)
		}
		if err != nil {
			return fmt.Errorf("lab: room %d of round %d: %w", i, round, err)
		}
		ch.talking.Store(true)
		l.enter(ch)
	}
	var changing sync.WaitGroup
	faulty, quiet := context.WithCancel(lasting)
	for _, ch := range chats {
		// It ends with faulty.
		changing.Go(func() { ch.change(lasting, faulty) })
	}
	err := plan.run(ctx, length)
	quiet()
	changing.Wait()
	if err != nil {
		return fmt.Errorf("lab: %s does not recover: %w", l.o.Topology, err)
	}
	if ctx.Err() != nil {
		return nil
	}
	l.journal.note("round %d: quiet", round)
	l.settle(ctx, chats)
	l.inspectGraves(ctx)
	l.endAll(ctx, chats)
	return nil
}

// enter and leave say that a chat takes part.
func (l *Lab) enter(ch *chat) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active[ch] = true
}

func (l *Lab) leave(ch *chat) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.active, ch)
}

func (l *Lab) chats() []*chat {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*chat, 0, len(l.active))
	for ch := range l.active {
		all = append(all, ch)
	}
	slices.SortFunc(all, func(a, b *chat) int { return a.asked.Compare(b.asked) })
	return all
}

// disturbed reports whether a client may have been told something late, from a
// moment on, by what has befallen itself, its node, or the link between them.
func (l *Lab) disturbed(c *client, from, to time.Time) bool {
	if c.stalled.After(from.Add(-deafAfter)) {
		return true
	}
	return len(l.journal.during(from.Add(-deafAfter), to, 0, func(h *happening) bool {
		return h.on == clientsOf(c.node) || h.on == nodeNamed(c.node)
	})) > 0
}

// inspectNodes looks at what the nodes have written.
func (l *Lab) inspectNodes() {
	for _, n := range l.nodes {
		if complaint := n.complaint(); complaint != "" {
			l.journal.violate("crash", n.name+" has written: "+complaint, nil)
		}
	}
}

func (l *Lab) tellProgress(ctx context.Context) {
	for pause(ctx, progressEvery) {
		clients, connected := 0, 0
		for _, ch := range l.chats() {
			for _, c := range ch.staying() {
				clients++
				c.mu.Lock()
				if c.present {
					connected++
				}
				c.mu.Unlock()
			}
		}
		l.journal.note("progress: %s, %d faults, %d clients of which %d connected, %d messages, %d deliveries, %d reconnects, %d violations",
			l.o.Topology, l.journal.faultCount(), clients, connected, l.journal.counted("messages"), l.journal.counted("deliveries"),
			l.journal.counted("reconnects"), l.journal.violationCount())
	}
}
