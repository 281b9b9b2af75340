package e2e_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// caddyfile is that of a node that can be changed.
type caddyfile struct {
	listen string
	store  string
	extra  string // options of the chat
	more   string // other sites
	chat   bool
}

func (c *caddyfile) String() string {
	chat := fmt.Sprintf("ephemeral_chat {\n%s\n%s\n}", c.store, c.extra)
	if !c.chat {
		chat = "respond nothing"
	}
	return fmt.Sprintf("http://%s {\nlog {\noutput file access.log\n}\nencode\n%s\n}\n%s", c.listen, chat, c.more)
}

func TestReload(t *testing.T) {
	t.Parallel() // it waits most of the time
	for _, kind := range []string{"memory", "redis"} {
		t.Run(kind, func(t *testing.T) { reloads(t, kind == "redis") })
	}
}

// reloads takes two nodes, of which the second is there for Redis only, through
// reloads that keep the chat, that fail, and that remove it.
func reloads(t *testing.T, inRedis bool) {
	file := &caddyfile{listen: freeAddress(t), store: "store memory", extra: unlimited, chat: true}
	base := "http://" + file.listen
	other := base
	if inRedis {
		server := startRedis(t)
		file.store = "redis " + server.address
		other = startSite(t, server, unlimited, server.address).base(0)
	}
	n := startNode(t, "", file.String(), file.listen)
	a := newAPI(t, base)
	admin := a.create(t, 600)
	talkers := []*talker{startTalker(t, admin, base)}
	for i := range 4 {
		talkers = append(talkers, startTalker(t, a.join(t, admin.RoomID, fmt.Sprint("m", i)), []string{base, other}[i%2]))
	}
	waiting := dial(t, base) // has not joined yet
	talk := func(round string) {
		t.Helper()
		for _, k := range talkers {
			k.say(round + " of " + k.member.UserID)
		}
		awaitSettled(t, waitTime, talkers...)
		if n := visits(talkers); n != len(talkers) {
			t.Fatalf("%s: %d connections of %d talkers; the last ended with %+v", round, n, len(talkers), talkers[0].end)
		}
	}
	talk("before")

	var times []time.Duration
	for i := range 10 {
		file.extra = fmt.Sprintf("%s\nttl %dm\nmax_message %dKiB\nping_interval %ds", unlimited, i+1, i+4, i+10)
		file.more = ""
		if i%2 == 1 {
			file.more = fmt.Sprintf("http://%s {\nephemeral_chat /more/* {\n%s\n}\n}", freeAddress(t), file.store)
		}
		n.write(t, "", file.String())
		start := time.Now()
		if output, err := n.reload(t); err != nil {
			t.Fatalf("reload: %v\n%s", err, output)
		}
		times = append(times, time.Since(start))
		talk(fmt.Sprint("reload ", i))
		var m member
		a.succeed(t, "/createRoom", fields{"roomName": "new"}).decode(t, &m)
		if m.TTL != (i+1)*60 {
			t.Errorf("after reload %d the ttl is %d s", i, m.TTL)
		}
	}
	slices.Sort(times)
	t.Logf("a reload takes %s (median), %s (longest)", times[5].Round(time.Millisecond), times[9].Round(time.Millisecond))

	busy := freeAddress(t)
	squatter, err := new(net.ListenConfig).Listen(t.Context(), "tcp", busy)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = squatter.Close() }()
	for name, broken := range map[string]string{
		"wrong option":     fmt.Sprintf("http://%s {\nephemeral_chat {\nnonsense\n}\n}", freeAddress(t)),
		"contradiction":    fmt.Sprintf("http://%s {\nephemeral_chat {\nttl 2h\nmax_ttl 1h\n}\n}", freeAddress(t)),
		"later module":     fmt.Sprintf("http://%s {\n%s\ntls /nonexistent.crt /nonexistent.key\n}", freeAddress(t), "ephemeral_chat {\n"+file.store+"\n}"),
		"unset variable":   fmt.Sprintf("http://%s {\nephemeral_chat {\nredis {env.EPHEMERAL_CHAT_UNSET}\n}\n}", freeAddress(t)),
		"address is taken": fmt.Sprintf("http://%s {\nephemeral_chat {\n%s\n}\n}", busy, file.store),
	} {
		failing := *file
		failing.more = broken
		n.write(t, "", failing.String())
		if output, err := n.reload(t); err == nil {
			t.Errorf("%s: the reload succeeds: %s", name, output)
		}
		talk("failed reload, " + name)
	}

	// The connection that has been waiting all the time can still join.
	if waiting.isOpen() {
		t.Log("a connection that has not joined is still open") // it has 10 s for that
	}
	late := a.join(t, admin.RoomID, "late")
	lateSocket, _ := enter(t, base, &late)
	checkConversation(t, talkers...)

	file.chat, file.more = false, ""
	n.write(t, "", file.String())
	if output, err := n.reload(t); err != nil {
		t.Fatalf("reload: %v\n%s", err, output)
	}
	if end := lateSocket.awaitClose(t, 1001); !strings.HasPrefix(end.reason, "retry=") {
		t.Errorf("closed: %+v", end)
	}
	for i, k := range talkers {
		if !inRedis || i == 0 || i%2 == 1 {
			until(t, waitTime, k.member.UserID+" is closed with 1001", func() bool {
				k.mu.Lock()
				defer k.mu.Unlock()
				return k.end.code == 1001
			})
		}
	}
	if got := a.call(t, "/roomInfo", fields{"roomId": admin.RoomID}); string(got.body) != "nothing" {
		t.Errorf("without the directive: %d %s", got.status, got.body)
	}

	// And back again: in Redis the room is still there.
	file.chat = true
	n.write(t, "", file.String())
	if output, err := n.reload(t); err != nil {
		t.Fatalf("reload: %v\n%s", err, output)
	}
	got := a.call(t, "/roomInfo", fields{"roomId": admin.RoomID})
	if inRedis {
		if got.status != 200 {
			t.Errorf("the room in Redis: %d %s", got.status, got.body)
		}
		for _, k := range talkers {
			until(t, waitTime, k.member.UserID+" is back", func() bool { return k.isConnected() })
			k.say("back")
		}
		awaitSettled(t, waitTime, talkers...)
		checkConversation(t, talkers...)
	} else {
		expectRefusal(t, got, 404, "room_not_found")
	}
}

// TestShutdown is of what clients see when Caddy is stopped.
func TestShutdown(t *testing.T) {
	t.Parallel() // it waits most of the time
	onBoth(t, unlimited, func(t *testing.T, s *site) {
		admin := s.api(0).create(t, 600)
		var sockets []*socket
		for i := range 20 {
			m := s.api(0).join(t, admin.RoomID, fmt.Sprint("m", i))
			k, _ := enter(t, s.base(0), &m)
			sockets = append(sockets, k)
		}
		stalled := openRaw(t, s.base(0))
		if err := stalled.WriteJSON(admin.credentials("type", "join")); err != nil {
			t.Fatal(err)
		}
		sockets[0].say(t, "hello")
		sockets[19].awaitText(t, "hello")
		took := s.nodes[0].stop(t, 3*time.Second)
		t.Logf("Caddy ends %s after SIGTERM", took.Round(time.Millisecond))
		for _, k := range sockets {
			if end := k.awaitClose(t, 1001); !strings.HasPrefix(end.reason, "retry=") {
				t.Errorf("closed: %+v", end)
			}
		}
		if s.redis == nil {
			return
		}
		// The others are told that they have gone.
		k, _ := enter(t, s.base(1), &admin)
		until(t, waitTime, "nobody else is online", func() bool {
			k.close()
			var welcome frame
			k, welcome = enter(t, s.base(1), &admin)
			return welcome.OnlineCount == 1
		})
	})
}

// TestNodeKilled is of a node that ends without a word: the others find out, and
// its clients go on elsewhere.
func TestNodeKilled(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := startRedis(t)
	s := startSite(t, server, unlimited, server.address)
	listen := freeAddress(t)
	doomed := startProcess(t, "doomed", doomedNode(t, listen, server.address))
	t.Cleanup(func() { doomed.kill(t) })
	until(t, startTime, "the other node is up", func() bool { return listening(t.Context(), listen) })
	other := "http://" + listen

	admin := s.api(0).create(t, 600)
	watcher := startTalker(t, admin, s.base(0))
	ben := startTalker(t, s.api(0).join(t, admin.RoomID, "ben"), other, s.base(0))
	carla := startTalker(t, s.api(0).join(t, admin.RoomID, "carla"), other, other)
	for n := range 20 {
		ben.say(fmt.Sprint("ben ", n))
		carla.say(fmt.Sprint("carla ", n))
	}
	awaitSettled(t, waitTime, watcher, ben, carla)
	ben.say("just before")
	doomed.kill(t)
	expectClean(t, doomed.log(t))
	ben.say("just after")
	watcher.say("is anybody there?")
	awaitSettled(t, waitTime, watcher, ben)
	checkConversation(t, watcher, ben)
	if ben.visitCount() < 2 {
		t.Error("who was on the killed node has not moved")
	}
	// A node that gives no sign of life for 15 s is dead.
	until(t, 40*time.Second, "carla is gone", func() bool {
		k, welcome := enter(t, s.base(0), &admin)
		k.close()
		return !slices.Contains(welcome.Online, "carla") && slices.Contains(welcome.Online, "ben")
	})
}
