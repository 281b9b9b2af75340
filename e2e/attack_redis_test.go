package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// oddNames are names of users that want to be something else where they are kept: a
// field of a hash, part of a key, a command, the end of a string.
var oddNames = []string{
	"seq", "deadline", "key", "roomName", "pass", "locked", "life", "epoch", "x:", "x:ben", "x:x:ben", "ben:", ":ben", "n:ben", "room:online", "__proto__", "constructor",
	"toString", "null", "true", "0", "-1", "1e9", "nan", `","userId":"ben`, `"}`, `\`, `\"`, `\u0022`, `{"type":"ended"}`, "'; return 1 --", "]]", "FLUSHALL", "*1", "$8",
	"{ben}", "{{ben}}", "{env.HOME}", "${ben}", "%s%n%d", "%00", "../ben", "KEYS[1]", "this name is longer than what", "a,b", "a=b", "a\u2028b", "-inf", "(nil)", "?",
}

// oddTexts are messages that want to be something else on their way.
var oddTexts = []string{
	`"}`, `","seq":999,"userId":"admin"`, `"},{"seq":1,"message":"x"`, `{"type":"ended","reason":"deleted"}`, `{"type":"message","seq":1,"message":"x"}`, `\`, `\\"`, `\u0022}`,
	"\r\n*1\r\n$8\r\nFLUSHALL\r\n", "\nFLUSHALL\n", "*1\r\n$4\r\nQUIT\r\n", "\x00", "a\x00b", "\x1b[2J", "\x7f", "\u0085", "\u2028\u2029", "\ufeff", "\ufffe\uffff", "\U0010ffff", "]]--", "' .. 1 .. '",
	"%s%n", "{{.}}", "{env.HOME}", "</script>", `{"seq":`, `,"id":7,"session":"x"}`, `","id":7,"session":"AAAAAAAAAAAA`, " ", "\t",
}

// TestAttackStore lets names and texts through everything that they are composed into:
// scripts, keys, fields, events, frames. Each comes out as it was, as what it was, and
// removing its user removes nobody else.
func TestAttackStore(t *testing.T) {
	onBoth(t, unlimited, func(t *testing.T, s *site) {
		count := newAttacks(t)
		admin := s.api(0).create(t, 600)
		ben := s.api(1).join(t, admin.RoomID, "ben")
		owner, _ := enter(t, s.base(0), &admin)
		bens, _ := enter(t, s.base(1), &ben)
		var said []entry
		for _, odd := range oddNames {
			n := len(said)
			got := s.api(n).call(t, "/joinRoom", fields{"roomId": admin.RoomID, "username": odd})
			if got.status != http.StatusOK { // it cannot be a name at all
				count.refused(fmt.Sprintf("%q", odd), got, 400, "invalid_request")
				continue
			}
			var mallory member
			got.decode(t, &mallory)
			name := mallory.UserID
			count.hold(strings.HasPrefix(name, odd) && mallory.Role == "member", "%q is %+v", odd, mallory)
			k, welcome := enter(t, s.base(n), &mallory)
			count.hold(welcome.UserID == name && slices.Contains(welcome.Online, name), "%q is welcomed as %q", name, welcome.UserID)
			k.send(t, fields{"type": "typing"})
			text := oddTexts[n%len(oddTexts)]
			k.send(t, fields{"type": "message", "message": text, "id": n + 1})
			said = append(said, entry{Seq: uint64(n + 1), Message: text, UserID: name})
			for _, hears := range []*socket{owner, bens} {
				f := hears.awaitThat(t, fmt.Sprintf("message of %q", name), func(f *frame) bool { return f.Type == "message" })
				count.hold(f.UserID == name && f.Message == text && f.Seq == uint64(n+1) && f.ID == uint64(n+1) && f.Session == welcome.Session, "%q of %q: %+v", text, name, f)
			}
			s.api(n+1).succeed(t, "/removeMember", admin.credentials("memberId", name))
			k.awaitEnd()
			count.hold(k.ending().code == 4403, "%q: %+v", name, k.ending())
			count.refused(fmt.Sprintf("%q comes back", name), s.api(n).call(t, "/joinRoom", mallory.credentials()), 401, "invalid_session")
		}
		if len(said) < 30 {
			t.Errorf("%d of the names were taken", len(said))
		}
		for _, m := range []member{admin, ben} {
			s.api(1).succeed(t, "/joinRoom", m.credentials())
		}
		// All of it again, out of the store.
		latecomer := s.api(1).join(t, admin.RoomID, "latecomer")
		k, _ := enter(t, s.base(1), &latecomer)
		k.send(t, fields{"type": "history", "limit": 200})
		for n, e := range k.await(t, "history").Messages {
			count.hold(e.UserID == said[n].UserID && e.Message == said[n].Message && e.Seq == said[n].Seq, "kept is %+v of %+v", e, said[n])
		}
		if s.redis != nil {
			inRoom, err := s.redis.client.HKeys(t.Context(), "room:"+admin.RoomID).Result()
			if err != nil {
				t.Fatal(err)
			}
			known := []string{"admin", "roomName", "ttl", "key", "createdAt", "startedAt", "deadline", "lobby", "seq", "epoch", "life"}
			for _, field := range inRoom {
				count.hold(strings.HasPrefix(field, "x:") || slices.Contains(known, field), "the room has a field %q", field)
			}
			for _, key := range s.redis.keys(t, "") {
				count.hold(strings.HasPrefix(key, "room:node:") || strings.HasPrefix(key, "room:lobby:") || strings.HasSuffix(key, ":"+admin.RoomID), "there is a key %q", key)
			}
		}
		s.noErrors(t)
	})
}

// TestAttackEvents has another node, or whoever else may publish in Redis, tell nodes
// what is no event, what is one of a later version, and what is not so.
func TestAttackEvents(t *testing.T) {
	count := newAttacks(t)
	s := redisSite(t, unlimited)
	admin, elsewhere := s.api(0).create(t, 600), s.api(1).create(t, 600)
	var sockets, others []*socket
	for node := range 2 {
		var tab member
		s.api(node).succeed(t, "/joinRoom", admin.credentials()).decode(t, &tab)
		k, _ := enter(t, s.base(node), &tab)
		sockets = append(sockets, k)
		s.api(node).succeed(t, "/joinRoom", elsewhere.credentials()).decode(t, &tab)
		k, _ = enter(t, s.base(node), &tab)
		others = append(others, k)
	}
	payloads := []string{
		"", "null", "[]", "{", "0", `"`, "hello", "\x00", "\xff\xfe", "{}", `{"type":null}`, `{"type":7}`, `{"type":["ended"]}`, `{"type":"ended"}`, `{"type":"ended","reason":"boredom"}`,
		`{"type":"ended","reason":7}`, `{"type":"later","what":{}}`, `{"type":"removed"}`, `{"type":"removed","userId":""}`, `{"type":"removed","userId":["admin"]}`, `{"type":"opened"}`,
		`{"type":"opened","userId":"x"}`, `{"type":"opened","node":"n","userId":7}`, `{"type":"started"}`, `{"type":"started","startedAt":-1,"deadline":1}`,
		`{"type":"started","startedAt":1,"deadline":9223372036854775808}`, `{"type":"started","startedAt":9,"deadline":1}`, `{"type":"started","startedAt":1e400}`,
		`{"type":"retracted","seq":18446744073709551616,"oldest":1}`, `{"type":"retracted","seq":-1,"oldest":1}`, `{"type":"retracted","seq":1,"oldest":18446744073709551615}`,
		`{"type":"message"}`, `{"type":"message","seq":0,"message":"x"}`, `{"type":"message","seq":-1,"message":"x"}`, `{"type":"message","seq":18446744073709551615,"message":"x"}`,
		`{"type":"message","seq":18446744073709551616,"message":"x"}`, `{"type":"message","seq":1e9,"message":"x"}`, `{"type":"message","seq":99,`, `{"seq":1,"message":"x"}`,
		`{"type":"mark"}`, `{"type":"mark","mark":"x"}`, `{"type":"epoch"}`, `{"type":"epoch","epoch":7}`, `{"type":"message","seq":`, strings.Repeat(`{"type":`, 5000), nested(40_000),
		`{"type":"ended","reason":"` + strings.Repeat("x", 1<<20) + `"}`, `{"Type":"ended"}`, "*3\r\n$7\r\nPUBLISH\r\n",
		// Events that are well formed and not so: nodes ask the room, and find that out.
		`{"type":"message","seq":99,"message":"x","timestamp":"2000-01-01T00:00:00.000Z","userId":"admin"}`, `{"type":"epoch","epoch":"other"}`,
		`{"type":"started","startedAt":1,"deadline":2}`, `{"type":"retracted","seq":99,"oldest":1}`,
	}
	for _, payload := range payloads {
		for _, channel := range []string{"room:events:" + admin.RoomID, "room:events:", "room:events:@", "room:events:@x", "room:events:" + admin.RoomID + ":life"} {
			if err := s.redis.client.Publish(t.Context(), channel, payload).Err(); err != nil {
				t.Fatal(err)
			}
		}
		count.hold(sockets[0].isOpen() && sockets[1].isOpen(), "%.80q closed a connection: %+v, %+v", payload, sockets[0].ending(), sockets[1].ending())
	}
	// Both nodes serve the room, and agree on it.
	for node := range 2 {
		text := fmt.Sprint("from node ", node)
		sockets[node].say(t, text)
		others[node].say(t, text)
		for _, k := range sockets {
			f := k.awaitText(t, text)
			count.hold(f.Seq == uint64(node+1) && f.UserID == admin.UserID, "after the payloads: %+v", f)
		}
		for _, k := range others {
			f := k.awaitText(t, text)
			count.hold(f.Seq == uint64(node+1), "in another room: %+v", f)
		}
	}
	for _, k := range slices.Concat(sockets, others) {
		for _, f := range k.all() {
			count.hold(f.Message != "x" && f.Type != "ended" && f.Type != "removed" && f.Type != "retracted", "clients were told %s %q", f.Type, f.Message)
		}
		count.hold(k.isOpen(), "closed: %+v", k.ending())
	}
	for node, n := range s.nodes {
		count.hold(!n.ended() && s.api(node).call(t, "/roomInfo", fields{"roomId": admin.RoomID}).status == http.StatusOK, "node %d has ended", node)
	}
	s.noErrors(t)
}

// TestAttackStoreSecrets looks for the password of Redis wherever something is said of
// Redis: where it refuses the node, where its address is wrong, and in what the
// operator's endpoints show.
func TestAttackStoreSecrets(t *testing.T) {
	count := newAttacks(t)
	const secret = "redis-secret-83"
	server := startRedis(t, "--requirepass", secret)
	port := portOf(t, server.address)

	// What caddy validate says of addresses, most of which are wrong.
	wrong := 0
	for _, address := range []string{
		"redis://:" + secret + "@127.0.0.1:99999", "redis://:" + secret + "@127.0.0.1:x", "redis://:" + secret + "%zz@127.0.0.1", "redis://" + secret + ":@[::1", "redis://:" + secret + "@",
		"http://:" + secret + "@127.0.0.1", "redis://:" + secret + "@127.0.0.1/x", "redis://:" + secret + "@127.0.0.1?a=b", "redis://127.0.0.1?password=" + secret, "redis://:" + secret + "@a,b",
		secret + "@127.0.0.1:1:2", ":" + secret + "@127.0.0.1:port", "redis://:" + secret + "@127.0.0.1:" + port + "/-1", "unix://" + secret + "?x=y", "redis+" + secret + "://127.0.0.1",
	} {
		n := &node{dir: t.TempDir(), admin: freeAddress(t)}
		t.Setenv("EPHEMERAL_CHAT_REDIS", address)
		n.write(t, "", fmt.Sprintf("http://%s {\nephemeral_chat {\nredis {env.EPHEMERAL_CHAT_REDIS}\n}\n}", freeAddress(t)))
		cmd := exec.CommandContext(t.Context(), caddyBinary, "validate", "--config", n.config(), "--adapter", "caddyfile")
		cmd.Dir, cmd.Env = n.dir, n.environment()
		output, err := cmd.CombinedOutput()
		if err != nil {
			wrong++
		}
		count.hold(!strings.Contains(string(output), secret), "%s: %v\n%s", address, err, output)
		expectClean(t, string(output))
	}

	if wrong < 10 {
		t.Errorf("%d addresses are wrong", wrong)
	}

	// What is said, shown and logged while Redis is there, and while it refuses.
	for what, password := range map[string]string{"right": secret, "wrong": secret + "x"} {
		t.Setenv("EPHEMERAL_CHAT_REDIS", "redis://:"+password+"@"+server.address)
		listen := freeAddress(t)
		n := startNode(t, "\tdebug\n\tmetrics", fmt.Sprintf("http://%s {\n\tephemeral_chat {\n\t\tredis {env.EPHEMERAL_CHAT_REDIS}\n\t}\n}", listen), listen)
		said := map[string]string{}
		site, operator := newAPI(t, "http://"+listen), newAPI(t, "http://"+n.admin)
		for _, endpoint := range endpointNames {
			got := site.call(t, endpoint, fields{"roomName": "n", "roomId": "x", "userId": "x", "sessionId": "x", "memberId": "x", "locked": true})
			said[endpoint] = fmt.Sprint(got.header, string(got.body))
		}
		k := dial(t, site.base)
		k.send(t, fields{"type": "join", "roomId": "x", "userId": "x", "sessionId": "x"})
		k.awaitEnd()
		said["WebSocket"] = k.ending().reason
		for _, path := range []string{"/ephemeral_chat/", "/ephemeral_chat/rooms", "/ephemeral_chat/?store=x", "/ephemeral_chat/rooms/x", "/metrics", "/config/"} {
			got := operator.do(t, http.MethodGet, path, nil, http.NoBody)
			said[path] = fmt.Sprint(got.header, string(got.body))
		}
		if !strings.Contains(said["/ephemeral_chat/"], port) {
			t.Errorf("the operator is not shown which store it is: %s", said["/ephemeral_chat/"])
		}
		if refuses := strings.Contains(said["/createRoom"], "unavailable"); refuses != (what == "wrong") {
			t.Errorf("with the %s password: %s", what, said["/createRoom"])
		}
		n.stop(t, stopTime)
		said["log"] = n.log(t)
		for _, where := range slices.Sorted(maps.Keys(said)) {
			count.hold(!strings.Contains(said[where], secret), "with the %s password, %s has it: %s", what, where, said[where])
		}
	}
}
