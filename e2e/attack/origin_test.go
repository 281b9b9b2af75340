package attack_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// foreignOrigins returns origins other than http://<host>, which imitate it or not, by
// their kind.
func foreignOrigins(t *testing.T, host string) map[string]string {
	t.Helper()
	name, port, _ := strings.Cut(host, ":")
	return map[string]string{
		"another site":          "https://evil.example",
		"opaque":                "null",
		"opaque in capitals":    "NULL",
		"no value":              "",
		"no scheme":             host,
		"any":                   "*",
		"no port":               "http://" + name,
		"another port":          "http://" + name + ":1" + port,
		"another scheme":        "ftp://" + host,
		"a scheme of WebSocket": "ws://" + host,
		"a file":                "file://",
		"a file with a host":    "file://" + host,
		"an extension":          "chrome-extension://" + host,
		"no host":               "http://:" + port,
		"a longer name":         "http://" + host + ".evil.example",
		"a longer port":         "http://" + host + "0",
		"a port with a zero":    "http://" + name + ":0" + port,
		"an empty port":         "http://" + name + ":",
		"a subdomain":           "http://evil." + host,
		"a name that ends so":   "http://evil" + host,
		"the parent domain":     "http://" + name[strings.Index(name, ".")+1:] + ":" + port,
		"user information":      "http://" + host + "@evil.example",
		"the site as a user":    "http://evil.example@" + host,
		"a path":                "http://" + host + "/",
		"a path elsewhere":      "http://evil.example/" + host,
		"a fragment":            "http://evil.example#http://" + host,
		"a query":               "http://evil.example?http://" + host,
		"a backslash":           `http://` + host + `\@evil.example`,
		"a trailing dot":        "http://" + name + ".:" + port,
		"a list":                "http://" + host + " https://evil.example",
		"a list with a comma":   "http://" + host + ",https://evil.example",
		"a tab":                 "http://" + name + "\t:" + port,
		"twice the scheme":      "http://http://" + host,
		"an escaped name":       "http://%31" + name[1:] + ":" + port,
		"other letters":         "http://" + strings.ReplaceAll(strings.ReplaceAll(name, "1", "\u0661"), "a", "\u0430") + ":" + port,
		"brackets":              "http://[" + name + "]:" + port,
		"mapped into IPv6":      "http://[::ffff:" + name + "]:" + port,
	}
}

// TestAttackOrigins sends the requests of a browser for a page of another site: the
// handshake of a WebSocket, requests with valid sessions, and preflights. It does so with
// and without a list of origins, behind a proxy, and under a domain.
func TestAttackOrigins(t *testing.T) {
	count := newAttacks(t)
	plain, listed, front := harness.FreeAddress(t), harness.FreeAddress(t), harness.FreeAddress(t)
	const friends = "origins https://www.example.com http://list.example:8080 https://xn--bcher-kva.example"
	harness.StartNode(t, "", fmt.Sprintf(`
http://:%s {
	ephemeral_chat {
		%s
	}
}
http://%s {
	ephemeral_chat {
		%[2]s
		%[4]s
	}
}
http://%[5]s {
	reverse_proxy %[6]s
}`, harness.PortOf(t, plain), harness.Unlimited, listed, friends, front, plain), plain, listed, front)

	admin := harness.NewAPI(t, "http://"+plain).Create(t, 600)
	for site, host := range map[string]string{plain: plain, listed: listed, front: front} {
		for what, origin := range foreignOrigins(t, host) {
			tryOrigin(count, what, site, "", origin, &admin)
		}
	}
	for what, origin := range foreignOrigins(t, "chat.example:80") {
		if what == "no port" {
			continue // it is the default
		}
		tryOrigin(count, what+" of a name", plain, "chat.example", origin, &admin)
	}
	for _, origin := range []string{
		"http://www.example.com", "https://example.com", "https://www.example.com:8443", "https://www.example.com.", "https://www.example.com.evil.example",
		"https://evilwww.example.com", "https://evil.www.example.com", "http://list.example", "https://list.example:8080", "http://list.example:80",
		"https://b\u00fccher.example", "https://xn--bcher-kva.example.evil.example", "https://www.example.com https://evil.example",
	} {
		tryOrigin(count, "near a friend", listed, "", origin, &admin)
	}
	for _, pair := range [][]string{{"http://" + plain, "https://evil.example"}, {"https://evil.example", "http://" + plain}} {
		header := harness.JSONHeader()
		header["Origin"] = pair
		got := harness.NewAPI(t, "http://"+plain).Do(t, http.MethodPost, "/deleteRoom", header, strings.NewReader("{}"))
		count.refused("two origins", got, 403, "origin_not_allowed")
		count.notUpgraded("two origins", "http://"+plain, http.Header{"Origin": pair}, 403, "origin_not_allowed")
	}

	// With allowed origins the same requests succeed.
	for site, origin := range map[string]string{
		plain: "http://" + plain, front: "http://" + front, listed: "https://www.example.com",
	} {
		header := harness.JSONHeader()
		header.Set("Origin", origin)
		got := harness.NewAPI(t, "http://"+site).Do(t, http.MethodPost, "/roomInfo", header, strings.NewReader(fmt.Sprintf(`{"roomId":%q}`, admin.RoomID)))
		reads := got.Header.Get("Access-Control-Allow-Origin")
		if got.Status != http.StatusOK || (site == listed) != (reads == origin) || (site != listed && reads != "") {
			t.Errorf("%s from %s: %d %v %s", site, origin, got.Status, got.Header, got.Body)
		}
		count.hold(got.Header.Get("Access-Control-Allow-Credentials") == "" && got.Header.Get("Vary") == "Origin", "%s: %v", origin, got.Header)
		k, _, err := harness.OpenSocket(t.Context(), harness.WebSocketURL("http://"+site), http.Header{"Origin": {origin}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		k.Close()
	}
}

// tryOrigin sends the requests of a page of an origin to a site. The host "" stands for
// the site's address.
func tryOrigin(count *attacks, what, site, host, origin string, admin *harness.Member) {
	t := count.t
	t.Helper()
	what = fmt.Sprintf("%s (%q at %s)", what, origin, site)
	a := harness.NewAPI(t, "http://"+site)
	if host == "" {
		host = site
	}
	a.Client.Transport = harness.RoundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Host = host
		return http.DefaultTransport.RoundTrip(r)
	})
	body := fmt.Sprintf(`{"roomId":%q,"userId":%q,"sessionId":%q}`, admin.RoomID, admin.UserID, admin.SessionID)
	header := harness.JSONHeader()
	header["Origin"] = []string{origin}
	preflight := http.Header{
		"Origin": {origin}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"content-type"},
		"Access-Control-Request-Private-Network": {"true"},
	}
	for _, got := range []*harness.Response{
		a.Do(t, http.MethodPost, "/deleteRoom", header, strings.NewReader(body)),
		a.Do(t, http.MethodOptions, "/deleteRoom", preflight, http.NoBody),
	} {
		if origin == "" && got.Status == http.StatusMethodNotAllowed {
			got.Status, got.Fields["code"] = 403, "origin_not_allowed" // without an origin it is no preflight
		}
		count.refused(what, got, 403, "origin_not_allowed")
		for name := range got.Header {
			count.hold(!strings.HasPrefix(name, "Access-Control-"), "%s: received %s", what, name)
		}
		count.hold(got.Header.Get("Vary") == "Origin", "%s: Vary is %q", what, got.Header["Vary"])
	}
	query := url.Values{"roomId": {admin.RoomID}, "userId": {admin.UserID}, "sessionId": {admin.SessionID}}
	upgrade := upgradeRequest("/ws?"+query.Encode(), host, "Origin: "+origin)
	got := harness.RawRequest(t, site, upgrade)
	count.refused(what+", by WebSocket", got, 403, "origin_not_allowed")
}

// upgradeRequest returns the handshake of a WebSocket.
func upgradeRequest(path, host string, headers ...string) string {
	return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n", path, host, harness.HeaderLines(headers))
}

// TestAttackSimpleRequests sends requests that need no preflight, which any page can make
// a browser send: bodies of other types, with a valid session.
func TestAttackSimpleRequests(t *testing.T) {
	count := newAttacks(t)
	s := harness.MemorySite(t, harness.Unlimited)
	a := s.API(0)
	admin := a.Create(t, 600)
	before := s.State(t, &admin)
	body := fmt.Sprintf(`{"roomId":%q,"userId":%q,"sessionId":%q,"memberId":"x","locked":true,"roomName":"n","x":"="}`,
		admin.RoomID, admin.UserID, admin.SessionID)
	for _, endpoint := range harness.Endpoints {
		for _, contentType := range []string{
			"", "text/plain", "text/plain;charset=UTF-8", "text/plain; application/json", "application/x-www-form-urlencoded",
			"multipart/form-data; boundary=x", "multipart/form-data; boundary=application/json", "text/json", "application/jsonp",
			"application/csp-report", "application/reports+json", "application/x-json", "application/json, text/plain", "text/plain, application/json",
			"application/json; charset=utf-16", "application/json;q=", "*/*", "application/*", "application/json/",
		} {
			// Without an origin, which would be refused first.
			got := a.Do(t, http.MethodPost, endpoint, http.Header{"Content-Type": {contentType}}, strings.NewReader(body))
			count.refused(endpoint+" as "+contentType, got, 415, "unsupported_media_type")
		}
		got := a.Do(t, http.MethodPost, endpoint, http.Header{}, strings.NewReader(body))
		count.refused(endpoint+" without a type", got, 415, "unsupported_media_type")
		got = a.Do(t, http.MethodPost, endpoint, http.Header{"Content-Type": {"text/plain", "application/json"}}, strings.NewReader(body))
		count.refused(endpoint+" with two types", got, 415, "unsupported_media_type")
		query := endpoint + "?" + url.Values{"roomId": {admin.RoomID}, "userId": {admin.UserID}, "sessionId": {admin.SessionID}}.Encode()
		count.refused(endpoint+" by GET", a.Do(t, http.MethodGet, query, nil, http.NoBody), 405, "method_not_allowed")
		count.refused(endpoint+" by a query", a.Post(t, query, "{}"), 400, "invalid_request")
		for _, header := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
			got := a.Do(t, http.MethodGet, endpoint+"?_method=POST", http.Header{header: {"POST"}, "Content-Type": {"application/json"}}, strings.NewReader(body))
			count.refused(endpoint+" by "+header, got, 405, "method_not_allowed")
		}
	}
	s.ExpectUnchanged(t, before, &admin)
}
