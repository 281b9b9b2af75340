package room_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/memstore"
)

const (
	declaredID = "lounge"
	door       = "open sesame"
	crown      = "open barley"
)

// declare returns the rooms of a site that declares a declared room.
func declare(tb testing.TB, store room.Store, s room.Declaration) *room.Rooms {
	tb.Helper()
	if s.Name == "" {
		s.Name = "Lounge"
	}
	s.ID = declaredID
	declared, err := room.NewDeclaredRoom(s, limits)
	if err != nil {
		tb.Fatal(err)
	}
	return room.NewRooms(store, limits, declared)
}

// enter joins the declared room with a password.
func enter(tb testing.TB, rooms *room.Rooms, username, password string) room.Admission {
	tb.Helper()
	a, err := rooms.Join(tb.Context(), room.JoinRequest{RoomID: declaredID, Username: username, Password: password})
	if err != nil {
		tb.Fatalf("Join: %v", err)
	}
	return a
}

func TestNewDeclaredRoom(t *testing.T) {
	for name, test := range map[string]struct {
		declared room.Declaration
		want     string // "" for a room that is fine
	}{
		"fine":           {room.Declaration{ID: "a-Z_0", Name: " Lounge ", TTL: time.Second, Password: door, AdminPassword: crown}, ""},
		"longest":        {room.Declaration{ID: strings.Repeat("a", 64), Name: strings.Repeat("é", 100), TTL: limits.MaxTTL}, ""},
		"no id":          {room.Declaration{Name: "x"}, `room id "": must be 1 to 64 characters`},
		"long id":        {room.Declaration{ID: strings.Repeat("a", 65), Name: "x"}, "must be 1 to 64 characters"},
		"id with colon":  {room.Declaration{ID: "a:b", Name: "x"}, `room id "a:b": must be`},
		"no name":        {room.Declaration{ID: "a", Name: " "}, "room a: name is empty"},
		"long name":      {room.Declaration{ID: "a", Name: strings.Repeat("x", 101)}, "room a: name too long"},
		"ttl":            {room.Declaration{ID: "a", Name: "x", TTL: limits.MaxTTL + time.Second}, "room a: ttl must be whole seconds from 1 to 86400"},
		"ttl, negative":  {room.Declaration{ID: "a", Name: "x", TTL: -time.Second}, "room a: ttl must be"},
		"ttl, fraction":  {room.Declaration{ID: "a", Name: "x", TTL: 1500 * time.Millisecond}, "room a: ttl must be"},
		"password":       {room.Declaration{ID: "a", Name: "x", Password: strings.Repeat(door, 100)}, "room a: password too long"},
		"admin password": {room.Declaration{ID: "a", Name: "x", AdminPassword: door + "\xff"}, "room a: admin_password: password is not valid UTF-8"},
		"same passwords": {room.Declaration{ID: "a", Name: "x", Password: door, AdminPassword: door}, "room a: password and admin_password are the same"},
	} {
		_, err := room.NewDeclaredRoom(test.declared, limits)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v, want %q", name, err, test.want)
		case err != nil && strings.Contains(err.Error(), door):
			t.Errorf("%s: the error %q shows a password", name, err)
		}
	}
}

func TestDeclaredRoom(t *testing.T) {
	_, store := newRooms(t)
	rooms := declare(t, store, room.Declaration{Name: "  Cafe\u0301 ", TTL: time.Minute})
	if info, err := rooms.Info(t.Context(), declaredID); err != nil || info != (room.Info{}) {
		t.Errorf("Info before anybody has joined: %+v, %v", info, err)
	}
	if store.Len() != 0 {
		t.Error("asking has brought the room into being")
	}
	a, b := enter(t, rooms, "anna", "whatever"), enter(t, rooms, "anna", "")
	if a.Room.ID != declaredID || a.Room.Name != "Café" || a.Room.TTL != time.Minute || a.Room.Started() {
		t.Errorf("joined %q %q, ttl %v, started %v", a.Room.ID, a.Room.Name, a.Room.TTL, a.Room.Started())
	}
	if a.Room.InstanceID() != b.Room.InstanceID() || a.UserID != "anna" || !strings.HasPrefix(b.UserID, "anna-") {
		t.Errorf("%q joined the instance %q, %q the instance %q", a.UserID, a.Room.InstanceID(), b.UserID, b.Room.InstanceID())
	}
	// A declared room has no admin by default.
	for _, m := range []room.Admission{a, b} {
		if m.Role != room.RoleMember || m.Room.Admin != "" {
			t.Errorf("%q is %q of a room of %q", m.UserID, m.Role, m.Room.Admin)
		}
		_, err := rooms.Start(t.Context(), credentials(m))
		expect(t, "Start by a member", err, room.ErrNotAdmin)
		expect(t, "Delete by a member", rooms.Delete(t.Context(), credentials(m)), room.ErrNotAdmin)
	}
	if _, err := rooms.Rejoin(t.Context(), credentials(b)); err != nil {
		t.Errorf("Return: %v", err)
	}
	if err := rooms.Leave(t.Context(), credentials(b)); err != nil {
		t.Errorf("Leave: %v", err)
	}
	// A site that does not declare it serves it while it is there.
	others := room.NewRooms(store, limits)
	if c := enter(t, others, "carla", ""); c.Room.InstanceID() != a.Room.InstanceID() {
		t.Error("another site joins another instance")
	}
	if _, err := others.Authenticate(t.Context(), credentials(a)); err != nil {
		t.Errorf("Authenticate at another site: %v", err)
	}
	if err := store.Delete(t.Context(), a.Room.InstanceID()); err != nil {
		t.Fatal(err)
	}
	_, err := others.Join(t.Context(), room.JoinRequest{RoomID: declaredID})
	expect(t, "Join at a site that does not declare it", err, room.ErrRoomNotFound)
	_, err = others.Info(t.Context(), declaredID)
	expect(t, "Info at a site that does not declare it", err, room.ErrRoomNotFound)
}

// TestDeclaredSessions shows the sessions of one instance in the next.
func TestDeclaredSessions(t *testing.T) {
	_, store := newRooms(t)
	rooms := declare(t, store, room.Declaration{AdminPassword: crown})
	former := []room.Admission{enter(t, rooms, "anna", crown), enter(t, rooms, "ben", "")}
	if err := rooms.Delete(t.Context(), credentials(former[0])); err != nil {
		t.Fatal(err)
	}
	expectAll := func(want error) {
		t.Helper()
		for _, a := range former {
			c := credentials(a)
			_, err := rooms.Authenticate(t.Context(), c)
			expect(t, "Authenticate", err, want)
			_, err = rooms.Rejoin(t.Context(), c)
			expect(t, "Return", err, want)
			_, err = rooms.Start(t.Context(), c)
			expect(t, "Start", err, want)
			expect(t, "Delete", rooms.Delete(t.Context(), c), want)
			expect(t, "SetLocked", rooms.SetLocked(t.Context(), c, true), want)
			expect(t, "Remove", rooms.Remove(t.Context(), c, "ben"), want)
			expect(t, "Leave", rooms.Leave(t.Context(), c), want)
			_, err = rooms.Post(t.Context(), a.Room.InstanceID(), a.UserID, "tag", 1, 0, "hello")
			expect(t, "Post", err, room.ErrRoomNotFound)
		}
	}
	expectAll(room.ErrRoomNotFound)
	now := []room.Admission{enter(t, rooms, "anna", crown), enter(t, rooms, "ben", "")}
	expectAll(room.ErrInvalidSession)
	for i, a := range now {
		if a.UserID != former[i].UserID {
			t.Errorf("%q is called %q in the next instance", former[i].UserID, a.UserID)
		}
		if string(a.Room.Key) == string(former[i].Room.Key) || a.Room.InstanceID() == former[i].Room.InstanceID() || a.Room.Epoch == former[i].Room.Epoch {
			t.Error("two instances share a key, a name or an epoch")
		}
		if _, err := rooms.Authenticate(t.Context(), credentials(a)); err != nil {
			t.Errorf("Authenticate of %q: %v", a.UserID, err)
		}
	}
	if info, err := rooms.Info(t.Context(), declaredID); err != nil || info != (room.Info{}) {
		t.Errorf("the next instance is %+v, %v", info, err)
	}
}

func TestDeclaredPasswords(t *testing.T) {
	for name, test := range map[string]struct {
		declared room.Declaration
		roles    map[string]room.Role // by password; none: refused
	}{
		"both":       {room.Declaration{Password: door, AdminPassword: crown}, map[string]room.Role{door: room.RoleMember, crown: room.RoleAdmin}},
		"only one":   {room.Declaration{Password: door}, map[string]room.Role{door: room.RoleMember}},
		"only admin": {room.Declaration{AdminPassword: crown}, map[string]room.Role{"": room.RoleMember, crown: room.RoleAdmin}},
	} {
		t.Run(name, func(t *testing.T) {
			_, store := newRooms(t)
			rooms := declare(t, store, test.declared)
			if info, err := rooms.Info(t.Context(), declaredID); err != nil || info.PasswordRequired != (test.declared.Password != "") {
				t.Errorf("Info before anybody has joined: %+v, %v", info, err)
			}
			// Twice: before the room is there, and then.
			for range 2 {
				for _, password := range []string{"", door, crown, door + crown} {
					want, ok := test.roles[password]
					before := store.Len()
					wrong, asked := 0, 0
					a, err := rooms.Join(t.Context(), room.JoinRequest{
						RoomID: declaredID, Password: password,
						Guard: func() (func(bool), error) {
							asked++
							return func(isWrong bool) {
								if isWrong {
									wrong++
								}
							}, nil
						},
					})
					if ok && (err != nil || a.Role != want || wrong != 0) {
						t.Errorf("Join with %.20q: %q, %v, %d wrong, want %q", password, a.Role, err, wrong, want)
					}
					if !ok {
						expect(t, fmt.Sprintf("Join with %.20q", password), err, room.ErrWrongPassword)
						if store.Len() != before {
							t.Errorf("a wrong password has brought the room into being")
						}
						if wrong != 1 || asked != 1 {
							t.Errorf("Join with %.20q was guarded %d times and counted %d times, want once", password, asked, wrong)
						}
					}
				}
			}
			if info, err := rooms.Info(t.Context(), declaredID); err != nil || info.PasswordRequired != (test.declared.Password != "") {
				t.Errorf("Info: %+v, %v", info, err)
			}
		})
	}
}

// TestDeclaredAdmins has two admins.
func TestDeclaredAdmins(t *testing.T) {
	_, store := newRooms(t)
	rooms := declare(t, store, room.Declaration{AdminPassword: crown})
	anna, ben, carla := enter(t, rooms, "anna", crown), enter(t, rooms, "ben", crown), enter(t, rooms, "carla", "")
	for _, admin := range []room.Admission{anna, ben} {
		if back, err := rooms.Rejoin(t.Context(), credentials(admin)); err != nil || back.Role != room.RoleAdmin {
			t.Errorf("%q comes back as %q, %v", admin.UserID, back.Role, err)
		}
		if err := rooms.SetLocked(t.Context(), credentials(admin), false); err != nil {
			t.Errorf("SetLocked by %q: %v", admin.UserID, err)
		}
		expect(t, "Remove of oneself", rooms.Remove(t.Context(), credentials(admin), admin.UserID), room.ErrInvalidRequest)
	}
	expect(t, "Remove by a member", rooms.Remove(t.Context(), credentials(carla), "anna"), room.ErrNotAdmin)
	if err := rooms.Remove(t.Context(), credentials(anna), "ben"); err != nil {
		t.Errorf("Remove of an admin by another: %v", err)
	}
	_, err := rooms.Start(t.Context(), credentials(ben))
	expect(t, "Start by an admin who was removed", err, room.ErrRemoved)
	if _, err := rooms.Start(t.Context(), credentials(anna)); err != nil {
		t.Errorf("Start: %v", err)
	}
}

// TestDeclaredReconfigured declares the room otherwise while it is there: that is
// for its next instance.
func TestDeclaredReconfigured(t *testing.T) {
	_, store := newRooms(t)
	before := declare(t, store, room.Declaration{Name: "Before", TTL: time.Minute, Password: door, AdminPassword: crown})
	anna := enter(t, before, "anna", crown)
	after := declare(t, store, room.Declaration{Name: "After", TTL: time.Hour, Password: "new"})
	if a := enter(t, after, "ben", door); a.Room.Name != "Before" || a.Room.TTL != time.Minute || a.Role != room.RoleMember {
		t.Errorf("joined %q with ttl %v as %q", a.Room.Name, a.Room.TTL, a.Role)
	}
	_, err := after.Join(t.Context(), room.JoinRequest{RoomID: declaredID, Password: "new"})
	expect(t, "Join with the password of the next instance", err, room.ErrWrongPassword)
	if err := after.Delete(t.Context(), credentials(anna)); err != nil {
		t.Fatal(err)
	}
	if a := enter(t, after, "anna", "new"); a.Room.Name != "After" || a.Room.TTL != time.Hour {
		t.Errorf("joined %q with ttl %v", a.Room.Name, a.Room.TTL)
	}
	_, err = before.Join(t.Context(), room.JoinRequest{RoomID: declaredID, Password: door})
	expect(t, "Join with the password of the former instance", err, room.ErrWrongPassword)
}

// TestDeclaredAtOnce joins concurrently at sites that declare different passwords:
// the site that opens the room decides its password.
func TestDeclaredAtOnce(t *testing.T) {
	_, store := newRooms(t)
	const sites = 3
	var all [sites]*room.Rooms
	for i := range all {
		all[i] = declare(t, store, room.Declaration{Password: fmt.Sprint("password ", i)})
	}
	var mu sync.Mutex
	let := make(map[string]int) // in by site
	var joining sync.WaitGroup
	for i := range sites {
		for range 2 {
			// Ends with its join; awaited below.
			joining.Go(func() {
				a, err := all[i].Join(t.Context(), room.JoinRequest{RoomID: declaredID, Password: fmt.Sprint("password ", i)})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					let[fmt.Sprint(i, " ", a.Room.InstanceID())]++
				} else {
					expect(t, "Join at once with others", err, room.ErrWrongPassword)
				}
			})
		}
	}
	joining.Wait()
	if len(let) != 1 {
		t.Errorf("people were let in by site and instance %v, want one", let)
	}
	for site, n := range let {
		if n != 2 {
			t.Errorf("of 2 who knew the password of site and instance %s, %d were let in", site, n)
		}
	}
}

// fickle is a store whose room ends just before a join, a given number of times.
type fickle struct {
	room.Store
	times int
}

func (f *fickle) Join(ctx context.Context, instanceID string, join room.Join) (room.Joined, error) {
	if f.times > 0 {
		f.times--
		if err := f.Delete(ctx, instanceID); err != nil {
			return room.Joined{}, err
		}
	}
	return f.Store.Join(ctx, instanceID, join)
}

func TestDeclaredEndsMeanwhile(t *testing.T) {
	_, store := newRooms(t)
	for times, want := range []error{nil, nil, nil, room.ErrRoomNotFound} {
		rooms := declare(t, &fickle{store, times}, room.Declaration{})
		a, err := rooms.Join(t.Context(), room.JoinRequest{RoomID: declaredID})
		expect(t, fmt.Sprintf("Join of a room that ends %d times meanwhile", times), err, want)
		if err == nil {
			if err := store.Delete(t.Context(), a.Room.InstanceID()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestDeclaredTooManyRooms(t *testing.T) {
	rooms, store := newRooms(t)
	for range limits.MaxRooms {
		create(t, rooms, room.CreateRequest{})
	}
	_, err := declare(t, store, room.Declaration{}).Join(t.Context(), room.JoinRequest{RoomID: declaredID})
	expect(t, "Join of a declared room beyond the limit", err, room.ErrTooManyRooms)
}

// TestDeclaredClock lets instances end by themselves.
func TestDeclaredClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		defer store.Close()
		rooms := declare(t, store, room.Declaration{TTL: time.Minute})
		instances := make(map[string]bool)
		for range 3 {
			a := enter(t, rooms, "anna", "")
			instances[a.Room.InstanceID()] = true
			time.Sleep(time.Hour) //nolint:forbidigo // in a bubble it only advances the clock
			if _, err := rooms.Post(t.Context(), a.Room.InstanceID(), "anna", "tag", 1, 0, "hello"); err != nil {
				t.Fatalf("Post into a room that waits to be started: %v", err)
			}
			time.Sleep(time.Minute - time.Millisecond) //nolint:forbidigo // as above
			if b := enter(t, rooms, "ben", ""); b.Room.InstanceID() != a.Room.InstanceID() {
				t.Error("a join just before the deadline is to the next instance")
			}
			time.Sleep(time.Millisecond) //nolint:forbidigo // as above
			if info, err := rooms.Info(t.Context(), declaredID); err != nil || info != (room.Info{}) {
				t.Errorf("Info after the deadline: %+v, %v", info, err)
			}
		}
		a := enter(t, rooms, "anna", "")
		time.Sleep(limits.Lobby) //nolint:forbidigo // as above
		synctest.Wait()
		if store.Len() != 0 {
			t.Error("a room that nobody has started is still there")
		}
		if instances[a.Room.InstanceID()] || len(instances) != 3 {
			t.Errorf("four joins were to the instances %v and %s", instances, a.Room.InstanceID())
		}
	})
}
