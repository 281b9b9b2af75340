//nolint:thelper // the functions that take a Backend are the tests, not helpers of one
package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var presenceTests = map[string]func(*testing.T, Backend){
	"JoinedAndLeft":    testJoinedAndLeft,
	"SameUserTwice":    testSameUserTwice,
	"StaleExit":        testStaleExit,
	"ExitOvertakes":    testExitOvertakes,
	"EnterOvertakes":   testEnterOvertakes,
	"Opened":           testOpened,
	"LastID":           testLastID,
	"EnterRefused":     testEnterRefused,
	"EnterFull":        testEnterFull,
	"EnterAtOnce":      testEnterAtOnce,
	"ComeAndGo":        testComeAndGo,
	"Removed":          testRemovedWhileOnline,
	"SnapshotOnline":   testSnapshotOnline,
	"Typing":           testTyping,
	"UserNamesAreData": testUserNames,
}

// presenceEvents returns what was told of who is online.
func presenceEvents(events []arrival) []string {
	var told []string
	for _, e := range events {
		if e.Kind == room.EventJoined || e.Kind == room.EventLeft || e.Kind == room.EventRemoved {
			told = append(told, name(e))
		}
	}
	return told
}

// expectPresence fails unless every node was told exactly this.
func expectPresence(t *testing.T, all []*watch, roomID string, want ...string) {
	t.Helper()
	for _, w := range all {
		if got := presenceEvents(w.fence(t, roomID)); !slices.Equal(got, want) {
			t.Errorf("node %d was told %q, want %q", w.node, got, want)
		}
	}
}

func testJoinedAndLeft(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna")
	all := watchAll(t, b, r.ID)
	adminHere, annaHere := presence(admin), presence("anna")
	first, last := all[0], all[len(all)-1]
	first.enter(t, adminHere)
	last.enter(t, annaHere)
	for _, w := range all {
		w.awaitUser(t, room.EventJoined, "anna")
	}
	first.exit(t.Context(), adminHere)
	for _, w := range all {
		w.awaitUser(t, room.EventLeft, admin)
	}
	adminAgain := presence(admin)
	last.enter(t, adminAgain)
	last.exit(t.Context(), annaHere)
	for _, w := range all {
		w.awaitUser(t, room.EventLeft, "anna")
	}
	expectPresence(t, all, r.ID, "joined admin", "joined anna", "left admin", "joined admin", "left anna")
}

// testSameUserTwice has one user on two nodes, where there are two.
func testSameUserTwice(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	all := watchAll(t, b, r.ID)
	first, last := all[0], all[len(all)-1]
	if first == last {
		one, two := presence(admin), presence(admin)
		first.enter(t, one)
		first.enter(t, two)
		expectPresence(t, all, r.ID, "joined admin")
		return
	}
	here, there := presence(admin), presence(admin)
	first.enter(t, here)
	last.enter(t, there)
	first.exit(t.Context(), here)
	for _, w := range all {
		if got := presenceEvents(w.fence(t, r.ID)); !slices.Equal(got, []string{"joined admin"}) {
			t.Errorf("node %d was told %q while the user was on another node, want one join", w.node, got)
		}
	}
	last.exit(t.Context(), there)
	for _, w := range all {
		w.awaitUser(t, room.EventLeft, admin)
	}
	// The other way round.
	first.enter(t, presence(admin))
	again := presence(admin)
	last.enter(t, again)
	last.exit(t.Context(), again)
	expectPresence(t, all, r.ID, "joined admin", "left admin", "joined admin")
}

func testStaleExit(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	w := watchOn(t, b, 0, r.ID)
	older, newer := presence(admin), presence(admin)
	w.enter(t, older)
	w.enter(t, newer)
	w.exit(t.Context(), older) // comes late: the user has reconnected
	w.exit(t.Context(), presence("nobody"))
	if got := presenceEvents(w.fence(t, r.ID)); !slices.Equal(got, []string{"joined admin"}) {
		t.Errorf("after stale exits: %q, want one join", got)
	}
	w.exit(t.Context(), newer)
	w.awaitUser(t, room.EventLeft, admin)
	w.exit(t.Context(), newer) // twice
	w.enter(t, presence(admin))
	expectPresence(t, []*watch{w}, r.ID, "joined admin", "left admin", "joined admin")
}

// testExitOvertakes has the store told of the end of a connection before it is
// told of its beginning. The user is not online then.
func testExitOvertakes(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna")
	all := watchAll(t, b, r.ID)
	for _, w := range all {
		older, newer := presence("anna"), presence("anna")
		w.exit(t.Context(), newer)
		for _, p := range []room.Presence{newer, older} {
			// What Enter answers is nobody's business any more.
			_, _ = w.feed.Enter(t.Context(), p, manyUsers)
		}
	}
	for _, w := range all {
		if told := presenceEvents(w.fence(t, r.ID)); len(told)%2 != 0 {
			t.Errorf("node %d was told %q of a user who had gone before", w.node, told)
		}
	}
	// Her place is free, and she can come back.
	for _, userID := range []string{admin, "anna"} {
		for _, w := range all {
			p := presence(userID)
			if _, err := w.tryEnter(t.Context(), p, 1); err != nil {
				t.Errorf("node %d: Enter of %q into a room where nobody is: %v", w.node, userID, err)
			}
			w.exit(t.Context(), p)
			all[0].await(t, "end of the presence of "+userID, func(events []arrival) bool {
				return len(ofKind(events, room.EventJoined)) == len(ofKind(events, room.EventLeft))
			})
		}
	}
}

// testEnterOvertakes has the store told of a newer connection before it is told
// of an older one.
func testEnterOvertakes(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	w := watchOn(t, b, 0, r.ID)
	older, newer := presence(admin), presence(admin)
	w.enter(t, newer)
	w.enter(t, older)
	w.exit(t.Context(), older) // leaves alone what the newer one says
	if got := presenceEvents(w.fence(t, r.ID)); !slices.Equal(got, []string{"joined admin"}) {
		t.Errorf("after the exit of an older connection: %q, want one join", got)
	}
	w.exit(t.Context(), newer)
	w.awaitUser(t, room.EventLeft, admin)
	expectPresence(t, []*watch{w}, r.ID, "joined admin", "left admin")
}

func testOpened(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	all := watchAll(t, b, r.ID)
	want := make([]room.Presence, 0, 4)
	for i := range 4 {
		p := presence(admin)
		p.Session = fmt.Sprintf("tag-%d", i/2)
		all[i%len(all)].enter(t, p)
		want = append(want, p)
	}
	for _, w := range all {
		opened := ofKind(w.fence(t, r.ID), room.EventOpened)
		if len(opened) != len(want) {
			t.Fatalf("node %d was told of %d connections, want %d", w.node, len(opened), len(want))
		}
		for i, e := range opened {
			if p := want[i]; e.UserID != p.UserID || e.SocketID != p.SocketID || e.Session != p.Session {
				t.Errorf("node %d was told of %q, socket %q, session %q; want %+v", w.node, e.UserID, e.SocketID, e.Session, p)
			}
		}
	}
}

func testLastID(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	all := watchAll(t, b, r.ID)
	p := presence(admin)
	if last := all[0].enter(t, p); last != 0 {
		t.Errorf("Enter of a new session says last id %d, want 0", last)
	}
	for i, id := range []uint64{1, 2, 17, 5} {
		s := b.node(i)
		if _, err := s.Post(t.Context(), r.ID, numbered(s, admin, p.Session, id, "hi")); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range all {
		again := presence(admin)
		if last := w.enter(t, again); last != 17 {
			t.Errorf("node %d: Enter says last id %d, want 17", w.node, last)
		}
		other := presence(admin)
		other.Session = "another"
		if last := w.enter(t, other); last != 0 {
			t.Errorf("node %d: Enter of another session says last id %d, want 0", w.node, last)
		}
	}
}

func testEnterRefused(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna")
	all := watchAll(t, b, r.ID)
	if err := b.node(0).Remove(t.Context(), r.ID, "anna"); err != nil {
		t.Fatal(err)
	}
	for _, w := range all {
		if _, err := w.tryEnter(t.Context(), presence("anna"), manyUsers); !errors.Is(err, room.ErrRemoved) {
			t.Errorf("node %d: Enter of a removed member: %v, want ErrRemoved", w.node, err)
		}
		if _, err := w.tryEnter(t.Context(), presence("nobody"), manyUsers); !errors.Is(err, room.ErrInvalidSession) {
			t.Errorf("node %d: Enter of a stranger: %v, want ErrInvalidSession", w.node, err)
		}
	}
	for _, w := range all {
		if opened := ofKind(w.fence(t, r.ID), room.EventOpened); len(opened) != 0 {
			t.Errorf("node %d was told %s of users who were refused", w.node, describe(opened))
		}
	}
}

func testEnterFull(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna", "bert")
	all := watchAll(t, b, r.ID)
	first, last := all[0], all[len(all)-1]
	adminHere := presence(admin)
	for _, p := range []room.Presence{adminHere, presence("anna")} {
		if _, err := first.tryEnter(t.Context(), p, 2); err != nil {
			t.Fatalf("Enter of %q below the limit: %v", p.UserID, err)
		}
	}
	for _, w := range all {
		if _, err := w.tryEnter(t.Context(), presence("bert"), 2); !errors.Is(err, room.ErrRoomFull) {
			t.Errorf("node %d: Enter with 2 of 2 online: %v, want ErrRoomFull", w.node, err)
		}
		// Somebody who is online already takes no place, wherever.
		if _, err := w.tryEnter(t.Context(), presence("anna"), 2); err != nil {
			t.Errorf("node %d: Enter of a user who is online, with 2 of 2 online: %v", w.node, err)
		}
	}
	first.exit(t.Context(), adminHere)
	last.awaitUser(t, room.EventLeft, admin)
	if _, err := last.tryEnter(t.Context(), presence("bert"), 2); err != nil {
		t.Errorf("Enter after one has left: %v", err)
	}
}

func testEnterAtOnce(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	const users, places = 16, 5
	for i := range users {
		join(t, b, r.ID, fmt.Sprintf("user-%d", i))
	}
	all := watchAll(t, b, r.ID)
	errs := make([]error, users)
	together(users, func(i int) {
		_, errs[i] = all[i%len(all)].tryEnter(t.Context(), presence(fmt.Sprintf("user-%d", i)), places)
	})
	entered := 0
	for _, err := range errs {
		switch {
		case err == nil:
			entered++
		case !errors.Is(err, room.ErrRoomFull):
			t.Errorf("Enter at once with others: %v", err)
		}
	}
	if entered != places {
		t.Errorf("%d of %d entered a room of %d", entered, users, places)
	}
	for _, w := range all {
		if joined := ofKind(w.fence(t, r.ID), room.EventJoined); len(joined) != entered {
			t.Errorf("node %d was told of %d users, want %d", w.node, len(joined), entered)
		}
	}
}

// testComeAndGo has users come and go on all nodes at once; in the end everybody
// knows who is there.
func testComeAndGo(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	const users = 4
	for i := range users {
		join(t, b, r.ID, fmt.Sprintf("user-%d", i))
	}
	all := watchAll(t, b, r.ID)
	together(users*len(all), func(i int) {
		w := all[i%len(all)]
		user := fmt.Sprintf("user-%d", i/len(all)) // each on every node
		for range 15 {
			p := presence(user)
			if _, err := w.tryEnter(t.Context(), p, manyUsers); err != nil {
				t.Errorf("Enter: %v", err)
			}
			w.exit(t.Context(), p)
		}
	})
	// Only those who enter now are online in the end.
	all[0].enter(t, presence("user-1"))
	for _, w := range all {
		w.await(t, "end with nobody but user-1 online", func(events []arrival) bool {
			online := make(map[string]bool)
			for _, e := range events {
				switch e.Kind {
				case room.EventJoined:
					online[e.UserID] = true
				case room.EventLeft:
					delete(online, e.UserID)
				default:
				}
			}
			return len(online) == 1 && online["user-1"]
		})
		w.fence(t, r.ID)
	}
}

func testRemovedWhileOnline(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna", "bert")
	all := watchAll(t, b, r.ID)
	first, last := all[0], all[len(all)-1]
	adminHere := presence(admin)
	first.enter(t, adminHere)
	here, there := presence("anna"), presence("anna")
	first.enter(t, here)
	last.enter(t, there)
	for _, userID := range []string{"anna", "bert"} { // bert is not online
		if err := b.node(1).Remove(t.Context(), r.ID, userID); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range all {
		w.awaitUser(t, room.EventRemoved, "bert")
		w.awaitUser(t, room.EventLeft, "anna")
	}
	// The node finds out and closes the connections.
	first.exit(t.Context(), here)
	last.exit(t.Context(), there)
	// Her place is free.
	join(t, b, r.ID, "carla")
	if _, err := last.tryEnter(t.Context(), presence("carla"), 2); err != nil {
		t.Errorf("Enter after a removal, with 1 of 2 online: %v", err)
	}
	for _, w := range all {
		got := presenceEvents(w.fence(t, r.ID))
		// bert's removal may be told before it is told that anna has left.
		i := slices.Index(got, "removed anna")
		if j := slices.Index(got, "left anna"); i < 0 || j < i {
			t.Errorf("node %d was told %q, want that anna was removed, then that she left", w.node, got)
		}
		slices.Sort(got)
		want := []string{"joined admin", "joined anna", "joined carla", "left anna", "removed anna", "removed bert"}
		if !slices.Equal(got, want) {
			t.Errorf("node %d was told %q in some order, want %q", w.node, got, want)
		}
	}
}

func testSnapshotOnline(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna", "bert")
	first := watchOn(t, b, 0, r.ID)
	bert := presence("bert")
	first.enter(t, presence(admin))
	first.enter(t, presence("anna"))
	first.enter(t, presence("anna")) // twice, listed once
	first.enter(t, bert)
	first.exit(t.Context(), bert)
	first.awaitUser(t, room.EventLeft, "bert")
	if len(b.Nodes) == 1 {
		first.close(t.Context())
		again := watchOn(t, b, 0, r.ID)
		if online := again.snapshot.Online; len(online) != 0 {
			t.Errorf("%q are online after everybody has exited", online)
		}
		return
	}
	second := watchOn(t, b, 1, r.ID)
	online := slices.Sorted(slices.Values(second.snapshot.Online))
	if want := []string{admin, "anna"}; !slices.Equal(online, want) {
		t.Errorf("the snapshot says that %q are online, want %q", online, want)
	}
}

func testTyping(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna")
	all := watchAll(t, b, r.ID)
	all[0].enter(t, presence("anna"))
	if err := all[0].feed.Typing(t.Context(), "anna"); err != nil {
		t.Fatalf("Typing: %v", err)
	}
	if err := all[len(all)-1].feed.Typing(t.Context(), admin); err != nil {
		t.Fatalf("Typing: %v", err)
	}
	for _, w := range all {
		w.awaitUser(t, room.EventTyping, "anna")
		w.awaitUser(t, room.EventTyping, admin)
		if typing := ofKind(w.fence(t, r.ID), room.EventTyping); len(typing) != 2 {
			t.Errorf("node %d was told %s, want each typing once", w.node, describe(typing))
		}
	}
}

// testUserNames has users whose names a store might take for something else.
func testUserNames(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	users := []string{"a:b", "x:anna", "Ünal 🦊", "\"; --", "{x}", "*", "key", "0", "a\u2028b", "-"}
	join(t, b, r.ID, users...)
	all := watchAll(t, b, r.ID)
	for i, user := range users {
		w := all[i%len(all)]
		p := presence(user)
		w.enter(t, p)
		s := b.node(i)
		if _, err := s.Post(t.Context(), r.ID, numbered(s, user, p.Session, 1, "hi")); err != nil {
			t.Errorf("Post of %q: %v", user, err)
		}
		if err := w.feed.Typing(t.Context(), user); err != nil {
			t.Errorf("Typing of %q: %v", user, err)
		}
		for _, w := range all {
			w.awaitUser(t, room.EventJoined, user)
			w.awaitUser(t, room.EventTyping, user)
		}
		if i%2 == 0 {
			w.exit(t.Context(), p)
		} else if err := s.Remove(t.Context(), r.ID, user); err != nil {
			t.Errorf("Remove of %q: %v", user, err)
		}
		for _, w := range all {
			w.awaitUser(t, room.EventLeft, user)
		}
	}
}
