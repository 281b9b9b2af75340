package ephemeralchat_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
)

// TestScalingExamples runs each Caddyfile of docs/scaling.md against the Redis that
// it is for.
func TestScalingExamples(t *testing.T) {
	t.Setenv("REDIS_PASSWORD", "tea")
	t.Setenv("SENTINEL_PASSWORD", "milk")
	certificates := redistest.NewCertificates(t)
	blocks := slices.DeleteFunc(examples(t), func(e example) bool { return e.file != "docs/scaling.md" })
	// What the documents say that the users need: see redis.md and scaling.md.
	user := []string{"--user", "chat", "on", ">tea", "~chat:room:*", "&chat:room:events:*", "+@all"}
	watcher := []string{
		"--user", "watcher", "on", ">milk", "resetchannels", "&+switch-master", "&+replica-reconf-done", "-@all",
		"+auth", "+hello", "+ping", "+subscribe", "+sentinel|get-master-addr-by-name", "+sentinel|sentinels",
	}
	starts := []func(t *testing.T) (names, addresses []string){
		func(t *testing.T) ([]string, []string) {
			t.Helper()
			s := redistest.Start(t, redistest.Options{TLS: certificates, Args: user})
			return []string{"redis.internal:6379"}, []string{s.Addr()}
		},
		func(t *testing.T) ([]string, []string) {
			t.Helper()
			s := redistest.StartSentinels(t, redistest.SentinelOptions{Args: user, SentinelArgs: watcher})
			return []string{"sentinel-1.internal", "sentinel-2.internal", "sentinel-3.internal"}, s.Addrs()
		},
		func(t *testing.T) ([]string, []string) {
			t.Helper()
			c := redistest.StartCluster(t, redistest.ClusterOptions{TLS: certificates, Args: user})
			return []string{"redis-1.internal:6379", "redis-2.internal:6379", "redis-3.internal:6379"}, c.Addrs()
		},
	}
	if len(blocks) != len(starts) {
		t.Fatalf("%d examples, want %d", len(blocks), len(starts))
	}
	for i, start := range starts {
		t.Run([]string{"server", "sentinel", "cluster"}[i], func(t *testing.T) {
			names, addresses := start(t)
			_, directive, ok := strings.Cut(withCertificates(certificates, strings.TrimSpace(blocks[i].text)), "{\n")
			if !ok {
				t.Fatal("no block")
			}
			for j, name := range names {
				if !strings.Contains(directive, name) {
					t.Errorf("no %s", name)
				}
				directive = strings.Replace(directive, name, addresses[j], 1)
			}
			s := serve(t, strings.TrimSuffix(directive, "}"))
			answer := s.post(t, "/chat/createRoom", object(t, "roomName", "x")).ok(t)
			text := func(field string) string { text, _ := answer[field].(string); return text }
			s.connect(t, "/chat", member{text("roomId"), text("userId"), text("sessionId")}).echo(t, "hello")
		})
	}
}
