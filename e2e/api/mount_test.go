package api_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// mounts are the ways to mount the chat: the Caddyfile of a site, and the path of the
// chat in it.
var mounts = map[string]struct{ site, path string }{
	"bare":             {"ephemeral_chat", ""},
	"path matcher":     {"root site\nephemeral_chat /chat/*\nfile_server", "/chat"},
	"deep path":        {"ephemeral_chat /a/b/*", "/a/b"},
	"handle_path":      {"root site\nhandle_path /chat/* {\nephemeral_chat\n}\nhandle {\nfile_server\n}", "/chat"},
	"handle":           {"handle /chat/* {\nuri strip_prefix /chat\nephemeral_chat\n}", "/chat"},
	"encode":           {"encode gzip zstd\nephemeral_chat /chat/*", "/chat"},
	"access log":       {"log {\noutput file access.log\n}\nephemeral_chat", ""},
	"log and encode":   {"log {\noutput file both.log\n}\nencode\nhandle_path /chat/* {\nephemeral_chat\n}", "/chat"},
	"log is skipped":   {"log {\noutput file skipped.log\n}\nlog_skip\nencode\nephemeral_chat", ""},
	"named matcher":    {"@chat host 127.0.0.1\nephemeral_chat @chat", ""},
	"changed headers":  {"header X-Site yes\nheader -Server\nencode\nephemeral_chat /chat/*", "/chat"},
	"behind a proxy":   {"reverse_proxy %s", "/chat"},
	"templates around": {"templates\nintercept {\n@e status 500\nhandle_response @e {\nrespond gone\n}\n}\nephemeral_chat", ""},
}

// TestMounts mounts the chat in every way, at sites of one Caddyfile that share their
// rooms.
func TestMounts(t *testing.T) {
	for _, metrics := range []string{"", "\tmetrics"} {
		t.Run("options "+strings.TrimSpace(metrics), func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "site"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "site", "index.html"), []byte("the site's own page"), 0o600); err != nil {
				t.Fatal(err)
			}
			bases := make(map[string]string)
			addresses := make(map[string]string)
			var listens []string
			for name := range mounts {
				addresses[name] = harness.FreeAddress(t)
				bases[name] = "http://" + addresses[name] + mounts[name].path
				listens = append(listens, addresses[name])
			}
			var sites strings.Builder
			for name, m := range mounts {
				body := m.site
				if name == "behind a proxy" {
					body = fmt.Sprintf(body, addresses["path matcher"])
				}
				fmt.Fprintf(&sites, "http://%s {\n%s\n}\n", addresses[name], body)
			}
			n := harness.NewNode(t)
			n.Dir = dir
			n.Start(t, metrics, sites.String(), listens...)

			first := harness.NewAPI(t, bases["bare"])
			admin := first.Create(t, 600)
			witness, _ := harness.Join(t, first.Base, &admin)
			for name, base := range bases {
				t.Run(name, func(t *testing.T) {
					a := harness.NewAPI(t, base)
					m := a.Join(t, admin.RoomID, "m")
					k, _ := harness.Join(t, base, &m)
					k.Publish(t, "from "+name)
					witness.AwaitText(t, "from "+name)
					harness.ExpectProblem(t, a.Call(t, "/startChat", m.Credentials()), 403, "not_admin")
					if got := a.Get(t, "/"); got.Status != http.StatusOK ||
						!strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
						t.Errorf("page: %d %v", got.Status, got.Header)
					}
					if strings.Contains(mounts[name].site, "file_server") {
						expectSite(t, "http://"+addresses[name]+"/")
					}
					k.Close()
				})
			}
			for _, log := range []string{"access.log", "both.log"} {
				harness.ExpectUpgradeLogged(t, filepath.Join(dir, log), http.StatusSwitchingProtocols)
			}
			if lines := n.LoggedErrors(); len(lines) > 0 {
				t.Errorf("logged: %s", lines)
			}
		})
	}
}

// expectSite fails the test unless the site serves its own page.
func expectSite(t *testing.T, url string) {
	t.Helper()
	got := harness.NewAPI(t, strings.TrimSuffix(url, "/")).Get(t, "/")
	if string(got.Body) != "the site's own page" {
		t.Errorf("%s: %d %s", url, got.Status, got.Body)
	}
}

// TestJoinByQuery joins a room by the query of the WebSocket's URL, as command-line
// tools do. Refusals come before the upgrade.
func TestJoinByQuery(t *testing.T) {
	harness.OnBothStores(t, harness.Unlimited, func(t *testing.T, s *harness.Site) {
		admin := s.API(0).Create(t, 600)
		query := func(m *harness.Member, more string) string {
			return fmt.Sprintf("%s?roomId=%s&userId=%s&sessionId=%s%s", harness.WebSocketURL(s.Base(1)), m.RoomID, m.UserID, m.SessionID, more)
		}
		k := harness.Open(t, query(&admin, ""), nil, nil)
		epoch := k.Await(t, "welcome").Epoch
		for n := range 3 {
			k.Publish(t, fmt.Sprint(n))
			k.AwaitText(t, fmt.Sprint(n))
		}
		again := harness.Open(t, query(&admin, "&after=1&epoch="+epoch), nil, nil)
		if f := again.Await(t, "welcome"); len(f.Messages) != 2 || f.Messages[0].Seq != 2 || f.Gap {
			t.Errorf("welcome after 1: %+v", f)
		}

		stranger, lost := admin, admin
		stranger.UserID = "nobody"
		lost.RoomID = "AAAAAAAAAAAAAAAAAAAAAA"
		for _, c := range []struct {
			url    string
			status int
			code   string
		}{
			{query(&stranger, ""), 401, "invalid_session"},
			{query(&lost, ""), 404, "room_not_found"},
			{query(&admin, "&after=x"), 400, "invalid_request"},
			{query(&admin, "&after=-1"), 400, "invalid_request"},
		} {
			harness.ExpectRefused(t, c.url, nil, c.status, c.code)
		}

		// No upgrade at all.
		for method, status := range map[string]int{http.MethodGet: 426, http.MethodPost: 405} {
			if got := s.API(0).Do(t, method, "/ws", nil, http.NoBody); got.Status != status || got.Code() == "" {
				t.Errorf("%s /ws: %d %s", method, got.Status, got.Body)
			}
		}
		s.ExpectNoErrors(t)
	})
}
