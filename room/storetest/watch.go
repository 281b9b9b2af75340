package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// arrival is an event and the time of its arrival.
type arrival struct {
	room.Event
	at time.Time
}

// watch records the events of a room on one node. When the test is over, verify
// checks the whole record.
type watch struct {
	node     int
	store    room.Store
	snapshot room.Snapshot
	feed     room.Feed
	inside   atomic.Bool

	mu       sync.Mutex
	arrivals []arrival
	changed  chan struct{} // closed with the next arrival
	faults   []string
	present  map[string]uint64 // order of the newest Enter of each user
}

// watchOn opens a watch on a node.
func watchOn(t *testing.T, b Backend, node int, roomID string) *watch {
	t.Helper()
	w := &watch{
		node:    node % len(b.Nodes),
		store:   b.node(node),
		changed: make(chan struct{}),
		present: make(map[string]uint64),
	}
	var err error
	w.snapshot, w.feed, err = w.store.Watch(t.Context(), roomID, w.record)
	if err != nil {
		t.Fatalf("node %d: Watch: %v", w.node, err)
	}
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		w.close(ctx)
		w.verify(t)
	})
	return w
}

// watchAll opens a watch on every node.
func watchAll(t *testing.T, b Backend, roomID string) []*watch {
	t.Helper()
	all := make([]*watch, len(b.Nodes))
	for i := range b.Nodes {
		all[i] = watchOn(t, b, i, roomID)
	}
	return all
}

func (w *watch) record(e room.Event) {
	now := time.Now()
	if !w.inside.CompareAndSwap(false, true) {
		w.fault("the watcher was called while it was running")
		return
	}
	defer w.inside.Store(false)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arrivals = append(w.arrivals, arrival{e, now})
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *watch) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// close exits all entered users and closes the feed.
func (w *watch) close(ctx context.Context) {
	w.mu.Lock()
	present := w.present
	w.present = nil
	w.mu.Unlock()
	for userID, order := range present {
		w.feed.Exit(ctx, userID, order)
	}
	w.feed.Close()
	before := len(w.events())
	w.feed.Close()
	if after := len(w.events()); after != before {
		w.fault("%d events came after Close had returned", after-before)
	}
}

// events returns the events so far.
func (w *watch) events() []arrival {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clip(w.arrivals)
}

// await waits until the events so far satisfy a condition, and returns them.
func (w *watch) await(t *testing.T, what string, satisfied func([]arrival) bool) []arrival {
	t.Helper()
	return w.awaitWithin(t, timeout, what, satisfied)
}

func (w *watch) awaitWithin(t *testing.T, within time.Duration, what string, satisfied func([]arrival) bool) []arrival {
	t.Helper()
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	for {
		w.mu.Lock()
		events, changed := slices.Clip(w.arrivals), w.changed
		w.mu.Unlock()
		if satisfied(events) {
			return events
		}
		select {
		case <-changed:
		case <-timeout.C:
			t.Fatalf("node %d: no %s within %v; what came: %s", w.node, what, within, describe(events))
		}
	}
}

// awaitKind waits for the first event of a kind.
func (w *watch) awaitKind(t *testing.T, kind room.EventKind) arrival {
	t.Helper()
	return w.awaitUser(t, kind, "")
}

// awaitUser waits for the first event of a kind that is about a user.
func (w *watch) awaitUser(t *testing.T, kind room.EventKind, userID string) arrival {
	t.Helper()
	return w.awaitUserWithin(t, timeout, kind, userID)
}

func (w *watch) awaitUserWithin(t *testing.T, within time.Duration, kind room.EventKind, userID string) arrival {
	t.Helper()
	var found arrival
	what := strings.TrimSpace(kindNames[kind] + " " + userID)
	w.awaitWithin(t, within, what, func(events []arrival) bool {
		for _, e := range events {
			if e.Kind == kind && (userID == "" || e.UserID == userID) {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

// awaitSeq waits for a message and returns all messages so far.
func (w *watch) awaitSeq(t *testing.T, seq uint64) []arrival {
	t.Helper()
	events := w.await(t, fmt.Sprintf("message %d", seq), func(events []arrival) bool {
		for _, e := range slices.Backward(events) {
			if e.Kind == room.EventMessage {
				return e.Seq >= seq
			}
		}
		return false
	})
	return ofKind(events, room.EventMessage)
}

// fence posts a message of the admin and waits for it: all earlier events have then
// arrived. It returns them.
func (w *watch) fence(t *testing.T, roomID string) []arrival {
	t.Helper()
	receipt, err := w.store.Post(t.Context(), roomID, newPost(w.store, admin, "fence"))
	if err != nil {
		t.Fatalf("node %d: Post of a fence: %v", w.node, err)
	}
	w.awaitSeq(t, receipt.Seq)
	events := w.events()
	for i, e := range events {
		if e.Kind == room.EventMessage && e.Seq == receipt.Seq {
			return events[:i]
		}
	}
	return events
}

// enter brings a user online on the node of the watch.
func (w *watch) enter(t *testing.T, p room.Presence) (lastID uint64) {
	t.Helper()
	lastID, err := w.tryEnter(t.Context(), p, manyUsers)
	if err != nil {
		t.Fatalf("node %d: Enter of %q: %v", w.node, p.UserID, err)
	}
	return lastID
}

func (w *watch) tryEnter(ctx context.Context, p room.Presence, maxOnline int) (lastID uint64, err error) {
	lastID, err = w.feed.Enter(ctx, p, maxOnline)
	if err == nil {
		w.mu.Lock()
		w.present[p.UserID] = max(w.present[p.UserID], p.Order)
		w.mu.Unlock()
	}
	return lastID, err
}

// exit reports that this connection, the newest of its user on the node, is closed.
func (w *watch) exit(ctx context.Context, p room.Presence) {
	w.mu.Lock()
	if w.present[p.UserID] <= p.Order {
		delete(w.present, p.UserID)
	}
	w.mu.Unlock()
	w.feed.Exit(ctx, p.UserID, p.Order)
}

// connections counts the connections that tests open.
var connections atomic.Uint64

// presence is a new connection of a user.
func presence(userID string) room.Presence {
	return room.Presence{
		UserID:   userID,
		SocketID: room.NewNonce(),
		Order:    connections.Add(1),
		Session:  "tag-of-" + userID,
	}
}

// ofKind returns the events of one kind.
func ofKind(events []arrival, kind room.EventKind) []arrival {
	var found []arrival
	for _, e := range events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}
