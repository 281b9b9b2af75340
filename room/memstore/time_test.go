package memstore_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/memstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

const day = 24 * time.Hour

func newRoom() room.Room {
	return room.Room{
		ID: room.NewID(), Name: "Plans", Admin: "anna", TTL: day,
		Key: []byte("0123456789abcdef0123456789abcdef"), Password: []byte("salt and hash"), Epoch: "epoch",
	}
}

func create(tb testing.TB, store *memstore.Store, r room.Room, lobby time.Duration) {
	tb.Helper()
	if err := store.Create(tb.Context(), r, room.CreateLimits{Lobby: lobby}); err != nil {
		tb.Fatal(err)
	}
}

// elapse advances the clock of a synctest bubble and waits for the timers due then.
func elapse(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // in a bubble it only advances the clock
	synctest.Wait()
}

// ending records the time and reason of a room's end.
type ending struct {
	mu     sync.Mutex
	at     time.Time
	reason room.EndReason
}

// get returns the time, zero before the end, and the reason.
func (e *ending) get() (time.Time, room.EndReason) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.at, e.reason
}

func (e *ending) happened() bool {
	at, _ := e.get()
	return !at.IsZero()
}

// endingOf watches for the end of a room.
func endingOf(t *testing.T, store *memstore.Store, roomID string) *ending {
	t.Helper()
	end := new(ending)
	_, feed, err := store.Watch(t.Context(), roomID, func(e room.Event) {
		if e.Kind == room.EventEnded {
			end.mu.Lock()
			defer end.mu.Unlock()
			end.at, end.reason = time.Now(), e.Reason
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(feed.Close)
	return end
}

func expectEnd(t *testing.T, store *memstore.Store, roomID string, end *ending, due time.Time) {
	t.Helper()
	if at, reason := end.get(); !at.Equal(due) || reason != room.EndExpired {
		t.Errorf("the room ended at %v with %q, want %v with %q", at, reason, due, room.EndExpired)
	}
	if _, err := store.Load(t.Context(), roomID); !errors.Is(err, room.ErrRoomNotFound) {
		t.Errorf("Load: %v, want ErrRoomNotFound", err)
	}
	if n := store.Len(); n != 0 {
		t.Errorf("%d rooms are left, want none", n)
	}
}

func TestDeadlineIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		r := newRoom()
		create(t, store, r, time.Hour)
		end := endingOf(t, store, r.ID)
		elapse(time.Hour - time.Millisecond) // the last moment
		clock, err := store.Start(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		elapse(day - time.Millisecond)
		if _, err := store.Load(t.Context(), r.ID); err != nil || end.happened() {
			t.Fatalf("a millisecond before the deadline: %v, the end was told: %v", err, end.happened())
		}
		elapse(time.Millisecond)
		expectEnd(t, store, r.ID, end, clock.Deadline)
	})
}

// TestDeadlineBetweenMilliseconds starts a room at a time that is no whole
// millisecond. Its deadline is, and the room ends neither before nor later.
func TestDeadlineBetweenMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		elapse(700 * time.Microsecond)
		r := newRoom()
		create(t, store, r, day)
		end := endingOf(t, store, r.ID)
		elapse(5*time.Millisecond + 900*time.Nanosecond)
		clock, err := store.Start(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		elapse(time.Until(clock.Deadline) - 1)
		if _, err := store.Load(t.Context(), r.ID); err != nil || end.happened() {
			t.Fatalf("a nanosecond before the deadline: %v, the end was told: %v", err, end.happened())
		}
		elapse(time.Millisecond)
		at, reason := end.get()
		if late := at.Sub(clock.Deadline); late < 0 || late > time.Millisecond || reason != room.EndExpired {
			t.Errorf("ended %v after the deadline with %q, want at most a millisecond, %q", late, reason, room.EndExpired)
		}
	})
}

func TestLobbyIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t)
		r := newRoom()
		create(t, store, r, day)
		due := time.Now().Add(day)
		end := endingOf(t, store, r.ID)
		elapse(day - time.Millisecond)
		if _, err := store.Load(t.Context(), r.ID); err != nil || end.happened() {
			t.Fatalf("a millisecond before the end of the lobby: %v, the end was told: %v", err, end.happened())
		}
		elapse(time.Millisecond)
		expectEnd(t, store, r.ID, end, due)
	})
}

// TestStartedRoomOutlivesLobby has a deadline after and one before the lobby
// time would have been over.
func TestStartedRoomOutlivesLobby(t *testing.T) {
	for name, ttl := range map[string]time.Duration{"longer": 3 * time.Hour, "shorter": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStore(t)
				r := newRoom()
				r.TTL = ttl
				create(t, store, r, time.Hour)
				end := endingOf(t, store, r.ID)
				elapse(30 * time.Minute)
				body := message.EncodeBody("hi", store.Now(), "anna", 0, "")
				if _, err := store.Post(t.Context(), r.ID, room.Post{UserID: "anna", Body: body, History: 10}); err != nil {
					t.Fatal(err)
				}
				due := time.Now().Add(ttl)
				elapse(ttl - time.Millisecond)
				if end.happened() {
					t.Fatalf("ended a millisecond before %v", due)
				}
				elapse(time.Millisecond)
				expectEnd(t, store, r.ID, end, due)
			})
		})
	}
}

// TestStartAtTheEndOfTheLobby starts a room a nanosecond before its timer fires,
// and at the moment when it does.
func TestStartAtTheEndOfTheLobby(t *testing.T) {
	for _, inTime := range []bool{true, false} {
		for range 50 { // the scheduler decides the order at one moment
			synctest.Test(t, func(t *testing.T) {
				store := newStore(t)
				r := newRoom()
				create(t, store, r, time.Second)
				end := endingOf(t, store, r.ID)
				wait := time.Second
				if inTime {
					wait--
				}
				elapse(wait)
				clock, err := store.Start(t.Context(), r.ID)
				if (err == nil) != inTime {
					t.Fatalf("in time: %v, Start: %v", inTime, err)
				}
				elapse(time.Minute)
				if end.happened() == inTime {
					t.Fatalf("in time: %v, and the end was told: %v", inTime, end.happened())
				}
				if inTime {
					elapse(time.Until(clock.Deadline))
					expectEnd(t, store, r.ID, end, clock.Deadline)
				}
			})
		}
	}
}

// TestCloseEndsTimers would not end if a timer of a day were left.
func TestCloseEndsTimers(t *testing.T) {
	store := memstore.New()
	ids := make([]string, 100)
	for i := range ids {
		r := newRoom()
		create(t, store, r, day)
		ids[i] = r.ID
		if i%2 == 0 {
			if _, err := store.Start(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := store.Len(); n != len(ids) {
		t.Fatalf("%d rooms, want %d", n, len(ids))
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if _, err := store.Load(t.Context(), id); !errors.Is(err, room.ErrUnavailable) {
			t.Fatalf("Load after Close: %v, want ErrUnavailable", err)
		}
	}
	if err := store.Create(t.Context(), newRoom(), room.CreateLimits{Lobby: day}); !errors.Is(err, room.ErrUnavailable) {
		t.Errorf("Create after Close: %v, want ErrUnavailable", err)
	}
	if n := store.Len(); n != 0 {
		t.Errorf("%d rooms after Close", n)
	}
}
