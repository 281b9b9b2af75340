package ephemeralchat_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
)

func init() { caddy.RegisterModule(recorder{}) }

// recorder is an event handler that records events in the book that the configuration
// names.
type recorder struct {
	Book string `json:"book,omitempty"`
}

func (recorder) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.recorder", New: func() caddy.Module { return new(recorder) }}
}

func (r *recorder) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	d.AllArgs(&r.Book)
	return nil
}

func (r *recorder) Handle(_ context.Context, e caddy.Event) error {
	if r.Book == "stuck" {
		<-*stuck.Load()
	}
	data := make([]string, 0, len(e.Data))
	for _, key := range slices.Sorted(maps.Keys(e.Data)) {
		data = append(data, fmt.Sprintf("%s=%v", key, e.Data[key]))
	}
	books.mu.Lock()
	defer books.mu.Unlock()
	books.lines[r.Book] = append(books.lines[r.Book], e.Name()+" "+strings.Join(data, " "))
	return nil
}

var books = struct {
	mu    sync.Mutex
	lines map[string][]string
}{lines: make(map[string][]string)}

// stuck is closed to release the handlers that hang. Each test has its own.
var stuck atomic.Pointer[chan struct{}]

// written returns the lines of a book about a room.
func written(book, room string) []string {
	books.mu.Lock()
	defer books.mu.Unlock()
	var lines []string
	for _, line := range books.lines[book] {
		if strings.Contains(line, "room_id="+room) {
			lines = append(lines, strings.Replace(line, "room_id="+room, "ROOM", 1))
		}
	}
	return lines
}

// expectWritten waits for as many lines about a room and compares them.
func expectWritten(t *testing.T, book string, m apitest.Member, want ...string) {
	t.Helper()
	apitest.WaitUntil(t, func() bool { return len(written(book, m.Room)) >= len(want) })
	got := written(book, m.Room)
	for i, line := range want {
		want[i] = strings.NewReplacer("USER", "user_id="+m.User).Replace(line)
	}
	if !slices.Equal(got, want) {
		t.Errorf("events in %s:\n%s\nwant:\n%s", book, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func recordAll(book string) string {
	return "events {\non room_created recorder " + book + "\non room_started recorder " + book +
		"\non room_ended recorder " + book + "\non member_joined recorder " + book + "\non member_removed recorder " + book + "\n}"
}

// TestEvents checks the events of whole lives of rooms.
func TestEvents(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		books.mu.Lock()
		delete(books.lines, "life "+store) // of an earlier run: the declared room has the same id
		books.mu.Unlock()
		s := newSite(t)
		loadWith(t, recordAll(`"life `+store+`"`), s.block("ephemeral_chat {\n"+store+"\nroom lounge Lounge {\nttl 90s\n}\n}"))
		name := "store=memory"
		if server, ok := strings.CutPrefix(store, "redis "); ok {
			name = "store=redis/" + server + "/0"
		}

		admin := s.Create(t, "ttl", 300, "username", "anna", "password", "open-sesame")
		s.Join(t, admin.Room, "username", "ben", "password", "open-sesame")
		carla := s.Join(t, admin.Room, "username", "carla", "password", "open-sesame")
		s.Post(t, "/joinRoom", carla.As(t)).OK(t) // rejoining is no joining
		s.Post(t, "/joinRoom", apitest.Object(t, "roomId", admin.Room, "password", "x")).Refused(t, 403, "wrong_password")
		s.Post(t, "/startChat", admin.As(t)).OK(t)
		s.Post(t, "/startChat", admin.As(t)).OK(t)
		s.connect(t, "", admin).echo(t, "the chat has started before this")
		s.Post(t, "/removeMember", admin.As(t, "memberId", "ben")).OK(t)
		s.Post(t, "/removeMember", admin.As(t, "memberId", "ben")).Refused(t, 404, "member_not_found")
		s.Post(t, "/leaveRoom", carla.As(t)).OK(t)
		s.Post(t, "/deleteRoom", admin.As(t)).OK(t)
		s.Post(t, "/deleteRoom", admin.As(t)).Refused(t, 404, "room_not_found")
		expectWritten(t, "life "+store, admin,
			"room_created ROOM "+name+" ttl=300 USER",
			"member_joined ROOM "+name+" user_id=ben",
			"member_joined ROOM "+name+" user_id=carla",
			"room_started ROOM "+name+" ttl=300 USER",
			"member_removed by=anna ROOM "+name+" user_id=ben",
			"member_removed by=carla ROOM "+name+" user_id=carla",
			"room_ended reason=deleted ROOM "+name+" USER",
		)

		short := s.Create(t, "ttl", 1)
		c := s.connect(t, "", short)
		c.echo(t, "a first message starts the chat")
		c.echo(t, "and the second does not")
		c.receive(t, "ended")
		expectWritten(t, "life "+store, short,
			"room_created ROOM "+name+" ttl=1 USER",
			"room_started ROOM "+name+" ttl=1 USER",
			"room_ended reason=expired ROOM "+name,
		)

		// The first member that joins a declared room creates its instance.
		lounge := s.Join(t, "lounge", "username", "dora")
		s.Join(t, "lounge", "username", "emil")
		s.connect(t, "", lounge).echo(t, "hello")
		expectAdmin(t, http.MethodDelete, "/ephemeral_chat/rooms/lounge", 204, "")
		s.Join(t, "lounge", "username", "dora")
		life := []string{
			"room_created ROOM " + name + " ttl=90 user_id=dora",
			"member_joined ROOM " + name + " user_id=dora",
			"member_joined ROOM " + name + " user_id=emil",
			"room_started ROOM " + name + " ttl=90 user_id=dora",
			"room_ended reason=deleted ROOM " + name,
		}
		expectWritten(t, "life "+store, lounge, append(life, life[:2]...)...)

		for _, line := range written("life "+store, "") {
			for _, secret := range []string{admin.Session, carla.Session, "open-sesame", "first message"} {
				if strings.Contains(line, secret) {
					t.Errorf("an event has %q", secret)
				}
			}
		}
	})
}

// TestEventsOfNodes has one room on two nodes: two names of one Redis make two nodes of
// one process.
func TestEventsOfNodes(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	_, port, _ := strings.Cut(server.Addr(), ":")
	first, second := newSite(t), newSite(t)
	loadWith(t, recordAll("nodes"),
		first.block("ephemeral_chat {\nredis 127.0.0.1:"+port+"\n}")+second.block("ephemeral_chat {\nredis localhost:"+port+"\n}"))
	here, there := "store=redis/127.0.0.1:"+port+"/0", "store=redis/localhost:"+port+"/0"

	admin := first.Create(t, "ttl", 1)
	ben := second.Join(t, admin.Room, "username", "ben")
	a, b := first.connect(t, "", admin), second.connect(t, "", ben)
	b.send(t, "type", "message", "message", "hello")
	a.receive(t, "message")
	a.receive(t, "ended")
	b.receive(t, "ended")
	apitest.WaitUntil(t, func() bool { return len(written("nodes", admin.Room)) >= 5 })
	got := written("nodes", admin.Room)
	slices.Sort(got[3:]) // each node emits the end on its own
	want := []string{
		"room_created ROOM " + here + " ttl=1 user_id=" + admin.User,
		"member_joined ROOM " + there + " user_id=ben",
		"room_started ROOM " + there + " ttl=1 user_id=ben",
		"room_ended reason=expired ROOM " + here,
		"room_ended reason=expired ROOM " + there,
	}
	if !slices.Equal(got, want) {
		t.Errorf("events:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	// Only the node that was called emits the event of a call.
	admin = first.Create(t)
	ben = second.Join(t, admin.Room, "username", "ben")
	a, b = first.connect(t, "", admin), second.connect(t, "", ben)
	second.Post(t, "/deleteRoom", admin.As(t)).OK(t)
	a.receive(t, "ended")
	b.receive(t, "ended")
	expectWritten(t, "nodes", admin,
		"room_created ROOM "+here+" ttl=3600 USER",
		"member_joined ROOM "+there+" user_id=ben",
		"room_ended reason=deleted ROOM "+there+" USER")
}

// TestEventsAcrossReload checks that only the handlers of the running configuration
// receive events, also those of rooms that are older than it.
func TestEventsAcrossReload(t *testing.T) {
	s := newSite(t)
	loadWith(t, recordAll("old"), s.block("ephemeral_chat"))
	admin := s.Create(t, "ttl", 2)
	c := s.connect(t, "", admin)
	expectWritten(t, "old", admin, "room_created ROOM store=memory ttl=2 USER")
	loadWith(t, recordAll("new"), s.block("ephemeral_chat {\nttl 10m\n}"))
	if err := tryLoad(t, recordAll("failed"), s.block("ephemeral_chat")+newSite(t).block("ephemeral_chat {\nstore failing\n}")); err == nil {
		t.Fatal("a broken configuration is loaded")
	}
	c.echo(t, "hello")
	c.receive(t, "ended")
	expectWritten(t, "new", admin, "room_started ROOM store=memory ttl=2 USER", "room_ended reason=expired ROOM store=memory")
	for book, want := range map[string]int{"old": 1, "failed": 0} {
		if lines := written(book, admin.Room); len(lines) != want {
			t.Errorf("handlers of the %s configuration received %q", book, lines)
		}
	}
}

// TestSlowEvents checks that an event handler that hangs does not delay requests or
// messages, and delays the end of Caddy only briefly.
func TestSlowEvents(t *testing.T) {
	release := make(chan struct{})
	stuck.Store(&release)
	s := newSite(t)
	loadWith(t, recordAll("stuck"), s.block(withMetrics("create_rate off")))
	defer close(release)
	var last apitest.Member
	for range 1100 {
		last = s.Create(t)
	}
	s.connect(t, "", last).echo(t, "hello")
	if dropped := s.scrape(t).sum(t, "events_dropped_total"); dropped < 10 || dropped > 100 {
		t.Errorf("of 1101 events, %v were dropped", dropped)
	}
	began := time.Now()
	if err := caddy.Stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("stopping took %s", took)
	}
}
