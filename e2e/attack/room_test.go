package attack_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestAttackRoomIDs guesses ids of rooms, and sends ids that imitate a key, a path, a
// pattern, or an instance. The server responds the same for rooms that never existed,
// that have ended, and with invalid ids, and sends no invalid id to Redis.
func TestAttackRoomIDs(t *testing.T) {
	t.Run("memory", func(t *testing.T) { roomIDs(t, harness.MemorySite(t, harness.Unlimited+"\n\t\troom lounge Lounge")) })
	t.Run("redis", func(t *testing.T) {
		server := harness.StartRedisWith(t, harness.RedisOptions{Args: []string{"--slowlog-log-slower-than", "0", "--slowlog-max-len", "100000"}})
		roomIDs(t, harness.StartSite(t, server, harness.Unlimited+"\n\t\troom lounge Lounge", server.Addr(), server.Addr()))
	})
}

func roomIDs(t *testing.T, s *harness.Site) {
	t.Helper()
	count := newAttacks(t)
	admin, over := s.API(0).Create(t, 600), s.API(0).Create(t, 600)
	s.API(0).Succeed(t, "/deleteRoom", over.Credentials())
	s.API(0).Join(t, "lounge", "anna")

	// Each contains the mark, which would be found in the commands to Redis.
	const mark = "zzmark"
	odd := []string{
		mark + "/../" + admin.RoomID, "../" + mark, mark + "%2f", mark + "\x00", admin.RoomID + "\x00" + mark, mark + "\r\nFLUSHALL\r\n", mark + " ", " " + mark,
		mark + ":", "messages:" + mark, "room:" + mark, "lobby:" + mark, "lounge:" + mark, admin.RoomID + ":" + mark, "events:" + mark, "node:" + mark, "@" + mark,
		"{" + mark + "}", "{" + mark, mark + "*", mark + "?", "[" + mark + "]", `"` + mark, `\` + mark, "$(" + mark + ")", "'; " + mark + " --", mark + "\u2028", mark + "ä", "\ufeff" + mark,
		mark + "=", mark + "+", mark + "/", mark + strings.Repeat("a", 59), mark + strings.Repeat("a", 50_000), "{{" + mark + "}}", "{env." + mark + "}", mark + ".js", mark + "#", mark + "&userId=x",
	}
	never := []string{"AAAAAAAAAAAAAAAAAAAAAA", over.RoomID, strings.Repeat("z", 64), "a", "all", "lobby", "node", "messages", "events", "Lounge", "__proto__", "-", "_"}
	// Ids next to those of rooms lead to no room.
	never = append(never, admin.RoomID[:21], admin.RoomID+"A", admin.RoomID[1:], strings.ToLower(admin.RoomID)+"a", admin.RoomID[:21]+string(nextInAlphabet(admin.RoomID[21])))
	for node := range 2 {
		for _, endpoint := range harness.Endpoints[1:] {
			want := ""
			for _, id := range append(odd, never...) {
				m := admin
				m.RoomID = id
				got := s.API(node).Call(t, endpoint, m.Credentials("memberId", "x", "locked", true))
				got.Header.Del("Date")
				seen := fmt.Sprint(got.Status, got.Header, string(got.Body))
				if want == "" {
					want = seen
				}
				count.hold(got.Status == http.StatusNotFound && seen == want, "%s of %.80q: %s, of others %s", endpoint, id, seen, want)
			}
		}
		for _, id := range append(odd, never...) {
			if len(id) > 1000 {
				continue
			}
			k := harness.Dial(t, s.Base(node))
			k.Send(t, harness.Fields{"type": "join", "roomId": id, "userId": admin.UserID, "sessionId": admin.SessionID})
			count.closed(fmt.Sprintf("a WebSocket to %q", id), k, 4404)
		}
	}
	if s.Redis != nil {
		commanded := func(text string) bool {
			log, err := s.Redis.Client().SlowLogGet(t.Context(), -1).Result()
			if err != nil {
				t.Fatal(err)
			}
			return slices.ContainsFunc(log, func(e redis.SlowLog) bool { return strings.Contains(strings.Join(e.Args, " "), text) })
		}
		count.hold(!commanded(mark), "an invalid id was sent to Redis")
		count.hold(len(s.Redis.Keys(t, mark)) == 0, "keys %q", s.Redis.Keys(t, mark))
		s.API(0).Call(t, "/roomInfo", harness.Fields{"roomId": mark})
		if !commanded(mark) {
			t.Error("commands to Redis are not recorded: the test proves nothing")
		}
	}

	// The site does not serve the admin endpoint.
	for _, n := range s.Nodes {
		for _, path := range []string{"/ephemeral_chat/", "/ephemeral_chat/rooms", "/ephemeral_chat/rooms/" + admin.RoomID, "/config/", "/metrics", "/debug/pprof/heap", "/stop"} {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
				for _, host := range []string{"localhost", n.Admin, "localhost:2019"} {
					// For a path without a handler, Caddy responds with an empty body.
					got := harness.RawRequest(t, strings.TrimPrefix(s.Base(0), "http://"), method+" "+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
					count.hold(len(got.Body) == 0, "%s %s at the site: %d %s", method, path, got.Status, got.Body)
				}
			}
		}
		// Pages of other sites cannot use it either, in a browser on the same machine.
		for _, headers := range [][]string{
			{"Host: evil.example"}, {"Host: evil.example:2019", "Origin: http://evil.example:2019"}, {"Host: localhost.evil.example"},
		} {
			got := harness.RawRequest(t, n.Admin, "DELETE /ephemeral_chat/rooms/"+admin.RoomID+" HTTP/1.1\r\nConnection: close\r\n"+harness.HeaderLines(headers)+"\r\n")
			count.hold(got.Status == http.StatusForbidden, "%v: %d %s", headers, got.Status, got.Body)
		}
	}
	for node := range 2 {
		harness.ExpectStatus(t, "the room has gone", s.API(node).Call(t, "/joinRoom", admin.Credentials()), http.StatusOK)
	}
	for _, n := range s.Nodes {
		for _, line := range n.LoggedErrors() {
			if !strings.Contains(line, "host not allowed") { // by the admin endpoint
				t.Errorf("logged: %s", line)
			}
		}
	}
}
