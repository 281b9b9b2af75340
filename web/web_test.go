package web_test

import (
	"compress/gzip"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/web"
)

// answer is a response, read and decompressed.
type answer struct {
	status int
	header http.Header
	sent   int // the length of its body as it came
	body   string
}

// get requests a path below the mount point. Headers alternate between names and
// values.
func get(t *testing.T, path string, headers ...string) answer {
	t.Helper()
	return ask(t, http.MethodGet, path, headers...)
}

func ask(t *testing.T, method, path string, headers ...string) answer {
	t.Helper()
	file, ok := web.Find(path)
	if !ok {
		t.Fatalf("no %s", path)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	file.Serve(recorder, r)
	got := answer{recorder.Code, recorder.Header(), recorder.Body.Len(), recorder.Body.String()}
	if got.header.Get("Content-Encoding") != "gzip" || got.sent == 0 {
		return got
	}
	reader, err := gzip.NewReader(recorder.Body)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	got.body = string(content)
	return got
}

// expectHeaders compares headers; an empty value means that the header is absent.
func expectHeaders(t *testing.T, got answer, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := got.header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
}

// prefix returns the path of the page's assets, with slashes around it.
func prefix(t *testing.T) string {
	t.Helper()
	found := regexp.MustCompile(`"(assets/[0-9a-f]{16}/)[^"/]+"`).FindStringSubmatch(get(t, "/").body)
	if found == nil {
		t.Fatal("the page refers to no asset")
	}
	return "/" + found[1]
}

func TestPage(t *testing.T) {
	response := get(t, "/")
	expectHeaders(t, response, map[string]string{
		"Content-Type":                 "text/html; charset=utf-8",
		"Cache-Control":                "no-cache",
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cross-Origin-Opener-Policy":   "",
		"Access-Control-Allow-Origin":  "",
		"Vary":                         "Accept-Encoding",
	})
	policy := response.header.Get("Content-Security-Policy")
	for _, directive := range []string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	} {
		if !strings.Contains(policy+";", directive+";") {
			t.Errorf("no %s in the policy %s", directive, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("policy %s", policy)
	}
	page := response.body
	if strings.Contains(page, "{{") {
		t.Error("a placeholder is left in the page, which Caddy's templates would evaluate")
	}
	for name, forbidden := range map[string]string{
		"inline script":   `<script(>|\s[^>]*>)\s*\S+\s*</script>`,
		"inline style":    `<style|\sstyle=`,
		"inline handler":  `<[^>]*\son[a-z]+=`,
		"URL from a root": `(src|href)="[^"]*(//|"/)`,
		"other origin":    `(src|href)="[a-z]+://`,
	} {
		if found := regexp.MustCompile(forbidden).FindString(page); found != "" {
			t.Errorf("%s: %s", name, found)
		}
	}
}

// TestSettings checks that the page passes the settings to the element.
func TestSettings(t *testing.T) {
	for _, test := range []struct {
		settings web.Settings
		want     string
	}{
		{web.Settings{}, `<ephemeral-chat mode="page">`},
		{web.Settings{TTL: 90 * time.Minute, MaxTTL: 24 * time.Hour}, `<ephemeral-chat mode="page" ttl="5400" max-ttl="86400">`},
		{web.Settings{TTL: time.Second, Named: true}, `<ephemeral-chat mode="page" ttl="1" named>`},
	} {
		file := web.Page(test.settings)
		if !file.IsPage() {
			t.Error("the page is none")
		}
		recorder := httptest.NewRecorder()
		file.Serve(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
		if !strings.Contains(recorder.Body.String(), test.want) {
			t.Errorf("%+v: no %s in %s", test.settings, test.want, recorder.Body)
		}
	}
}

func TestPageOverTLS(t *testing.T) {
	file, _ := web.Find("/")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	r.TLS = new(tls.ConnectionState)
	recorder := httptest.NewRecorder()
	file.Serve(recorder, r)
	if got := recorder.Header().Get("Cross-Origin-Opener-Policy"); got != "same-origin" {
		t.Errorf("Cross-Origin-Opener-Policy: %q", got)
	}
}

// TestReferences checks that the files that the page refers to exist.
func TestReferences(t *testing.T) {
	for _, found := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(get(t, "/").body, -1) {
		if strings.HasPrefix(found[1], "data:") {
			continue
		}
		if _, ok := web.Find("/" + found[1]); !ok {
			t.Errorf("the page refers to %s, which is not there", found[1])
		}
	}
	if style := get(t, prefix(t)+"page.css").body; strings.Contains(style, "@import") || strings.Contains(style, "url(") {
		t.Error("the style sheet loads something")
	}
}

// TestStable checks the modules that other pages import.
func TestStable(t *testing.T) {
	base := prefix(t)
	for _, name := range []string{"client.js", "embed.js"} {
		got := get(t, "/"+name)
		expectHeaders(t, got, map[string]string{
			"Content-Type":                 "text/javascript; charset=utf-8",
			"Cache-Control":                "no-cache",
			"Access-Control-Allow-Origin":  "*",
			"Cross-Origin-Resource-Policy": "cross-origin",
		})
		if want := "export * from '." + base + name + "';\n"; got.body != want {
			t.Errorf("%s is %q, want %q", name, got.body, want)
		}
		module := get(t, base+name).body
		if !regexp.MustCompile(`(?m)[;}]export\{[^}]+\};$`).MatchString(module) || regexp.MustCompile(`(?m)(?:^|[;}])(?:import\b[^.]|export\b[^{])|^\s*//`).MatchString(module) {
			t.Errorf("%s: %.200s", name, module)
		}
	}
}

func TestAssets(t *testing.T) {
	base := prefix(t)
	other := "/assets/0123456789abcdef/"
	for name, mediaType := range map[string]string{"client.js": "text/javascript; charset=utf-8", "page.css": "text/css; charset=utf-8"} {
		want := map[string]string{
			"Content-Type":                 mediaType,
			"Cache-Control":                "public, max-age=31536000, immutable",
			"X-Content-Type-Options":       "nosniff",
			"Access-Control-Allow-Origin":  "*",
			"Cross-Origin-Resource-Policy": "cross-origin",
			"Content-Security-Policy":      "",
		}
		expectHeaders(t, get(t, base+name), want)
		// Under the hash of another version it is served, but not cached.
		want["Cache-Control"] = "no-cache"
		expectHeaders(t, get(t, other+name), want)
		if get(t, other+name).body != get(t, base+name).body {
			t.Errorf("%s differs", name)
		}
	}
}

func TestNothingElse(t *testing.T) {
	base := prefix(t)
	for _, path := range []string{
		"", "/index.html", "/room.js", "/web.go", "/x", "//", "/assets", "/assets/", base, base + "index.html", base + "web.go",
		base + "x.js", base + "room.js", base + "x/client.js", base + "../client.js", base + "/client.js", "/assets/client.js", "/assets//client.js",
		"/assets/0123456789abcdeg/client.js", "/assets/0123456789ABCDEF/client.js", "/assets/01234/client.js",
	} {
		if _, ok := web.Find(path); ok {
			t.Errorf("there is %q", path)
		}
	}
}

// TestForms checks the content negotiation and the conditional requests.
func TestForms(t *testing.T) {
	path := prefix(t) + "client.js"
	plain, zipped := get(t, path), get(t, path, "Accept-Encoding", "gzip")
	if zipped.sent >= plain.sent || zipped.header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("compressed to %d from %d bytes", zipped.sent, plain.sent)
	}
	plainTag, zippedTag := plain.header.Get("ETag"), zipped.header.Get("ETag")
	if plainTag == zippedTag || plainTag == "" || zippedTag == "" {
		t.Errorf("tags %s and %s", plainTag, zippedTag)
	}
	if plain.body != zipped.body {
		t.Error("they differ")
	}
	for accept, wantGzip := range map[string]bool{
		"":                      false,
		"gzip":                  true,
		"br, GZip;q=0.5":        true,
		"x-gzip":                true,
		"*":                     true,
		"*;q=0":                 false,
		"gzip;q=0":              false,
		"gzip; q=0.000, *":      false,
		"*;q=0, gzip":           true,
		"br, zstd":              false,
		"identity":              false,
		"gzippy":                false,
		"deflate, gzip;q=1.0,*": true,
	} {
		got := get(t, path, "Accept-Encoding", accept)
		if gotGzip := got.header.Get("Content-Encoding") == "gzip"; gotGzip != wantGzip {
			t.Errorf("%q: gzip %t", accept, gotGzip)
		}
	}
	for _, test := range []struct {
		tag, accept string
		status      int
	}{
		{plainTag, "", 304},
		{zippedTag, "gzip", 304},
		{"W/" + zippedTag, "gzip", 304},
		{`"x", ` + zippedTag, "gzip", 304},
		{"*", "", 304},
		{zippedTag, "", 200},
		{plainTag, "gzip", 200},
		{`"x"`, "", 200},
	} {
		got := get(t, path, "If-None-Match", test.tag, "Accept-Encoding", test.accept)
		if got.status != test.status || (got.sent == 0) != (test.status == 304) {
			t.Errorf("If-None-Match %s with %q: %d, %d bytes", test.tag, test.accept, got.status, got.sent)
		}
		if got.header.Get("ETag") == "" || got.header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("headers %v", got.header)
		}
	}
	for _, header := range [][2]string{{"Range", "bytes=0-3"}, {"If-Match", `"x"`}, {"If-Modified-Since", "Mon, 30 Nov 2026 00:00:00 GMT"}} {
		if got := get(t, path, header[0], header[1]); got.status != 200 || got.body != plain.body || got.header.Get("Accept-Ranges") != "" {
			t.Errorf("%s: %d, %d bytes, %v: a cache could keep it for others", header[0], got.status, got.sent, got.header)
		}
	}
	head := ask(t, http.MethodHead, path, "Accept-Encoding", "gzip")
	if head.sent != 0 || head.header.Get("Content-Length") != zipped.header.Get("Content-Length") {
		t.Errorf("HEAD: %d bytes, %v", head.sent, head.header)
	}
}
