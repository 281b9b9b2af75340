package redisstore_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// newInstances is a setup whose room is a declared one, in its first instance.
func newInstances(t *testing.T) *setup {
	t.Helper()
	s := &setup{server: redistest.Start(t, redistest.Options{})}
	s.nodes = openNodes(t, optionsOf(s.server), 2)
	s.room = openInstance(t, s.nodes[0], room.NewID())
	for _, node := range s.nodes {
		s.watches = append(s.watches, watchRoom(t, node, s.room.InstanceID()))
	}
	return s
}

// openInstance begins an instance of a declared room.
func openInstance(t *testing.T, s *redisstore.Store, roomID string) room.Room {
	t.Helper()
	r := room.Room{
		ID: roomID, Instance: room.NewNonce(), Name: "a room", TTL: time.Hour,
		Key: []byte(room.NewID()), Epoch: room.NewNonce(),
	}
	opened, err := s.Open(t.Context(), r, room.CreateLimits{Lobby: time.Hour})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if opened.Instance != r.Instance {
		t.Fatal("Open: the room is there")
	}
	return opened
}

// vanish deletes the room from Redis without an event.
func (s *setup) vanish(t *testing.T) {
	t.Helper()
	for _, key := range keysOf(t, s.server.Client(), s.room.ID) {
		if strings.HasSuffix(key, ":"+s.room.ID) {
			s.do(t, "unlink", key)
		}
	}
}

// TestNextInstanceAfterMissedEnd makes nodes miss the end of an instance and the start of
// the next one, and then resync. They write nothing of the former into the next
// instance, and the next one has no event of the former.
func TestNextInstanceAfterMissedEnd(t *testing.T) {
	t.Parallel()
	s := newInstances(t)
	joinRoom(t, s.nodes[0], s.room.InstanceID(), "anna", "bert", "carla")
	for i, w := range s.watches {
		w.enter(t, presenceOf("anna"))
		w.enter(t, presenceOf([]string{"bert", "carla"}[i]))
	}
	for id := uint64(1); id <= 3; id++ {
		if _, err := s.nodes[0].Post(t.Context(), s.room.InstanceID(), newPost(s.nodes[0], "tag", id, "of the former instance")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.nodes[1].Remove(t.Context(), s.room.InstanceID(), "bert"); err != nil {
		t.Fatal(err)
	}
	if err := s.nodes[1].SetLocked(t.Context(), s.room.InstanceID(), true); err != nil {
		t.Fatal(err)
	}
	if err := s.nodes[0].Retract(t.Context(), s.room.InstanceID(), room.Retraction{Seq: 2, Any: true}); err != nil {
		t.Fatal(err)
	}
	var received []int
	for _, w := range s.watches {
		w.awaitKind(t, room.EventRetracted)
		received = append(received, len(w.all(room.EventMessage)))
	}

	s.vanish(t)
	next := openInstance(t, s.nodes[1], s.room.ID)
	joinRoom(t, s.nodes[1], next.InstanceID(), "bert", "dora") // not anna
	w := watchRoom(t, s.nodes[1], next.InstanceID())
	dora := presenceOf("dora")
	w.enter(t, dora)
	w.awaitUser(t, room.EventJoined, "dora")

	// Calls for the former instance have no effect.
	for i, former := range s.watches {
		instanceID, node := s.room.InstanceID(), s.nodes[i]
		for what, err := range map[string]error{
			"Post":      postErr(node.Post(t.Context(), instanceID, newPost(node, "tag", 4, "into the void"))),
			"Enter":     postErr(former.Enter(t.Context(), presenceOf("carla"), 1000)),
			"SetLocked": node.SetLocked(t.Context(), instanceID, false),
			"Remove":    node.Remove(t.Context(), instanceID, "dora"),
			"Retract":   node.Retract(t.Context(), instanceID, room.Retraction{Seq: 1, Any: true}),
			"Delete":    node.Delete(t.Context(), instanceID),
		} {
			if !errors.Is(err, room.ErrRoomNotFound) {
				t.Errorf("node %d: %s in the former instance: %v, want ErrRoomNotFound", i, what, err)
			}
		}
	}
	s.cutPubSub(t) // and then they resync
	for i, former := range s.watches {
		if e := former.awaitKind(t, room.EventEnded); e.Reason != room.EndDeleted {
			t.Errorf("node %d: the former instance ended with %q", i, e.Reason)
		}
	}
	// The next instance is unchanged.
	receipt, err := s.nodes[0].Post(t.Context(), next.InstanceID(), newPost(s.nodes[0], "tag", 1, "hello again"))
	if err != nil || receipt.Seq != 1 {
		t.Fatalf("the first message is number %d, duplicate %v, %v", receipt.Seq, receipt.Duplicate, err)
	}
	w.awaitSeq(t, 1)
	got, err := s.nodes[0].Load(t.Context(), next.InstanceID())
	if err != nil {
		t.Fatal(err)
	}
	if started := w.awaitKind(t, room.EventStarted); got.Locked || !got.Deadline.Equal(started.Deadline) ||
		got.Deadline.Sub(got.StartedAt) != time.Hour || got.StartedAt.Before(next.CreatedAt) {
		t.Errorf("the next instance is locked %v, from %v to %v", got.Locked, got.StartedAt, got.Deadline)
	}
	if other := w.all(room.EventRemoved, room.EventLocked, room.EventRetracted, room.EventGap, room.EventEnded, room.EventLeft); len(other) > 0 {
		t.Errorf("the next instance received %s", describe(other))
	}
	if joined := w.all(room.EventJoined); len(joined) != 1 {
		t.Errorf("in the next instance %s", describe(joined))
	}
	expectHash(t, "online", s.hash(t, "room:online:"+s.room.ID), map[string]string{s.nodes[1].Node() + ":dora": dora.SocketID})
	expectHash(t, "sent", s.hash(t, "room:sent:"+s.room.ID), map[string]string{"tag": "1"})
	if members := s.do(t, "scard", "room:roomUser:"+s.room.ID); members != int64(2) {
		t.Errorf("the next instance has %v members, want the 2 who joined it", members)
	}
	for field := range s.hash(t, "room:"+s.room.ID) {
		if strings.HasPrefix(field, "x:") {
			t.Errorf("in the next instance there is a removal, %s", field)
		}
	}
	for i, former := range s.watches {
		if n := len(former.all(room.EventMessage)); n != received[i] {
			t.Errorf("node %d received %d messages of another instance", i, n-received[i])
		}
	}
}

func postErr[T any](_ T, err error) error { return err }

func (s *setup) hash(t *testing.T, key string) map[string]string {
	t.Helper()
	fields, err := s.server.Client().HGetAll(t.Context(), key).Result()
	if err != nil {
		t.Fatal(err)
	}
	return fields
}

// TestDeletionOfOneInstance makes a node delete an instance again after an outage: the
// next one, which has begun meanwhile, goes on.
func TestDeletionOfOneInstance(t *testing.T) {
	t.Parallel()
	s := newInstances(t)
	deletions := countCalls(s.nodes[0], string(room.EndDeleted), s.room.Instance)
	if err := s.nodes[0].Delete(t.Context(), s.room.InstanceID()); err != nil {
		t.Fatal(err)
	}
	next := openInstance(t, s.nodes[1], s.room.ID)
	w := watchRoom(t, s.nodes[0], next.InstanceID())
	before := deletions.Load()
	s.cutPubSub(t)
	eventually(t, awaitTimeout, func() string {
		if deletions.Load() == before {
			return "the node has not repeated the deletion"
		}
		return ""
	})
	if _, err := s.nodes[0].Post(t.Context(), next.InstanceID(), newPost(s.nodes[0], "", 0, "still here")); err != nil {
		t.Errorf("Post into the next instance: %v", err)
	}
	w.awaitSeq(t, 1)
}

// TestDeadlineOfFormerInstance reaches the deadline of an instance that Redis has lost, by
// the node's own clock: the next instance is unchanged.
func TestDeadlineOfFormerInstance(t *testing.T) {
	t.Parallel()
	s := &setup{server: redistest.Start(t, redistest.Options{})}
	s.nodes = openNodes(t, optionsOf(s.server), 2)
	r := room.Room{ID: room.NewID(), Instance: "first", Name: "x", TTL: time.Second, Key: []byte("key"), Epoch: "e"}
	var err error
	if s.room, err = s.nodes[0].Open(t.Context(), r, room.CreateLimits{Lobby: time.Hour}); err != nil {
		t.Fatal(err)
	}
	w := watchRoom(t, s.nodes[0], s.room.InstanceID())
	if _, err := s.nodes[0].Start(t.Context(), s.room.InstanceID()); err != nil {
		t.Fatal(err)
	}
	w.awaitKind(t, room.EventStarted)
	s.vanish(t)
	next := openInstance(t, s.nodes[1], s.room.ID)
	if e := w.awaitKind(t, room.EventEnded); e.Reason != room.EndExpired {
		t.Errorf("the former instance ended with %q", e.Reason)
	}
	if _, err := s.nodes[0].Load(t.Context(), next.InstanceID()); err != nil {
		t.Errorf("the next instance at the deadline of the former: %v", err)
	}
	if n := s.do(t, "pttl", "room:"+s.room.ID); n != int64(-1) {
		t.Errorf("the next instance, which has not started, expires in %v ms", n)
	}
}

// TestRemainsOfFormerInstance deletes only the key of the room itself, as eviction may.
func TestRemainsOfFormerInstance(t *testing.T) {
	t.Parallel()
	s := newInstances(t)
	joinRoom(t, s.nodes[0], s.room.InstanceID(), "anna")
	s.watches[0].enter(t, presenceOf("anna"))
	if _, err := s.nodes[0].Post(t.Context(), s.room.InstanceID(), newPost(s.nodes[0], "tag", 7, "of the former instance")); err != nil {
		t.Fatal(err)
	}
	if err := s.nodes[0].Retract(t.Context(), s.room.InstanceID(), room.Retraction{Seq: 1, Any: true}); err != nil {
		t.Fatal(err)
	}
	s.do(t, "unlink", "room:"+s.room.ID)
	if left := keysOf(t, s.server.Client(), s.room.ID); len(left) < 5 {
		t.Fatalf("left of the former instance: %q", left)
	}
	next := openInstance(t, s.nodes[1], s.room.ID)
	if left := keysOf(t, s.server.Client(), ":"+s.room.ID); len(left) != 1 {
		t.Errorf("the next instance begins with %q", left)
	}
	w := watchRoom(t, s.nodes[1], next.InstanceID())
	if len(w.snapshot.Online) > 0 || len(w.snapshot.Retracted) > 0 || w.snapshot.Room.Seq != 0 {
		t.Errorf("the next instance begins with %q online, seq %d, %v retracted", w.snapshot.Online, w.snapshot.Room.Seq, w.snapshot.Retracted)
	}
	if page, err := s.nodes[1].Before(t.Context(), next.InstanceID(), 0, 10, 1<<20); err != nil || len(page.Entries) > 0 {
		t.Errorf("the next instance begins with messages %q, %v", page.Entries, err)
	}
}

// TestInstancesInRedis checks the part of docs/redis.md about declared rooms.
func TestInstancesInRedis(t *testing.T) {
	t.Parallel()
	s := newInstances(t)
	fields := s.hash(t, "room:"+s.room.ID)
	if fields["life"] != s.room.Instance || fields["admin"] != "" {
		t.Errorf("the room has the instance %q, and has the admin %q", fields["life"], fields["admin"])
	}
	lobby := s.server.Client().LRange(t.Context(), "room:lobby:3600", 0, -1).Val()
	if want := fields["createdAt"] + ":" + s.room.ID + ":" + s.room.Instance; len(lobby) != 1 || lobby[0] != want {
		t.Errorf("the lobby list has %q, want %q", lobby, want)
	}
	channels := s.server.Client().PubSubChannels(t.Context(), "room:events:"+s.room.ID+"*").Val()
	if want := "room:events:" + s.room.ID + ":" + s.room.Instance; len(channels) != 1 || channels[0] != want {
		t.Errorf("the nodes are subscribed to %q, want %q", channels, want)
	}
	made := createRoom(t, s.nodes[0], time.Hour, time.Hour)
	if life, ok := s.hash(t, "room:"+made.ID)["life"]; !ok || life != "" {
		t.Errorf("a room that is not declared has the instance %q", life)
	}
}
