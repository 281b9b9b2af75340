package e2e_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// exitTime is in which a node must end that has many sockets open.
const exitTime = 3 * time.Second

// load makes the node take up what write has written, by its admin endpoint, and
// returns the answer.
func (n *node) load(t *testing.T) *answer {
	t.Helper()
	text, err := os.ReadFile(n.config())
	if err != nil {
		t.Fatal(err)
	}
	admin := newAPI(t, "http://"+n.admin)
	header := http.Header{"Content-Type": {"text/caddyfile"}, "Cache-Control": {"must-revalidate"}}
	return admin.do(t, http.MethodPost, "/load", header, bytes.NewReader(text))
}

// crowd opens connections for so many members in each of the rooms.
func crowd(t *testing.T, a *api, admins []member, each int) []*socket {
	t.Helper()
	sockets := make([]*socket, len(admins)*each)
	var opening sync.WaitGroup
	for i := range admins {
		opening.Go(func() {
			for j := range each {
				m := a.join(t, admins[i].RoomID, fmt.Sprint("m", j))
				sockets[i*each+j], _ = enter(t, a.base, &m)
			}
		})
	}
	opening.Wait()
	return sockets
}

// TestManyReloads takes a thousand sockets through a hundred reloads, of which
// many fail.
func TestManyReloads(t *testing.T) {
	const rooms, each, rounds = 10, 100, 100
	file := &caddyfile{listen: freeAddress(t), store: "store memory", extra: unlimited, chat: true}
	n := startNode(t, "", file.String(), file.listen)
	a := newAPI(t, "http://"+file.listen)
	admins := make([]member, rooms)
	for i := range admins {
		admins[i] = a.create(t, 600)
	}
	sockets := crowd(t, a, admins, each)
	squatter, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = squatter.Close() }()

	var times []time.Duration
	failed := 0
	for round := range rounds {
		next := *file
		next.extra = fmt.Sprintf("%s\nmax_message %dKiB\nmax_members %d", unlimited, 1+round%7, 500+round)
		fails := false
		switch round % 5 {
		case 1:
			next.more = fmt.Sprintf("http://%s {\nrespond unrelated\n}", freeAddress(t))
		case 2:
			next.more, fails = fmt.Sprintf("http://%s {\ntls /nonexistent.crt /nonexistent.key\n}", freeAddress(t)), true
		case 3:
			next.more, fails = fmt.Sprintf("http://%s {\nephemeral_chat {\nredis {env.EPHEMERAL_CHAT_UNSET}\n}\n}", freeAddress(t)), true
		case 4:
			next.more, fails = fmt.Sprintf("http://%s {\nrespond taken\n}", squatter.Addr()), true
		}
		n.write(t, "", next.String())
		start := time.Now()
		got := n.load(t)
		times = append(times, time.Since(start))
		if fails {
			failed++
		}
		if succeeded := got.status == http.StatusOK; succeeded == fails {
			t.Fatalf("reload %d: %d %s", round, got.status, got.body)
		}
	}
	slices.Sort(times)
	t.Logf("%d reloads, of which %d fail: %s (median), %s (longest)", rounds, failed,
		times[rounds/2].Round(time.Millisecond), times[rounds-1].Round(time.Millisecond))

	// All are there and hear each other.
	for i, k := range sockets {
		if !k.isOpen() {
			t.Fatalf("socket %d is closed: %+v", i, k.ending())
		}
	}
	for i := range rooms {
		sockets[i*each].say(t, fmt.Sprint("room ", i))
	}
	for i, k := range sockets {
		k.awaitText(t, fmt.Sprint("room ", i/each))
	}

	// Limits are those of the configuration under which a connection was opened.
	file.extra = unlimited + "\nmax_message 8"
	n.write(t, "", file.String())
	if got := n.load(t); got.status != http.StatusOK {
		t.Fatalf("reload: %d %s", got.status, got.body)
	}
	late := a.join(t, admins[0].RoomID, "late")
	lateSocket, _ := enter(t, a.base, &late)
	lateSocket.send(t, fields{"type": "message", "message": "nine bytes"})
	if f := lateSocket.await(t, "error"); f.Code != "message_too_long" {
		t.Errorf("a new connection: %+v", f)
	}
	sockets[0].say(t, "this is longer than eight")
	lateSocket.awaitText(t, "this is longer than eight")

	// Without the directive nothing holds the rooms.
	file.chat = false
	n.write(t, "", file.String())
	if got := n.load(t); got.status != http.StatusOK {
		t.Fatalf("reload: %d %s", got.status, got.body)
	}
	for _, k := range append(sockets, lateSocket) {
		if end := k.awaitClose(t, 1001); !strings.HasPrefix(end.reason, "retry=") {
			t.Errorf("closed: %+v", end)
		}
	}
	file.chat, file.extra = true, unlimited
	n.write(t, "", file.String())
	if got := n.load(t); got.status != http.StatusOK {
		t.Fatalf("reload: %d %s", got.status, got.body)
	}
	expectRefusal(t, a.call(t, "/roomInfo", fields{"roomId": admins[0].RoomID}), http.StatusNotFound, "room_not_found")

	for i := range admins {
		admins[i] = a.create(t, 600)
	}
	sockets = crowd(t, a, admins, each)
	took := n.stop(t, stopTime)
	for _, k := range sockets {
		if end := k.awaitClose(t, 1001); !strings.HasPrefix(end.reason, "retry=") {
			t.Errorf("closed: %+v", end)
		}
	}
	t.Logf("with %d sockets open, Caddy ends %s after SIGTERM", len(sockets), took.Round(time.Millisecond))
	if took > exitTime {
		t.Errorf("Caddy takes %s to end", took)
	}
}
