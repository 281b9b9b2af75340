package attack_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// oddNames are names of users that imitate other things in Redis: a field of a hash, part
// of a key, a command, the end of a string.
var oddNames = []string{
	"seq", "deadline", "key", "roomName", "pass", "locked", "life", "epoch", "x:", "x:ben", "x:x:ben", "ben:", ":ben", "n:ben", "room:online", "__proto__", "constructor",
	"toString", "null", "true", "0", "-1", "1e9", "nan", `","userId":"ben`, `"}`, `\`, `\"`, `\u0022`, `{"type":"ended"}`, "'; return 1 --", "]]", "FLUSHALL", "*1", "$8",
	"{ben}", "{{ben}}", "{env.HOME}", "${ben}", "%s%n%d", "%00", "../ben", "KEYS[1]", "this name is longer than others", "a,b", "a=b", "a\u2028b", "-inf", "(nil)", "?",
}

// oddTexts are messages that imitate frames, events, entries and commands.
var oddTexts = []string{
	`"}`, `","seq":999,"userId":"admin"`, `"},{"seq":1,"message":"x"`, `{"type":"ended","reason":"deleted"}`, `{"type":"message","seq":1,"message":"x"}`, `\`, `\\"`, `\u0022}`,
	"\r\n*1\r\n$8\r\nFLUSHALL\r\n", "\nFLUSHALL\n", "*1\r\n$4\r\nQUIT\r\n", "\x00", "a\x00b", "\x1b[2J", "\x7f", "\u0085", "\u2028\u2029", "\ufeff", "\ufffe\uffff", "\U0010ffff", "]]--", "' .. 1 .. '",
	"%s%n", "{{.}}", "{env.HOME}", "</script>", `{"seq":`, `,"id":7,"session":"x"}`, `","id":7,"session":"AAAAAAAAAAAA`, " ", "\t",
}

// TestAttackStore sends names and texts through scripts, keys, fields, events and
// frames. Each arrives unchanged, and the removal of its user removes no other.
func TestAttackStore(t *testing.T) {
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		count := newAttacks(t)
		admin := s.API(0).Create(t, 600)
		ben := s.API(1).Join(t, admin.RoomID, "ben")
		owner, _ := harness.Join(t, s.Base(0), &admin)
		bens, _ := harness.Join(t, s.Base(1), &ben)
		var published []harness.Entry
		for _, odd := range oddNames {
			n := len(published)
			got := s.API(n).Call(t, "/joinRoom", harness.Fields{"roomId": admin.RoomID, "username": odd})
			if got.Status != http.StatusOK { // it is no valid name
				count.refused(fmt.Sprintf("%q", odd), got, 400, "invalid_request")
				continue
			}
			var mallory harness.Member
			got.Decode(t, &mallory)
			name := mallory.UserID
			count.hold(strings.HasPrefix(name, odd) && mallory.Role == "member", "%q is %+v", odd, mallory)
			k, welcome := harness.Join(t, s.Base(n), &mallory)
			count.hold(welcome.UserID == name && slices.Contains(welcome.Online, name), "%q is welcomed as %q", name, welcome.UserID)
			k.Send(t, harness.Fields{"type": "typing"})
			text := oddTexts[n%len(oddTexts)]
			k.Send(t, harness.Fields{"type": "message", "message": text, "id": n + 1})
			published = append(published, harness.Entry{Seq: uint64(n + 1), Message: text, UserID: name})
			for _, k := range []*harness.Socket{owner, bens} {
				f := k.AwaitFrame(t, fmt.Sprintf("message of %q", name), func(f *harness.Frame) bool { return f.Type == "message" })
				count.hold(f.UserID == name && f.Message == text && f.Seq == uint64(n+1) && f.ID == uint64(n+1) && f.Session == welcome.Session, "%q of %q: %+v", text, name, f)
			}
			s.API(n+1).Succeed(t, "/removeMember", admin.Credentials("memberId", name))
			end := k.AwaitEnd()
			count.hold(end.Code == 4403, "%q: %+v", name, end)
			count.refused(fmt.Sprintf("%q comes back", name), s.API(n).Call(t, "/joinRoom", mallory.Credentials()), 401, "invalid_session")
		}
		if len(published) < 30 {
			t.Errorf("%d of the names were taken", len(published))
		}
		for _, m := range []harness.Member{admin, ben} {
			s.API(1).Succeed(t, "/joinRoom", m.Credentials())
		}
		// The same messages from the store.
		latecomer := s.API(1).Join(t, admin.RoomID, "latecomer")
		k, _ := harness.Join(t, s.Base(1), &latecomer)
		k.Send(t, harness.Fields{"type": "history", "limit": 200})
		for n, e := range k.Await(t, "history").Messages {
			count.hold(e.UserID == published[n].UserID && e.Message == published[n].Message && e.Seq == published[n].Seq, "kept is %+v of %+v", e, published[n])
		}
		if s.Redis != nil {
			inRoom, err := s.Redis.Client().HKeys(t.Context(), "room:"+admin.RoomID).Result()
			if err != nil {
				t.Fatal(err)
			}
			known := []string{"admin", "roomName", "ttl", "key", "createdAt", "startedAt", "deadline", "lobby", "seq", "epoch", "life"}
			for _, field := range inRoom {
				count.hold(strings.HasPrefix(field, "x:") || slices.Contains(known, field), "the room has a field %q", field)
			}
			for _, key := range s.Redis.Keys(t, "") {
				count.hold(strings.HasPrefix(key, "room:node:") || strings.HasPrefix(key, "room:lobby:") || strings.HasSuffix(key, ":"+admin.RoomID), "there is a key %q", key)
			}
		}
		s.ExpectNoErrors(t)
	})
}

// TestAttackEvents publishes in Redis payloads that are no event, events of a later
// version, and events that are not true.
func TestAttackEvents(t *testing.T) {
	count := newAttacks(t)
	s := harness.RedisSite(t, harness.Unlimited)
	admin, elsewhere := s.API(0).Create(t, 600), s.API(1).Create(t, 600)
	var sockets, others []*harness.Socket
	for node := range 2 {
		tab := s.API(node).Rejoin(t, &admin)
		k, _ := harness.Join(t, s.Base(node), &tab)
		sockets = append(sockets, k)
		s.API(node).Succeed(t, "/joinRoom", elsewhere.Credentials()).Decode(t, &tab)
		k, _ = harness.Join(t, s.Base(node), &tab)
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
		// Events that are well formed and not true. Nodes check them against the room.
		`{"type":"message","seq":99,"message":"x","timestamp":"2000-01-01T00:00:00.000Z","userId":"admin"}`, `{"type":"epoch","epoch":"other"}`,
		`{"type":"started","startedAt":1,"deadline":2}`, `{"type":"retracted","seq":99,"oldest":1}`,
	}
	for _, payload := range payloads {
		for _, channel := range []string{"room:events:" + admin.RoomID, "room:events:", "room:events:@", "room:events:@x", "room:events:" + admin.RoomID + ":life"} {
			if err := s.Redis.Client().Publish(t.Context(), channel, payload).Err(); err != nil {
				t.Fatal(err)
			}
		}
		count.hold(sockets[0].IsOpen() && sockets[1].IsOpen(), "%.80q closed a connection: %+v, %+v", payload, sockets[0].Closing(), sockets[1].Closing())
	}
	// Both nodes serve the room, and agree on it.
	for node := range 2 {
		text := fmt.Sprint("from node ", node)
		sockets[node].Publish(t, text)
		others[node].Publish(t, text)
		for _, k := range sockets {
			f := k.AwaitText(t, text)
			count.hold(f.Seq == uint64(node+1) && f.UserID == admin.UserID, "after the payloads: %+v", f)
		}
		for _, k := range others {
			f := k.AwaitText(t, text)
			count.hold(f.Seq == uint64(node+1), "in another room: %+v", f)
		}
	}
	for _, k := range slices.Concat(sockets, others) {
		for _, f := range k.Frames() {
			count.hold(f.Message != "x" && f.Type != "ended" && f.Type != "removed" && f.Type != "retracted", "clients received %s %q", f.Type, f.Message)
		}
		count.hold(k.IsOpen(), "closed: %+v", k.Closing())
	}
	for node, n := range s.Nodes {
		count.hold(!n.Ended() && s.API(node).Call(t, "/roomInfo", harness.Fields{"roomId": admin.RoomID}).Status == http.StatusOK, "node %d has ended", node)
	}
	s.ExpectNoErrors(t)
}

// TestAttackStoreSecrets searches for the password of Redis in errors of wrong addresses,
// in responses and logs while Redis accepts and refuses the node, and in the responses of
// the admin endpoint.
func TestAttackStoreSecrets(t *testing.T) {
	count := newAttacks(t)
	const secret = "redis-secret-83"
	server := harness.StartRedisWith(t, harness.RedisOptions{Password: secret})
	port := harness.PortOf(t, server.Addr())

	// caddy validate with addresses, most of them wrong.
	wrong := 0
	for _, address := range []string{
		"redis://:" + secret + "@127.0.0.1:99999", "redis://:" + secret + "@127.0.0.1:x", "redis://:" + secret + "%zz@127.0.0.1", "redis://" + secret + ":@[::1", "redis://:" + secret + "@",
		"http://:" + secret + "@127.0.0.1", "redis://:" + secret + "@127.0.0.1/x", "redis://:" + secret + "@127.0.0.1?a=b", "redis://127.0.0.1?password=" + secret, "redis://:" + secret + "@a,b",
		secret + "@127.0.0.1:1:2", ":" + secret + "@127.0.0.1:port", "redis://:" + secret + "@127.0.0.1:" + port + "/-1", "unix://" + secret + "?x=y", "redis+" + secret + "://127.0.0.1",
	} {
		n := harness.NewNode(t)
		t.Setenv("EPHEMERAL_CHAT_REDIS", address)
		n.Write(t, "", fmt.Sprintf("http://%s {\nephemeral_chat {\nredis {env.EPHEMERAL_CHAT_REDIS}\n}\n}", harness.FreeAddress(t)))
		output, err := n.Validate(t)
		if err != nil {
			wrong++
		}
		count.hold(!strings.Contains(output, secret), "%s: %v\n%s", address, err, output)
	}

	if wrong < 10 {
		t.Errorf("%d addresses are wrong", wrong)
	}

	// Responses and logs while Redis accepts the node, and while it refuses.
	for what, password := range map[string]string{"right": secret, "wrong": secret + "x"} {
		t.Setenv("EPHEMERAL_CHAT_REDIS", "redis://:"+password+"@"+server.Addr())
		n, site := harness.Serve(t, "\tdebug\n\tmetrics", harness.Chat("redis {env.EPHEMERAL_CHAT_REDIS}"))
		outputs := map[string]string{}
		operator := harness.NewAPI(t, "http://"+n.Admin)
		for _, endpoint := range harness.Endpoints {
			got := site.Call(t, endpoint, harness.Fields{"roomName": "n", "roomId": "x", "userId": "x", "sessionId": "x", "memberId": "x", "locked": true})
			outputs[endpoint] = fmt.Sprint(got.Header, string(got.Body))
		}
		k := harness.Dial(t, site.Base)
		k.Send(t, harness.Fields{"type": "join", "roomId": "x", "userId": "x", "sessionId": "x"})
		outputs["WebSocket"] = k.AwaitEnd().Reason
		for _, path := range []string{"/ephemeral_chat/", "/ephemeral_chat/rooms", "/ephemeral_chat/?store=x", "/ephemeral_chat/rooms/x", "/metrics", "/config/"} {
			got := operator.Do(t, http.MethodGet, path, nil, http.NoBody)
			outputs[path] = fmt.Sprint(got.Header, string(got.Body))
		}
		if !strings.Contains(outputs["/ephemeral_chat/"], port) {
			t.Errorf("the operator is not shown which store it is: %s", outputs["/ephemeral_chat/"])
		}
		if refuses := strings.Contains(outputs["/createRoom"], "unavailable"); refuses != (what == "wrong") {
			t.Errorf("with the %s password: %s", what, outputs["/createRoom"])
		}
		n.Stop(t)
		outputs["log"] = n.Log()
		for _, where := range slices.Sorted(maps.Keys(outputs)) {
			count.hold(!strings.Contains(outputs[where], secret), "with the %s password, %s has it: %s", what, where, outputs[where])
		}
	}
}
