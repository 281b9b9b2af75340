package ws_test

import (
	"slices"
	"strings"
	"testing"
)

func TestEcho(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	anna := s.addMember(t, admin, "anna")
	c, welcome := s.join(t, admin)
	listener, _ := s.join(t, anna)
	c.next("joined")
	c.post(7, "with an id")
	c.next("started")
	echo := c.nextMessage("with an id")
	if echo.ID != 7 || echo.Session != welcome.Session || echo.Seq != 1 || echo.UserID != "admin" || echo.Timestamp == "" {
		t.Errorf("echo %s, want id 7 and session %q", echo.raw, welcome.Session)
	}
	c.post(0, "without one")
	echo = c.nextMessage("without one")
	if raw := string(echo.raw); strings.Contains(raw, `"id"`) || strings.Contains(raw, `"session"`) {
		t.Errorf("echo %s, want neither id nor session", raw)
	}
	listener.next("started")
	received := listener.nextMessage("with an id")
	if received.ID != 7 || received.Session != welcome.Session {
		t.Errorf("the others received %s", received.raw)
	}
	if strings.Contains(string(received.raw), admin.SessionID) {
		t.Error("the secret session id was sent")
	}
}

func TestResend(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	c, _ := s.join(t, admin)
	c.post(3, "three")
	c.next("started")
	c.nextMessage("three")
	for _, id := range []uint64{3, 2, 1} {
		c.post(id, "again")
		if ack := c.next("ack"); ack.ID != id {
			t.Errorf("ack %s, want id %d", ack.raw, id)
		}
	}
	c.leave()

	c, welcome := s.join(t, admin)
	if welcome.LastID != 3 {
		t.Errorf("lastId %d after coming back, want 3", welcome.LastID)
	}
	c.post(3, "three")
	c.next("ack")
	c.post(4, "four")
	c.nextMessage("four")
	c.leave()
	// Another session has numbers of its own.
	c, welcome = s.join(t, s.rejoin(t, admin))
	if welcome.LastID != 0 {
		t.Errorf("lastId %d of another session, want 0", welcome.LastID)
	}
	c.post(1, "one")
	c.nextMessage("one")
	if kept := s.kept(t, admin); !slices.Equal(kept, []string{"three", "four", "one"}) {
		t.Errorf("kept %q", kept)
	}
}

func TestRefusedIDStaysRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	c, _ := s.join(t, admin)
	c.post(1, strings.Repeat("x", 4097))
	c.nextError("message_too_long", 1)
	c.sendText(`{"type":"message","id":2,"message":5}`)
	c.nextError("invalid_frame", 2)
	c.post(3, "three")
	c.next("started")
	c.nextMessage("three")
	c.post(1, "short")
	c.nextError("message_too_long", 1)
	c.post(2, "two")
	c.nextError("invalid_frame", 2)
	c.post(3, "three")
	c.next("ack")
	if kept := s.kept(t, admin); !slices.Equal(kept, []string{"three"}) {
		t.Errorf("kept %q", kept)
	}
}

func TestUnavailableHoldsLaterIDs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	c, _ := s.join(t, admin)
	c.post(1, "one")
	c.next("started")
	c.nextMessage("one")

	s.store.fail("Post")
	c.post(2, "two")
	c.nextError("unavailable", 2)
	s.store.fail()
	c.post(3, "three")
	c.nextError("unavailable", 3)
	c.post(0, "no id")
	c.nextMessage("no id")
	c.post(1, "one")
	c.next("ack")
	c.post(3, "three")
	c.nextError("unavailable", 3)
	c.post(2, "two")
	c.nextMessage("two")
	c.post(3, "three")
	c.nextMessage("three")

	// The message was stored, but answered unavailable. A client that has received its
	// echo does not resend it.
	other, _ := s.join(t, s.rejoin(t, admin))
	s.store.fail("after Post")
	c.post(4, "four")
	other.nextMessage("four")
	c.await("error")
	s.store.fail()
	c.post(5, "five")
	other.nextMessage("five")
	c.post(4, "four")
	if ack := c.await("ack"); ack.ID != 4 {
		t.Errorf("ack %s", ack.raw)
	}
	if kept := s.kept(t, admin); !slices.Equal(kept, []string{"one", "no id", "two", "three", "four", "five"}) {
		t.Errorf("kept %q", kept)
	}
}

// TestUnavailableHoldsNewIDs checks that a new message is not stored ahead of those that
// the client must resend: the store would take these for duplicates.
func TestUnavailableHoldsNewIDs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	c, _ := s.join(t, admin)
	s.store.fail("Post")
	for id := range uint64(3) {
		c.post(id+1, "held")
		c.nextError("unavailable", id+1)
	}
	s.store.fail()
	c.post(1, "one")
	c.next("started")
	c.nextMessage("one")
	c.post(4, "four")
	c.nextError("unavailable", 4)
	c.post(2, "two")
	c.nextMessage("two")
	c.post(5, "five")
	c.nextError("unavailable", 5)
	c.post(3, "three")
	c.nextMessage("three")
	c.post(4, "four")
	c.nextMessage("four")
	c.post(5, "five")
	c.nextMessage("five")
	c.post(6, "six")
	c.nextMessage("six")
	if kept := s.kept(t, admin); !slices.Equal(kept, []string{"one", "two", "three", "four", "five", "six"}) {
		t.Errorf("kept %q", kept)
	}
}

func TestRefusalReleasesLaterIDs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	c, _ := s.join(t, admin)
	s.store.fail("Post")
	c.post(1, "one")
	c.nextError("unavailable", 1)
	s.store.fail()
	c.post(1, strings.Repeat("x", 4097))
	c.nextError("message_too_long", 1)
	c.post(2, "two")
	c.next("started")
	c.nextMessage("two")

	s.store.fail("Post")
	c.post(3, "three")
	c.nextError("unavailable", 3)
	s.store.fail()
	c.sendText(`{"type":"message","id":3,"message":null}`)
	c.nextError("invalid_message", 3)
	c.post(4, "four")
	c.nextMessage("four")
	if kept := s.kept(t, admin); !slices.Equal(kept, []string{"two", "four"}) {
		t.Errorf("kept %q", kept)
	}
}

func TestOrderOfAConnection(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	const each = 200
	clients := make([]*client, 4)
	for i := range clients {
		clients[i], _ = s.join(t, s.rejoin(t, admin))
	}
	for id := range uint64(each) { // sent without waiting for anything
		for i, c := range clients {
			c.post(id+1, strings.Repeat("abcd"[i:i+1], 1+i))
		}
	}
	var orders [][]byte
	for _, c := range clients {
		c.next("started")
		var order []byte
		last := make(map[string]uint64)
		for seq := range uint64(each * len(clients)) {
			f := c.next("message")
			if f.Seq != seq+1 {
				t.Fatalf("seq %d, want %d", f.Seq, seq+1)
			}
			if f.ID != last[f.Session]+1 {
				t.Fatalf("id %d after %d", f.ID, last[f.Session])
			}
			last[f.Session] = f.ID
			order = append(order, f.Message[0])
		}
		orders = append(orders, order)
	}
	for _, order := range orders[1:] {
		if !slices.Equal(order, orders[0]) {
			t.Error("two clients received different orders")
		}
	}
}
