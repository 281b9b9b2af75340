package redisstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// topology is a Redis of several servers.
type topology struct {
	options redisstore.Options
	// master returns the server that has the keys of a room.
	master func(t *testing.T, roomID string) *redistest.Server
	// key names a key of a room.
	key func(roomID string) string
}

func onSentinels(t *testing.T, o redistest.SentinelOptions) *topology {
	t.Helper()
	s := redistest.StartSentinels(t, o)
	return &topology{
		options: redisstore.Options{
			Addrs: s.Addrs(), Password: o.Password, TLS: o.TLS.Config(),
			Sentinel: redisstore.Sentinel{Master: redistest.MasterName, Password: o.SentinelPassword},
		},
		master: func(t *testing.T, _ string) *redistest.Server { t.Helper(); return s.Master(t) },
		key:    func(roomID string) string { return "room:" + roomID },
	}
}

func onCluster(t *testing.T, o redistest.ClusterOptions) (*topology, *redistest.Cluster) {
	t.Helper()
	c := redistest.StartCluster(t, o)
	key := func(roomID string) string { return "room:{" + roomID + "}" }
	return &topology{
		options: redisstore.Options{Addrs: c.Addrs(), Password: o.Password, TLS: o.TLS.Config(), Cluster: true},
		master: func(t *testing.T, roomID string) *redistest.Server {
			t.Helper()
			return c.MasterOf(t, key(roomID))
		},
		key: key,
	}, c
}

// forEachTopology runs a test with sentinels and with a cluster.
func forEachTopology(t *testing.T, test func(t *testing.T, over *topology)) {
	t.Helper()
	t.Run("sentinel", func(t *testing.T) {
		test(t, onSentinels(t, redistest.SentinelOptions{}))
	})
	t.Run("cluster", func(t *testing.T) {
		over, _ := onCluster(t, redistest.ClusterOptions{})
		test(t, over)
	})
}

// awaitRecovery posts a message after a disturbance until all nodes have received it. It
// returns the time until it was accepted, and until all had received it.
func (s *setup) awaitRecovery(t *testing.T) (accepted, received time.Duration) {
	t.Helper()
	began := time.Now()
	session := room.NewNonce()
	eventually(t, 2*awaitTimeout, func() string {
		if _, err := s.nodes[1].Post(t.Context(), s.room.ID, newPost(s.nodes[1], session, 1, "from "+session)); err != nil {
			return err.Error()
		}
		return ""
	})
	accepted = time.Since(began)
	for _, w := range s.watches {
		w.await(t, "message after the disturbance", func(e room.Event) bool {
			return e.Kind == room.EventMessage && bytes.Contains(e.Frame, []byte("from "+session))
		})
	}
	return accepted, time.Since(began)
}

// expectAgreement fails unless each watch has received the messages of the store, each
// once. A gap takes back the messages after it. It returns the number of gaps, and the
// number of the last message.
func (s *setup) expectAgreement(t *testing.T) (gaps int, last uint64) {
	t.Helper()
	page, err := s.nodes[0].After(t.Context(), s.room.ID, 0, 1<<24)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range s.watches {
		w.await(t, "newest message", func(e room.Event) bool {
			return e.Kind == room.EventMessage && bytes.Equal(e.Frame, message.FrameOfEntry(page.Entries[len(page.Entries)-1]))
		})
		received := make(map[uint64][]byte)
		last = 0
		for _, e := range w.all(room.EventMessage, room.EventGap) {
			if e.Kind == room.EventGap {
				gaps++
				for ; last > e.Seq; last-- {
					delete(received, last)
				}
				last = e.Seq
				continue
			}
			if e.Seq != last+1 {
				t.Fatalf("node %d received message %d after %d", i, e.Seq, last)
			}
			last, received[e.Seq] = e.Seq, e.Frame
		}
		if last != page.Last() {
			t.Fatalf("node %d received %d messages, the store has %d", i, last, page.Last())
		}
		seen := make(map[string]bool)
		for seq, frame := range received {
			_, body, _ := bytes.Cut(frame, []byte(`"message":`))
			if _, text, _ := bytes.Cut(body, []byte(`"id":`)); seen[string(text)] && len(text) > 0 {
				t.Errorf("node %d received message %d twice: %s", i, seq, frame)
			} else {
				seen[string(text)] = true
			}
		}
		for j, entry := range page.Entries {
			if frame := received[page.First+uint64(j)]; !bytes.Equal(frame, message.FrameOfEntry(entry)) {
				t.Fatalf("node %d received %s, the store has %s", i, frame, entry)
			}
		}
		if other := w.all(room.EventEnded); len(other) > 0 {
			t.Errorf("node %d received the end of the room", i)
		}
	}
	return gaps, last
}

// TestMasterKilledUnderLoad kills the master of a room while clients post in it.
func TestMasterKilledUnderLoad(t *testing.T) {
	t.Parallel()
	forEachTopology(t, func(t *testing.T, over *topology) {
		s := newSetupOn(t, over.options, time.Hour)
		s.watches[0].enter(t, presenceOf(admin))
		s.watches[1].awaitUser(t, room.EventJoined, admin)
		posted := s.load(t, 6, func() {
			s.awaitPosts(t, 500)
			over.master(t, s.room.ID).Kill(t)
			accepted, received := s.awaitRecovery(t)
			t.Logf("after the death of the master, accepted again after %v, received after %v",
				accepted.Round(time.Millisecond), received.Round(time.Millisecond))
			if received > 15*time.Second {
				t.Error("that is too long")
			}
		})
		gaps, last := s.expectAgreement(t)
		t.Logf("%d messages, %d gaps", posted+1, gaps)
		if last != uint64(posted+1) {
			t.Errorf("%d messages are there, want %d", last, posted+1)
		}
		for i, w := range s.watches {
			if left := w.all(room.EventLeft); len(left) > 0 {
				t.Errorf("node %d received EventLeft: %s", i, describe(left))
			}
		}
	})
}

// TestMasterHangs freezes the master of a room, and a sentinel that the nodes are
// subscribed to: no call is answered, and no connection ends.
func TestMasterHangs(t *testing.T) {
	t.Parallel()
	hang := func(t *testing.T, over *topology, sentinels []*redistest.Server) {
		t.Helper()
		s := newSetupOn(t, over.options, time.Hour)
		s.post(t, 0, "one")
		hung := []*redistest.Server{over.master(t, s.room.ID)}
		for _, sentinel := range sentinels {
			clients, err := sentinel.Client().Do(t.Context(), "client", "list", "type", "pubsub").Text()
			if err != nil {
				t.Fatal(err)
			}
			if clients != "" {
				hung = append(hung, sentinel)
				break
			}
		}
		for _, server := range hung {
			server.Pause(t)
			defer server.Resume(t)
		}
		accepted, received := s.awaitRecovery(t)
		t.Logf("%d servers hang: accepted after %v, received after %v", len(hung), accepted, received)
		if received > 20*time.Second {
			t.Error("that is too long")
		}
	}
	t.Run("sentinel", func(t *testing.T) {
		sentinels := redistest.StartSentinels(t, redistest.SentinelOptions{})
		over := &topology{
			options: redisstore.Options{Addrs: sentinels.Addrs(), Sentinel: redisstore.Sentinel{Master: redistest.MasterName}},
			master:  func(t *testing.T, _ string) *redistest.Server { t.Helper(); return sentinels.Master(t) },
		}
		hang(t, over, sentinels.Sentinels)
	})
	t.Run("cluster", func(t *testing.T) {
		over, _ := onCluster(t, redistest.ClusterOptions{})
		hang(t, over, nil)
	})
}

// cutReplication disconnects the replicas of a master: all writes that it acknowledges
// from now on are lost with it.
func cutReplication(t *testing.T, master *redistest.Server) {
	t.Helper()
	// Earlier writes must have arrived.
	if n, err := master.Client().Wait(t.Context(), 1, awaitTimeout).Result(); err != nil || n < 1 {
		t.Fatalf("%d replicas: %v", n, err)
	}
	for _, args := range [][]any{
		{"acl", "setuser", "default", "-psync", "-sync"},
		{"client", "kill", "type", "replica"},
	} {
		if err := master.Client().Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFailoverForgets kills a master whose replica has missed the last messages, a
// start, a removal and a deletion. The nodes that received them repair that.
func TestFailoverForgets(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]bool{"quiet": false, "caught up meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachTopology(t, func(t *testing.T, over *topology) { failoverForgets(t, over, busy) })
		})
	}
}

func failoverForgets(t *testing.T, over *topology, busy bool) {
	t.Helper()
	s := newSetupOn(t, over.options, time.Hour)
	master := over.master(t, s.room.ID)
	joinRoom(t, s.nodes[0], s.room.ID, "anna", "bert")
	deleted, started := s.room, s.room
	for deleted.ID == s.room.ID || over.master(t, deleted.ID) != master {
		deleted = createRoom(t, s.nodes[0], time.Hour, time.Hour)
	}
	for started.ID == s.room.ID || over.master(t, started.ID) != master {
		started = createRoom(t, s.nodes[0], time.Hour, time.Hour)
	}
	other := watchRoom(t, s.nodes[0], started.ID)
	s.post(t, 0, texts(20)...)
	cutReplication(t, master)

	s.post(t, 0, texts(5)...)
	clock, err := s.nodes[0].Start(t.Context(), started.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.nodes[1].Remove(t.Context(), s.room.ID, "anna"); err != nil {
		t.Fatal(err)
	}
	if err := s.nodes[1].Delete(t.Context(), deleted.ID); err != nil {
		t.Fatal(err)
	}
	s.watches[1].enter(t, presenceOf("bert"))
	other.awaitKind(t, room.EventStarted)
	for _, w := range s.watches {
		w.awaitSeq(t, 25)
		w.awaitUser(t, room.EventRemoved, "anna")
		w.awaitUser(t, room.EventJoined, "bert")
	}
	master.Kill(t)
	if busy {
		// A third node, which has not received the lost messages, posts as many and more.
		third := openNode(t, over.options)
		for i := range 10 {
			eventually(t, 2*awaitTimeout, func() string {
				post := newPost(third, "third", uint64(i+1), fmt.Sprintf("replacement %d", i))
				if _, err := third.Post(t.Context(), s.room.ID, post); err != nil {
					return err.Error()
				}
				return ""
			})
		}
	}
	accepted, received := s.awaitRecovery(t)
	t.Logf("accepted after %v, received after %v", accepted, received)
	s.expectAgreement(t)
	loaded, err := s.nodes[0].Load(t.Context(), s.room.ID)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range s.watches {
		gaps := w.all(room.EventGap)
		if len(gaps) != 1 || gaps[0].Seq != 20 || gaps[0].Epoch == s.room.Epoch || gaps[0].Epoch != loaded.Epoch {
			t.Errorf("node %d received the gaps %s epochs %q, want one after 20 in the epoch %q", i, describe(gaps), epochs(gaps), loaded.Epoch)
		}
	}
	eventually(t, 2*awaitTimeout, func() string {
		if _, m, err := s.nodes[0].Member(t.Context(), s.room.ID, "anna"); err != nil || m != room.WasRemoved {
			return fmt.Sprintf("anna is %d (%v), want removed", m, err)
		}
		if _, err := s.nodes[0].Load(t.Context(), deleted.ID); err == nil {
			return "the deleted room is there"
		}
		r, err := s.nodes[0].Load(t.Context(), started.ID)
		if err != nil || !r.Deadline.Equal(clock.Deadline) {
			return fmt.Sprintf("the deadline is %v (%v), want %v", r.Deadline, err, clock.Deadline)
		}
		heir := over.master(t, s.room.ID).Client()
		online, err := heir.Exists(t.Context(), onlineKey(over, s.room.ID)).Result()
		if err != nil || online != 1 {
			return fmt.Sprintf("no user is online: %v", err)
		}
		return ""
	})
	if n := len(other.all(room.EventStarted)); n != 1 {
		t.Errorf("received %d starts", n)
	}
}

func onlineKey(over *topology, roomID string) string {
	return "room:online:" + over.key(roomID)[len("room:"):]
}

// TestMasterWithoutReplicas disconnects the replicas of a master with
// min-replicas-to-write: it accepts no write that a failover would lose.
func TestMasterWithoutReplicas(t *testing.T) {
	t.Parallel()
	over := onSentinels(t, redistest.SentinelOptions{
		Args: []string{"--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"},
	})
	s := newSetupOn(t, over.options, time.Hour)
	s.post(t, 0, "one")
	cutReplication(t, over.master(t, s.room.ID))
	eventually(t, awaitTimeout, func() string {
		_, err := s.nodes[0].Post(t.Context(), s.room.ID, newPost(s.nodes[0], "", 0, "two"))
		if !errors.Is(err, room.ErrUnavailable) {
			return fmt.Sprintf("Post: %v, want ErrUnavailable", err)
		}
		return ""
	})
	before, err := s.nodes[0].Load(t.Context(), s.room.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.nodes[0].SetLocked(t.Context(), s.room.ID, true); !errors.Is(err, room.ErrUnavailable) {
		t.Errorf("SetLocked: %v, want ErrUnavailable", err)
	}
	if after, err := s.nodes[1].Load(t.Context(), s.room.ID); err != nil || after.Seq != before.Seq || after.Locked {
		t.Errorf("the room has %d messages, locked %v (%v); want %d and that nothing was changed", after.Seq, after.Locked, err, before.Seq)
	}
}

// TestStandaloneBack checks how soon after its return a server is used again.
func TestStandaloneBack(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{AOF: true}, time.Hour)
	s.post(t, 0, "one")
	for _, away := range []time.Duration{200 * time.Millisecond, 4 * time.Second} {
		s.server.Kill(t)
		s.expectUnavailable(t, away)
		s.server.Restart(t)
		accepted, received := s.awaitRecovery(t)
		t.Logf("after %v away: accepted after %v, received after %v", away, accepted, received)
		if received > 8*time.Second {
			t.Error("that is too long")
		}
	}
	s.expectAll(t, 3)
}

// TestFailoverForgetsUnwatched kills a master with messages that its replica has missed,
// when no node that received them watches the room any more. Other messages get their
// numbers. A client that returns with these numbers must not take them for the same.
func TestFailoverForgetsUnwatched(t *testing.T) {
	t.Parallel()
	forEachTopology(t, func(t *testing.T, over *topology) {
		s := newSetupOn(t, over.options, time.Hour)
		master := over.master(t, s.room.ID)
		s.post(t, 0, texts(5)...)
		cutReplication(t, master)
		s.post(t, 0, texts(3)...)
		for _, w := range s.watches {
			w.awaitSeq(t, 8)
			w.Close()
		}
		master.Kill(t)
		third := openNode(t, over.options)
		for i := range 5 {
			eventually(t, 2*awaitTimeout, func() string {
				if _, err := third.Post(t.Context(), s.room.ID, newPost(third, "third", uint64(i+1), "replacement")); err != nil {
					return err.Error()
				}
				return ""
			})
		}
		// The masters of other shards may report CLUSTERDOWN for longer than the room's.
		w := &watch{changed: make(chan struct{})}
		eventually(t, awaitTimeout, func() (failure string) {
			var err error
			if w.snapshot, w.Feed, err = third.Watch(t.Context(), s.room.ID, w.record); err != nil {
				failure = err.Error()
			}
			return failure
		})
		t.Cleanup(w.Close)
		if got := w.snapshot.Room; got.Seq != 10 || got.Epoch == s.room.Epoch {
			t.Errorf("message %d is the newest, epoch %q; want 10 in another epoch than %q", got.Seq, got.Epoch, s.room.Epoch)
		}
		page, err := third.After(t.Context(), s.room.ID, 8, 1<<20)
		if err != nil || page.Epoch != w.snapshot.Room.Epoch {
			t.Errorf("a page of the epoch %q (%v), want %q", page.Epoch, err, w.snapshot.Room.Epoch)
		}
	})
}

// TestFailoverForgetsExit kills a master whose replica has missed an exit, when the node
// of the exit has no feed of the room any more.
func TestFailoverForgetsExit(t *testing.T) {
	t.Parallel()
	forEachTopology(t, func(t *testing.T, over *topology) {
		s := newSetupOn(t, over.options, time.Hour)
		joinRoom(t, s.nodes[0], s.room.ID, "bert")
		elsewhere := createRoom(t, s.nodes[0], time.Hour, time.Hour)
		watchRoom(t, s.nodes[0], elsewhere.ID) // the node has something to do
		p := presenceOf("bert")
		s.watches[0].enter(t, p)
		s.watches[1].awaitUser(t, room.EventJoined, "bert")
		master := over.master(t, s.room.ID)
		cutReplication(t, master)
		s.watches[0].Exit(t.Context(), p.UserID, p.Order)
		s.watches[1].awaitUser(t, room.EventLeft, "bert")
		s.watches[0].Close()
		master.Kill(t)
		eventually(t, 2*awaitTimeout, func() string {
			if _, err := s.nodes[1].Load(t.Context(), s.room.ID); err != nil {
				return err.Error()
			}
			online, err := over.master(t, s.room.ID).Client().HGetAll(t.Context(), onlineKey(over, s.room.ID)).Result()
			if err != nil || len(online) > 0 {
				return fmt.Sprintf("%v is online: %v", online, err)
			}
			return ""
		})
		third := openNode(t, over.options)
		if w := watchRoom(t, third, s.room.ID); len(w.snapshot.Online) > 0 {
			t.Errorf("%v is online", w.snapshot.Online)
		}
	})
}

// TestDemotedMasterIsLeft makes another server the master while the old one still
// accepts writes. It will drop them, so no node may write or subscribe to it any longer.
func TestDemotedMasterIsLeft(t *testing.T) {
	t.Parallel()
	over := onSentinels(t, redistest.SentinelOptions{})
	s := newSetupOn(t, over.options, time.Hour)
	old := over.master(t, s.room.ID)
	s.load(t, 6, func() {
		awaitProbes(t, old, len(s.nodes))
		sentinel := redis.NewSentinelClient(&redis.Options{Addr: over.options.Addrs[0]})
		defer func() { _ = sentinel.Close() }()
		if err := sentinel.Failover(t.Context(), redistest.MasterName).Err(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		eventually(t, 2*awaitTimeout, func() string {
			if over.master(t, s.room.ID) == old {
				return "the old master is still the master"
			}
			return ""
		})
		switched := time.Now()
		eventually(t, 2*awaitTimeout, func() string {
			list, err := old.Client().ClientList(t.Context()).Result()
			if err != nil {
				return err.Error()
			}
			for line := range strings.Lines(list) {
				if strings.Contains(line, "cmd=evalsha") || strings.Contains(line, "cmd=publish") ||
					strings.Contains(line, "cmd=subscribe") && !strings.Contains(line, "name=sentinel-") {
					return "a node uses the old master: " + line
				}
			}
			return ""
		})
		t.Logf("the old master is left %s after the switch, which took %s", time.Since(switched).Round(time.Millisecond),
			switched.Sub(began).Round(time.Millisecond))
		if role, err := old.Client().Do(t.Context(), "role").Slice(); err != nil || role[0] != "master" {
			t.Logf("it is a replica already: %v (%v)", role, err)
		} else if time.Since(switched) > 3*time.Second {
			t.Error("that is too long")
		}
		s.awaitRecovery(t)
	})
	s.expectAgreement(t)
}
