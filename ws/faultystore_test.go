package ws_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// faultyStore is a store with faults that tests switch on.
type faultyStore struct {
	room.Store

	mu      sync.Mutex
	failing map[string]bool
	hanging map[string]bool
	hung    int                         // calls that have hung
	lost    bool                        // all rooms, without an event
	forgets bool                        // posts that it has accepted
	denies  bool                        // once, that it has earlier posts
	before  func(method string)         // called before each call that doesn't fail
	watcher map[string]func(room.Event) // of each room that was watched
}

// fail makes these methods, and no others, fail with room.ErrUnavailable.
func (s *faultyStore) fail(methods ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = make(map[string]bool)
	for _, method := range methods {
		s.failing[method] = true
	}
}

// hang makes these methods, and no others, fail with room.ErrUnavailable only when their
// context ends.
func (s *faultyStore) hang(methods ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hanging = make(map[string]bool)
	for _, method := range methods {
		s.hanging[method] = true
	}
}

// awaitHung waits until n calls hang.
func (s *faultyStore) awaitHung(tb testing.TB, n int) {
	tb.Helper()
	eventually(tb, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.hung == n
	})
}

// loseRooms makes the store lose all rooms, without an event.
func (s *faultyStore) loseRooms() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = true
}

// dropPosts makes the store accept posts without storing them, or ends that. A Redis
// master does so that dies before it has replicated them.
func (s *faultyStore) dropPosts(forgets bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgets = forgets
}

// reportLossOnce makes the store answer one post as if it had lost earlier ones.
func (s *faultyStore) reportLossOnce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denies = true
}

// intercept makes the store call before ahead of each call that doesn't fail, with the
// name of the method.
func (s *faultyStore) intercept(before func(method string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

// emit sends an event to the watcher of a room, as if it came from the store. No other
// event may happen in the room meanwhile.
func (s *faultyStore) emit(roomID string, e room.Event) {
	s.mu.Lock()
	watcher := s.watcher[roomID]
	s.mu.Unlock()
	watcher(e)
}

func (s *faultyStore) call(ctx context.Context, method string) error {
	s.mu.Lock()
	failing, hanging, before := s.failing[method], s.hanging[method], s.before
	if hanging {
		s.hung++
	}
	s.mu.Unlock()
	if hanging {
		<-ctx.Done()
		return fmt.Errorf("%w: %w", room.ErrUnavailable, ctx.Err())
	}
	if failing {
		return fmt.Errorf("%w: secret inner workings", room.ErrUnavailable)
	}
	if before != nil {
		before(method)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost {
		return room.ErrRoomNotFound
	}
	return nil
}

func (s *faultyStore) Member(ctx context.Context, roomID, userID string) (room.Room, room.Membership, error) {
	if err := s.call(ctx, "Member"); err != nil {
		return room.Room{}, room.NotMember, err
	}
	return s.Store.Member(ctx, roomID, userID)
}

func (s *faultyStore) Post(ctx context.Context, roomID string, post room.Post) (room.Receipt, error) {
	if err := s.call(ctx, "Post"); err != nil {
		return room.Receipt{}, err
	}
	s.mu.Lock()
	forgets, denies := s.forgets, s.denies && post.Known > 0
	s.denies = s.denies && !denies
	s.mu.Unlock()
	switch {
	case forgets:
		return room.Receipt{Seq: 1}, nil
	case denies:
		return room.Receipt{Lost: true}, nil
	}
	receipt, err := s.Store.Post(ctx, roomID, post)
	if err == nil {
		err = s.call(ctx, "after Post")
	}
	return receipt, err
}

func (s *faultyStore) Retract(ctx context.Context, roomID string, r room.Retraction) error {
	if err := s.call(ctx, "Retract"); err != nil {
		return err
	}
	return s.Store.Retract(ctx, roomID, r)
}

func (s *faultyStore) Before(ctx context.Context, roomID string, before uint64, limit, maxBytes int) (room.Page, error) {
	if err := s.call(ctx, "Before"); err != nil {
		return room.Page{}, err
	}
	page, err := s.Store.Before(ctx, roomID, before, limit, maxBytes)
	if err == nil {
		err = s.call(ctx, "after Before")
	}
	return page, err
}

func (s *faultyStore) After(ctx context.Context, roomID string, after uint64, maxBytes int) (room.Page, error) {
	if err := s.call(ctx, "After"); err != nil {
		return room.Page{}, err
	}
	page, err := s.Store.After(ctx, roomID, after, maxBytes)
	if err == nil {
		err = s.call(ctx, "after After")
	}
	return page, err
}

func (s *faultyStore) Watch(ctx context.Context, roomID string, watcher func(room.Event)) (room.Snapshot, room.Feed, error) {
	if err := s.call(ctx, "Watch"); err != nil {
		return room.Snapshot{}, nil, err
	}
	if err := ctx.Err(); err != nil {
		return room.Snapshot{}, nil, fmt.Errorf("%w: %w", room.ErrUnavailable, err)
	}
	s.mu.Lock()
	if s.watcher == nil {
		s.watcher = make(map[string]func(room.Event))
	}
	s.watcher[roomID] = watcher
	s.mu.Unlock()
	snapshot, feed, err := s.Store.Watch(ctx, roomID, watcher)
	if err != nil {
		return snapshot, nil, err
	}
	return snapshot, &faultyFeed{Feed: feed, store: s}, nil
}

type faultyFeed struct {
	room.Feed
	store *faultyStore
}

func (f *faultyFeed) Enter(ctx context.Context, presence room.Presence, maxOnline int) (uint64, error) {
	if err := f.store.call(ctx, "Enter"); err != nil {
		return 0, err
	}
	return f.Feed.Enter(ctx, presence, maxOnline)
}

func rootsOf(server *httptest.Server) *x509.CertPool {
	roots := x509.NewCertPool()
	if certificate := server.Certificate(); certificate != nil {
		roots.AddCert(certificate)
	}
	return roots
}
