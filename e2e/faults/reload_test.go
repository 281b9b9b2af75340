package faults_test

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// caddyfile is a Caddyfile that a test changes.
type caddyfile struct {
	listen string
	store  string
	extra  string // options of the chat
	more   string // other sites
	chat   bool   // false for a site without a chat
}

func (c *caddyfile) String() string {
	chat := fmt.Sprintf("ephemeral_chat {\n%s\n%s\n}", c.store, c.extra)
	if !c.chat {
		chat = "respond nothing"
	}
	return fmt.Sprintf("http://%s {\nlog {\noutput file access.log\n}\nencode\n%s\n}\n%s", c.listen, chat, c.more)
}

// reload loads the Caddyfile by caddy reload.
func (c *caddyfile) reload(t *testing.T, n *harness.Node) {
	t.Helper()
	n.Write(t, "", c.String())
	if output, err := n.Reload(t); err != nil {
		t.Fatalf("reload: %v\n%s", err, output)
	}
}

// load loads the Caddyfile by the admin endpoint.
func (c *caddyfile) load(t *testing.T, n *harness.Node) {
	t.Helper()
	n.Write(t, "", c.String())
	if r := n.Load(t); r.Status != http.StatusOK {
		t.Fatalf("reload: %d %s", r.Status, r.Body)
	}
}

// TestReload reloads a node, with rooms in memory and in Redis.
func TestReload(t *testing.T) {
	t.Parallel() // mostly waits
	harness.OnBothBackends(t, reloads)
}

// reloads takes a node through reloads that keep the chat, that fail, and that remove
// it. With Redis, half of the clients are connected to another node.
func reloads(t *testing.T, store string, server *harness.Redis) {
	file := &caddyfile{listen: harness.FreeAddress(t), store: store, extra: harness.Unlimited, chat: true}
	base := "http://" + file.listen
	other := base
	if server != nil {
		other = harness.StartSite(t, server, harness.Unlimited, server.Addr()).Base(0)
	}
	n := harness.StartNode(t, "", file.String(), file.listen)
	a := harness.NewAPI(t, base)
	admin := a.Create(t, 600)
	clients := []*harness.ProtocolClient{harness.StartClient(t, admin, base)}
	for i := range 4 {
		clients = append(clients, harness.StartClient(t, a.Join(t, admin.RoomID, fmt.Sprint("m", i)), []string{base, other}[i%2]))
	}
	harness.Dial(t, base) // a connection that has not joined must not hinder a reload
	exchange := func(round string) {
		t.Helper()
		for _, k := range clients {
			k.Publish(round + " of " + k.UserID())
		}
		harness.AwaitDelivered(t, harness.WaitTime, clients...)
		if n := connections(clients); n != len(clients) {
			t.Fatalf("%s: %d connections of %d clients; the last ended with %+v", round, n, len(clients), clients[0].Closing())
		}
	}
	exchange("before")

	var times []time.Duration
	for i := range 10 {
		file.extra = fmt.Sprintf("%s\nttl %dm\nmax_message %dKiB\nping_interval %ds", harness.Unlimited, i+1, i+4, i+10)
		file.more = ""
		if i%2 == 1 {
			file.more = fmt.Sprintf("http://%s {\nephemeral_chat /more/* {\n%s\n}\n}", harness.FreeAddress(t), file.store)
		}
		n.Write(t, "", file.String())
		start := time.Now()
		if output, err := n.Reload(t); err != nil {
			t.Fatalf("reload: %v\n%s", err, output)
		}
		times = append(times, time.Since(start))
		exchange(fmt.Sprint("reload ", i))
		m := a.CreateRoom(t, harness.Fields{"roomName": "new"})
		if m.TTL != (i+1)*60 {
			t.Errorf("after reload %d the ttl is %d s", i, m.TTL)
		}
	}
	t.Logf("times of reloads: %s", harness.Summary(times))

	busy := harness.FreeAddress(t)
	occupant, err := new(net.ListenConfig).Listen(t.Context(), "tcp", busy)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = occupant.Close() }()
	for name, broken := range map[string]string{
		"wrong option":     fmt.Sprintf("http://%s {\nephemeral_chat {\nnonsense\n}\n}", harness.FreeAddress(t)),
		"contradiction":    fmt.Sprintf("http://%s {\nephemeral_chat {\nttl 2h\nmax_ttl 1h\n}\n}", harness.FreeAddress(t)),
		"later module":     fmt.Sprintf("http://%s {\n%s\ntls /nonexistent.crt /nonexistent.key\n}", harness.FreeAddress(t), "ephemeral_chat {\n"+file.store+"\n}"),
		"unset variable":   fmt.Sprintf("http://%s {\nephemeral_chat {\nredis {env.EPHEMERAL_CHAT_UNSET}\n}\n}", harness.FreeAddress(t)),
		"address is taken": fmt.Sprintf("http://%s {\nephemeral_chat {\n%s\n}\n}", busy, file.store),
	} {
		failing := *file
		failing.more = broken
		n.Write(t, "", failing.String())
		if output, err := n.Reload(t); err == nil {
			t.Errorf("%s: the reload succeeds: %s", name, output)
		}
		exchange("failed reload, " + name)
	}

	late := a.Join(t, admin.RoomID, "late")
	lateSocket, _ := harness.Join(t, base, &late)
	harness.CheckTranscripts(t, clients...)

	file.chat, file.more = false, ""
	file.reload(t, n)
	lateSocket.AwaitGoingAway(t)
	for i, k := range clients {
		if server == nil || i == 0 || i%2 == 1 {
			harness.Until(t, harness.WaitTime, k.UserID()+" is closed with 1001", func() bool {
				return k.Closing().Code == 1001
			})
		}
	}
	if got := a.Call(t, "/roomInfo", harness.Fields{"roomId": admin.RoomID}); string(got.Body) != "nothing" {
		t.Errorf("without the directive: %d %s", got.Status, got.Body)
	}

	// After another reload the chat is back, and with Redis the room.
	file.chat = true
	file.reload(t, n)
	got := a.Call(t, "/roomInfo", harness.Fields{"roomId": admin.RoomID})
	if server != nil {
		if got.Status != 200 {
			t.Errorf("the room in Redis: %d %s", got.Status, got.Body)
		}
		for _, k := range clients {
			harness.Until(t, harness.WaitTime, k.UserID()+" is back", func() bool { return k.Connected() })
			k.Publish("back")
		}
		harness.AwaitDelivered(t, harness.WaitTime, clients...)
		harness.CheckTranscripts(t, clients...)
	} else {
		harness.ExpectProblem(t, got, 404, "room_not_found")
	}
}

// TestShutdown stops Caddy, which closes all connections, also one whose client does
// not read.
func TestShutdown(t *testing.T) {
	t.Parallel() // mostly waits
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		admin := s.API(0).Create(t, 600)
		sockets := (&harness.Site{Bases: s.Bases[:1], APIs: s.APIs[:1]}).JoinMany(t, admin.RoomID, 20)
		stalled := harness.OpenUnread(t, s.Base(0))
		if err := stalled.WriteJSON(admin.Credentials("type", "join")); err != nil {
			t.Fatal(err)
		}
		sockets[0].Publish(t, "hello")
		sockets[19].AwaitText(t, "hello")
		took := s.Nodes[0].Stop(t)
		t.Logf("Caddy ends %s after SIGTERM", took.Round(time.Millisecond))
		if took > exitTime {
			t.Errorf("Caddy takes %s to end", took)
		}
		for _, k := range sockets {
			k.AwaitGoingAway(t)
		}
		if s.Redis == nil {
			return
		}
		// The other node reports that the members have left.
		k, _ := harness.Join(t, s.Base(1), &admin)
		harness.Until(t, harness.WaitTime, "no other user is online", func() bool {
			k.Close()
			var welcome harness.Frame
			k, welcome = harness.Join(t, s.Base(1), &admin)
			return welcome.OnlineCount == 1
		})
	})
}

// TestNodeKilled kills a node. Its clients resume at another node, which reports that
// users without a connection have left.
func TestNodeKilled(t *testing.T) {
	t.Parallel() // mostly waits
	server := harness.StartRedis(t)
	s := harness.StartSite(t, server, harness.Unlimited, server.Addr())
	doomed := harness.StartSite(t, server, harness.Unlimited, server.Addr())
	other := doomed.Base(0)

	admin := s.API(0).Create(t, 600)
	watcher := harness.StartClient(t, admin, s.Base(0))
	ben := harness.StartClient(t, s.API(0).Join(t, admin.RoomID, "ben"), other, s.Base(0))
	carla := harness.StartClient(t, s.API(0).Join(t, admin.RoomID, "carla"), other, other)
	for n := range 20 {
		ben.Publish(fmt.Sprint("ben ", n))
		carla.Publish(fmt.Sprint("carla ", n))
	}
	harness.AwaitDelivered(t, harness.WaitTime, watcher, ben, carla)
	ben.Publish("just before")
	doomed.Nodes[0].Kill(t)
	ben.Publish("just after")
	watcher.Publish("after the kill")
	harness.AwaitDelivered(t, harness.WaitTime, watcher, ben)
	harness.CheckTranscripts(t, watcher, ben)
	if ben.Connections() < 2 {
		t.Error("the client of the killed node has not moved")
	}
	// A node without a heartbeat for 15 s is dead.
	harness.Until(t, 40*time.Second, "carla is gone", func() bool {
		k, welcome := harness.Join(t, s.Base(0), &admin)
		k.Close()
		return !slices.Contains(welcome.Online, "carla") && slices.Contains(welcome.Online, "ben")
	})
}

// TestReloadToUnreachableRedis changes the store of a chat to a Redis that does not run
// yet.
func TestReloadToUnreachableRedis(t *testing.T) {
	server := harness.StartRedis(t)
	server.Kill(t)
	file := &caddyfile{listen: harness.FreeAddress(t), store: "store memory", extra: harness.Unlimited, chat: true}
	n := harness.StartNode(t, "", file.String(), file.listen)
	a := harness.NewAPI(t, "http://"+file.listen)
	old := a.Create(t, 600)
	k, _ := harness.Join(t, a.Base, &old)

	file.store = "redis " + server.Addr()
	file.load(t, n)
	k.AwaitClose(t, 1001) // its rooms are in the old store
	refused := a.Call(t, "/createRoom", harness.Fields{"roomName": "r"})
	harness.ExpectProblem(t, refused, http.StatusServiceUnavailable, "unavailable")
	if refused.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	harness.Until(t, harness.WaitTime, "a warning is logged", func() bool {
		return strings.Contains(n.Log(), "Redis cannot be reached")
	})

	server.Restart(t)
	harness.Until(t, harness.RecoveryTime, "rooms can be created", func() bool {
		return a.Call(t, "/createRoom", harness.Fields{"roomName": "r"}).Status == http.StatusOK
	})
	harness.TwoChat(t, a.Base)
}
