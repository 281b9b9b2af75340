package e2e_test

import (
	"context"
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

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// chatInBrowser is what a page runs to open a WebSocket, join, and say something that
// it hears. It keeps the connection and the events of its end.
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
	window.heard = new Promise(resolve => ws.onmessage = e => {
		const frame = JSON.parse(e.data);
		if (frame.type === 'welcome') ws.send(JSON.stringify({type: 'message', message: long, id: 1}));
		if (frame.type === 'message') resolve(frame.message === long ? 'heard' : 'something else');
	});
	ws.send(JSON.stringify({type: 'join', roomId: me.roomId, userId: me.userId, sessionId: me.sessionId}));
	window.ws = ws;
	return await window.heard;
})()`

// TestStreams has Chromium chat over a stream of HTTP/2 and of HTTP/3, and then stops
// Caddy, which has to tell it.
func TestStreams(t *testing.T) {
	for _, version := range []string{"HTTP/2.0", "HTTP/3.0"} {
		t.Run(version, func(t *testing.T) {
			// Without this, the server of HTTP/2 does not offer it.
			t.Setenv("GODEBUG", "http2xconnect=1")
			address := freeAddress(t)
			port := portOf(t, address)
			n := startNode(t, fmt.Sprintf("\thttps_port %s\n\tauto_https disable_redirects\n\tgrace_period 2s", port), fmt.Sprintf(`https://chat.test:%s {
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
}`, port, unlimited), address)
			// A name of its own: for localhost, Chromium tries IPv6 first.
			origin := "chat.test:" + port
			extra := []chromedp.ExecAllocatorOption{
				chromedp.Flag("host-resolver-rules", "MAP chat.test 127.0.0.1"),
				chromedp.Flag("ignore-certificate-errors-spki-list", awaitKeyHash(t, address)),
			}
			if version == "HTTP/3.0" {
				extra = append(extra, chromedp.Flag("enable-quic", true), chromedp.Flag("origin-to-force-quic-on", origin),
					chromedp.Flag("enable-features", "EnableWebsocketsOverHttp3"))
			}
			ctx := ownChromium(t, extra...)
			if err := chromedp.Do(ctx, chromedp.Navigate("https://"+origin+"/")); err != nil {
				t.Fatal(err)
			}
			if got := evalIn(ctx, t, chatInBrowser); got != `"heard"` {
				t.Fatalf("the page says %s", got)
			}
			// Longer than pings may go unanswered.
			pause(t.Context(), 2500*time.Millisecond)
			if got := evalIn(ctx, t, `window.ws.readyState`); got != "1" {
				t.Errorf("after a while its state is %s", got)
			}
			start := time.Now()
			stopped := make(chan time.Duration, 1)
			go func() { stopped <- n.stop(t, stopTime) }() // it is waited for
			var end []any
			if err := json.Unmarshal([]byte(evalIn(ctx, t, `window.ended`)), &end); err != nil {
				t.Fatal(err)
			}
			if reason, _ := end[1].(string); end[0] != 1001.0 || !strings.HasPrefix(reason, "retry=") {
				t.Errorf("closed: %v", end)
			}
			told := time.Since(start)
			// How long Caddy waits for the connections below the streams, which the
			// browser keeps for later, is the affair of its grace_period.
			took := <-stopped
			t.Logf("closed with %v %s after SIGTERM; Caddy ends after %s", end, told.Round(time.Millisecond), took.Round(time.Millisecond))
			if told > exitTime {
				t.Errorf("the client is told after %s", told)
			}
			expectAccess(t, n, version)
		})
	}
}

// expectAccess fails the test unless the WebSocket was opened over this version.
func expectAccess(t *testing.T, n *node, version string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, "access.log"))
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
		want = "CONNECT websocket 200" // what Go's server of HTTP/3 takes for the version
	}
	if len(seen) != 1 || seen[0] != want {
		t.Errorf("logged: %q, want %q", seen, want)
	}
}

// ownChromium starts a browser with options of its own, which ends with the test.
func ownChromium(t *testing.T, extra ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path, err := findChromium()
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.DisableGPU)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(options, extra...)...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		cancel()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// evalIn returns the value of a JavaScript expression as JSON.
func evalIn(ctx context.Context, t *testing.T, expression string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, slow)
	defer cancel()
	yes := true
	got, err := chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: expression, ReturnByValue: &yes, AwaitPromise: &yes})
	if err != nil {
		t.Fatal(err)
	}
	if got.ExceptionDetails != nil {
		t.Fatalf("%s", explain(got.ExceptionDetails))
	}
	return string(got.Result.Value)
}

// awaitKeyHash waits until the site has its certificate, and returns what Chromium
// recognizes its key by.
func awaitKeyHash(t *testing.T, address string) string {
	t.Helper()
	var hash [sha256.Size]byte
	dialer := tls.Dialer{Config: &tls.Config{
		ServerName:         "chat.test",
		InsecureSkipVerify: true, // it is to be seen whose it is
	}}
	until(t, startTime, "the site has its certificate", func() bool {
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
