package browser_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// chatInBrowser opens a WebSocket, joins, publishes a message and receives it. It keeps
// the connection and the event of its end.
const chatInBrowser = `
(async () => {
	const call = async (path, body) => (await fetch(path, {
		method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body),
	})).json();
	const me = await call('createRoom', {roomName: 'r', username: 'anna', ttl: 300});
	const ws = new WebSocket('ws');
	window.ended = new Promise(resolve => ws.onclose = e => resolve([e.code, e.reason, e.wasClean]));
	await new Promise((resolve, reject) => { ws.onopen = resolve; ws.onerror = () => reject(new Error('no WebSocket')); });
	const long = 'x'.repeat(4000);
	window.received = new Promise(resolve => ws.onmessage = e => {
		const frame = JSON.parse(e.data);
		if (frame.type === 'welcome') ws.send(JSON.stringify({type: 'message', message: long, id: 1}));
		if (frame.type === 'message') resolve(frame.message === long ? 'received' : 'something else');
	});
	ws.send(JSON.stringify({type: 'join', roomId: me.roomId, userId: me.userId, sessionId: me.sessionId}));
	window.ws = ws;
	return await window.received;
})()`

// TestStreams has Chromium chat over a stream of HTTP/2 and of HTTP/3. Then it stops
// Caddy, which has to close the WebSocket first.
func TestStreams(t *testing.T) {
	for _, version := range []string{"HTTP/2.0", "HTTP/3.0"} {
		t.Run(version, func(t *testing.T) {
			// Without this, Go's HTTP/2 server does not offer streams for WebSockets.
			t.Setenv("GODEBUG", "http2xconnect=1")
			address := harness.FreeAddress(t)
			port := harness.PortOf(t, address)
			n := harness.StartNode(t, harness.HTTPSOptions(t, address)+"\n\tgrace_period 2s", fmt.Sprintf(`https://chat.test:%s {
	tls internal
	log {
		output file access.log
	}
	encode
	ephemeral_chat {
		extended_connect on
		ping_interval 1s
		%s
	}
}`, port, harness.Unlimited), address)
			// Not localhost, for which Chromium tries IPv6 first.
			origin := "chat.test:" + port
			extra := []chromedp.ExecAllocatorOption{
				chromedp.Flag("host-resolver-rules", "MAP chat.test 127.0.0.1"),
				chromedp.Flag("ignore-certificate-errors-spki-list", awaitKeyHash(t, address)),
			}
			if version == "HTTP/3.0" {
				extra = append(extra, chromedp.Flag("enable-quic", true), chromedp.Flag("origin-to-force-quic-on", origin),
					chromedp.Flag("enable-features", "EnableWebsocketsOverHttp3"))
			}
			b := browser.NewProfile(t, extra...).OpenBlank(t, "https://"+origin)
			b.Visit("https://" + origin + "/")
			if got := browser.Eval[string](b, chatInBrowser); got != "received" {
				t.Fatalf("the page has received %s", got)
			}
			// For longer than pings may be unanswered.
			harness.Stays(t, 2500*time.Millisecond, "the WebSocket is open", func() bool {
				return browser.Eval[int](b, `window.ws.readyState`) == 1
			})
			start := time.Now()
			stopped := make(chan time.Duration, 1)
			go func() { stopped <- n.Stop(t) }() // the test waits for it
			end := browser.Eval[[]any](b, `window.ended`)
			if reason, _ := end[1].(string); end[0] != 1001.0 || !strings.HasPrefix(reason, "retry=") {
				t.Errorf("closed: %v", end)
			}
			closed := time.Since(start)
			// Caddy's grace_period bounds the wait for the connections below the streams,
			// which the browser keeps.
			took := <-stopped
			t.Logf("closed with %v %s after SIGTERM; Caddy ends after %s", end, closed.Round(time.Millisecond), took.Round(time.Millisecond))
			if closed > exitTime {
				t.Errorf("the WebSocket is closed after %s", closed)
			}
			expectAccess(t, n, version)
		})
	}
}

// exitTime bounds the time from SIGTERM to the close frame.
const exitTime = 3 * time.Second

// expectAccess fails the test unless the WebSocket was opened over this version.
func expectAccess(t *testing.T, n *harness.Node, version string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(n.Dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for line := range strings.Lines(string(text)) {
		var entry struct {
			Request struct{ Proto, Method, URI string }
			Status  int
		}
		if json.Unmarshal([]byte(line), &entry) == nil && strings.HasSuffix(entry.Request.URI, "/ws") {
			seen = append(seen, fmt.Sprint(entry.Request.Method, " ", entry.Request.Proto, " ", entry.Status))
		}
	}
	want := "CONNECT " + version + " 200"
	if version == "HTTP/3.0" {
		want = "CONNECT websocket 200" // Go's HTTP/3 server has the protocol as the version
	}
	if len(seen) != 1 || seen[0] != want {
		t.Errorf("logged: %q, want %q", seen, want)
	}
}

// awaitKeyHash waits until the site has its certificate, and returns the hash of its key
// for Chromium.
func awaitKeyHash(t *testing.T, address string) string {
	t.Helper()
	var hash [sha256.Size]byte
	dialer := tls.Dialer{Config: &tls.Config{
		ServerName:         "chat.test",
		InsecureSkipVerify: true, // the certificate is not known yet
	}}
	harness.Until(t, harness.StartTime, "the site has its certificate", func() bool {
		conn, err := dialer.DialContext(t.Context(), "tcp", address)
		if err != nil {
			return false
		}
		defer func() { _ = conn.Close() }()
		secure, ok := conn.(*tls.Conn)
		if ok {
			hash = sha256.Sum256(secure.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
		}
		return ok
	})
	return base64.StdEncoding.EncodeToString(hash[:])
}
