package ephemeralchat_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	ephemeralchat "github.com/ephemeralchat/caddy-ephemeral-chat"
	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
)

// TestMount checks the paths of the endpoints. Other requests reach the next handler with
// their whole path.
func TestMount(t *testing.T) {
	const next = `respond "next {http.request.uri.path}" 203`
	for name, test := range map[string]struct {
		directives string
		mounts     []string
		next       []string
	}{
		"root":          {"ephemeral_chat\n" + next, []string{""}, []string{"/chat/createRoom", "/x"}},
		"every path":    {"ephemeral_chat *\n" + next, []string{""}, []string{"/x"}},
		"root matcher":  {"ephemeral_chat /*\n" + next, []string{""}, []string{"/x"}},
		"path matcher":  {"ephemeral_chat /chat/*\n" + next, []string{"/chat", "/Chat", "/%63hat"}, []string{"/createRoom", "/chat", "/chat/x", "/chat/chat/createRoom", "/chatty/createRoom"}},
		"deep matcher":  {"ephemeral_chat /a/b.c/*\n" + next, []string{"/a/b.c"}, []string{"/a/createRoom", "/a/bxc/createRoom"}},
		"handle_path":   {"handle_path /chat/* {\nephemeral_chat\n" + next + "\n}\nrespond \"next outside\" 203", []string{"/chat"}, []string{"/createRoom", "/chat/x"}},
		"both":          {"handle_path /site/* {\nephemeral_chat /chat/*\n}\n" + next, []string{"/site/chat"}, []string{"/chat/createRoom"}},
		"named matcher": {"@chat path /createRoom /x\nephemeral_chat @chat\n" + next, []string{""}, []string{"/x", "/joinRoom"}},
		"two":           {"ephemeral_chat /a/*\nephemeral_chat /b/*\n" + next, []string{"/a", "/b"}, []string{"/createRoom"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, test.directives)
			for _, mount := range test.mounts {
				s.Post(t, mount+"/createRoom", apitest.Object(t, "roomName", "x")).OK(t)
			}
			for _, path := range test.next {
				got := s.Post(t, path, apitest.Object(t, "roomName", "x"))
				if got.Status != 203 || !strings.HasPrefix(string(got.Body), "next ") {
					t.Errorf("%s: %d %s", path, got.Status, got.Body)
				}
			}
		})
	}
}

func TestNextSeesWholePath(t *testing.T) {
	s := serve(t, "ephemeral_chat /chat/*\nrespond \"{http.request.uri.path}\"")
	if got := s.Send(t, http.MethodGet, "/chat/other", ""); string(got.Body) != "/chat/other" {
		t.Errorf("next handler saw %s", got.Body)
	}
}

// TestBesideFiles serves a chat and the files of a site, like the first example of the
// README.
func TestBesideFiles(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "index.html"), []byte("the site"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "root * "+root+"\nephemeral_chat /chat/*\nfile_server")
	if got := s.Send(t, http.MethodGet, "/", ""); string(got.Body) != "the site" {
		t.Errorf("site: %d %s", got.Status, got.Body)
	}
	if got := s.Send(t, http.MethodGet, "/chat", ""); got.Status != http.StatusPermanentRedirect || got.Header.Get("Location") != "chat/" {
		t.Errorf("redirect: %d %v", got.Status, got.Header)
	}
	if got := s.Send(t, http.MethodGet, "/chat/none", ""); got.Status != http.StatusNotFound {
		t.Errorf("unknown path below the mount: %d", got.Status)
	}
	s.Post(t, "/chat/createRoom", apitest.Object(t, "roomName", "x")).OK(t)
}

// TestPage fetches the page and the files that it refers to, like a browser, at each kind
// of mount point.
func TestPage(t *testing.T) {
	for name, test := range map[string]struct{ directives, mount string }{
		"root":         {"ephemeral_chat", ""},
		"path matcher": {"ephemeral_chat /chat/*", "/chat"},
		"handle_path":  {"handle_path /chat/* {\nephemeral_chat\n}", "/chat"},
		"both":         {"handle_path /site/* {\nephemeral_chat /chat/*\n}", "/site/chat"},
		"encode":       {"encode {\nminimum_length 1\n}\nephemeral_chat /chat/*", "/chat"},
		"templates":    {"route {\ntemplates\nephemeral_chat /chat/*\n}", "/chat"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, test.directives+"\nrespond next 203")
			got := s.Send(t, http.MethodGet, test.mount+"/", "")
			if got.Status != http.StatusOK || !strings.HasPrefix(string(got.Body), "<!DOCTYPE html>") {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
			if !strings.Contains(got.Header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("headers %v", got.Header)
			}
			asset := regexp.MustCompile(`"(assets/[0-9a-f]+/[^"]+\.css)"`).FindSubmatch(got.Body)
			if asset == nil {
				t.Fatalf("no style sheet in %s", got.Body)
			}
			path := test.mount + "/" + string(asset[1])
			if got := s.Send(t, http.MethodGet, path, ""); got.Status != http.StatusOK ||
				got.Header.Get("Content-Type") != "text/css; charset=utf-8" || !strings.Contains(got.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s: %d %v", path, got.Status, got.Header)
			}
			for _, path := range []string{test.mount + "/", path} {
				s.Post(t, path, "{}").Refused(t, http.StatusMethodNotAllowed, "method_not_allowed")
				zipped := s.Send(t, http.MethodGet, path, "", apitest.Header("Accept-Encoding", "gzip"))
				again := s.Send(t, http.MethodGet, path, "", apitest.Header("Accept-Encoding", "gzip"), apitest.Header("If-None-Match", zipped.Header.Get("ETag")))
				// Templates change the page.
				if templated := name == "templates" && path == test.mount+"/"; !templated && again.Status != http.StatusNotModified {
					t.Errorf("%s, asked for again: %d %v", path, again.Status, again.Header)
				}
			}
			for _, path := range []string{test.mount + "/assets/x.css", test.mount + "/" + string(asset[1]) + "x", test.mount + "/index.html"} {
				if got := s.Send(t, http.MethodGet, path, ""); got.Status != 203 {
					t.Errorf("%s: %d", path, got.Status)
				}
			}
		})
	}
}

// TestPageKnowsChat checks that the page has the settings of the chat.
func TestPageKnowsChat(t *testing.T) {
	for options, want := range map[string]string{
		"":                                ` ttl="3600" max-ttl="86400">`,
		"max_ttl 10m":                     ` ttl="600" max-ttl="600">`,
		"ttl 90s\nmax_ttl 7d":             ` ttl="90" max-ttl="604800">`,
		"user {http.request.header.X-Id}": ` ttl="3600" max-ttl="86400" named>`,
	} {
		s := serve(t, "ephemeral_chat /chat/* {\n"+options+"\n}")
		if got := s.Send(t, http.MethodGet, "/chat/", ""); !strings.Contains(string(got.Body), want) {
			t.Errorf("%q: no %s in %s", options, want, got.Body)
		}
	}
}

// TestMountWithoutSlash checks that the mount point redirects to the page.
func TestMountWithoutSlash(t *testing.T) {
	for name, test := range map[string]struct{ directives, path, location string }{
		"path matcher": {"ephemeral_chat /chat/*", "/chat", "chat/"},
		"deep":         {"ephemeral_chat /a/b/*", "/a/b", "b/"},
		"case":         {"ephemeral_chat /chat/*", "/Chat", "Chat/"},
		"escapes":      {"ephemeral_chat /chät/*", "/ch%C3%A4t", "ch%C3%A4t/"},
		"query":        {"ephemeral_chat /chat/*", "/chat?a=b", "chat/?a=b"},
		"both":         {"handle_path /site/* {\nephemeral_chat /chat/*\n}", "/site/chat", "chat/"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, test.directives+"\nrespond next 203")
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				got := s.Send(t, method, test.path, "")
				if got.Status != http.StatusPermanentRedirect || got.Header.Get("Location") != test.location {
					t.Errorf("%s %s: %d %v", method, test.path, got.Status, got.Header)
				}
			}
			if got := s.Post(t, test.path, "{}"); got.Status != 203 {
				t.Errorf("POST: %d %s", got.Status, got.Body)
			}
		})
	}
}

func TestPageOff(t *testing.T) {
	s := serve(t, "ephemeral_chat /chat/* {\npage off\n}\nrespond next 203")
	for _, path := range []string{"/chat/", "/chat"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if got := s.Send(t, method, path, ""); got.Status != 203 {
				t.Errorf("%s %s: %d %s", method, path, got.Status, got.Body)
			}
		}
	}
	if got := s.Send(t, http.MethodGet, "/chat/assets/0123456789abcdef/page.css", ""); got.Status != http.StatusOK {
		t.Errorf("assets: %d", got.Status)
	}
	s.Admit(t, "/chat/createRoom", "roomName", "x")
}

func TestEncodeInFront(t *testing.T) {
	s := serve(t, "encode {\ngzip\nminimum_length 1\n}\nephemeral_chat")
	got := s.Post(t, "/createRoom", apitest.Object(t, "roomName", strings.Repeat("x", 100)), apitest.Header("Accept-Encoding", "gzip"))
	if got.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("not encoded: %v", got.Header)
	}
	reader, err := gzip.NewReader(bytes.NewReader(got.Body))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(content) || !bytes.Contains(content, []byte(`"role":"admin"`)) {
		t.Errorf("body %s", content)
	}
}

// TestTwoSites checks which sites of one configuration share rooms.
func TestTwoSites(t *testing.T) {
	for name, test := range map[string]struct {
		first, second string
		shared        bool
	}{
		"defaults":        {"", "", true},
		"default by name": {"", "store memory", true},
		"same name":       {"store memory a", "store memory a", true},
		"same, limits differ": {
			"store memory a\nttl 5m\ncreate_rate off", "store memory a\nttl 10m", true,
		},
		"other name":      {"store memory a", "store memory b", false},
		"name or default": {"store memory a", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := newSite(t), newSite(t)
			load(t, first.block("ephemeral_chat {\n"+test.first+"\n}")+second.block("ephemeral_chat {\n"+test.second+"\n}"))
			admin := first.Create(t)
			got := second.Post(t, "/joinRoom", admin.As(t))
			if test.shared {
				got.OK(t)
			} else {
				got.Refused(t, 404, "room_not_found")
			}
		})
	}
}

// FuzzPath requests any path of a chat at any prefix. Other handlers receive the path
// unchanged, and a redirect leads only to the page below the requested path.
func FuzzPath(f *testing.F) {
	for _, seed := range [][2]string{
		{"", "/"},
		{"", "/client.js"},
		{"/chat", "/chat"},
		{"/chat", "/CHAT/embed.js"},
		{"/chat", "/chat/assets/0123456789abcdef/page.js"},
		{"", "/assets/0123456789abcdef/../page.js"},
		{"", "/assets//page.js"},
		{"", "/assets/0123456789abcdef/web.go"},
		{"", "/index.html"},
		{"/a:b", "/a:b"},
		{"/\\evil.example", "/\\evil.example"},
		{"/a/..", "/a/.."},
		{"/a/.", "/a/."},
		{"/chat", "//chat"},
		{"/chat", "/chat?//evil.example"},
		{"/s", "/\u017f"},
		{"/K", "/\u212a/"},
		{"", ""},
		{"/x", "/x/ws/"},
		{"/\xff", "/\xff"},
		{"/a", "/a\x00"},
		{"/a\r\nX: y", "/a\r\nX: y"},
	} {
		f.Add(seed[0], seed[1])
	}
	provisioned(f, new(ephemeralchat.Handler)) // keeps the store
	f.Fuzz(func(t *testing.T, prefix, path string) {
		handler := &ephemeralchat.Handler{PathPrefix: prefix}
		ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
		defer cancel()
		defer func() {
			if err := handler.Cleanup(); err != nil {
				t.Error(err)
			}
		}()
		if handler.Provision(ctx) != nil {
			return
		}
		asked := &url.URL{Scheme: "https", Host: "chat.example", Path: path}
		r := (&http.Request{Method: http.MethodGet, URL: asked, Host: asked.Host, Header: make(http.Header), Body: http.NoBody}).WithContext(t.Context())
		handedOn := false
		w := httptest.NewRecorder()
		if err := handler.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
			handedOn = true
			if r.URL.Path != path {
				t.Errorf("%q is handed on as %q", path, r.URL.Path)
			}
			return nil
		})); err != nil {
			t.Fatal(err)
		}
		switch {
		case handedOn:
		case !strings.EqualFold(path, prefix) && !strings.EqualFold(path[:min(len(path), len(prefix))], prefix):
			t.Errorf("%q is answered below %q: %d", path, prefix, w.Code)
		case w.Code == http.StatusPermanentRedirect:
			to, err := asked.Parse(w.Header().Get("Location"))
			if want := (&url.URL{Path: path + "/"}).JoinPath(); err != nil || to.Host != asked.Host || to.Scheme != asked.Scheme || to.JoinPath().Path != want.Path {
				t.Errorf("%q is sent to %q, which is %v (%v)", path, w.Header().Get("Location"), to, err)
			}
		case w.Code == http.StatusOK:
			if w.Body.Len() == 0 || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%q: %d bytes, %v", path, w.Body.Len(), w.Header())
			}
		case w.Code != http.StatusMethodNotAllowed && w.Code != http.StatusBadRequest:
			t.Errorf("%q: status %d", path, w.Code)
		}
	})
}

func TestRequestsOfOthers(t *testing.T) {
	s := serve(t, "ephemeral_chat\nrespond \"next {http.request.uri.path}\" 203")
	for _, path := range []string{"/x", "/createRoom/", "/createroom", "/ws/", "/ws/x", "//ws", "/create%52oom/", "/joinRoom.json"} {
		if got := s.Send(t, http.MethodGet, path, ""); got.Status != 203 || !strings.HasPrefix(string(got.Body), "next ") {
			t.Errorf("GET %s: %d %s", path, got.Status, got.Body)
		}
	}
	s.Post(t, "/create%52oom", apitest.Object(t, "roomName", "x")).OK(t)
}

func TestPageMethods(t *testing.T) {
	s := serve(t, "ephemeral_chat")
	got := s.Post(t, "/", "{}")
	got.Refused(t, 405, "method_not_allowed")
	if allow := got.Header.Get("Allow"); allow != "GET, HEAD" {
		t.Errorf("Allow %q", allow)
	}
}

// TestMountedSocket opens connections at each kind of mount point.
func TestMountedSocket(t *testing.T) {
	for name, test := range map[string]struct{ directives, mount string }{
		"root":         {"ephemeral_chat", ""},
		"path matcher": {"ephemeral_chat /chat/*", "/chat"},
		"handle_path":  {"handle_path /chat/* {\nephemeral_chat\n}", "/chat"},
		"encode":       {"encode\nephemeral_chat", ""},
		"access log":   {"log {\noutput discard\n}\nencode\nephemeral_chat", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, test.directives)
			answer := s.Post(t, test.mount+"/createRoom", apitest.Object(t, "roomName", "x")).OK(t)
			text := func(name string) string { return fmt.Sprint(answer[name]) }
			s.connect(t, test.mount, apitest.Member{Room: text("roomId"), User: text("userId"), Session: text("sessionId")}).echo(t, "hello")
		})
	}
}
