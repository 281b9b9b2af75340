package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

var joinTests = map[string]func(*testing.T, Backend){
	"Candidates":      testCandidates,
	"Skeletons":       testSkeletons,
	"SameNameAtOnce":  testSameNameAtOnce,
	"FullByMembers":   testFullByMembers,
	"FullByOnline":    testFullByOnline,
	"LimitAtOnce":     testMemberLimitAtOnce,
	"StartedRoom":     testJoinStarted,
	"JoinDoesntStart": testJoinDoesNotStart,
}

func testCandidates(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna", "bert")
	if err := b.node(1).Remove(t.Context(), r.ID, "bert"); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		candidates []string
		want       string
	}{
		{[]string{"anna", "anna-2", "anna-3"}, "anna-2"},
		{[]string{"anna", "anna-2", "anna-3"}, "anna-3"},
		{[]string{"bert", "bert-2"}, "bert-2"},
		{[]string{admin, "admin-2"}, "admin-2"},
		{[]string{"carla", "anna"}, "carla"},
		{[]string{"anna", "bert", "Anna", "\u0430nna", "Bert\ufe0f", "unused"}, "unused"},
		{[]string{"Ünal 🦊 \"x\"\\"}, "Ünal 🦊 \"x\"\\"},
	} {
		joined, err := b.node(i).Join(t.Context(), r.ID, joinAs(c.candidates...))
		if err != nil || joined.UserID != c.want {
			t.Errorf("Join as %q: %q, %v; want %q", c.candidates, joined.UserID, err, c.want)
			continue
		}
		sameRoom(t, joined.Room, load(t, b.node(0), r.ID))
		if _, m, err := b.node(i+1).Member(t.Context(), r.ID, c.want); err != nil || m != room.IsMember {
			t.Errorf("after the join %q is %d (%v), want a member", c.want, m, err)
		}
	}
	// Nothing free: not the name of a member, not the name of a removed one.
	for _, taken := range []string{"anna", "bert"} {
		if _, err := b.node(0).Join(t.Context(), r.ID, joinAs(taken)); !errors.Is(err, room.ErrRoomFull) {
			t.Errorf("Join as %q only: %v, want ErrRoomFull", taken, err)
		}
	}
	if _, m, err := b.node(1).Member(t.Context(), r.ID, "bert"); err != nil || m != room.WasRemoved {
		t.Errorf("bert is %d (%v), want removed", m, err)
	}
}

// testSkeletons expects that no name is given out that is confusable with one given
// out before, also to a removed member, unless the site signs users in.
func testSkeletons(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	for i, c := range []struct{ wanted, otherwise, want string }{
		{"Paypal", "paypal-2", "Paypal"},
		{"PayPaI", "paypal-3", "paypal-3"},
		{"\u0440\u0430ypal", "paypal-4", "paypal-4"}, // er and a of Cyrillic
		{"P\u0430ypal-3", "paypal-5", "paypal-5"},
		{"Admin", "admin-2", "admin-2"}, // the creator is called admin
		{"Paypaul", "paypal-6", "Paypaul"},
	} {
		joined, err := b.node(i).Join(t.Context(), r.ID, joinAs(c.wanted, c.otherwise))
		if err != nil || joined.UserID != c.want {
			t.Errorf("Join as %q: %q, %v; want %q", c.wanted, joined.UserID, err, c.want)
		}
	}
	if err := b.node(0).Remove(t.Context(), r.ID, "Paypaul"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.node(1).Join(t.Context(), r.ID, joinAs("paypaul")); !errors.Is(err, room.ErrRoomFull) {
		t.Errorf("Join under a name that looks like that of somebody removed: %v, want ErrRoomFull", err)
	}

	site := newRoom(longTTL)
	site.SignedIn = true
	createAs(t, b, site, longLobby)
	for i, userID := range []string{"Anna", "anna", "\u0430nna", "Admin"} {
		if joined, err := b.node(i).Join(t.Context(), site.ID, joinAs(userID)); err != nil || joined.UserID != userID {
			t.Errorf("Join as %q of the site's users: %q, %v", userID, joined.UserID, err)
		}
	}
}

func testSameNameAtOnce(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	const joiners = 16
	var got [joiners]string
	together(joiners, func(i int) {
		joined, err := b.node(i).Join(t.Context(), r.ID, joinAs("anna", "anna-2", "anna-3", fmt.Sprintf("id-%d", i)))
		if err != nil {
			t.Errorf("Join at once with others: %v", err)
		}
		got[i] = joined.UserID
	})
	seen := make(map[string]int)
	for i, userID := range got {
		if other, taken := seen[userID]; taken {
			t.Errorf("joiners %d and %d both became %q", other, i, userID)
		}
		seen[userID] = i
	}
	for _, userID := range []string{"anna", "anna-2", "anna-3"} {
		if _, given := seen[userID]; !given {
			t.Errorf("nobody became %q, which was free: %q", userID, got)
		}
	}
}

func testFullByMembers(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	limit := func(candidates ...string) room.Join {
		return room.Join{Candidates: candidates, MaxOnline: manyUsers, MaxMembers: 3}
	}
	// The admin is one of the three.
	for i, name := range []string{"anna", "bert"} {
		if _, err := b.node(i).Join(t.Context(), r.ID, limit(name)); err != nil {
			t.Fatalf("Join as member %d of 3: %v", i+2, err)
		}
	}
	if _, err := b.node(1).Join(t.Context(), r.ID, limit("carla")); !errors.Is(err, room.ErrRoomFull) {
		t.Errorf("Join as member 4 of 3: %v, want ErrRoomFull", err)
	}
	if _, m, err := b.node(0).Member(t.Context(), r.ID, "carla"); err != nil || m != room.NotMember {
		t.Errorf("after the refusal carla is %d (%v), want a stranger", m, err)
	}
	// A removed user is no member any more.
	if err := b.node(0).Remove(t.Context(), r.ID, "anna"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.node(1).Join(t.Context(), r.ID, limit("carla")); err != nil {
		t.Errorf("Join after a removal: %v", err)
	}
}

func testFullByOnline(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna")
	all := watchAll(t, b, r.ID)
	limit := func(candidates ...string) room.Join {
		return room.Join{Candidates: candidates, MaxOnline: 2, MaxMembers: manyUsers}
	}
	adminHere, annaHere := presence(admin), presence("anna")
	first, last := all[0], all[len(all)-1]
	first.enter(t, adminHere)
	if _, err := b.node(0).Join(t.Context(), r.ID, limit("bert")); err != nil {
		t.Errorf("Join with 1 of 2 online: %v", err)
	}
	last.enter(t, annaHere)
	for i, s := range b.Nodes {
		if _, err := s.Join(t.Context(), r.ID, limit("carla")); !errors.Is(err, room.ErrRoomFull) {
			t.Errorf("node %d: Join with 2 of 2 online: %v, want ErrRoomFull", i, err)
		}
	}
	last.exit(t.Context(), annaHere)
	first.awaitUser(t, room.EventLeft, "anna")
	if _, err := b.node(0).Join(t.Context(), r.ID, limit("carla")); err != nil {
		t.Errorf("Join after one has left: %v", err)
	}
}

func testMemberLimitAtOnce(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	const joiners, members = 16, 6
	var errs [joiners]error
	together(joiners, func(i int) {
		_, errs[i] = b.node(i).Join(t.Context(), r.ID, room.Join{
			Candidates: []string{fmt.Sprintf("user-%d", i)}, MaxOnline: manyUsers, MaxMembers: members,
		})
	})
	joined := 0
	for _, err := range errs {
		switch {
		case err == nil:
			joined++
		case !errors.Is(err, room.ErrRoomFull):
			t.Errorf("Join at once with others: %v", err)
		}
	}
	if joined != members-1 {
		t.Errorf("%d joined a room that has 1 of %d members, want %d", joined, members, members-1)
	}
}

func testJoinStarted(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	clock, err := b.node(0).Start(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	joined, err := b.node(1).Join(t.Context(), r.ID, joinAs("anna"))
	if err != nil {
		t.Fatal(err)
	}
	if !joined.Room.StartedAt.Equal(clock.StartedAt) || !joined.Room.Deadline.Equal(clock.Deadline) {
		t.Errorf("whoever joins is told started %v, deadline %v; want %v, %v",
			joined.Room.StartedAt, joined.Room.Deadline, clock.StartedAt, clock.Deadline)
	}
}

func testJoinDoesNotStart(t *testing.T, b Backend) {
	r := create(t, b, longTTL, longLobby)
	join(t, b, r.ID, "anna")
	w := watchOn(t, b, 0, r.ID)
	w.enter(t, presence("anna"))
	if err := w.feed.Typing(t.Context(), "anna"); err != nil {
		t.Fatal(err)
	}
	if err := b.node(0).SetLocked(t.Context(), r.ID, true); err != nil {
		t.Fatal(err)
	}
	if err := b.node(0).Remove(t.Context(), r.ID, "anna"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.node(0).Before(t.Context(), r.ID, 0, 10, maxBytes); err != nil {
		t.Fatal(err)
	}
	for i, s := range b.Nodes {
		if got := load(t, s, r.ID); got.Started() {
			t.Errorf("node %d: the room started without a start or a message", i)
		}
	}
}
