package redisstore_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/storetest"
)

// openNode opens a store that is closed when the test is over.
func openNode(tb testing.TB, o redisstore.Options) *redisstore.Store {
	tb.Helper()
	s, err := redisstore.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return s
}

func optionsOf(server *redistest.Server) redisstore.Options {
	return redisstore.Options{Addrs: []string{server.Addr()}, Password: server.Password()}
}

// openNodes opens n stores over the same Redis.
func openNodes(tb testing.TB, o redisstore.Options, n int) []*redisstore.Store {
	tb.Helper()
	logger := zaptest.NewLogger(tb, zaptest.Level(zap.WarnLevel))
	nodes := make([]*redisstore.Store, n)
	for i := range nodes {
		o.Log = func() *zap.Logger { return logger.With(zap.Int("node", i)) }
		nodes[i] = openNode(tb, o)
	}
	return nodes
}

// keysOf returns the keys whose names contain a text.
func keysOf(tb testing.TB, client *redis.Client, text string) []string {
	tb.Helper()
	keys, err := client.Keys(tb.Context(), "*"+text+"*").Result()
	if err != nil {
		tb.Fatal(err)
	}
	slices.Sort(keys)
	return keys
}

func conformance(t *testing.T, servers []*redistest.Server, o redisstore.Options) {
	t.Helper()
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		t.Helper()
		b := storetest.Backend{
			Remains: func(t *testing.T, roomID string) (keys []string) {
				t.Helper()
				for _, server := range servers {
					keys = append(keys, keysOf(t, server.Client(), roomID)...)
				}
				return slices.DeleteFunc(keys, func(key string) bool {
					return !strings.HasSuffix(key, ":"+roomID) && !strings.HasSuffix(key, ":{"+roomID+"}")
				})
			},
		}
		for range 2 {
			b.Nodes = append(b.Nodes, openNode(t, o))
		}
		return b
	})
}

func TestStore(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	conformance(t, []*redistest.Server{server}, redisstore.Options{Addrs: []string{server.Addr()}})
}

// acl has the permissions that docs/redis.md lists for the user of a store.
const acl = "chat on >secret resetkeys ~chat:room:* resetchannels &chat:room:events:* -@all " +
	"+auth +select +ping +eval +evalsha +publish +subscribe +unsubscribe " +
	"+exists +hdel +hexists +hget +hgetall +hincrby +hlen +hmget +hset +lindex +llen +lpop +lrange +lset +ltrim +pexpireat " +
	"+rpush +sadd +scard +set +sismember +smembers +srem +time +unlink +zadd +zcard +zrangebyscore +zremrangebyscore"

// TestStoreWithPrefix runs the suite as a user with only those permissions, with a key
// prefix, over a unix socket.
func TestStoreWithPrefix(t *testing.T) {
	server := redistest.Start(t, redistest.Options{Unix: true, Args: append([]string{"--user"}, strings.Fields(acl)...)})
	conformance(t, []*redistest.Server{server}, redisstore.Options{
		Addrs:     []string{"unix://chat:secret@" + server.Addr()},
		KeyPrefix: "chat:",
	})
}

// TestStoreOnCluster does the same on a cluster, which needs three commands more.
func TestStoreOnCluster(t *testing.T) {
	user := append([]string{"--user"}, strings.Fields(acl+" +cluster|slots +asking +info")...)
	cluster := redistest.StartCluster(t, redistest.ClusterOptions{Args: user})
	conformance(t, cluster.Masters(t), redisstore.Options{
		Addrs: cluster.Addrs()[:1], Cluster: true,
		Username: "chat", Password: "secret", KeyPrefix: "chat:",
	})
}

var _ room.Store = (*redisstore.Store)(nil)
