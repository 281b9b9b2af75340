package harness

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
)

// Redis is a redis-server that ends with the test.
type Redis struct{ *redistest.Server }

// RedisOptions configure a server.
type RedisOptions = redistest.Options

// StartRedis starts a server that keeps nothing on disk.
func StartRedis(t *testing.T) *Redis {
	t.Helper()
	return StartRedisWith(t, RedisOptions{})
}

// StartRedisWith starts a server with options.
func StartRedisWith(t *testing.T, o RedisOptions) *Redis {
	t.Helper()
	return &Redis{redistest.Start(t, o)}
}

// Keys returns the names of all keys that contain text, sorted.
func (r *Redis) Keys(t *testing.T, text string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var keys []string
	scan := r.Client().Scan(ctx, 0, "*", 1000).Iterator()
	for scan.Next(ctx) {
		if strings.Contains(scan.Val(), text) {
			keys = append(keys, scan.Val())
		}
	}
	if err := scan.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Deadlines returns the expiry of each key that contains text, in milliseconds of Unix
// time; -1 for a key without expiry.
func (r *Redis) Deadlines(t *testing.T, text string) map[string]int64 {
	t.Helper()
	deadlines := make(map[string]int64)
	for _, key := range r.Keys(t, text) {
		at, err := r.Client().Do(t.Context(), "PEXPIRETIME", key).Int64()
		if err != nil {
			t.Fatal(err)
		}
		if at != -2 { // the key has expired meanwhile
			deadlines[key] = at
		}
	}
	return deadlines
}

// Values returns the names and values of all keys as readable text.
func (r *Redis) Values(t *testing.T) string {
	t.Helper()
	commands := map[string][]any{
		"string": {"GET"}, "hash": {"HGETALL"}, "list": {"LRANGE", 0, -1}, "set": {"SMEMBERS"}, "zset": {"ZRANGE", 0, -1},
	}
	var b strings.Builder
	for _, key := range r.Keys(t, "") {
		kind, err := r.Client().Type(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		if kind == "none" { // the key has expired meanwhile
			continue
		}
		value, err := r.Client().Do(t.Context(), slices.Insert(slices.Clone(commands[kind]), 1, any(key))...).Result()
		if err != nil {
			t.Fatalf("%s, a %s: %v", key, kind, err)
		}
		fmt.Fprintln(&b, key, value)
	}
	return b.String()
}

// Contents returns the serialized value and the expiry of all keys that contain text,
// except the heartbeats of nodes.
func (r *Redis) Contents(t *testing.T, text string) map[string]string {
	t.Helper()
	contents := make(map[string]string)
	for key, at := range r.Deadlines(t, text) {
		if strings.HasPrefix(key, "room:node:") {
			continue
		}
		value, err := r.Client().Dump(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		contents[key] = fmt.Sprint(at, " ", value)
	}
	return contents
}
