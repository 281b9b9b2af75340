package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisServer is a redis-server process that can be killed and started again.
type redisServer struct {
	*process
	address string
	dir     string
	flags   []string
	client  *redis.Client
}

// startRedis runs redis-server on a free port. The flags are added to its
// command line.
func startRedis(t *testing.T, flags ...string) *redisServer {
	t.Helper()
	r := &redisServer{address: freeAddress(t), dir: t.TempDir(), flags: flags}
	options := &redis.Options{Addr: r.address, DisableIdentity: true, MaxRetries: -1}
	if i := slices.Index(flags, "--requirepass"); i >= 0 {
		options.Password = flags[i+1]
	}
	r.client = redis.NewClient(options)
	t.Cleanup(func() {
		_ = r.client.Close()
		r.stop(t, stopTime)
	})
	r.start(t)
	return r
}

// start runs the process, for the first time or after kill, and waits until it
// answers.
func (r *redisServer) start(t *testing.T) {
	t.Helper()
	args := append([]string{
		"--port", portOf(t, r.address), "--bind", "127.0.0.1", "--dir", r.dir,
		"--save", "", "--daemonize", "no", "--loglevel", "warning",
	}, r.flags...)
	r.process = startProcess(t, "redis-server", exec.Command("redis-server", args...))
	until(t, startTime, "redis-server answers", func() bool {
		if r.ended() {
			t.Fatalf("redis-server has ended:\n%s", r.log(t))
		}
		return r.client.Ping(t.Context()).Err() == nil
	})
}

// keys returns the names of all keys that contain text, sorted.
func (r *redisServer) keys(t *testing.T, text string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var keys []string
	scan := r.client.Scan(ctx, 0, "*", 1000).Iterator()
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

// deadlines returns for each key of a room when it expires, in milliseconds of
// Unix time, -1 if it does not.
func (r *redisServer) deadlines(t *testing.T, roomID string) map[string]int64 {
	t.Helper()
	deadlines := make(map[string]int64)
	for _, key := range r.keys(t, roomID) {
		at, err := r.client.Do(t.Context(), "PEXPIRETIME", key).Int64()
		if err != nil {
			t.Fatal(err)
		}
		if at != -2 { // it expired meanwhile
			deadlines[key] = at
		}
	}
	return deadlines
}

// values returns everything that Redis has, names and values, as people read it.
func (r *redisServer) values(t *testing.T) string {
	t.Helper()
	read := map[string][]any{
		"string": {"GET"}, "hash": {"HGETALL"}, "list": {"LRANGE", 0, -1}, "set": {"SMEMBERS"}, "zset": {"ZRANGE", 0, -1},
	}
	var b strings.Builder
	for _, key := range r.keys(t, "") {
		kind, err := r.client.Type(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		if kind == "none" { // it expired meanwhile
			continue
		}
		value, err := r.client.Do(t.Context(), slices.Insert(slices.Clone(read[kind]), 1, any(key))...).Result()
		if err != nil {
			t.Fatalf("%s, a %s: %v", key, kind, err)
		}
		fmt.Fprintln(&b, key, value)
	}
	return b.String()
}

// contents returns everything that stands in the keys that contain text, but
// for the signs of life of the nodes.
func (r *redisServer) contents(t *testing.T, text string) map[string]string {
	t.Helper()
	contents := make(map[string]string)
	for _, key := range r.keys(t, text) {
		if strings.HasPrefix(key, "room:node:") {
			continue
		}
		value, err := r.client.Dump(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		at, err := r.client.Do(t.Context(), "PEXPIRETIME", key).Int64()
		if err != nil {
			t.Fatal(err)
		}
		contents[key] = fmt.Sprint(at, " ", value)
	}
	return contents
}

// readable returns everything that stands in the keys of a Redis, as text.
func (r *redisServer) readable(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for _, key := range r.keys(t, "") {
		kind, err := r.client.Type(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		var value any
		switch kind {
		case "string":
			value, err = r.client.Get(t.Context(), key).Result()
		case "list":
			value, err = r.client.LRange(t.Context(), key, 0, -1).Result()
		case "hash":
			value, err = r.client.HGetAll(t.Context(), key).Result()
		case "set":
			value, err = r.client.SMembers(t.Context(), key).Result()
		case "none": // it has expired meanwhile
		default:
			t.Fatalf("%s is a %s", key, kind)
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%s: %v\n", key, value)
	}
	return text.String()
}

// tamper changes messages of a room that has at least five: the second is another
// in one character of its text, the third is from ben, and the fifth is the first
// of the other room.
func (r *redisServer) tamper(t *testing.T, roomID, otherID string) {
	t.Helper()
	key := "room:messages:" + roomID
	entries, err := r.client.LRange(t.Context(), key, 0, -1).Result()
	if err != nil || len(entries) < 5 {
		t.Fatalf("%d messages: %v", len(entries), err)
	}
	other, err := r.client.LIndex(t.Context(), "room:messages:"+otherID, 0).Result()
	if err != nil {
		t.Fatal(err)
	}
	change := func(index int, field string, value func(string) string) {
		var entry fields
		if err := json.Unmarshal([]byte(entries[index]), &entry); err != nil {
			t.Fatal(err)
		}
		before, _ := entry[field].(string)
		entry[field] = value(before)
		delete(entry, "seq")
		rest, err := json.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		// The number comes first, or it is no entry.
		after := fmt.Sprintf(`{"seq":%d,%s`, index+1, rest[1:])
		if after == entries[index] {
			t.Fatalf("nothing has changed in %s", after)
		}
		if err := r.client.LSet(t.Context(), key, int64(index), after).Err(); err != nil {
			t.Fatal(err)
		}
		entries[index] = after
	}
	change(1, "message", func(text string) string {
		middle := len(text) / 2
		character := "A"
		if text[middle] == 'A' {
			character = "B"
		}
		return text[:middle] + character + text[middle+1:]
	})
	change(2, "userId", func(string) string { return "ben" })
	change(4, "userId", func(string) string { return "anna" })
	change(4, "message", func(string) string {
		var entry struct{ Message string }
		if err := json.Unmarshal([]byte(other), &entry); err != nil {
			t.Fatal(err)
		}
		return entry.Message
	})
}
