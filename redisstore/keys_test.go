package redisstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// expiryFault returns "" if all keys of the room expire at one moment, or never if that
// is zero, else a description of the fault.
func expiryFault(tb testing.TB, s *setup, deadline time.Time) string {
	tb.Helper()
	want := int64(-1)
	if !deadline.IsZero() {
		want = deadline.UnixMilli()
	}
	keys := keysOf(tb, s.server.Client(), s.room.ID)
	if len(keys) == 0 {
		return "the room has no keys"
	}
	for _, key := range keys {
		// -2: the key is gone meanwhile.
		if got := s.do(tb, "pexpiretime", key); got != want && got != int64(-2) {
			return fmt.Sprintf("%s expires at %v, want %d", key, got, want)
		}
	}
	return ""
}

func (s *setup) expectKeys(t *testing.T, kinds ...string) {
	t.Helper()
	var want []string
	for _, kind := range kinds {
		want = append(want, "room:"+kind+s.room.ID)
	}
	slices.Sort(want)
	if got := keysOf(t, s.server.Client(), s.room.ID); !slices.Equal(got, want) {
		t.Errorf("the keys of the room are %q, want %q", got, want)
	}
}

func (s *setup) expectExpiry(t *testing.T, deadline time.Time) {
	t.Helper()
	if fault := expiryFault(t, s, deadline); fault != "" {
		t.Error(fault)
	}
}

func TestNoExpiryBeforeTheStart(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	s.expectKeys(t, "", "roomUser:", "names:")
	joinRoom(t, s.nodes[1], s.room.ID, "anna", "bert")
	s.watches[0].enter(t, presenceOf("anna"))
	if err := s.nodes[0].SetLocked(t.Context(), s.room.ID, true); err != nil {
		t.Fatal(err)
	}
	if err := s.nodes[0].Remove(t.Context(), s.room.ID, "bert"); err != nil {
		t.Fatal(err)
	}
	s.expectKeys(t, "", "roomUser:", "names:", "online:")
	s.expectExpiry(t, time.Time{})
}

// TestOneExpiry starts the room at different moments: a key that is created later
// expires with the others.
func TestOneExpiry(t *testing.T) {
	t.Parallel()
	steps := []func(*testing.T, *setup){
		func(t *testing.T, s *setup) { t.Helper(); s.watches[1].enter(t, presenceOf(admin)) },
		func(t *testing.T, s *setup) {
			t.Helper()
			if _, err := s.nodes[1].Post(t.Context(), s.room.ID, newPost(s.nodes[1], "tag", 1, "one")); err != nil {
				t.Fatal(err)
			}
		},
		func(t *testing.T, s *setup) { t.Helper(); s.retract(t, 0, 1) },
		func(t *testing.T, s *setup) { t.Helper(); joinRoom(t, s.nodes[0], s.room.ID, "anna") },
		func(t *testing.T, s *setup) { // all members leave, one comes: the set is created again
			t.Helper()
			for _, userID := range []string{admin, "anna"} {
				if err := s.nodes[0].Remove(t.Context(), s.room.ID, userID); err != nil && !errors.Is(err, room.ErrMemberNotFound) {
					t.Fatal(err)
				}
			}
			joinRoom(t, s.nodes[0], s.room.ID, "bert")
		},
		func(t *testing.T, s *setup) { // all users exit, one comes: so is the hash
			t.Helper()
			s.do(t, "del", "room:online:"+s.room.ID)
			joinRoom(t, s.nodes[0], s.room.ID, "carla")
			s.watches[0].enter(t, presenceOf("carla"))
		},
	}
	for begin := range steps {
		t.Run(fmt.Sprint("started before step ", begin), func(t *testing.T) {
			t.Parallel()
			s := newSetup(t, redistest.Options{}, time.Hour)
			for _, step := range steps[:begin] {
				step(t, s)
			}
			clock, err := s.nodes[0].Start(t.Context(), s.room.ID)
			if err != nil {
				t.Fatal(err)
			}
			s.expectExpiry(t, clock.Deadline)
			for _, step := range steps[begin:] {
				step(t, s)
				s.expectExpiry(t, clock.Deadline)
			}
			s.expectKeys(t, "", "roomUser:", "online:", "messages:", "sent:", "names:", "retracted:")
		})
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, 90*time.Second)
	node := s.nodes[0]
	r := s.room
	r.ID, r.Password = room.NewID(), []byte("salt and hash of a password, 48 bytes altogether")
	if err := node.Create(t.Context(), r, room.CreateLimits{Lobby: 90 * time.Second}); err != nil {
		t.Fatal(err)
	}
	s.room = r
	joinRoom(t, node, r.ID, "anna", "bert")
	hash := func(kind string) map[string]string {
		fields, err := s.server.Client().HGetAll(t.Context(), "room:"+kind+r.ID).Result()
		if err != nil {
			t.Fatal(err)
		}
		return fields
	}
	created, err := node.Load(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	createdAt := fmt.Sprint(created.CreatedAt.UnixMilli())
	want := map[string]string{
		"admin": admin, "roomName": r.Name, "ttl": "90", "lobby": "90", "key": string(r.Key), "pass": string(r.Password),
		"createdAt": createdAt, "seq": "0", "life": "", "epoch": r.Epoch,
	}
	expectHash(t, "a new room", hash(""), want)
	lobby, err := s.server.Client().LRange(t.Context(), "room:lobby:90", 0, -1).Result()
	if err != nil || !slices.Equal(lobby, []string{createdAt + ":" + r.ID}) {
		t.Errorf("the lobby list is %q (%v)", lobby, err)
	}
	lengths, err := s.server.Client().SMembers(t.Context(), "room:lobby:all").Result()
	slices.Sort(lengths)
	if err != nil || !slices.Equal(lengths, []string{"3600", "90"}) {
		t.Errorf("the lengths of lobbies are %q (%v)", lengths, err)
	}

	w := watchRoom(t, node, r.ID)
	p := presenceOf("anna")
	w.enter(t, p)
	expectHash(t, "who is online", hash("online:"), map[string]string{node.Node() + ":anna": p.SocketID})
	if ttl := s.do(t, "ttl", "room:node:"+node.Node()); ttl.(int64) < 5 || ttl.(int64) > 15 { //nolint:errcheck,forcetypeassert // an integer reply
		t.Errorf("the node's key lives for %v s", ttl)
	}
	post := newPost(node, "tag", 7, "hello")
	if _, err := node.Post(t.Context(), r.ID, post); err != nil {
		t.Fatal(err)
	}
	if err := node.SetLocked(t.Context(), r.ID, true); err != nil {
		t.Fatal(err)
	}
	if err := node.Remove(t.Context(), r.ID, "bert"); err != nil {
		t.Fatal(err)
	}
	started := w.awaitKind(t, room.EventStarted)
	want["startedAt"], want["deadline"] = fmt.Sprint(started.StartedAt.UnixMilli()), fmt.Sprint(started.Deadline.UnixMilli())
	want["locked"], want["x:bert"], want["seq"] = "1", "1", "1"
	expectHash(t, "a started room", hash(""), want)
	expectHash(t, "sent", hash("sent:"), map[string]string{"tag": "7"})
	entries, err := s.server.Client().LRange(t.Context(), "room:messages:"+r.ID, 0, -1).Result()
	if err != nil || !slices.Equal(entries, []string{string(message.Entry(1, post.Body))}) || !json.Valid([]byte(entries[0])) {
		t.Errorf("the messages are %q (%v)", entries, err)
	}
	members, err := s.server.Client().SMembers(t.Context(), "room:roomUser:"+r.ID).Result()
	slices.Sort(members)
	if err != nil || !slices.Equal(members, []string{admin, "anna"}) {
		t.Errorf("the members are %q (%v)", members, err)
	}
	for kind, encoding := range map[string]string{"": "listpack", "online:": "listpack", "sent:": "listpack"} {
		if got := s.do(t, "object", "encoding", "room:"+kind+r.ID); got != encoding {
			t.Errorf("room:%s is a %v", kind, got)
		}
	}
	if err := node.SetLocked(t.Context(), r.ID, false); err != nil {
		t.Fatal(err)
	}
	delete(want, "locked")
	expectHash(t, "an unlocked room", hash(""), want)
}

func expectHash(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for field, value := range want {
		if got[field] != value {
			t.Errorf("%s: %s is %q, want %q", what, field, got[field], value)
		}
	}
	for field := range got {
		if _, wanted := want[field]; !wanted {
			t.Errorf("%s: there is a field %q", what, field)
		}
	}
}

// TestChannel checks that messages are published as finished frames.
func TestChannel(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	sub := s.server.Client().Subscribe(t.Context(), "room:events:"+s.room.ID)
	defer func() { _ = sub.Close() }()
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := newPost(s.nodes[0], "tag", 1, "hello")
	if _, err := s.nodes[0].Post(t.Context(), s.room.ID, p); err != nil {
		t.Fatal(err)
	}
	started, err := sub.ReceiveMessage(t.Context())
	if err != nil || !strings.HasPrefix(started.Payload, `{"type":"started","startedAt":1`) {
		t.Fatalf("first was published %v (%v), want the start", started, err)
	}
	received, err := sub.ReceiveMessage(t.Context())
	if err != nil || received.Payload != string(message.Frame(1, p.Body)) {
		t.Fatalf("then was published %v (%v), want the frame", received, err)
	}
}

// TestNothingIsLeft ends rooms in every way and expects an empty server.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	nodes := openNodes(t, optionsOf(server), 2)
	expired := createRoom(t, nodes[0], time.Second, 2*time.Second)
	deleted := createRoom(t, nodes[0], time.Hour, time.Second)
	reaped := createRoom(t, nodes[1], time.Hour, time.Second)
	var watches []*watch
	for _, r := range []room.Room{expired, deleted, reaped} {
		for _, node := range nodes {
			w := watchRoom(t, node, r.ID)
			w.enter(t, presenceOf(admin))
			watches = append(watches, w)
		}
	}
	if _, err := nodes[0].Post(t.Context(), expired.ID, newPost(nodes[0], "tag", 1, "one")); err != nil {
		t.Fatal(err)
	}
	if err := nodes[1].Delete(t.Context(), deleted.ID); err != nil {
		t.Fatal(err)
	}
	for _, w := range watches {
		w.awaitKind(t, room.EventEnded)
		w.Close()
	}
	for _, node := range nodes {
		if err := node.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// A living node drains the last lobby list.
	openNodes(t, optionsOf(server), 1)
	eventually(t, awaitTimeout, func() string {
		if keys := keysOf(t, server.Client(), ""); len(keys) > 0 {
			return fmt.Sprintf("left: %q", keys)
		}
		return ""
	})
}

// TestLongLobbyList reaps a backlog of several batches.
func TestLongLobbyList(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	nodes := openNodes(t, optionsOf(server), 3)
	const rooms = 300
	var started []room.Room
	for i := range rooms {
		r := createRoom(t, nodes[i%3], time.Hour, time.Duration(1+i%2)*time.Second)
		if i%10 == 0 {
			if _, err := nodes[i%3].Start(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
			started = append(started, r)
		}
	}
	eventually(t, awaitTimeout, func() string {
		if keys := keysOf(t, server.Client(), ""); len(keys) != 3*len(started) {
			return fmt.Sprintf("%d keys, want %d", len(keys), 3*len(started))
		}
		return ""
	})
	for _, r := range started {
		if _, err := nodes[0].Load(t.Context(), r.ID); err != nil {
			t.Errorf("a started room: %v", err)
		}
	}
}

// TestPostsAtOnce posts from many goroutines over both nodes.
func TestPostsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	const posters, each = 64, 20
	var work sync.WaitGroup
	for i := range posters {
		// Ends after its posts; awaited below.
		work.Go(func() {
			for n := range each {
				node := s.nodes[i%2]
				if _, err := node.Post(t.Context(), s.room.ID, newPost(node, fmt.Sprint("tag-", i), uint64(n+1), fmt.Sprint(i, " ", n))); err != nil {
					t.Errorf("Post: %v", err)
				}
			}
		})
	}
	work.Wait()
	s.expectAll(t, posters*each)
}

// TestManySenders checks that Redis keeps the ids of many sessions in a hash table and
// those of few in a list, and that duplicates are detected with either.
func TestManySenders(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	clock, err := s.nodes[0].Start(t.Context(), s.room.ID)
	if err != nil {
		t.Fatal(err)
	}
	key := "room:sent:" + s.room.ID
	post := func(sender int, id uint64, duplicate bool) {
		t.Helper()
		receipt, err := s.nodes[sender%2].Post(t.Context(), s.room.ID, newPost(s.nodes[0], fmt.Sprintf("tag-%08d", sender), id, "hi"))
		if err != nil {
			t.Fatal(err)
		}
		if receipt.Duplicate != duplicate {
			t.Fatalf("message %d of session %d: duplicate is %v, want %v", id, sender, receipt.Duplicate, duplicate)
		}
	}
	for sender := range 200 {
		post(sender, 7, false)
		want := "hashtable"
		if sender < 63 {
			want = "listpack"
		}
		if got := s.do(t, "object", "encoding", key); got != want {
			t.Fatalf("with %d sessions the encoding is %v, want %s", sender+1, got, want)
		}
	}
	for sender := range 200 {
		post(sender, 7, true)
		post(sender, 8, false)
	}
	if got := s.do(t, "hlen", key); got != int64(201) {
		t.Errorf("%s has %v fields, want the sessions' and one more", key, got)
	}
	s.expectExpiry(t, clock.Deadline)
}
