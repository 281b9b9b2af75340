package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mounts are the ways to mount the chat: the Caddyfile of a site, and where in
// it the chat is.
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

// TestMounts mounts the chat in every way, at sites of one Caddyfile that share
// their rooms.
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
				addresses[name] = freeAddress(t)
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
			n := startNodeIn(t, caddyBinary, dir, metrics, sites.String(), listens...)

			first := newAPI(t, bases["bare"])
			admin := first.create(t, 600)
			witness, _ := enter(t, first.base, &admin)
			for name, base := range bases {
				t.Run(name, func(t *testing.T) {
					a := newAPI(t, base)
					m := a.join(t, admin.RoomID, "m")
					k, _ := enter(t, base, &m)
					k.say(t, "from "+name)
					witness.awaitText(t, "from "+name)
					expectRefusal(t, a.call(t, "/startChat", m.credentials()), 403, "not_admin")
					if got := a.do(t, http.MethodGet, "/", nil, http.NoBody); got.status != http.StatusOK ||
						!strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
						t.Errorf("page: %d %v", got.status, got.header)
					}
					if strings.Contains(mounts[name].site, "file_server") {
						expectSite(t, "http://"+addresses[name]+"/")
					}
					k.close()
				})
			}
			for _, log := range []string{"access.log", "both.log"} {
				expectUpgradeLogged(t, filepath.Join(dir, log), http.StatusSwitchingProtocols)
			}
			if lines := n.errorsLogged(t); len(lines) > 0 {
				t.Errorf("logged: %s", lines)
			}
		})
	}
}

// expectSite fails the test unless the site's own page is there.
func expectSite(t *testing.T, url string) {
	t.Helper()
	got := newAPI(t, strings.TrimSuffix(url, "/")).do(t, http.MethodGet, "/", nil, http.NoBody)
	if string(got.body) != "the site's own page" {
		t.Errorf("%s: %d %s", url, got.status, got.body)
	}
}

// TestJoinByQuery is of command-line tools, which are refused before the
// upgrade.
func TestJoinByQuery(t *testing.T) {
	onBoth(t, unlimited, func(t *testing.T, s *site) {
		admin := s.api(0).create(t, 600)
		query := func(m *member, more string) string {
			return fmt.Sprintf("%s?roomId=%s&userId=%s&sessionId=%s%s", wsURL(s.base(1)), m.RoomID, m.UserID, m.SessionID, more)
		}
		k, _, err := openSocket(t.Context(), query(&admin, ""), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(k.close)
		epoch := k.await(t, "welcome").Epoch
		for n := range 3 {
			k.say(t, fmt.Sprint(n))
			k.awaitText(t, fmt.Sprint(n))
		}
		again, _, err := openSocket(t.Context(), query(&admin, "&after=1&epoch="+epoch), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(again.close)
		if f := again.await(t, "welcome"); len(f.Messages) != 2 || f.Messages[0].Seq != 2 || f.Gap {
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
			_, got, err := openSocket(t.Context(), c.url, nil, nil)
			if err == nil || got == nil {
				t.Fatalf("%s: %v, %v", c.url, got, err)
			}
			expectRefusal(t, got, c.status, c.code)
		}

		// No upgrade at all.
		for method, status := range map[string]int{http.MethodGet: 426, http.MethodPost: 405} {
			if got := s.api(0).do(t, method, "/ws", nil, http.NoBody); got.status != status || got.code() == "" {
				t.Errorf("%s /ws: %d %s", method, got.status, got.body)
			}
		}
		s.noErrors(t)
	})
}
