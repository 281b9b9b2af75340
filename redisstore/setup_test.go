package redisstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

const awaitTimeout = 15 * time.Second

// watch records the events that one node emits for a room.
type watch struct {
	room.Feed
	snapshot room.Snapshot

	mu      sync.Mutex
	events  []room.Event
	at      []time.Time
	changed chan struct{}
}

func watchRoom(tb testing.TB, s *redisstore.Store, roomID string) *watch {
	tb.Helper()
	w := &watch{changed: make(chan struct{})}
	var err error
	w.snapshot, w.Feed, err = s.Watch(tb.Context(), roomID, w.record)
	if err != nil {
		tb.Fatalf("Watch: %v", err)
	}
	tb.Cleanup(w.Close)
	return w
}

func (w *watch) record(e room.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events, w.at = append(w.events, e), append(w.at, time.Now())
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *watch) soFar() ([]room.Event, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clip(w.events), w.changed
}

// all returns the events of these kinds.
func (w *watch) all(kinds ...room.EventKind) []room.Event {
	events, _ := w.soFar()
	var found []room.Event
	for _, e := range events {
		for _, kind := range kinds {
			if e.Kind == kind {
				found = append(found, e)
			}
		}
	}
	return found
}

// await waits for an event that satisfies a condition.
func (w *watch) await(tb testing.TB, what string, satisfies func(room.Event) bool) room.Event {
	tb.Helper()
	timeout := time.NewTimer(2 * awaitTimeout)
	defer timeout.Stop()
	for checked := 0; ; {
		events, changed := w.soFar()
		for _, e := range events[checked:] {
			if satisfies(e) {
				return e
			}
		}
		checked = len(events)
		select {
		case <-changed:
		case <-timeout.C:
			tb.Fatalf("no %s came; what came: %s", what, describe(events))
		}
	}
}

func (w *watch) awaitKind(tb testing.TB, kind room.EventKind) room.Event {
	tb.Helper()
	return w.await(tb, fmt.Sprintf("event of kind %d", kind), func(e room.Event) bool { return e.Kind == kind })
}

func (w *watch) awaitUser(tb testing.TB, kind room.EventKind, userID string) {
	tb.Helper()
	w.await(tb, fmt.Sprintf("event of kind %d about %s", kind, userID),
		func(e room.Event) bool { return e.Kind == kind && e.UserID == userID })
}

func (w *watch) awaitSeq(tb testing.TB, seq uint64) {
	tb.Helper()
	w.await(tb, fmt.Sprintf("message %d", seq), func(e room.Event) bool { return e.Kind == room.EventMessage && e.Seq >= seq })
}

func describe(events []room.Event) string {
	var b strings.Builder
	for _, e := range events[max(0, len(events)-100):] {
		fmt.Fprintf(&b, "%d(seq %d, user %q, reason %q) ", e.Kind, e.Seq, e.UserID, e.Reason)
	}
	return b.String()
}

// setup is a server with nodes and a room that all nodes watch.
type setup struct {
	server   *redistest.Server
	nodes    []*redisstore.Store
	room     room.Room
	watches  []*watch
	attempts atomic.Int64 // posts of load
}

const admin = "admin"

func newSetup(tb testing.TB, o redistest.Options, ttl time.Duration) *setup {
	tb.Helper()
	server := redistest.Start(tb, o)
	s := newSetupOn(tb, optionsOf(server), ttl)
	s.server = server
	return s
}

// newSetupOn is a setup without its own server.
func newSetupOn(tb testing.TB, o redisstore.Options, ttl time.Duration) *setup {
	tb.Helper()
	s := &setup{nodes: openNodes(tb, o, 2)}
	s.room = createRoom(tb, s.nodes[0], ttl, time.Hour)
	for _, node := range s.nodes {
		s.watches = append(s.watches, watchRoom(tb, node, s.room.ID))
	}
	return s
}

func createRoom(tb testing.TB, s *redisstore.Store, ttl, lobby time.Duration) room.Room {
	tb.Helper()
	r := room.Room{
		ID: room.NewID(), Name: "a room", Admin: admin, TTL: ttl,
		Key: []byte("0123456789abcdef0123456789abcdef"), Epoch: room.NewNonce(),
	}
	if err := s.Create(tb.Context(), r, room.CreateLimits{Lobby: lobby}); err != nil {
		tb.Fatalf("Create: %v", err)
	}
	return r
}

func joinRoom(tb testing.TB, s *redisstore.Store, roomID string, names ...string) {
	tb.Helper()
	for _, name := range names {
		join := room.Join{Candidates: []string{name}, MaxOnline: 1000, MaxMembers: 1000}
		if _, err := s.Join(tb.Context(), roomID, join); err != nil {
			tb.Fatalf("Join: %v", err)
		}
	}
}

func newPost(s *redisstore.Store, session string, id uint64, text string) room.Post {
	return room.Post{
		UserID: admin, Session: session, ID: id, History: 1_000_000,
		Body: message.EncodeBody(text, s.Now(), admin, id, session),
	}
}

func (s *setup) post(tb testing.TB, node int, texts ...string) (seq uint64) {
	tb.Helper()
	for _, text := range texts {
		receipt, err := s.nodes[node].Post(tb.Context(), s.room.ID, newPost(s.nodes[node], "", 0, text))
		if err != nil {
			tb.Fatalf("Post: %v", err)
		}
		seq = receipt.Seq
	}
	return seq
}

var orders = func() func() uint64 {
	var mu sync.Mutex
	var last uint64
	return func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		last++
		return last
	}
}()

func presenceOf(userID string) room.Presence {
	return room.Presence{UserID: userID, SocketID: room.NewNonce(), Order: orders(), Session: "tag-" + userID}
}

func (w *watch) enter(tb testing.TB, p room.Presence) {
	tb.Helper()
	if _, err := w.Enter(tb.Context(), p, 1000); err != nil {
		tb.Fatalf("Enter: %v", err)
	}
}

// cutPubSub closes the connections on which nodes receive events.
func (s *setup) cutPubSub(tb testing.TB) {
	tb.Helper()
	if err := s.server.Client().Do(tb.Context(), "client", "kill", "type", "pubsub").Err(); err != nil {
		tb.Fatal(err)
	}
}

// do runs a command without the stores.
func (s *setup) do(tb testing.TB, args ...any) any {
	tb.Helper()
	reply, err := s.server.Client().Do(tb.Context(), args...).Result()
	if err != nil {
		tb.Fatalf("%v: %v", args[0], err)
	}
	return reply
}

// awaitPosts waits until load has made n more posts.
func (s *setup) awaitPosts(tb testing.TB, n int64) {
	tb.Helper()
	before := s.attempts.Load()
	eventually(tb, awaitTimeout, func() string {
		if made := s.attempts.Load() - before; made < n {
			return fmt.Sprintf("%d posts were made, want %d", made, n)
		}
		return ""
	})
}

// expectUnavailable polls a server that is down for a while.
func (s *setup) expectUnavailable(tb testing.TB, d time.Duration) {
	tb.Helper()
	for began := time.Now(); time.Since(began) < d; pause() {
		if _, err := s.nodes[0].Load(tb.Context(), s.room.ID); !errors.Is(err, room.ErrUnavailable) {
			tb.Fatalf("Load: %v, want ErrUnavailable", err)
		}
	}
}

// awaitProbes waits until so many nodes have published a probe through a server.
func awaitProbes(tb testing.TB, server *redistest.Server, nodes int) {
	tb.Helper()
	eventually(tb, awaitTimeout, func() string {
		list, err := server.Client().ClientList(tb.Context()).Result()
		if n := strings.Count(list, "cmd=publish"); n < nodes {
			return fmt.Sprintf("%d of %d nodes have published a probe: %v", n, nodes, err)
		}
		return ""
	})
}

// await waits until done is closed.
func await(tb testing.TB, done <-chan struct{}, fault string) {
	tb.Helper()
	select {
	case <-done:
	case <-time.After(awaitTimeout):
		tb.Fatal(fault)
	}
}

// pause is the pause between two attempts of a poll.
func pause() { <-time.After(5 * time.Millisecond) }

// eventually polls until check returns "".
func eventually(tb testing.TB, within time.Duration, check func() string) {
	tb.Helper()
	deadline := time.Now().Add(within)
	for {
		fault := check()
		if fault == "" {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("still after %v: %s", within, fault)
		}
		pause()
	}
}
