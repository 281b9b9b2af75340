package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// TestAttackRoomIDs guesses rooms, and asks for rooms under ids that want to be more
// than that: a key, a path, a pattern, a life. Rooms that never were, that are over,
// and that cannot be get the same answer, and what cannot be an id never comes to Redis.
func TestAttackRoomIDs(t *testing.T) {
	t.Run("memory", func(t *testing.T) { roomIDs(t, memorySite(t, unlimited+"\n\t\troom lounge Lounge")) })
	t.Run("redis", func(t *testing.T) {
		server := startRedis(t, "--slowlog-log-slower-than", "0", "--slowlog-max-len", "100000")
		roomIDs(t, startSite(t, server, unlimited+"\n\t\troom lounge Lounge", server.address, server.address))
	})
}

func roomIDs(t *testing.T, s *site) {
	t.Helper()
	count := newAttacks(t)
	admin, over := s.api(0).create(t, 600), s.api(0).create(t, 600)
	s.api(0).succeed(t, "/deleteRoom", over.credentials())
	s.api(0).join(t, "lounge", "anna")

	// The mark is in each, so that it would be found in what Redis was asked.
	const mark = "zzmark"
	odd := []string{
		mark + "/../" + admin.RoomID, "../" + mark, mark + "%2f", mark + "\x00", admin.RoomID + "\x00" + mark, mark + "\r\nFLUSHALL\r\n", mark + " ", " " + mark,
		mark + ":", "messages:" + mark, "room:" + mark, "lobby:" + mark, "lounge:" + mark, admin.RoomID + ":" + mark, "events:" + mark, "node:" + mark, "@" + mark,
		"{" + mark + "}", "{" + mark, mark + "*", mark + "?", "[" + mark + "]", `"` + mark, `\` + mark, "$(" + mark + ")", "'; " + mark + " --", mark + "\u2028", mark + "ä", "\ufeff" + mark,
		mark + "=", mark + "+", mark + "/", mark + strings.Repeat("a", 59), mark + strings.Repeat("a", 50_000), "{{" + mark + "}}", "{env." + mark + "}", mark + ".js", mark + "#", mark + "&userId=x",
	}
	never := []string{"AAAAAAAAAAAAAAAAAAAAAA", over.RoomID, strings.Repeat("z", 64), "a", "all", "lobby", "node", "messages", "events", "Lounge", "__proto__", "-", "_"}
	// Next to what is there: nobody comes from the one to the other.
	never = append(never, admin.RoomID[:21], admin.RoomID+"A", admin.RoomID[1:], strings.ToLower(admin.RoomID)+"a", admin.RoomID[:21]+string(nextInAlphabet(admin.RoomID[21])))
	for node := range 2 {
		for _, endpoint := range endpointNames[1:] {
			want := ""
			for _, id := range append(odd, never...) {
				m := admin
				m.RoomID = id
				got := s.api(node).call(t, endpoint, m.credentials("memberId", "x", "locked", true))
				got.header.Del("Date")
				seen := fmt.Sprint(got.status, got.header, string(got.body))
				if want == "" {
					want = seen
				}
				count.hold(got.status == http.StatusNotFound && seen == want, "%s of %.80q: %s, of others %s", endpoint, id, seen, want)
			}
		}
		for _, id := range append(odd, never...) {
			if len(id) > 1000 {
				continue
			}
			k := dial(t, s.base(node))
			k.send(t, fields{"type": "join", "roomId": id, "userId": admin.UserID, "sessionId": admin.SessionID})
			count.closed(fmt.Sprintf("a WebSocket to %q", id), k, 4404)
		}
	}
	if s.redis != nil {
		asked := func(text string) bool {
			log, err := s.redis.client.SlowLogGet(t.Context(), -1).Result()
			if err != nil {
				t.Fatal(err)
			}
			return slices.ContainsFunc(log, func(e redis.SlowLog) bool { return strings.Contains(strings.Join(e.Args, " "), text) })
		}
		count.hold(!asked(mark), "Redis was asked for what cannot be an id")
		count.hold(len(s.redis.keys(t, mark)) == 0, "keys %q", s.redis.keys(t, mark))
		s.api(0).call(t, "/roomInfo", fields{"roomId": mark})
		if !asked(mark) {
			t.Error("what Redis is asked is not seen: the test proves nothing")
		}
	}

	// The operator's endpoints are not the site's.
	for _, n := range s.nodes {
		for _, path := range []string{"/ephemeral_chat/", "/ephemeral_chat/rooms", "/ephemeral_chat/rooms/" + admin.RoomID, "/config/", "/metrics", "/debug/pprof/heap", "/stop"} {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
				for _, host := range []string{"localhost", n.admin, "localhost:2019"} {
					// At a site, what nobody answers is empty.
					got, err := raw(t, strings.TrimPrefix(s.base(0), "http://"), method+" "+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
					if err != nil {
						t.Fatal(err)
					}
					count.hold(len(got.body) == 0, "%s %s at the site: %d %s", method, path, got.status, got.body)
				}
			}
		}
		// Nor a page's, though the browser runs on the same machine.
		for _, headers := range [][]string{
			{"Host: evil.example"}, {"Host: evil.example:2019", "Origin: http://evil.example:2019"}, {"Host: localhost.evil.example"},
		} {
			got, err := raw(t, n.admin, "DELETE /ephemeral_chat/rooms/"+admin.RoomID+" HTTP/1.1\r\nConnection: close\r\n"+lines(headers)+"\r\n")
			if err != nil {
				t.Fatal(err)
			}
			count.hold(got.status == http.StatusForbidden, "%v: %d %s", headers, got.status, got.body)
		}
	}
	for node := range 2 {
		if got := s.api(node).call(t, "/joinRoom", admin.credentials()); got.status != http.StatusOK {
			t.Errorf("the room has gone: %d %s", got.status, got.body)
		}
	}
	for _, n := range s.nodes {
		for _, line := range n.errorsLogged(t) {
			if !strings.Contains(line, "host not allowed") { // by the operator's endpoints
				t.Errorf("logged: %s", line)
			}
		}
	}
}
