package redisstore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// serverOf returns the server that a node receives events from.
func serverOf(t *testing.T, c *redistest.Cluster, node *redisstore.Store) *redistest.Server {
	t.Helper()
	channel := "room:events:@" + node.Node()
	var found *redistest.Server
	eventually(t, awaitTimeout, func() string {
		for _, server := range c.Servers {
			if n := server.Client().PubSubNumSub(t.Context(), channel).Val()[channel]; n > 0 {
				found = server
				return ""
			}
		}
		return "the node is subscribed nowhere"
	})
	return found
}

// subscribeElsewhere makes a node receive events from another server than one of them,
// and returns it.
func (s *setup) subscribeElsewhere(t *testing.T, c *redistest.Cluster, node *redisstore.Store, than *redistest.Server) *redistest.Server {
	t.Helper()
	for {
		server := serverOf(t, c, node)
		if server != than {
			return server
		}
		s.doOn(t, server, "client", "kill", "type", "pubsub")
		eventually(t, awaitTimeout, func() string {
			channel := "room:events:@" + node.Node()
			if server.Client().PubSubNumSub(t.Context(), channel).Val()[channel] > 0 {
				return "the connection is still there"
			}
			return ""
		})
	}
}

// TestSubscribedServerIsCutOff cuts the server that a node is subscribed to off from the
// events of the others. The node subscribes to another one, and misses no event.
func TestSubscribedServerIsCutOff(t *testing.T) {
	t.Parallel()
	over, cluster := onCluster(t, redistest.ClusterOptions{Proxied: true})
	s := newSetupOn(t, over.options, time.Hour)
	joinRoom(t, s.nodes[0], s.room.ID, "anna", "bert")
	s.post(t, 0, texts(3)...)
	for _, w := range s.watches {
		w.awaitSeq(t, 3)
	}
	// A server that is cut off still delivers its own events.
	listens := s.subscribeElsewhere(t, cluster, s.nodes[1], over.master(t, s.room.ID))
	cluster.CutBus(listens.Server, false)
	defer cluster.RestoreBus()
	began := time.Now()
	s.post(t, 0, texts(2)...)
	if err := s.nodes[0].Remove(t.Context(), s.room.ID, "anna"); err != nil {
		t.Fatal(err)
	}
	if err := s.nodes[0].SetLocked(t.Context(), s.room.ID, true); err != nil {
		t.Fatal(err)
	}
	s.watches[1].awaitSeq(t, 5)
	s.watches[1].awaitKind(t, room.EventLocked)
	t.Logf("the missed events came after %v", time.Since(began))
	eventually(t, awaitTimeout, func() string { // that server may notice later that the node has left
		if serverOf(t, cluster, s.nodes[1]) == listens {
			return "the node is still subscribed to the server that is cut off"
		}
		return ""
	})
	s.expectAll(t, 5)
}

// TestMasterComesBack restarts a master before a replica takes over. Its data is used
// again; without data, the room has ended for all nodes.
func TestMasterComesBack(t *testing.T) {
	t.Parallel()
	for name, keeps := range map[string]bool{"with its data": true, "empty": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := redistest.ClusterOptions{NodeTimeout: 10 * time.Second}
			if keeps {
				o.Args = []string{"--appendonly", "yes", "--appendfsync", "always"}
			}
			over, cluster := onCluster(t, o)
			s := newSetupOn(t, over.options, time.Hour)
			s.post(t, 0, "one")
			master := over.master(t, s.room.ID)
			for _, w := range s.watches {
				w.awaitSeq(t, 1)
			}
			for _, node := range s.nodes {
				// Else the end of its connection would show the outage.
				s.subscribeElsewhere(t, cluster, node, master)
			}
			awaitProbes(t, master, len(s.nodes))
			master.Kill(t)
			master.Restart(t)
			if keeps {
				accepted, received := s.awaitRecovery(t)
				t.Logf("accepted after %v, received after %v", accepted, received)
				// No node can be certain that no message is missing, so there is an empty gap.
				s.expectAgreement(t)
				for i, w := range s.watches {
					last := uint64(0)
					for _, e := range w.all(room.EventMessage, room.EventGap) {
						if e.Kind == room.EventGap && e.Seq != last {
							t.Errorf("node %d received a gap after %d when it had received %d messages", i, e.Seq, last)
						}
						last = e.Seq
					}
				}
				return
			}
			// No client uses the room: the nodes notice by themselves.
			for i, w := range s.watches {
				if e := w.awaitKind(t, room.EventEnded); e.Reason != room.EndDeleted {
					t.Errorf("node %d: ended with %q", i, e.Reason)
				}
			}
		})
	}
}

// TestHandover lets a replica take over from a healthy master, and moves the room to
// another master, while clients post in it: no message is lost.
func TestHandover(t *testing.T) {
	t.Parallel()
	over, cluster := onCluster(t, redistest.ClusterOptions{})
	s := newSetupOn(t, over.options, time.Hour)
	posted := s.load(t, 6, func() {
		s.awaitPosts(t, 200)
		master := over.master(t, s.room.ID)
		replica := cluster.ReplicaOf(t, master)
		s.doOn(t, replica, "cluster", "failover")
		eventually(t, awaitTimeout, func() string {
			if over.master(t, s.room.ID) != replica {
				return "the replica has not taken over"
			}
			return ""
		})
		accepted, received := s.awaitRecovery(t)
		t.Logf("after a handover: accepted after %v, received after %v", accepted, received)
		// A server that has yet to notice the handover still lists the demoted master.
		for _, other := range cluster.Masters(t) {
			if other != replica && other != master {
				migrate(t, s, cluster, over.key(s.room.ID), replica, other)
				break
			}
		}
		accepted, received = s.awaitRecovery(t)
		t.Logf("after a migration: accepted after %v, received after %v", accepted, received)
	})
	// Another master may mean a gap: the messages after it are received again.
	s.expectAgreement(t)
	if r, err := s.nodes[0].Load(t.Context(), s.room.ID); err != nil || int(r.Seq) != posted+2 {
		t.Errorf("message %d is the newest (%v), want %d", r.Seq, err, posted+2)
	}
}

// migrate moves the slot of a key from one master to another one, key by key.
func migrate(t *testing.T, s *setup, cluster *redistest.Cluster, key string, from, to *redistest.Server) {
	t.Helper()
	slot, err := from.Client().ClusterKeySlot(t.Context(), key).Result()
	if err != nil {
		t.Fatal(err)
	}
	fromID, toID := s.doOn(t, from, "cluster", "myid"), s.doOn(t, to, "cluster", "myid")
	s.doOn(t, to, "cluster", "setslot", slot, "importing", fromID)
	s.doOn(t, from, "cluster", "setslot", slot, "migrating", toID)
	host, port, _ := strings.Cut(to.Addr(), ":")
	for {
		keys, err := from.Client().ClusterGetKeysInSlot(t.Context(), int(slot), 1).Result()
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) == 0 {
			break
		}
		s.doOn(t, from, "migrate", host, port, keys[0], 0, 5000)
		s.awaitPosts(t, 50) // while a part of the room has moved
	}
	for _, server := range []*redistest.Server{to, from} {
		s.doOn(t, server, "cluster", "setslot", slot, "node", toID)
	}
	eventually(t, awaitTimeout, func() string {
		if cluster.MasterOf(t, key) != to {
			return "the slot has not moved"
		}
		return ""
	})
}

// doOn runs a command on one server, without the stores.
func (s *setup) doOn(tb testing.TB, server *redistest.Server, args ...any) any {
	tb.Helper()
	reply, err := server.Client().Do(tb.Context(), args...).Result()
	if err != nil {
		tb.Fatalf("%v: %v", args[0], err)
	}
	return reply
}

// TestTopologiesWithSecrets checks that sentinels and a cluster that require a password
// and certificates are reached with these, and not without.
func TestTopologiesWithSecrets(t *testing.T) {
	t.Parallel()
	certificates := redistest.NewCertificates(t)
	sentinels := onSentinels(t, redistest.SentinelOptions{Password: "data", SentinelPassword: "watch", TLS: certificates})
	cluster, _ := onCluster(t, redistest.ClusterOptions{Password: "data", TLS: certificates})
	for name, test := range map[string]struct {
		over   *topology
		change func(*redisstore.Options)
		works  bool
	}{
		"sentinels":                    {sentinels, func(*redisstore.Options) {}, true},
		"sentinels, no password":       {sentinels, func(o *redisstore.Options) { o.Sentinel.Password = "" }, false},
		"sentinels, none of the data":  {sentinels, func(o *redisstore.Options) { o.Password = "" }, false},
		"sentinels, no encryption":     {sentinels, func(o *redisstore.Options) { o.TLS = nil }, false},
		"sentinels, no certificate":    {sentinels, func(o *redisstore.Options) { o.TLS = certificates.Config(); o.TLS.Certificates = nil }, false},
		"sentinels, unknown authority": {sentinels, func(o *redisstore.Options) { o.TLS = certificates.Config(); o.TLS.RootCAs = nil }, false},
		"sentinels, other master":      {sentinels, func(o *redisstore.Options) { o.Sentinel.Master = "other" }, false},
		"cluster":                      {cluster, func(*redisstore.Options) {}, true},
		"cluster, no password":         {cluster, func(o *redisstore.Options) { o.Password = "" }, false},
		"cluster, no encryption":       {cluster, func(o *redisstore.Options) { o.TLS = nil }, false},
		"cluster, no certificate":      {cluster, func(o *redisstore.Options) { o.TLS = certificates.Config(); o.TLS.Certificates = nil }, false},
		"cluster, its other name": {cluster, func(o *redisstore.Options) {
			o.TLS = certificates.Config()
			o.TLS.ServerName = redistest.ServerName
		}, true},
		"cluster, not its name": {cluster, func(o *redisstore.Options) {
			o.TLS = certificates.Config()
			o.TLS.ServerName = "other.test"
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := test.over.options
			test.change(&o)
			node := openNode(t, o)
			r := room.Room{ID: room.NewID(), Name: "a room", Admin: admin, TTL: time.Hour, Key: []byte("key"), Epoch: "epoch"}
			err := node.Create(t.Context(), r, room.CreateLimits{Lobby: time.Hour})
			if (err == nil) != test.works {
				t.Fatalf("Create: %v", err)
			}
			if err != nil {
				return
			}
			w := watchRoom(t, node, r.ID)
			if _, err := node.Post(t.Context(), r.ID, newPost(node, "tag", 1, "hello")); err != nil {
				t.Fatal(err)
			}
			w.awaitSeq(t, 1)
		})
	}
}

// TestSeedsDown has the addresses of three nodes of a cluster, two of them dead.
func TestSeedsDown(t *testing.T) {
	t.Parallel()
	over, cluster := onCluster(t, redistest.ClusterOptions{Args: []string{"--cluster-require-full-coverage", "no"}})
	over.options.Addrs = append([]string{"127.0.0.1:1", "127.0.0.1:2"}, cluster.Servers[5].Addr())
	began := time.Now()
	s := newSetupOn(t, over.options, time.Hour)
	s.post(t, 0, "one")
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the first message took %v", took)
	}
	fault := fmt.Sprint(s.nodes[0].Delete(t.Context(), room.NewID()))
	if !strings.Contains(fault, "not found") {
		t.Errorf("Delete of an unknown room: %s", fault)
	}
}
