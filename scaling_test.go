package ephemeralchat_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
)

// documentedUser returns the arguments with which redis-server creates the user of the
// commands `redis-cli ACL SETUSER` in a document, all of them together, with a password.
func documentedUser(t *testing.T, document, name, password string) []string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^redis-cli (?:-p \d+ )?ACL SETUSER ` + name + ` ((?:.*\\\n)*.*)$`)
	rules := []string{"--user", name}
	for _, match := range command.FindAllStringSubmatch(string(text), -1) {
		for rule := range strings.FieldsSeq(strings.ReplaceAll(match[1], "\\\n", " ")) {
			rules = append(rules, strings.Replace(strings.Trim(rule, "'"), ">secret", ">"+password, 1))
		}
	}
	if len(rules) < 5 {
		t.Fatalf("%s shows no ACL of %s", document, name)
	}
	return rules
}

// TestScalingExamples runs each Caddyfile of docs/scaling.md against the Redis that
// it is for, as the users with the permissions of the documents.
func TestScalingExamples(t *testing.T) {
	t.Setenv("REDIS_PASSWORD", "tea")
	t.Setenv("SENTINEL_PASSWORD", "milk")
	certificates := redistest.NewCertificates(t)
	blocks := slices.DeleteFunc(examples(t), func(e example) bool { return e.file != "docs/scaling.md" })
	user := documentedUser(t, "docs/redis.md", "chat", "tea")
	watcher := documentedUser(t, "docs/scaling.md", "watcher", "milk")
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
			answer := s.Post(t, "/chat/createRoom", apitest.Object(t, "roomName", "x")).OK(t)
			text := func(field string) string { text, _ := answer[field].(string); return text }
			s.connect(t, "/chat", apitest.Member{Room: text("roomId"), User: text("userId"), Session: text("sessionId")}).echo(t, "hello")
		})
	}
}
