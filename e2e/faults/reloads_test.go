package faults_test

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// exitTime bounds the time from SIGTERM to the end of a node with many open sockets.
const exitTime = 3 * time.Second

// openMany opens connections for a number of members in each room.
func openMany(t *testing.T, a *harness.API, admins []harness.Member, each int) []*harness.Socket {
	t.Helper()
	sockets := make([]*harness.Socket, len(admins)*each)
	var opening sync.WaitGroup
	for i := range admins {
		opening.Go(func() {
			for j := range each {
				m := a.Join(t, admins[i].RoomID, fmt.Sprint("m", j))
				sockets[i*each+j], _ = harness.Join(t, a.Base, &m)
			}
		})
	}
	opening.Wait()
	return sockets
}

// TestManyReloads takes a thousand sockets through a hundred reloads. Three in five fail.
func TestManyReloads(t *testing.T) {
	const rooms, each, rounds = 10, 100, 100
	file := &caddyfile{listen: harness.FreeAddress(t), store: "store memory", extra: harness.Unlimited, chat: true}
	n := harness.StartNode(t, "", file.String(), file.listen)
	a := harness.NewAPI(t, "http://"+file.listen)
	admins := make([]harness.Member, rooms)
	for i := range admins {
		admins[i] = a.Create(t, 600)
	}
	sockets := openMany(t, a, admins, each)
	occupant, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = occupant.Close() }()

	var times []time.Duration
	failed := 0
	for round := range rounds {
		next := *file
		next.extra = fmt.Sprintf("%s\nmax_message %dKiB\nmax_members %d", harness.Unlimited, 1+round%7, 500+round)
		fails := false
		switch round % 5 {
		case 1:
			next.more = fmt.Sprintf("http://%s {\nrespond unrelated\n}", harness.FreeAddress(t))
		case 2:
			next.more, fails = fmt.Sprintf("http://%s {\ntls /nonexistent.crt /nonexistent.key\n}", harness.FreeAddress(t)), true
		case 3:
			next.more, fails = fmt.Sprintf("http://%s {\nephemeral_chat {\nredis {env.EPHEMERAL_CHAT_UNSET}\n}\n}", harness.FreeAddress(t)), true
		case 4:
			next.more, fails = fmt.Sprintf("http://%s {\nrespond taken\n}", occupant.Addr()), true
		}
		n.Write(t, "", next.String())
		start := time.Now()
		got := n.Load(t)
		times = append(times, time.Since(start))
		if fails {
			failed++
		}
		if succeeded := got.Status == http.StatusOK; succeeded == fails {
			t.Fatalf("reload %d: %d %s", round, got.Status, got.Body)
		}
	}
	t.Logf("%d reloads fail; times: %s", failed, harness.Summary(times))

	// All sockets are open and receive messages.
	for i, k := range sockets {
		if !k.IsOpen() {
			t.Fatalf("socket %d is closed: %+v", i, k.Closing())
		}
	}
	for i := range rooms {
		sockets[i*each].Publish(t, fmt.Sprint("room ", i))
	}
	for i, k := range sockets {
		k.AwaitText(t, fmt.Sprint("room ", i/each))
	}

	// A connection keeps the limits of the configuration under which it was opened.
	file.extra = harness.Unlimited + "\nmax_message 8"
	file.load(t, n)
	late := a.Join(t, admins[0].RoomID, "late")
	lateSocket, _ := harness.Join(t, a.Base, &late)
	lateSocket.Send(t, harness.Fields{"type": "message", "message": "nine bytes"})
	if f := lateSocket.Await(t, "error"); f.Code != "message_too_long" {
		t.Errorf("a new connection: %+v", f)
	}
	sockets[0].Publish(t, "this is longer than eight")
	lateSocket.AwaitText(t, "this is longer than eight")

	// Without the directive the rooms end.
	file.chat = false
	file.load(t, n)
	for _, k := range append(sockets, lateSocket) {
		k.AwaitGoingAway(t)
	}
	file.chat, file.extra = true, harness.Unlimited
	file.load(t, n)
	harness.ExpectProblem(t, a.Call(t, "/roomInfo", harness.Fields{"roomId": admins[0].RoomID}), http.StatusNotFound, "room_not_found")

	for i := range admins {
		admins[i] = a.Create(t, 600)
	}
	sockets = openMany(t, a, admins, each)
	took := n.Stop(t)
	for _, k := range sockets {
		k.AwaitGoingAway(t)
	}
	t.Logf("with %d sockets open, Caddy ends %s after SIGTERM", len(sockets), took.Round(time.Millisecond))
	if took > exitTime {
		t.Errorf("Caddy takes %s to end", took)
	}
}
