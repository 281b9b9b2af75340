package room_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/memstore"
)

var limits = room.Limits{
	TTL: time.Hour, MaxTTL: 24 * time.Hour, Lobby: 24 * time.Hour,
	History: 100, MaxMessage: 64, MaxMembers: 3, MaxRooms: 100,
}

func newRooms(tb testing.TB) (*room.Rooms, *memstore.Store) {
	tb.Helper()
	store := memstore.New()
	tb.Cleanup(func() {
		if err := store.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return room.NewRooms(store, limits), store
}

func create(tb testing.TB, rooms *room.Rooms, req room.CreateRequest) room.Admission {
	tb.Helper()
	if req.Name == "" {
		req.Name = "Plans"
	}
	a, err := rooms.Create(tb.Context(), req)
	if err != nil {
		tb.Fatalf("Create: %v", err)
	}
	return a
}

func join(tb testing.TB, rooms *room.Rooms, roomID, username string) room.Admission {
	tb.Helper()
	a, err := rooms.Join(tb.Context(), room.JoinRequest{RoomID: roomID, Username: username})
	if err != nil {
		tb.Fatalf("Join: %v", err)
	}
	return a
}

func credentials(a room.Admission) room.Credentials {
	return room.Credentials{RoomID: a.Room.ID, UserID: a.UserID, SessionID: a.SessionID}
}

func expect(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestCreate(t *testing.T) {
	rooms, store := newRooms(t)
	if rooms.Limits() != limits {
		t.Errorf("limits are %+v, want %+v", rooms.Limits(), limits)
	}
	a := create(t, rooms, room.CreateRequest{Name: "  Plans ", Username: "anna", Password: ""})
	if a.Role != room.RoleAdmin || a.UserID != "anna" || a.Room.Admin != "anna" {
		t.Errorf("the creator is %q, %q, of a room of %q", a.UserID, a.Role, a.Room.Admin)
	}
	if a.Room.Name != "Plans" || a.Room.TTL != limits.TTL || a.Room.Started() {
		t.Errorf("the room is %q with TTL %v, started %v", a.Room.Name, a.Room.TTL, a.Room.Started())
	}
	if len(a.Room.ID) != 22 || !room.ValidID(a.Room.ID) {
		t.Errorf("id %q, want 22 characters", a.Room.ID)
	}
	if len(a.Room.Key) != 32 || a.Room.Epoch == "" {
		t.Errorf("key of %d bytes, epoch %q", len(a.Room.Key), a.Room.Epoch)
	}
	stored, err := store.Load(t.Context(), a.Room.ID)
	if err != nil || stored.Name != "Plans" || len(stored.Password) != 0 {
		t.Errorf("the store holds %q, password of %d bytes, %v", stored.Name, len(stored.Password), err)
	}
	b := create(t, rooms, room.CreateRequest{})
	if string(b.Room.Key) == string(a.Room.Key) || b.Room.ID == a.Room.ID {
		t.Error("two rooms share a key or an id")
	}
	if !uuid.MatchString(b.UserID) {
		t.Errorf("without a username the creator is %q, want a UUID", b.UserID)
	}
}

// uuid is the form of a random UUID (RFC 9562, section 5.4).
var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestCreateTTL(t *testing.T) {
	rooms, _ := newRooms(t)
	for ttl, ok := range map[time.Duration]bool{
		time.Second:                       true,
		90 * time.Second:                  true,
		limits.MaxTTL:                     true,
		0:                                 false, // asked for, unlike nil
		-time.Second:                      false,
		time.Second - time.Nanosecond:     false,
		1500 * time.Millisecond:           false,
		limits.MaxTTL + time.Second:       false,
		limits.MaxTTL + time.Nanosecond:   false,
		time.Duration(1<<63 - 1):          false,
		time.Duration(-1 << 63):           false,
		limits.MaxTTL - time.Microsecond:  false,
		365 * 24 * time.Hour * 100:        false,
		time.Minute + 250*time.Nanosecond: false,
	} {
		a, err := rooms.Create(t.Context(), room.CreateRequest{Name: "x", TTL: &ttl})
		if ok && (err != nil || a.Room.TTL != ttl) {
			t.Errorf("ttl %v: %v, TTL %v", ttl, err, a.Room.TTL)
		}
		if !ok {
			expect(t, fmt.Sprintf("ttl %v", ttl), err, room.ErrInvalidRequest)
		}
	}
}

func TestTooManyRooms(t *testing.T) {
	rooms, _ := newRooms(t)
	for range limits.MaxRooms {
		create(t, rooms, room.CreateRequest{})
	}
	_, err := rooms.Create(t.Context(), room.CreateRequest{Name: "one more"})
	expect(t, "Create beyond the limit", err, room.ErrTooManyRooms)
}

func TestInfo(t *testing.T) {
	rooms, _ := newRooms(t)
	a := create(t, rooms, room.CreateRequest{})
	if info, err := rooms.Info(t.Context(), a.Room.ID); err != nil || info != (room.Info{}) {
		t.Errorf("Info of a new room: %+v, %v", info, err)
	}
	for _, id := range []string{"", "unknown", "with space", "a/b", "ü", "*", strings.Repeat("a", 65), a.Room.ID + "\n"} {
		_, err := rooms.Info(t.Context(), id)
		expect(t, fmt.Sprintf("Info of %q", id), err, room.ErrRoomNotFound)
		_, err = rooms.Join(t.Context(), room.JoinRequest{RoomID: id})
		expect(t, fmt.Sprintf("Join of %q", id), err, room.ErrRoomNotFound)
		_, err = rooms.Authenticate(t.Context(), room.Credentials{RoomID: id, UserID: a.UserID, SessionID: a.SessionID})
		expect(t, fmt.Sprintf("Authenticate in %q", id), err, room.ErrRoomNotFound)
	}
}

func TestJoin(t *testing.T) {
	rooms, _ := newRooms(t)
	a := create(t, rooms, room.CreateRequest{Username: "anna"})
	b := join(t, rooms, a.Room.ID, "bert")
	if b.UserID != "bert" || b.Role != room.RoleMember || b.Room.ID != a.Room.ID {
		t.Errorf("bert is %q, %q", b.UserID, b.Role)
	}
	if c := join(t, rooms, a.Room.ID, ""); !uuid.MatchString(c.UserID) {
		t.Errorf("without a username one is %q, want a UUID", c.UserID)
	}
	short := regexp.MustCompile(`^anna-[2-9a-hjkmnp-z]{2,8}$`)
	seen := map[string]bool{"anna": true}
	for range 20 {
		c := join(t, rooms, a.Room.ID, " anna ")
		if !short.MatchString(c.UserID) || seen[c.UserID] {
			t.Errorf("another anna is %q, want anna with a suffix of her own", c.UserID)
		}
		seen[c.UserID] = true
	}
	// Nor is a name given out again when its owner has left.
	if err := rooms.Leave(t.Context(), credentials(b)); err != nil {
		t.Fatal(err)
	}
	if c := join(t, rooms, a.Room.ID, "bert"); c.UserID == "bert" {
		t.Error("the name of somebody who has left was given out again")
	}
}

func TestJoinFull(t *testing.T) {
	rooms, store := newRooms(t)
	a := create(t, rooms, room.CreateRequest{})
	for range 10*limits.MaxMembers - 1 {
		join(t, rooms, a.Room.ID, "")
	}
	_, err := rooms.Join(t.Context(), room.JoinRequest{RoomID: a.Room.ID})
	expect(t, "Join of a room with ten times as many members as may be online", err, room.ErrRoomFull)

	b := create(t, rooms, room.CreateRequest{Username: "anna"})
	_, feed, err := store.Watch(t.Context(), b.Room.ID, func(room.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	for i := range limits.MaxMembers {
		member := b
		if i > 0 {
			member = join(t, rooms, b.Room.ID, "")
		}
		p := room.Presence{UserID: member.UserID, SocketID: room.NewNonce(), Order: 1, Session: "tag"}
		if _, err := feed.Enter(t.Context(), p, limits.MaxMembers); err != nil {
			t.Fatal(err)
		}
	}
	_, err = rooms.Join(t.Context(), room.JoinRequest{RoomID: b.Room.ID})
	expect(t, "Join of a room with as many online as may be", err, room.ErrRoomFull)
}

func TestLocked(t *testing.T) {
	rooms, _ := newRooms(t)
	a := create(t, rooms, room.CreateRequest{Username: "anna"})
	b := join(t, rooms, a.Room.ID, "bert")
	if err := rooms.SetLocked(t.Context(), credentials(a), true); err != nil {
		t.Fatal(err)
	}
	_, err := rooms.Join(t.Context(), room.JoinRequest{RoomID: a.Room.ID})
	expect(t, "Join of a locked room", err, room.ErrRoomLocked)
	for _, member := range []room.Admission{a, b} {
		again, err := rooms.Rejoin(t.Context(), credentials(member))
		if err != nil || again.UserID != member.UserID || again.Role != member.Role || !again.Room.Locked {
			t.Errorf("a member who comes back to a locked room is %q, %q, %v", again.UserID, again.Role, err)
		}
	}
	if err := rooms.SetLocked(t.Context(), credentials(a), false); err != nil {
		t.Fatal(err)
	}
	join(t, rooms, a.Room.ID, "carla")
}

func TestReturn(t *testing.T) {
	rooms, _ := newRooms(t)
	a := create(t, rooms, room.CreateRequest{Username: "anna", Password: "secret"})
	again, err := rooms.Rejoin(t.Context(), credentials(a)) // without the password
	if err != nil {
		t.Fatal(err)
	}
	if again.UserID != "anna" || again.Role != room.RoleAdmin || again.SessionID == a.SessionID {
		t.Errorf("who comes back is %q, %q, with a new session: %v", again.UserID, again.Role, again.SessionID != a.SessionID)
	}
	tags := make(map[string]bool)
	for _, session := range []room.Admission{a, again} { // both are good
		m, err := rooms.Authenticate(t.Context(), credentials(session))
		if err != nil || m.UserID != "anna" || m.Role != room.RoleAdmin || m.Room.ID != a.Room.ID {
			t.Errorf("Authenticate: %q, %q, %v", m.UserID, m.Role, err)
		}
		tags[m.Tag] = true
	}
	if len(tags) != 2 {
		t.Error("two sessions have the same tag")
	}
}

func TestAuthenticate(t *testing.T) {
	rooms, _ := newRooms(t)
	a, other := create(t, rooms, room.CreateRequest{Username: "anna"}), create(t, rooms, room.CreateRequest{Username: "anna"})
	b := join(t, rooms, a.Room.ID, "bert")
	for name, c := range map[string]room.Credentials{
		"no session":               {RoomID: a.Room.ID, UserID: "anna"},
		"nothing":                  {RoomID: a.Room.ID},
		"the session of another":   {RoomID: a.Room.ID, UserID: "anna", SessionID: b.SessionID},
		"a session as another":     {RoomID: a.Room.ID, UserID: "bert", SessionID: a.SessionID},
		"as a stranger":            {RoomID: a.Room.ID, UserID: "carla", SessionID: a.SessionID},
		"the session of elsewhere": {RoomID: a.Room.ID, UserID: "anna", SessionID: other.SessionID},
		"userId as session":        {RoomID: a.Room.ID, UserID: "anna", SessionID: "anna"},
	} {
		_, err := rooms.Authenticate(t.Context(), c)
		expect(t, name, err, room.ErrInvalidSession)
		_, err = rooms.Rejoin(t.Context(), c)
		expect(t, name, err, room.ErrInvalidSession)
		_, err = rooms.Start(t.Context(), c)
		expect(t, name, err, room.ErrInvalidSession)
		expect(t, name, rooms.Delete(t.Context(), c), room.ErrInvalidSession)
		expect(t, name, rooms.SetLocked(t.Context(), c, true), room.ErrInvalidSession)
		expect(t, name, rooms.Remove(t.Context(), c, "bert"), room.ErrInvalidSession)
		expect(t, name, rooms.Leave(t.Context(), c), room.ErrInvalidSession)
	}
	for what, r := range map[string]room.Admission{"the room": a, "the other room": other} {
		got, err := rooms.Info(t.Context(), r.Room.ID)
		if err != nil || got != (room.Info{}) {
			t.Errorf("after refused requests %s is %+v, %v", what, got, err)
		}
	}
}

func TestAdminOnly(t *testing.T) {
	rooms, _ := newRooms(t)
	a := create(t, rooms, room.CreateRequest{Username: "anna"})
	b := credentials(join(t, rooms, a.Room.ID, "bert"))
	_, err := rooms.Start(t.Context(), b)
	expect(t, "Start by a member", err, room.ErrNotAdmin)
	expect(t, "Delete by a member", rooms.Delete(t.Context(), b), room.ErrNotAdmin)
	expect(t, "SetLocked by a member", rooms.SetLocked(t.Context(), b, true), room.ErrNotAdmin)
	expect(t, "Remove by a member", rooms.Remove(t.Context(), b, "anna"), room.ErrNotAdmin)
	expect(t, "Remove of oneself by a member", rooms.Remove(t.Context(), b, "bert"), room.ErrNotAdmin)
	if info, err := rooms.Info(t.Context(), a.Room.ID); err != nil || info != (room.Info{}) {
		t.Errorf("after refused requests the room is %+v, %v", info, err)
	}
}

func TestStartAndDelete(t *testing.T) {
	rooms, _ := newRooms(t)
	a := create(t, rooms, room.CreateRequest{Username: "anna"})
	clock, err := rooms.Start(t.Context(), credentials(a))
	if err != nil || clock.Deadline.Sub(clock.StartedAt) != limits.TTL {
		t.Fatalf("Start: %v, %v", clock, err)
	}
	want := room.Clock{StartedAt: clock.StartedAt, Deadline: clock.Deadline} // without Began
	if again, err := rooms.Start(t.Context(), credentials(a)); err != nil || again != want {
		t.Errorf("Start again: %v, %v; want %v", again, err, want)
	}
	if err := rooms.Delete(t.Context(), credentials(a)); err != nil {
		t.Fatal(err)
	}
	_, err = rooms.Start(t.Context(), credentials(a))
	expect(t, "Start after Delete", err, room.ErrRoomNotFound)
	expect(t, "Delete after Delete", rooms.Delete(t.Context(), credentials(a)), room.ErrRoomNotFound)
	_, err = rooms.Rejoin(t.Context(), credentials(a))
	expect(t, "Return after Delete", err, room.ErrRoomNotFound)
}

func TestRemove(t *testing.T) {
	rooms, _ := newRooms(t)
	a := create(t, rooms, room.CreateRequest{Username: "anna"})
	b := join(t, rooms, a.Room.ID, "bert")
	c := credentials(a)
	expect(t, "Remove of the admin", rooms.Remove(t.Context(), c, "anna"), room.ErrInvalidRequest)
	expect(t, "Remove of a stranger", rooms.Remove(t.Context(), c, "carla"), room.ErrMemberNotFound)
	if err := rooms.Remove(t.Context(), c, "bert"); err != nil {
		t.Fatal(err)
	}
	expect(t, "Remove again", rooms.Remove(t.Context(), c, "bert"), room.ErrMemberNotFound)
	_, err := rooms.Authenticate(t.Context(), credentials(b))
	expect(t, "Authenticate of a removed member", err, room.ErrRemoved)
	_, err = rooms.Rejoin(t.Context(), credentials(b))
	expect(t, "Rejoin of a removed member", err, room.ErrRemoved)
	expect(t, "Leave of a removed member", rooms.Leave(t.Context(), credentials(b)), room.ErrRemoved)
	_, err = rooms.Post(t.Context(), a.Room.ID, "bert", "tag", 0, 0, "hi")
	expect(t, "Post of a removed member", err, room.ErrRemoved)
	// Without a valid session, a client doesn't learn that a user was removed.
	_, err = rooms.Authenticate(t.Context(), room.Credentials{RoomID: a.Room.ID, UserID: "bert", SessionID: a.SessionID})
	expect(t, "Authenticate as a removed member", err, room.ErrInvalidSession)
}

func TestLeave(t *testing.T) {
	rooms, _ := newRooms(t)
	a := create(t, rooms, room.CreateRequest{Username: "anna"})
	b := join(t, rooms, a.Room.ID, "bert")
	for _, member := range []room.Admission{a, b} { // the admin too
		if err := rooms.Leave(t.Context(), credentials(member)); err != nil {
			t.Errorf("Leave of %q: %v", member.UserID, err)
		}
		_, err := rooms.Rejoin(t.Context(), credentials(member))
		expect(t, "Return after Leave", err, room.ErrRemoved)
	}
	_, err := rooms.Start(t.Context(), credentials(a))
	expect(t, "Start by an admin who has left", err, room.ErrRemoved)
	if _, err := rooms.Info(t.Context(), a.Room.ID); err != nil {
		t.Errorf("the room that everybody has left: %v", err)
	}
}

func TestPost(t *testing.T) {
	rooms, store := newRooms(t)
	a := create(t, rooms, room.CreateRequest{Username: "anna"})
	for message, want := range map[string]error{
		"":                            room.ErrInvalidMessage,
		strings.Repeat("x", 65):       room.ErrMessageTooLong,
		strings.Repeat("é", 32) + "x": room.ErrMessageTooLong, // bytes count
		strings.Repeat("🦊", 16) + "\u200d\xff": room.ErrMessageTooLong,
	} {
		_, err := rooms.Post(t.Context(), a.Room.ID, "anna", "tag", 1, 0, message)
		expect(t, fmt.Sprintf("Post of %q", message), err, want)
	}
	if r, err := store.Load(t.Context(), a.Room.ID); err != nil || r.Started() || r.Seq != 0 {
		t.Errorf("after refused messages the room is started %v, seq %d, %v", r.Started(), r.Seq, err)
	}
	for i, message := range []string{"x", " ", strings.Repeat("x", 64), strings.Repeat("é", 32)} {
		receipt, err := rooms.Post(t.Context(), a.Room.ID, "anna", "tag", uint64(i+1), 0, message)
		if want := (room.Receipt{Seq: uint64(i + 1), Began: i == 0}); err != nil || receipt != want {
			t.Errorf("Post of %q: %+v, %v; want %+v", message, receipt, err, want)
		}
	}
	if receipt, err := rooms.Post(t.Context(), a.Room.ID, "anna", "tag", 4, 0, "again"); err != nil || !receipt.Duplicate {
		t.Errorf("Post again: %+v, %v; want a duplicate", receipt, err)
	}
	for range 2 * limits.History {
		if _, err := rooms.Post(t.Context(), a.Room.ID, "anna", "tag", 0, 0, "x"); err != nil {
			t.Fatal(err)
		}
	}
	page, err := store.Before(t.Context(), a.Room.ID, 0, 1_000, 1<<20)
	if kept := len(page.Entries); err != nil || kept < limits.History || kept > limits.History*5/4 {
		t.Errorf("the room keeps %d messages, %v; want %d, at most a quarter more", kept, err, limits.History)
	}
	_, err = rooms.Post(t.Context(), room.NewID(), "anna", "tag", 0, 0, "x")
	expect(t, "Post to no room", err, room.ErrRoomNotFound)
}

// TestUnavailable checks that a store that cannot be asked is never taken for
// one without the room.
func TestUnavailable(t *testing.T) {
	store := memstore.New()
	rooms := room.NewRooms(store, limits)
	a := create(t, rooms, room.CreateRequest{Username: "anna"})
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	c := credentials(a)
	_, err := rooms.Create(t.Context(), room.CreateRequest{Name: "x"})
	expect(t, "Create", err, room.ErrUnavailable)
	_, err = rooms.Join(t.Context(), room.JoinRequest{RoomID: a.Room.ID})
	expect(t, "Join", err, room.ErrUnavailable)
	_, err = rooms.Rejoin(t.Context(), c)
	expect(t, "Return", err, room.ErrUnavailable)
	_, err = rooms.Start(t.Context(), c)
	expect(t, "Start", err, room.ErrUnavailable)
	_, err = rooms.Post(t.Context(), a.Room.ID, "anna", "tag", 1, 0, "x")
	expect(t, "Post", err, room.ErrUnavailable)
	expect(t, "Delete", rooms.Delete(t.Context(), c), room.ErrUnavailable)
	expect(t, "Leave", rooms.Leave(t.Context(), c), room.ErrUnavailable)
}

// outage is a store that cannot be reached after a refused Join.
type outage struct {
	room.Store
	refused bool
}

func (o *outage) Join(context.Context, string, room.Join) (room.Joined, error) {
	o.refused = true
	return room.Joined{}, room.ErrRoomFull
}

func (o *outage) Member(ctx context.Context, instanceID, userID string) (room.Room, room.Membership, error) {
	if o.refused {
		return room.Room{}, room.NotMember, room.ErrUnavailable
	}
	return o.Store.Member(ctx, instanceID, userID)
}

// TestOutageIsNotRoomFull checks that a signed-in user is not refused for good when
// the store cannot answer whether the user is a member already.
func TestOutageIsNotRoomFull(t *testing.T) {
	signedIn := limits
	signedIn.SignedIn = true
	_, store := newRooms(t)
	rooms := room.NewRooms(&outage{Store: store}, signedIn)
	a := create(t, rooms, room.CreateRequest{User: "anna"})
	_, err := rooms.Join(t.Context(), room.JoinRequest{RoomID: a.Room.ID, User: "bert"})
	expect(t, "Join while the store cannot be reached", err, room.ErrUnavailable)
}
