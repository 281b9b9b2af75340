package ephemeralchat_test

import (
	"fmt"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// withMetrics returns the directives of a site with a chat and metrics.
func withMetrics(options string) string {
	return "metrics /metrics\nephemeral_chat {\n" + options + "\n}"
}

// samples are the metrics of the chat, by name and labels in the text format.
type samples map[string]float64

var sampleLine = regexp.MustCompile(`(?m)^(caddy_ephemeral_chat_\S+(?:\{.*\})?) (\S+)$`)

func (s *site) scrape(t *testing.T) samples {
	t.Helper()
	got := s.Send(t, http.MethodGet, "/metrics", "")
	if got.Status != http.StatusOK {
		t.Fatalf("status %d: %s", got.Status, got.Body)
	}
	all := make(samples)
	for _, line := range sampleLine.FindAllStringSubmatch(string(got.Body), -1) {
		value, err := strconv.ParseFloat(line[2], 64)
		if err != nil {
			t.Fatalf("%q: %v", line[0], err)
		}
		all[strings.TrimPrefix(line[1], "caddy_ephemeral_chat_")] = value
	}
	return all
}

// sum adds up the samples of a metric that have all of these labels.
func (s samples) sum(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	total, found := 0.0, false
	for sample, value := range s {
		base, rest, _ := strings.Cut(sample, "{")
		matches := base == name
		for _, label := range labels {
			matches = matches && strings.Contains(rest, label)
		}
		if matches {
			found = true
			total += value
		}
	}
	if !found {
		t.Errorf("no sample of %s with %q", name, labels)
	}
	return total
}

func (s samples) expect(t *testing.T, want float64, name string, labels ...string) {
	t.Helper()
	if got := s.sum(t, name, labels...); got != want {
		t.Errorf("%s with %q is %v, want %v", name, labels, got, want)
	}
}

func TestMetrics(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		s := newSite(t)
		load(t, s.block(withMetrics(store+"\nmessage_rate off")))
		before := s.scrape(t)
		for sample, value := range before {
			if value != 0 && !strings.HasPrefix(sample, "link_up") {
				t.Errorf("before anything has happened, %s is %v", sample, value)
			}
		}

		admin := s.Create(t, "password", "open-sesame", "username", "metric-admin")
		ben := s.Join(t, admin.Room, "password", "open-sesame", "username", "metric-ben")
		s.Post(t, "/joinRoom", apitest.Object(t, "roomId", admin.Room, "password", "x")).Refused(t, 403, "wrong_password")
		anna, other := s.connect(t, "", admin), s.connect(t, "", ben)
		for i := range 3 {
			anna.echo(t, fmt.Sprint("hello ", i))
			other.receive(t, "message")
		}
		anna.send(t, "type", "message", "message", "")
		anna.expectError(t, "invalid_message")
		s.Post(t, "/removeMember", admin.As(t, "memberId", ben.User)).OK(t)
		other.closed(t)

		var now samples
		// A message is counted when the store has answered, which may be after its echo.
		apitest.WaitUntil(t, func() bool {
			now = s.scrape(t)
			return now.sum(t, "connections") == 1 && now.sum(t, "messages_total") == 3
		})
		now.expect(t, 1, "rooms")
		now.expect(t, 2, "connections_opened_total")
		now.expect(t, 1, "connections_closed_total", `reason="removed"`)
		now.expect(t, 1, "connections_closed_total")
		now.expect(t, 3, "messages_total")
		now.expect(t, 6, "deliveries_total")
		now.expect(t, 1, "refusals_total", `via="http"`, `code="wrong_password"`)
		now.expect(t, 1, "refusals_total", `via="websocket"`, `code="invalid_message"`)
		now.expect(t, 2, "refusals_total")
		now.expect(t, 3, "store_call_seconds_count", `operation="post"`)
		now.expect(t, 3, "store_call_seconds_bucket", `operation="post"`, `le="+Inf"`)
		now.expect(t, 2, "store_call_seconds_count", `operation="enter"`)
		now.expect(t, 0, "store_errors_total")
		if took := now.sum(t, "store_call_seconds_sum", `operation="post"`); took <= 0 || took > 10 {
			t.Errorf("three posts took %v s", took)
		}
		// Two welcomes and six messages, each more than a hundred bytes.
		if sent := now.sum(t, "sent_bytes_total"); sent < 800 || sent > 20_000 {
			t.Errorf("%v bytes were sent", sent)
		}
		for sample := range now {
			for _, private := range []string{admin.Room, "metric-", admin.Session} {
				if strings.Contains(sample, private) {
					t.Errorf("a label has a room or a user: %s", sample)
				}
			}
			if _, ok := before[sample]; !ok {
				t.Errorf("%s was not there at zero", sample)
			}
		}

		// A reload with other limits and another chat keeps the values. Later events are
		// added to them.
		load(t, s.block(withMetrics(store+"\nmessage_rate off\nttl 10m"))+
			newSite(t).block("ephemeral_chat {\nstore memory other\n}\n"))
		anna.echo(t, "after the reload")
		apitest.WaitUntil(t, func() bool { return s.scrape(t).sum(t, "messages_total") == 4 })
		again := s.scrape(t)
		again.expect(t, 7, "deliveries_total")
		again.expect(t, 2, "connections_opened_total")
		again.expect(t, 0, "rooms", `store="memory/other"`)

		load(t, s.block("metrics /metrics"))
		if left := s.scrape(t); len(left) > 0 {
			t.Errorf("the chat is gone and has metrics: %v", left)
		}
	})
}

// TestOperations checks that each method of a store that may take time is counted.
func TestOperations(t *testing.T) {
	s := serve(t, withMetrics(""))
	now := s.scrape(t)
	for _, contract := range []reflect.Type{reflect.TypeFor[room.Store](), reflect.TypeFor[room.Feed]()} {
		for method := range contract.Methods() {
			if slices.Contains([]string{"Now", "Close", "Synchronous"}, method.Name) { // these take no time
				continue
			}
			name := regexp.MustCompile(`(.)([A-Z])`).ReplaceAllString(method.Name, "${1}_${2}")
			now.expect(t, 0, "store_call_seconds_count", `operation="`+strings.ToLower(name)+`"`)
		}
	}
}

// TestStoreNames checks the names of stores in labels.
func TestStoreNames(t *testing.T) {
	s := newSite(t)
	load(t, s.block(withMetrics(""))+
		newSite(t).block("ephemeral_chat {\nstore memory a\n}\n")+
		newSite(t).block("ephemeral_chat {\nredis redis://anna:secret@127.0.0.1:1/5\n}\n")+
		newSite(t).block("ephemeral_chat {\nredis 127.0.0.1:1 {\ndb 5\nkey_prefix chat:\n}\n}\n")+
		newSite(t).block("ephemeral_chat {\nredis 127.0.0.1:1 {\ndb 5\nkey_prefix chat:\npassword other\n}\n}\n"))
	now := s.scrape(t)
	for _, name := range []string{
		"memory", "memory/a", "redis/127.0.0.1:1/5", "redis/127.0.0.1:1/5/chat:", "redis/127.0.0.1:1/5/chat:#2",
	} {
		now.expect(t, 0, "rooms", `store="`+name+`"`)
	}
}

// TestLinkMetrics stops Redis and starts it again.
func TestLinkMetrics(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	s := serve(t, withMetrics("redis "+server.Addr()))
	s.scrape(t).expect(t, 1, "link_up") // not needed yet
	admin := s.Create(t)
	c := s.connect(t, "", admin)
	c.echo(t, "before")
	now := s.scrape(t)
	now.expect(t, 1, "link_up")
	now.expect(t, 0, "link_losses_total")

	server.Kill(t)
	apitest.WaitUntil(t, func() bool { return s.scrape(t).sum(t, "link_up") == 0 })
	s.Post(t, "/joinRoom", admin.As(t)).Refused(t, 503, "unavailable")
	now = s.scrape(t)
	now.expect(t, 1, "link_losses_total")
	now.expect(t, 1, "store_errors_total", `operation="member"`)
	now.expect(t, 1, "refusals_total", `via="http"`, `code="unavailable"`)

	server.Restart(t) // empty: the room is gone
	c.receive(t, "ended")
	c.closed(t)
	apitest.WaitUntil(t, func() bool { return s.scrape(t).sum(t, "link_up") == 1 })

	// Once more, with a room that Redis keeps.
	admin = s.Create(t)
	c = s.connect(t, "", admin)
	before := s.scrape(t)
	server.Client().ClientKillByFilter(t.Context(), "TYPE", "pubsub")
	apitest.WaitUntil(t, func() bool { return s.scrape(t).sum(t, "resyncs_total") > before.sum(t, "resyncs_total") })
	c.echo(t, "after")
	s.scrape(t).expect(t, 2, "link_losses_total")
}

// TestOperationsDocument checks that docs/run.md has these metrics and no others.
func TestOperationsDocument(t *testing.T) {
	text, err := os.ReadFile("docs/run.md")
	if err != nil {
		t.Fatal(err)
	}
	server := redistest.Start(t, redistest.Options{})
	s := serve(t, withMetrics("redis "+server.Addr()))
	got := s.Send(t, http.MethodGet, "/metrics", "")
	there := make(map[string]bool)
	for _, line := range regexp.MustCompile(`(?m)^# TYPE (caddy_ephemeral_chat_\w+) `).FindAllStringSubmatch(string(got.Body), -1) {
		there[line[1]] = true
		if !strings.Contains(string(text), "`"+line[1]+"`") {
			t.Errorf("%s is not explained", line[1])
		}
	}
	for _, name := range regexp.MustCompile(`caddy_ephemeral_chat_\w+`).FindAllString(string(text), -1) {
		name = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if !there[name] {
			t.Errorf("there is no metric %s", name)
		}
	}
}
