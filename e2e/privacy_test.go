package e2e_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNothingSecretIsLogged logs everything that Caddy can log while clients do
// what they do, and looks for what must not be found.
func TestNothingSecretIsLogged(t *testing.T) {
	for _, kind := range []string{"memory", "redis"} {
		t.Run(kind, func(t *testing.T) {
			store := "store memory"
			var server *redisServer
			if kind == "redis" {
				server = startRedis(t, "--requirepass", "redis-secret-71")
				// As the documentation has it: Caddy itself logs its configuration.
				t.Setenv("EPHEMERAL_CHAT_REDIS_PASSWORD", "redis-secret-71")
				store = "redis redis://:{env.EPHEMERAL_CHAT_REDIS_PASSWORD}@" + server.address
			}
			listen := freeAddress(t)
			n := startNode(t, "\tdebug", fmt.Sprintf(`
http://%s {
	log {
		output file access.log
		format json
	}
	ephemeral_chat {
		%s
	}
}`, listen, store), listen)
			base := "http://" + listen
			secrets := conversation(t, newAPI(t, base))
			if server != nil {
				secrets["password of Redis"] = "redis-secret-71"
				// What is logged of an outage.
				server.kill(t)
				expectRefusal(t, newAPI(t, base).call(t, "/createRoom", fields{"roomName": "r"}), 503, "unavailable")
			}
			n.stop(t, stopTime)

			files := 0
			err := filepath.WalkDir(n.dir, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() || path == n.config() {
					return err
				}
				files++
				text, err := os.ReadFile(path) //nolint:gosec // G122: nobody else is in the directory of the test
				expectNone(t, filepath.Base(path), string(text), secrets)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			expectNone(t, "standard error", n.log(t), secrets)
			if files == 0 || !strings.Contains(n.log(t), `"level":"debug"`) {
				t.Error("not everything has been logged")
			}
			expectUpgradeLogged(t, filepath.Join(n.dir, "access.log"), 101)
		})
	}
}

// expectNone fails the test if one of the secrets stands in a text.
func expectNone(t *testing.T, name, text string, secrets map[string]string) {
	t.Helper()
	for what, secret := range secrets {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("%s: %s: …%s…", name, what, text[max(0, at-300):min(len(text), at+300)])
		}
	}
}

// conversation does what clients do, and some things that fail, and returns
// what nobody else may know.
func conversation(t *testing.T, a *api) map[string]string {
	t.Helper()
	const password, guess, text, private = "open-sesame-17", "wrong-guess-93", "meet me at noon 55", "refused text 29"
	var anna, ben member
	a.succeed(t, "/createRoom", fields{"roomName": "secret room", "username": "anna", "password": password, "ttl": 600}).decode(t, &anna)
	a.succeed(t, "/joinRoom", fields{"roomId": anna.RoomID, "username": "ben", "password": password}).decode(t, &ben)
	expectRefusal(t, a.call(t, "/joinRoom", fields{"roomId": anna.RoomID, "password": guess}), 403, "wrong_password")
	a.post(t, "/joinRoom", fmt.Sprintf(`{"password":%q,"roomId":%q`, guess, anna.RoomID))

	first, _ := enter(t, a.base, &anna)
	second, _ := enter(t, a.base, &ben)
	first.say(t, text)
	second.awaitText(t, text)
	second.send(t, fields{"type": "message", "message": strings.Repeat(private, 1000), "id": 1})
	second.await(t, "error")
	if err := second.conn.WriteMessage(1, []byte(private)); err != nil {
		t.Fatal(err)
	}
	second.awaitClose(t, 4400)
	forged := ben
	forged.SessionID = ben.SessionID[:len(ben.SessionID)-4] + "AAAA"
	third := dial(t, a.base)
	third.send(t, forged.credentials("type", "join"))
	third.awaitClose(t, 4401)
	expectRefusal(t, a.call(t, "/startChat", forged.credentials()), 401, "invalid_session")
	a.succeed(t, "/removeMember", anna.credentials("memberId", "ben"))
	a.succeed(t, "/deleteRoom", anna.credentials())
	first.awaitClose(t, 4410)
	return map[string]string{
		"password": password, "wrong password": guess, "message": text, "refused message": private,
		"session of the admin": anna.SessionID, "session of a member": ben.SessionID, "forged session": forged.SessionID,
	}
}

// expectUpgradeLogged fails the test unless the access log has WebSockets, all
// of them with the status.
func expectUpgradeLogged(t *testing.T, path string, status int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	upgrades := 0
	for line := range strings.Lines(string(text)) {
		var logged struct {
			Status  int `json:"status"`
			Request struct {
				URI string `json:"uri"`
			} `json:"request"`
		}
		if err := json.Unmarshal([]byte(line), &logged); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if strings.HasSuffix(logged.Request.URI, "/ws") {
			upgrades++
			if logged.Status != status {
				t.Errorf("logged with status %d: %s", logged.Status, line)
			}
		}
	}
	if upgrades == 0 {
		t.Errorf("no WebSocket in the access log:\n%s", text)
	}
}
