package socket_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/rawws"
)

// handshake is a request to open a WebSocket, and the expected response.
type handshake struct {
	section string // of RFC 6455
	name    string
	request string // $HOST stands for the site's host
	status  int    // 0 for no response
	header  map[string]string
	// deviation is the reason why the server does not follow the RFC.
	deviation string
}

// upgradeLines are the headers of a handshake, except its host.
const upgradeLines = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + rawws.SampleKey + "\r\n"

func handshakes() []handshake {
	const start = "GET /ws HTTP/1.1\r\nHost: $HOST\r\n"
	// with replaces or adds a line.
	with := func(old, replacement string) string {
		lines := upgradeLines
		if old == "" {
			lines += replacement
		} else {
			lines = strings.Replace(lines, old, replacement, 1)
		}
		return start + lines + "\r\n"
	}
	const (
		connection = "Connection: Upgrade\r\n"
		upgrade    = "Upgrade: websocket\r\n"
		version    = "Sec-WebSocket-Version: 13\r\n"
		key        = "Sec-WebSocket-Key: " + rawws.SampleKey + "\r\n"
	)
	switched := map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Accept": rawws.SampleAccept,
		"Sec-Websocket-Protocol": "", "Sec-Websocket-Extensions": "",
	}
	offered := map[string]string{"Upgrade": "websocket", "Sec-Websocket-Version": "13"}
	return []handshake{
		{"4.2.2", "as it should be", with("", ""), 101, switched, ""},
		{"4.2.1", "names in lower case", "GET /ws HTTP/1.1\r\nhost: $HOST\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
			"sec-websocket-version: 13\r\nsec-websocket-key: " + rawws.SampleKey + "\r\n\r\n", 101, switched, ""},
		{"4.2.1", "tokens in any case", with(connection+upgrade, "Connection: UPGRADE\r\nUpgrade: WebSocket\r\n"), 101, switched, ""},
		{"4.2.1", "a list of tokens", with(connection, "Connection: keep-alive, Upgrade\r\n"), 101, switched, ""},
		{"4.2.1", "a list in two lines", with(connection, "Connection: keep-alive\r\nConnection: Upgrade\r\n"), 101, switched, ""},
		{"4.2.1", "other protocols as well", with(upgrade, "Upgrade: h2c, websocket\r\n"), 101, switched, ""},
		{"4.2.1", "subprotocols, which the server lacks", with("", "Sec-WebSocket-Protocol: chat, superchat\r\n"), 101, switched, ""},
		{"4.2.2", "extensions, which the server lacks", with("", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"), 101, switched, ""},
		{"4.2.1", "the origin of the site", with("", "Origin: http://$HOST\r\n"), 101, switched, ""},
		{"4.2.2", "another origin", with("", "Origin: http://evil.example\r\n"), 403, nil, ""},
		{"4.2.1", "no Connection", with(connection, ""), 426, offered, ""},
		{"4.2.1", "another Connection", with(connection, "Connection: keep-alive\r\n"), 426, offered, ""},
		{"4.2.1", "no Upgrade", with(upgrade, ""), 426, offered, ""},
		{"4.2.1", "another Upgrade", with(upgrade, "Upgrade: h2c\r\n"), 426, offered, ""},
		{"4.4", "no version", with(version, ""), 426, offered, ""},
		{"4.4", "version 8", with(version, "Sec-WebSocket-Version: 8\r\n"), 426, offered, ""},
		{"4.4", "version 14", with(version, "Sec-WebSocket-Version: 14\r\n"), 426, offered, ""},
		{"4.4", "a version with a zero in front", with(version, "Sec-WebSocket-Version: 013\r\n"), 426, offered, ""},
		{"4.4", "a list of versions", with(version, "Sec-WebSocket-Version: 13, 8\r\n"), 426, offered, ""},
		{"11.3.5", "two versions", with(version, version+"Sec-WebSocket-Version: 8\r\n"), 426, offered, ""},
		{"4.2.1", "no key", with(key, ""), 400, nil, ""},
		{"4.2.1", "a key without content", with(key, "Sec-WebSocket-Key:\r\n"), 400, nil, ""},
		{"4.2.1", "a key of 15 bytes", with(key, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA\r\n"), 400, nil, ""},
		{"4.2.1", "a key of 17 bytes", with(key, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=\r\n"), 400, nil, ""},
		{"4.2.1", "a key that is not base64", with(key, "Sec-WebSocket-Key: !GhlIHNhbXBsZSBub25jZQ==\r\n"), 400, nil, ""},
		{
			"11.3.1", "two keys", with(key, key+"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"), 101, switched,
			"gorilla/websocket takes the first; the accept derived from it is no secret",
		},
		{"4.2.1", "HTTP/1.0", strings.Replace(with("", ""), "HTTP/1.1", "HTTP/1.0", 1), 426, offered, ""},
		{"4.2.1", "no host", strings.Replace(with("", ""), "Host: $HOST\r\n", "", 1), 400, nil, ""},
		{"4.1", "POST", strings.Replace(with("", ""), "GET", "POST", 1), 405, map[string]string{"Allow": "GET"}, ""},
		{"4.1", "HEAD", strings.Replace(with("", ""), "GET", "HEAD", 1), 405, map[string]string{"Allow": "GET"}, ""},
		{"4.1", "a body", with("", "Content-Length: 2\r\n") + "{}", 400, nil, ""},
		{"4.1", "a body of no known length", with("", "Transfer-Encoding: chunked\r\n") + "2\r\n{}\r\n0\r\n\r\n", 400, nil, ""},
		{"4.1", "a frame that does not wait for the answer", with("", "") + string(rawws.Frame(rawws.Final|rawws.Text, "{}")), 0, nil, ""},
	}
}

// TestHandshakes opens WebSockets by valid and invalid handshakes (RFC 6455, section 4).
func TestHandshakes(t *testing.T) {
	t.Parallel()
	r := newRFCSite(t)
	passed := make(map[string]int)
	for _, secure := range []bool{false, true} {
		for _, c := range handshakes() {
			address, trust, transport := r.plain, r.trust, "TLS"
			if secure {
				address = r.secure
			} else {
				trust, transport = nil, "TCP"
			}
			if c.deviation != "" && !secure {
				t.Logf("deviation in %s, %s: %s", c.section, c.name, c.deviation)
			}
			if t.Run(transport+"/"+c.section+"/"+c.name, func(t *testing.T) {
				scheme := "http"
				if secure {
					scheme = "https"
				}
				request := strings.NewReplacer("http://$HOST", scheme+"://"+address, "$HOST", address).Replace(c.request)
				s := rawws.Dial(t, address, trust)
				s.Send(t, []byte(request))
				method, _, _ := strings.Cut(request, " ")
				response, err := http.ReadResponse(s.Reader, &http.Request{Method: method})
				if c.status == 0 {
					if err == nil {
						t.Errorf("answered %d", response.StatusCode)
						_ = response.Body.Close()
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = response.Body.Close() }()
				if response.StatusCode != c.status {
					t.Errorf("status %d, want %d", response.StatusCode, c.status)
				}
				for name, want := range c.header {
					if got := response.Header.Get(name); got != want {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
				if c.status == http.StatusSwitchingProtocols {
					s.Send(t, rawws.Frame(rawws.Final|rawws.Ping, "there"))
					s.Expect(t, "pong there")
				}
			}) {
				passed[c.section]++
			}
		}
	}
	t.Logf("%d cases passed over TCP and TLS: %v", len(handshakes()), passed)
	r.ExpectNoErrors(t)
}
