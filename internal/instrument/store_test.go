package instrument_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/instrument"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/memstore"
)

// failing is a store whose Load fails with an error.
type failing struct {
	room.Store
	err error
}

func (f *failing) Load(context.Context, string) (room.Room, error) { return room.Room{}, f.err }

func stats(t *testing.T, calls *instrument.Calls) map[string]instrument.Stats {
	t.Helper()
	all, err := calls.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestErrors checks that only the store's failures are errors.
func TestErrors(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want uint64
	}{
		"success":      {nil, 0},
		"not found":    {room.ErrRoomNotFound, 0},
		"unavailable":  {fmt.Errorf("%w: timeout", room.ErrUnavailable), 1},
		"disconnected": {fmt.Errorf("%w: %w", room.ErrUnavailable, context.Canceled), 0},
		"defect":       {errors.New("the gears are stuck"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			store, calls := instrument.Wrap(&failing{memstore.New(), test.err}, t.Name())
			defer store.Close()
			defer calls.Forget()
			for range 3 {
				if _, err := store.Load(t.Context(), "x"); !errors.Is(err, test.err) {
					t.Errorf("error %v, want %v", err, test.err)
				}
			}
			if got := stats(t, calls)["load"]; got.Count != 3 || got.Errors != 3*test.want || got.Seconds <= 0 {
				t.Errorf("statistics %+v", got)
			}
		})
	}
}

// TestForget closes a store and opens another one under its name.
func TestForget(t *testing.T) {
	first, firstCalls := instrument.Wrap(memstore.New(), "again")
	defer first.Close()
	_, _ = first.Load(t.Context(), "x")
	firstCalls.Forget()
	if left := stats(t, firstCalls); len(left) > 0 {
		t.Errorf("statistics of a closed store: %v", left)
	}
	second, secondCalls := instrument.Wrap(memstore.New(), "again")
	defer second.Close()
	defer secondCalls.Forget()
	_, _ = first.Load(t.Context(), "x") // counts nowhere
	all := stats(t, secondCalls)
	if len(all) == 0 || all["load"].Count != 0 {
		t.Errorf("statistics of a new store: %+v", all)
	}
}
