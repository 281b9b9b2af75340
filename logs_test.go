package ephemeralchat_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
)

// TestLogs runs the whole life of a room with all logs at their most verbose level.
func TestLogs(t *testing.T) {
	forEachStore(t, func(t *testing.T, store string) {
		file := filepath.Join(t.TempDir(), "log")
		t.Setenv("CHAT_DOOR", "open-rye")
		t.Setenv("CHAT_CROWN", "open-wheat")
		s := newSite(t)
		loadWith(t, "log all {\noutput file "+file+" {\nroll_disabled\n}\nlevel DEBUG\n}", s.block("log\nencode\nephemeral_chat {\n"+store+"\n"+lounge+"\n}"))
		admin := s.Create(t, "username", "Anna", "password", "open-sesame")
		ben := s.Join(t, admin.Room, "username", "Ben", "password", "open-sesame")
		s.Post(t, "/joinRoom", apitest.Object(t, "roomId", admin.Room, "password", "open-barley")).Refused(t, 403, "wrong_password")
		s.Post(t, "/startChat", apitest.Object(t, "roomId", admin.Room, "userId", "x", "sessionId", "session-of-nobody")).Refused(t, 401, "invalid_session")
		s.Join(t, "lounge", "password", "open-rye")
		s.Join(t, "lounge", "password", "open-wheat")
		c := s.connect(t, "", ben)
		c.echo(t, "nobody else must read this")
		s.Post(t, "/removeMember", admin.As(t, "memberId", ben.User)).OK(t)
		if code, _ := c.closed(t); code != 4403 {
			t.Errorf("closed with %d", code)
		}
		s.Post(t, "/deleteRoom", admin.As(t)).OK(t)
		// A request is logged when its handler has returned, which may be later than
		// what its client sees.
		apitest.WaitUntil(t, func() bool {
			content, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(content), `"status":101`)
		})
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		log := string(content)
		for _, secret := range []string{
			admin.Session, ben.Session, "open-sesame", "open-barley", "open-rye", "open-wheat", "session-of-nobody", "nobody else must read this",
		} {
			if strings.Contains(log, secret) {
				t.Errorf("a log contains %q", secret)
			}
		}
		for _, line := range []string{`"uri":"/createRoom"`, `"status":101`, `"status":403`} {
			if !strings.Contains(log, line) {
				t.Errorf("no log contains %s", line)
			}
		}
		if strings.Contains(log, `"level":"error"`) {
			t.Errorf("what clients do wrong is logged as an error:\n%s", log)
		}
	})
}

// TestDefects checks that an error outside a store's contract is logged and answered with
// 500, and that the client does not receive its text.
func TestDefects(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	s := newSite(t)
	loadWith(t, "log all {\noutput file "+file+" {\nroll_disabled\n}\n}", s.block("ephemeral_chat {\nstore defective\n}"))
	detail := s.Post(t, "/roomInfo", apitest.Object(t, "roomId", "AAAAAAAAAAAAAAAAAAAAAA")).Refused(t, http.StatusInternalServerError, "internal_error")
	if strings.Contains(detail, "gears") {
		t.Errorf("the client receives %q", detail)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if log := string(content); !strings.Contains(log, "the gears are stuck") || strings.Contains(log, "AAAAAAAAAAAAAAAAAAAAAA") {
		t.Errorf("log:\n%s", log)
	}
}
