package privacy_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestNothingSecretIsLogged logs at the level debug while clients use the chat, and
// searches the logs for texts, passwords and sessions.
func TestNothingSecretIsLogged(t *testing.T) {
	for _, kind := range []string{"memory", "redis"} {
		t.Run(kind, func(t *testing.T) {
			store := "store memory"
			var server *harness.Redis
			if kind == "redis" {
				server = harness.StartRedisWith(t, harness.RedisOptions{Password: "redis-secret-71"})
				// From the environment, as documented, since Caddy logs its configuration.
				t.Setenv("EPHEMERAL_CHAT_REDIS_PASSWORD", "redis-secret-71")
				store = "redis redis://:{env.EPHEMERAL_CHAT_REDIS_PASSWORD}@" + server.Addr()
			}
			n, a := harness.Serve(t, "\tdebug", "log {\n\t\toutput file access.log\n\t\tformat json\n\t}\n\t"+harness.Chat(store))
			secrets := exchange(t, a)
			if server != nil {
				secrets["password of Redis"] = "redis-secret-71"
				// Logs of an outage are searched too.
				server.Kill(t)
				harness.ExpectProblem(t, a.Call(t, "/createRoom", harness.Fields{"roomName": "r"}), 503, "unavailable")
			}
			n.Stop(t)

			files := 0
			err := filepath.WalkDir(n.Dir, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() || path == n.Config() {
					return err
				}
				files++
				text, err := os.ReadFile(path) //nolint:gosec // G122: only the test writes to its folder
				expectNone(t, filepath.Base(path), string(text), secrets)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			expectNone(t, "standard error", n.Log(), secrets)
			if files == 0 || !strings.Contains(n.Log(), `"level":"debug"`) {
				t.Error("the logs lack the level debug")
			}
			harness.ExpectUpgradeLogged(t, filepath.Join(n.Dir, "access.log"), 101)
		})
	}
}

// expectNone fails the test if a text contains one of the secrets.
func expectNone(t *testing.T, name, text string, secrets map[string]string) {
	t.Helper()
	for what, secret := range secrets {
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("%s: %s: …%s…", name, what, text[max(0, at-300):min(len(text), at+300)])
		}
	}
}

// exchange uses the chat as clients do, with requests that fail among others, and returns
// the secrets of the clients.
func exchange(t *testing.T, a *harness.API) map[string]string {
	t.Helper()
	const password, guess, text, private = "open-sesame-17", "wrong-guess-93", "meet me at noon 55", "refused text 29"
	anna := a.CreateRoom(t, harness.Fields{"roomName": "secret room", "username": "anna", "password": password, "ttl": 600})
	ben := a.JoinRoom(t, harness.Fields{"roomId": anna.RoomID, "username": "ben", "password": password})
	harness.ExpectProblem(t, a.Call(t, "/joinRoom", harness.Fields{"roomId": anna.RoomID, "password": guess}), 403, "wrong_password")
	a.Post(t, "/joinRoom", fmt.Sprintf(`{"password":%q,"roomId":%q`, guess, anna.RoomID))

	first, _ := harness.Join(t, a.Base, &anna)
	second, _ := harness.Join(t, a.Base, &ben)
	first.Publish(t, text)
	second.AwaitText(t, text)
	second.Send(t, harness.Fields{"type": "message", "message": strings.Repeat(private, 1000), "id": 1})
	second.Await(t, "error")
	second.SendRaw(t, 1, private)
	second.AwaitClose(t, 4400)
	forged := ben
	forged.SessionID = ben.SessionID[:len(ben.SessionID)-4] + "AAAA"
	third := harness.Dial(t, a.Base)
	third.Send(t, forged.Credentials("type", "join"))
	third.AwaitClose(t, 4401)
	harness.ExpectProblem(t, a.Call(t, "/startChat", forged.Credentials()), 401, "invalid_session")
	a.Succeed(t, "/removeMember", anna.Credentials("memberId", "ben"))
	a.Succeed(t, "/deleteRoom", anna.Credentials())
	first.AwaitClose(t, 4410)
	return map[string]string{
		"password": password, "wrong password": guess, "message": text, "refused message": private,
		"session of the admin": anna.SessionID, "session of a member": ben.SessionID, "forged session": forged.SessionID,
	}
}
