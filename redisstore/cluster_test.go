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

// serverOf returns the server on which a node hears events.
func serverOf(t *testing.T, c *redistest.Cluster, node *redisstore.Store) *redistest.Server {
	t.Helper()
	channel := "room:events:@" + node.Node()
	var found *redistest.Server
	eventually(t, patience, func() string {
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

// listenElsewhere has a node hear events from another server than one of them, and
// returns that.
func (s *setup) listenElsewhere(t *testing.T, c *redistest.Cluster, node *redisstore.Store, than *redistest.Server) *redistest.Server {
	t.Helper()
	for {
		server := serverOf(t, c, node)
		if server != than {
			return server
		}
		s.raw1(t, server, "client", "kill", "type", "pubsub")
		eventually(t, patience, func() string {
			channel := "room:events:@" + node.Node()
			if server.Client().PubSubNumSub(t.Context(), channel).Val()[channel] > 0 {
				return "the connection is still there"
			}
			return ""
		})
	}
}

// TestDeafServer cuts the server that a node listens to off from what others tell
// it. The node finds another one, and has missed nothing.
func TestDeafServer(t *testing.T) {
	t.Parallel()
	over, cluster := onCluster(t, redistest.ClusterOptions{Proxied: true})
	s := newSetupOn(t, over.options, time.Hour)
	joinRoom(t, s.nodes[0], s.room.ID, "anna", "bert")
	s.post(t, 0, texts(3)...)
	for _, w := range s.watches {
		w.awaitSeq(t, 3)
	}
	// A server hears what is published on itself.
	listens := s.listenElsewhere(t, cluster, s.nodes[1], over.master(t, s.room.ID))
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
	t.Logf("what a deaf server did not tell came after %v", time.Since(began))
	if serverOf(t, cluster, s.nodes[1]) == listens {
		t.Error("the node listens to the deaf server")
	}
	s.expectAll(t, 5)
}

// TestMasterComesBack kills a master and starts it again before another one takes
// its place. What it has kept is used again; of what it has not, everybody is told.
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
				// Or it would notice by the end of its connection.
				s.listenElsewhere(t, cluster, node, master)
			}
			<-time.After(3 * time.Second) // the nodes must know the master
			master.Kill(t)
			master.Restart(t)
			if keeps {
				accepted, told := s.allBack(t)
				t.Logf("accepted after %v, told after %v", accepted, told)
				// That nothing is missing nobody knows for certain, so there is a gap, and
				// nothing in it.
				s.expectAgreement(t)
				for i, w := range s.watches {
					last := uint64(0)
					for _, e := range w.all(room.EventMessage, room.EventGap) {
						if e.Kind == room.EventGap && e.Seq != last {
							t.Errorf("node %d was told a gap after %d when it had been told %d messages", i, e.Seq, last)
						}
						last = e.Seq
					}
				}
				return
			}
			// Nobody touches the room.
			for i, w := range s.watches {
				if e := w.awaitKind(t, room.EventEnded); e.Reason != room.EndDeleted {
					t.Errorf("node %d: ended with %q", i, e.Reason)
				}
			}
		})
	}
}

// TestHandover has a replica take over from a master that is well, and gives the
// room to another server, while people talk in it: nothing is lost.
func TestHandover(t *testing.T) {
	t.Parallel()
	over, cluster := onCluster(t, redistest.ClusterOptions{})
	s := newSetupOn(t, over.options, time.Hour)
	posted := s.load(t, 6, func() {
		<-time.After(300 * time.Millisecond)
		master := over.master(t, s.room.ID)
		replica := cluster.ReplicaOf(t, master)
		s.raw1(t, replica, "cluster", "failover")
		eventually(t, patience, func() string {
			if over.master(t, s.room.ID) != replica {
				return "the replica has not taken over"
			}
			return ""
		})
		accepted, told := s.allBack(t)
		t.Logf("after a handover: accepted after %v, told after %v", accepted, told)
		for _, other := range cluster.Masters(t) {
			if other != replica {
				migrate(t, s, cluster, over.key(s.room.ID), replica, other)
				break
			}
		}
		accepted, told = s.allBack(t)
		t.Logf("after a migration: accepted after %v, told after %v", accepted, told)
	})
	// Another master may mean a gap, which takes back what follows it and tells it anew.
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
	fromID, toID := s.raw1(t, from, "cluster", "myid"), s.raw1(t, to, "cluster", "myid")
	s.raw1(t, to, "cluster", "setslot", slot, "importing", fromID)
	s.raw1(t, from, "cluster", "setslot", slot, "migrating", toID)
	host, port, _ := strings.Cut(to.Addr(), ":")
	for {
		keys, err := from.Client().ClusterGetKeysInSlot(t.Context(), int(slot), 1).Result()
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) == 0 {
			break
		}
		s.raw1(t, from, "migrate", host, port, keys[0], 0, 5000)
		<-time.After(50 * time.Millisecond) // people meet a room of which a part has moved
	}
	for _, server := range []*redistest.Server{to, from} {
		s.raw1(t, server, "cluster", "setslot", slot, "node", toID)
	}
	eventually(t, patience, func() string {
		if cluster.MasterOf(t, key) != to {
			return "the slot has not moved"
		}
		return ""
	})
}

// raw1 runs a command on one server behind the stores' backs.
func (s *setup) raw1(tb testing.TB, server *redistest.Server, args ...any) any {
	tb.Helper()
	reply, err := server.Client().Do(tb.Context(), args...).Result()
	if err != nil {
		tb.Fatalf("%v: %v", args[0], err)
	}
	return reply
}

// TestTopologiesWithSecrets reaches sentinels and a cluster that demand a password
// and certificates, and nothing else than these.
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

// TestSeedsDown knows nodes of a cluster of which all but one are dead.
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
