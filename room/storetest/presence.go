package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var presenceTests = map[string]func(*testing.T, Backend){
	"JoinedAndLeft":  testJoinedAndLeft,
	"SameUserTwice":  testSameUserTwice,
	"StaleExit":      testStaleExit,
	"ExitOvertakes":  testExitOvertakes,
	"EnterOvertakes": testEnterOvertakes,
	"ComeAndGo":      testComeAndGo,
	"Removed":        testRemovedWhileOnline,
	"SnapshotOnline": testSnapshotOnline,
	"Typing":         testTyping,
}

// presenceEvents returns the events about online users.
func presenceEvents(events []arrival) []string {
	var told []string
	for _, e := range events {
		if e.Kind == room.EventJoined || e.Kind == room.EventLeft || e.Kind == room.EventRemoved {
			told = append(told, name(e))
		}
	}
	return told
}

// expectPresence fails unless every node received exactly these events.
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
	w.exit(t.Context(), older) // late: the user has reconnected
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

// testExitOvertakes calls Exit of a connection before its Enter. The user stays
// offline.
func testExitOvertakes(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna")
	all := watchAll(t, b, r.ID)
	for _, w := range all {
		older, newer := presence("anna"), presence("anna")
		w.exit(t.Context(), newer)
		for _, p := range []room.Presence{newer, older} {
			// The result of Enter doesn't matter any more.
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

// testEnterOvertakes calls Enter of a newer connection before that of an older one.
func testEnterOvertakes(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	w := watchOn(t, b, 0, r.ID)
	older, newer := presence(admin), presence(admin)
	w.enter(t, newer)
	w.enter(t, older)
	w.exit(t.Context(), older) // has no effect on the newer one
	if got := presenceEvents(w.fence(t, r.ID)); !slices.Equal(got, []string{"joined admin"}) {
		t.Errorf("after the exit of an older connection: %q, want one join", got)
	}
	w.exit(t.Context(), newer)
	w.awaitUser(t, room.EventLeft, admin)
	expectPresence(t, []*watch{w}, r.ID, "joined admin", "left admin")
}

// testComeAndGo enters and exits users on all nodes at once; in the end every node
// has the same online users.
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
	// Only the users that enter now are online in the end.
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
	// The node receives the event and closes the connections.
	first.exit(t.Context(), here)
	last.exit(t.Context(), there)
	// Her place is free.
	join(t, b, r.ID, "carla")
	if _, err := last.tryEnter(t.Context(), presence("carla"), 2); err != nil {
		t.Errorf("Enter after a removal, with 1 of 2 online: %v", err)
	}
	for _, w := range all {
		got := presenceEvents(w.fence(t, r.ID))
		// bert's removal may arrive before anna's exit.
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
