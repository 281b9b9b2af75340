package room_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

func TestPassword(t *testing.T) {
	rooms, _ := newRooms(t)
	const password = " pässwörd\x00 " //nolint:gosec // G101: it opens a room of this test only
	a := create(t, rooms, room.CreateRequest{Password: password})
	if len(a.Room.Password) != 48 {
		t.Errorf("the room keeps %d bytes of its password, want salt and hash, 48", len(a.Room.Password))
	}
	for given, want := range map[string]error{
		password:                             nil,
		"":                                   room.ErrWrongPassword,
		"pässwörd":                           room.ErrWrongPassword, // spaces count
		strings.TrimSpace(password):          room.ErrWrongPassword,
		password + "x":                       room.ErrWrongPassword,
		strings.Repeat("x", 1024):            room.ErrWrongPassword,
		strings.Repeat("x", 1025):            room.ErrInvalidRequest,
		"\xff":                               room.ErrInvalidRequest,
		strings.ToUpper(password):            room.ErrWrongPassword,
		strings.TrimRight(password, "\x00 "): room.ErrWrongPassword,
	} {
		_, err := rooms.Join(t.Context(), room.JoinRequest{RoomID: a.Room.ID, Password: given})
		if want == nil && err != nil {
			t.Errorf("Join with the password: %v", err)
		}
		if want != nil {
			expect(t, "Join with another password", err, want)
		}
	}
	// Where there is none, any will do.
	open := create(t, rooms, room.CreateRequest{})
	if _, err := rooms.Join(t.Context(), room.JoinRequest{RoomID: open.Room.ID, Password: "whatever"}); err != nil {
		t.Errorf("Join of a room without password with one: %v", err)
	}
	// Two rooms with one password keep different things.
	if b := create(t, rooms, room.CreateRequest{Password: password}); string(b.Room.Password) == string(a.Room.Password) {
		t.Error("two rooms with one password keep the same hash")
	}
	for _, long := range []string{strings.Repeat("x", 1025), "\xff\xfe"} {
		_, err := rooms.Create(t.Context(), room.CreateRequest{Name: "x", Password: long})
		expect(t, "Create with a password that is no good", err, room.ErrInvalidRequest)
	}
	create(t, rooms, room.CreateRequest{Password: strings.Repeat("x", 1024)})
}

func TestPasswordGuard(t *testing.T) {
	rooms, _ := newRooms(t)
	a := create(t, rooms, room.CreateRequest{Password: "secret", Username: "anna"})
	open := create(t, rooms, room.CreateRequest{})
	var asked int
	var told []bool
	guard := func() (func(bool), error) {
		asked++
		return func(wrong bool) { told = append(told, wrong) }, nil
	}
	try := func(roomID, password string, guard room.Guard) error {
		_, err := rooms.Join(t.Context(), room.JoinRequest{RoomID: roomID, Password: password, Guard: guard})
		return err
	}
	expect(t, "Join with a wrong password", try(a.Room.ID, "wrong", guard), room.ErrWrongPassword)
	if err := try(a.Room.ID, "secret", guard); err != nil {
		t.Errorf("Join with the password: %v", err)
	}
	if asked != 2 || len(told) != 2 || !told[0] || told[1] {
		t.Errorf("the guard was asked %d times and told %v, want 2 times, wrong, then right", asked, told)
	}
	// It is not asked where no password is checked.
	if err := try(open.Room.ID, "wrong", guard); err != nil {
		t.Errorf("Join of a room without password: %v", err)
	}
	expect(t, "Join of no room", try(room.NewID(), "wrong", guard), room.ErrRoomNotFound)
	if err := rooms.SetLocked(t.Context(), credentials(a), true); err != nil {
		t.Fatal(err)
	}
	expect(t, "Join of a locked room", try(a.Room.ID, "wrong", guard), room.ErrRoomLocked)
	if asked != 2 {
		t.Errorf("the guard was asked %d times, want 2", asked)
	}
	if err := rooms.SetLocked(t.Context(), credentials(a), false); err != nil {
		t.Fatal(err)
	}
	// Where the guard refuses, even the right password is not checked.
	refuse := func() (func(bool), error) { return nil, room.ErrRateLimited }
	expect(t, "Join past the guard", try(a.Room.ID, "secret", refuse), room.ErrRateLimited)
	// The guard also receives the outcome when the check failed.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	told = nil
	_, err := rooms.Join(ctx, room.JoinRequest{RoomID: a.Room.ID, Password: "wrong", Guard: guard})
	if len(told) != 1 || told[0] != errors.Is(err, room.ErrWrongPassword) {
		t.Errorf("the guard was told %v of a check that ended with %v", told, err)
	}
}

// TestPasswordQueue requests more hashes at once than the queue holds. The excess is
// refused at once, canceled requests leave the queue, and it is empty in the end.
func TestPasswordQueue(t *testing.T) {
	rooms, _ := newRooms(t)
	a := create(t, rooms, room.CreateRequest{Password: "secret"})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const joiners = 100
	results := make(chan error, joiners)
	var joining sync.WaitGroup
	for range joiners {
		// Ends with its join, at the latest when ctx is canceled.
		joining.Go(func() {
			_, err := rooms.Join(ctx, room.JoinRequest{RoomID: a.Room.ID, Password: "wrong"})
			results <- err
		})
	}
	var refused bool
	for range joiners {
		err := <-results
		if refused = errors.Is(err, room.ErrUnavailable); refused {
			if errors.Is(err, context.Canceled) {
				t.Errorf("the first refusal: %v, want one for the length of the queue", err)
			}
			break
		}
		expect(t, "Join in the queue", err, room.ErrWrongPassword)
	}
	if !refused {
		t.Errorf("%d joins at once were all queued", joiners)
	}
	cancel()
	joining.Wait()
	close(results)
	for err := range results {
		if !errors.Is(err, room.ErrUnavailable) && !errors.Is(err, room.ErrWrongPassword) {
			t.Errorf("Join in a queue that was given up: %v", err)
		}
	}
	if _, err := rooms.Join(t.Context(), room.JoinRequest{RoomID: a.Room.ID, Password: "secret"}); err != nil {
		t.Errorf("Join when nobody waits any more: %v", err)
	}
}
