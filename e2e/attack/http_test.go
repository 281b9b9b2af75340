package attack_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestAttackSmuggling hides a request that a proxy refuses in one that it forwards. The
// proxy is another Caddy, which refuses to delete rooms.
func TestAttackSmuggling(t *testing.T) {
	count := newAttacks(t)
	back, front := harness.FreeAddress(t), harness.FreeAddress(t)
	n := harness.StartNode(t, "", fmt.Sprintf(`
http://%s {
	ephemeral_chat {
		%s
	}
}
http://%s {
	@refused path /deleteRoom
	respond @refused "refused in front" 403
	reverse_proxy %[1]s
}`, back, harness.Unlimited, front), back, front)
	a := harness.NewAPI(t, "http://"+front)
	admin := a.Create(t, 600)
	credentials := fmt.Sprintf(`{"roomId":%q,"userId":%q,"sessionId":%q}`, admin.RoomID, admin.UserID, admin.SessionID)
	hidden := harness.RawPost("/deleteRoom", front, credentials)
	info := fmt.Sprintf(`{"roomId":%q}`, admin.RoomID)
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(info), info)
	request := func(body string, headers ...string) string {
		return "POST /roomInfo HTTP/1.1\r\nHost: " + front + "\r\nContent-Type: application/json\r\n" + harness.HeaderLines(headers) + "\r\n" + body
	}
	length := func(n int) string { return fmt.Sprint("Content-Length: ", n) }
	const te = "Transfer-Encoding: chunked"
	for what, bytes := range map[string]string{
		"by chunks, with the length of all":   request(chunked+hidden, length(len(chunked+hidden)), te),
		"by chunks, with a short length":      request(chunked+hidden, length(4), te),
		"with a length, and chunks of all":    request(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden), length(3), te),
		"a coding that is none":               request(chunked+hidden, "Transfer-Encoding: xchunked", length(len(chunked))),
		"a coding after another":              request(chunked+hidden, "Transfer-Encoding: gzip, chunked"),
		"codings in two lines":                request(chunked+hidden, te, "Transfer-Encoding: identity", length(len(chunked))),
		"a coding after a tab":                request(chunked+hidden, "Transfer-Encoding:\tchunked", length(len(chunked+hidden))),
		"a coding with a vertical tab":        request(chunked+hidden, "Transfer-Encoding: \x0bchunked", length(len(chunked))),
		"a blank before the colon":            request(chunked+hidden, "Transfer-Encoding : chunked", length(len(chunked))),
		"a coding on a line that goes on":     request(chunked+hidden, "Transfer-Encoding:\r\n chunked", length(len(chunked))),
		"a coding behind a bare newline":      request(chunked+hidden, "X: y\nTransfer-Encoding: chunked", length(len(chunked+hidden))),
		"a coding behind a bare return":       request(chunked+hidden, "X: y\rTransfer-Encoding: chunked", length(len(chunked+hidden))),
		"two lengths":                         request(info+hidden, length(len(info)), length(len(info+hidden))),
		"two lengths in a line":               request(info+hidden, fmt.Sprintf("Content-Length: %d, %d", len(info), len(info+hidden))),
		"a length with a plus":                request(info+hidden, fmt.Sprintf("Content-Length: +%d", len(info))),
		"a negative length":                   request(info+hidden, "Content-Length: -1"),
		"a hexadecimal length":                request(info+hidden, fmt.Sprintf("Content-Length: 0x%x", len(info))),
		"a length that wraps":                 request(info+hidden, "Content-Length: 18446744073709551616"),
		"a length of nothing":                 request(hidden, "Content-Length: 0"),
		"no length":                           request(hidden),
		"a size of a chunk that wraps":        request("10000000000000000\r\n"+hidden, te),
		"a negative size of a chunk":          request("-1\r\n"+hidden, te),
		"a chunk with a bare newline":         request(fmt.Sprintf("%x\n%s\n0\n\n", len(info), info)+hidden, te),
		"a chunk with an extension":           request(fmt.Sprintf("%x;\nx\r\n%s\r\n0\r\n\r\n", len(info), info)+hidden, te),
		"a chunk longer than it says":         request(fmt.Sprintf("2\r\n%s\r\n0\r\n\r\n", info)+hidden, te),
		"a trailer that is a length":          request(fmt.Sprintf("%x\r\n%s\r\n0\r\nContent-Length: 0\r\n\r\n", len(info), info)+hidden, te),
		"an upgrade with a body":              upgradeRequest("/ws", front, length(len(hidden))) + hidden,
		"an upgrade with chunks":              upgradeRequest("/ws", front, te) + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden),
		"an upgrade that is none":             strings.Replace(upgradeRequest("/ws", front), "Version: 13", "Version: 12", 1) + hidden,
		"an upgrade of a file":                upgradeRequest("/embed.js", front) + hidden,
		"an upgrade to HTTP/2":                "POST /roomInfo HTTP/1.1\r\nHost: " + front + "\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n" + hidden,
		"a request line in the path":          "POST /roomInfo HTTP/1.1\r\nX: POST /deleteRoom HTTP/1.1\r\nHost: " + front + "\r\nContent-Length: 0\r\n\r\n" + hidden,
		"an absolute address":                 strings.Replace(hidden, "/deleteRoom", "http://"+back+"/deleteRoom", 1),
		"an absolute address and another":     strings.Replace(hidden, "/deleteRoom", "http://x/deleteRoom", 1),
		"two hosts":                           strings.Replace(hidden, "Host: ", "Host: x\r\nHost: ", 1),
		"a path that is escaped":              strings.Replace(hidden, "/deleteRoom", "/%64eleteRoom", 1),
		"a path in other letters":             strings.Replace(hidden, "/deleteRoom", "/DELETEROOM", 1),
		"a path with two slashes":             strings.Replace(hidden, "/deleteRoom", "//deleteRoom", 1),
		"a path through another":              strings.Replace(hidden, "/deleteRoom", "/x/../deleteRoom", 1),
		"a path with a dot":                   strings.Replace(hidden, "/deleteRoom", "/./deleteRoom", 1),
		"a path with an escaped slash":        strings.Replace(hidden, "/deleteRoom", "/x%2f..%2fdeleteRoom", 1),
		"a path with a backslash":             strings.Replace(hidden, "/deleteRoom", `/x\..\deleteRoom`, 1),
		"a path with a slash at its end":      strings.Replace(hidden, "/deleteRoom", "/deleteRoom/", 1),
		"a path with a semicolon":             strings.Replace(hidden, "/deleteRoom", "/deleteRoom;x", 1),
		"a path with a NUL":                   strings.Replace(hidden, "/deleteRoom", "/deleteRoom%00", 1),
		"a path with a blank":                 strings.Replace(hidden, "/deleteRoom", "/deleteRoom%20", 1),
		"a path in other headers":             strings.Replace(hidden, "/deleteRoom HTTP/1.1", "/roomInfo HTTP/1.1\r\nX-Original-URL: /deleteRoom\r\nX-Rewrite-URL: /deleteRoom\r\nX-Forwarded-Uri: /deleteRoom\r\nX-Forwarded-Prefix: /deleteRoom", 1),
		"another method":                      strings.Replace(hidden, "POST", "PATCH", 1),
		"an old version":                      strings.Replace(hidden, "HTTP/1.1", "HTTP/0.9", 1),
		"a new version":                       strings.Replace(hidden, "HTTP/1.1", "HTTP/2.0", 1),
		"the head of HTTP/2":                  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden,
		"a header that a hop is to take away": strings.Replace(hidden, "Connection: close", "Connection: close, Content-Type, Content-Length, Host", 1),
	} {
		conn, reader := harness.RawConn(t, front)
		if _, err := io.WriteString(conn, bytes); err != nil {
			t.Fatal(err)
		}
		method, _, _ := strings.Cut(bytes, " ")
		// The first response is to the request that the proxy sees. Further responses
		// must come from the proxy. The connection is half closed, so that it ends.
		if tcp, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = tcp.CloseWrite()
		}
		_, _ = harness.ReadRawResponse(reader, method)
		_, _ = io.Copy(io.Discard, reader)
		_ = conn.Close()
		got := harness.NewAPI(t, "http://"+back).Call(t, "/roomInfo", harness.Fields{"roomId": admin.RoomID})
		count.hold(got.Status == http.StatusOK, "%s: %d %s", what, got.Status, got.Body)
		if got.Status != http.StatusOK {
			t.FailNow() // the other attempts need the room
		}
	}
	// The proxy refuses the request, the server does not.
	if got := a.Call(t, "/deleteRoom", admin.Credentials()); string(got.Body) != "refused in front" {
		t.Errorf("in front: %d %s", got.Status, got.Body)
	}
	harness.NewAPI(t, "http://"+back).Succeed(t, "/deleteRoom", admin.Credentials())
	if lines := n.LoggedErrors(); len(lines) > 0 {
		t.Logf("logged: %s", lines)
	}
}

// TestAttackPaths spells the path of an endpoint that needs a password in other ways.
func TestAttackPaths(t *testing.T) {
	count := newAttacks(t)
	guarded := harness.GuardedSite(t)
	listen := strings.TrimSuffix(strings.TrimPrefix(guarded.Base, "http://"), "/chat")
	for _, path := range []string{
		"/chat/createRoom", "/CHAT/createRoom", "/Chat/createRoom", "/chat/CREATEROOM", "/chat/createroom", "/chat/%63reateRoom", "/ch%61t/createRoom", "/%63hat/%63reateRoom",
		"//chat/createRoom", "/chat//createRoom", "//chat//createRoom", "///chat/createRoom", "/./chat/createRoom", "/chat/./createRoom", "/chat/x/../createRoom", "/x/../chat/createRoom",
		"/chat/%2e/createRoom", "/chat/x/%2e%2e/createRoom", "/chat%2fcreateRoom", "/chat/%2fcreateRoom", "/%2fchat/createRoom", "/chat/createRoom/", "/chat/createRoom/.", "/chat/createRoom/x/..",
		"/chat/createRoom%00", "/chat/createRoom%20", "/chat/createRoom%09", "/chat/createRoom%2f", "/chat/createRoom%3f", "/chat/createRoom%23", "/chat/createRoom;", "/chat/createRoom;x=y",
		"/chat/;/createRoom", "/chat;x/createRoom", "/chat/createRoom.json", `/chat\createRoom`, `\chat\createRoom`, `/chat/x\..\createRoom`, "/chat/createRoom?x", "/chat/createRoom?/x", "/chat/createRoom#x",
		"/cha%74/createRoo%6d", "/chat/create%52oom", "/chat/cre%c3%a4teRoom", "/chat/\u212ain", "/chat/createRoom%ef%bb%bf", "/chat/%252e/createRoom", "/chat/%63%72eateRoom/%2e",
		"http://x/chat/createRoom", "http://" + listen + "/chat/createRoom", "chat/createRoom", "/createRoom", "*",
	} {
		got := harness.RawRequest(t, listen, harness.RawPost(path, listen, `{"roomName":"n"}`))
		// For a path without a handler, Caddy responds with an empty body.
		count.hold(got.Status >= 400 || len(got.Body) == 0, "%s without the password: %d %s", path, got.Status, got.Body)
	}
	guarded.WithHeader(t, "Authorization", harness.BasicAuth("anna")).Create(t, 60)
}

// TestAttackHeads sends compressed bodies, other methods, and heads whose bodies the
// server must not request.
func TestAttackHeads(t *testing.T) {
	count := newAttacks(t)
	s := harness.MemorySite(t, harness.Unlimited)
	a := s.API(0)
	address := strings.TrimPrefix(a.Base, "http://")
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = io.WriteString(writer, `{"roomName":"n","x":"`+strings.Repeat("x", 4<<20)+`"}`)
	_ = writer.Close()
	if packed.Len() > 60<<10 {
		t.Fatalf("%d bytes: they would be too many in any case", packed.Len())
	}
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		header := harness.JSONHeader()
		header.Set("Content-Encoding", coding)
		count.refused("a bomb as "+coding, a.Do(t, http.MethodPost, "/createRoom", header, bytes.NewReader(packed.Bytes())), 400, "invalid_request")
	}
	for _, method := range []string{"HEAD", "OPTIONS", "TRACE", "PUT", "PROPFIND", "POST1", "post", "DEBUG", "TRACK", "MOVE"} {
		for _, path := range []string{"/createRoom", "/ws", "/"} {
			got := harness.RawRequest(t, address, method+" "+path+" HTTP/1.1\r\nHost: "+address+"\r\nConnection: close\r\nX-Secret: marker-77\r\nCookie: marker-77\r\nContent-Length: 0\r\n\r\n")
			want := http.StatusMethodNotAllowed
			if method == http.MethodHead && path == "/" {
				want = http.StatusOK
			}
			count.hold(got.Status == want && !strings.Contains(fmt.Sprint(got.Header, string(got.Body)), "marker-77"),
				"%s %s: %d %v %s", method, path, got.Status, got.Header, got.Body)
		}
	}
	// The server refuses without a request for the body (100 Continue).
	for what, head := range unwanted(address) {
		got := harness.RawRequest(t, address, strings.Replace(head, "\r\n", "\r\nExpect: 100-continue\r\n", 1))
		count.hold(got.Status >= 400, "%s: %+v", what, got)
	}
	s.ExpectNoErrors(t)
}

// unwanted returns heads of requests that are refused without their bodies.
func unwanted(address string) map[string]string {
	head := func(line string, headers ...string) string {
		return line + " HTTP/1.1\r\nHost: " + address + "\r\n" + harness.HeaderLines(headers) + "\r\n"
	}
	const json, length = "Content-Type: application/json", "Content-Length: 1000"
	return map[string]string{
		"another type":    head("POST /createRoom", "Content-Type: text/plain", length),
		"another origin":  head("POST /createRoom", json, "Origin: http://x", length),
		"another method":  head("PUT /createRoom", json, length),
		"too long a body": head("POST /createRoom", json, "Content-Length: 65537"),
		"a page":          head("POST /", json, length),
		"an upgrade":      strings.Replace(upgradeRequest("/ws", address), "\r\n\r\n", "\r\n"+length+"\r\n\r\n", 1),
	}
}

// TestAttackSlowRefusals sends requests that are refused without their bodies, and then
// the bodies a byte at a time. The server refuses soon, and closes the connection.
func TestAttackSlowRefusals(t *testing.T) {
	t.Parallel() // mostly waits
	count := newAttacks(t)
	s := harness.MemorySite(t, harness.Unlimited)
	address := strings.TrimPrefix(s.Base(0), "http://")
	var slow sync.WaitGroup
	defer slow.Wait()
	begun := time.Now()
	readers := make(map[string]*bufio.Reader)
	for what, head := range unwanted(address) {
		conn, reader := harness.RawConn(t, address)
		if err := conn.SetDeadline(begun.Add(3 * harness.WaitTime)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, head); err != nil {
			t.Fatal(err)
		}
		readers[what] = reader
		slow.Go(func() { // ends when the server closes the connection, or at its deadline
			for {
				if _, err := conn.Write([]byte(" ")); err != nil {
					return
				}
				harness.Pace(t.Context(), 500*time.Millisecond)
			}
		})
	}
	for what, reader := range readers {
		got, err := harness.ReadRawResponse(reader, http.MethodPost)
		_, more := reader.ReadByte()
		count.hold(err == nil && got.Status >= 400 && more != nil && !errors.Is(more, os.ErrDeadlineExceeded) && time.Since(begun) < 2*harness.WaitTime,
			"%s: %+v, %v, and then %v after %s", what, got, err, more, time.Since(begun))
	}
}

// TestAttackCaches requests the page and its files with every header that might get into
// a response, which a cache would then give to other clients.
func TestAttackCaches(t *testing.T) {
	count := newAttacks(t)
	listen := harness.FreeAddress(t)
	harness.StartNode(t, "", "http://:"+harness.PortOf(t, listen)+" {\n\tephemeral_chat /chat/*\n}", listen)
	a := harness.NewAPI(t, "http://"+listen)
	a.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ask := func(path string, header http.Header) (*harness.Response, string) {
		header = maps.Clone(header)
		if header == nil {
			header = make(http.Header)
		}
		header.Set("Accept-Encoding", "identity") // otherwise Go's client requests gzip
		got := a.Do(t, http.MethodGet, path, header, http.NoBody)
		got.Header.Del("Date")
		return got, fmt.Sprint(got.Status, got.Header, string(got.Body))
	}
	page, _ := ask("/chat/", nil)
	asset := between(string(page.Body), `src="`, `"`)
	if asset == "" {
		t.Fatalf("no asset in %s", page.Body)
	}
	for _, path := range []string{"/chat/", "/chat/embed.js", "/chat/client.js", "/chat/" + asset, "/chat"} {
		plain, want := ask(path, nil)
		if (path == "/chat") != (plain.Status == http.StatusPermanentRedirect) || path != "/chat" && plain.Status != http.StatusOK {
			t.Fatalf("%s: %d", path, plain.Status)
		}
		for _, name := range []string{
			"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Forwarded-Scheme", "X-Forwarded-Path", "X-Host",
			"X-Original-URL", "X-Rewrite-URL", "X-Original-Host", "X-HTTP-Method-Override", "Forwarded", "Via", "True-Client-Ip", "X-Real-Ip", "Accept-Language", "Accept",
			"Accept-Charset", "User-Agent", "Referer", "Cookie", "Authorization", "Origin", "Range", "If-Range", "X-Requested-With", "Sec-Fetch-Site", "Sec-Fetch-Dest",
			"Save-Data", "Content-Type", "Pragma", "Cache-Control", "TE", "Upgrade-Insecure-Requests", "If-Modified-Since", "If-Match", "X-User",
		} {
			for _, value := range []string{`evil.example"><script>alert(1)</script>`, "http", "bytes=0-3", "http://evil.example"} {
				_, got := ask(path, http.Header{name: {value}})
				count.hold(got == want, "%s with %s: %s\n%.300s, without\n%.300s", path, name, value, got, want)
			}
		}
		for _, query := range []string{"?room=x", `?"><script>`, "?lang=xx", "?_method=POST", "?callback=x"} {
			got, _ := ask(path+query, nil)
			if path == "/chat" {
				location := got.Header.Get("Location")
				count.hold(strings.HasPrefix(location, "chat/?"), "%s leads to %s", path+query, location)
				continue
			}
			count.hold(string(got.Body) == string(plain.Body) && got.Status == plain.Status, "%s: %d %.300s", path+query, got.Status, got.Body)
		}
		for _, host := range []string{"evil.example", "evil.example:80", `x"><script>`, "[::1]"} {
			got := harness.RawRequest(t, listen, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
			text := fmt.Sprint(got.Header, string(got.Body))
			count.hold(!strings.Contains(text, "evil.example") && !strings.Contains(text, `x"><script>`), "%s at %s: %.300s", path, host, text)
		}
	}
	// Caches may keep files that never change, and no response to a member.
	for path, want := range map[string]string{
		"/chat/": "no-cache", "/chat/embed.js": "no-cache", "/chat/" + asset: "public, max-age=31536000, immutable",
		"/chat/" + strings.Replace(asset, asset[7:23], "0123456789abcdef", 1): "no-cache", // of another version
	} {
		got, _ := ask(path, nil)
		count.hold(got.Header.Get("Cache-Control") == want && (got.Header.Get("Vary") == "Accept-Encoding" || len(got.Body) < 100) && got.Header.Get("X-Content-Type-Options") == "nosniff",
			"%s: %v", path, got.Header)
	}
	for _, endpoint := range harness.Endpoints {
		got := a.Call(t, "/chat"+endpoint, harness.Fields{"roomName": "n", "roomId": "x", "userId": "x", "sessionId": "x", "memberId": "x", "locked": true})
		count.hold(got.Header.Get("Cache-Control") == "no-store" && got.Header.Get("X-Content-Type-Options") == "nosniff", "%s: %v", endpoint, got.Header)
	}
}

// between returns the part of a text after one mark and before another.
func between(text, after, before string) string {
	_, rest, _ := strings.Cut(text, after)
	found, _, ok := strings.Cut(rest, before)
	if !ok {
		return ""
	}
	return found
}
