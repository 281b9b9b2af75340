package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// attacks counts what an attacker has tried, in a test whose name begins with
// TestAttack, and how much of it came to nothing.
type attacks struct {
	t           *testing.T
	tried, held int
}

// newAttacks returns a count that is logged at the end of the test.
func newAttacks(t *testing.T) *attacks {
	t.Helper()
	a := &attacks{t: t}
	t.Cleanup(func() { t.Logf("%d attacks tried, %d held", a.tried, a.held) })
	return a
}

// hold notes whether an attack came to nothing, and what it was and came to.
func (a *attacks) hold(held bool, format string, args ...any) {
	a.t.Helper()
	a.tried++
	if held {
		a.held++
		return
	}
	a.t.Errorf(format, args...)
}

// refused expects a problem document.
func (a *attacks) refused(what string, got *answer, status int, code string) {
	a.t.Helper()
	a.hold(got.status == status && got.code() == code && got.header.Get("Cache-Control") == "no-store",
		"%s: %d %s, not %d %s", what, got.status, got.body, status, code)
}

// closed expects that a WebSocket is closed with a code and no welcome.
func (a *attacks) closed(what string, k *socket, code int) {
	a.t.Helper()
	k.awaitEnd()
	a.hold(k.ending().code == code && k.count("welcome") == 0, "%s: %+v after %s, not %d", what, k.ending(), k.summary(), code)
}

// notUpgraded expects that a WebSocket is refused before its upgrade.
func (a *attacks) notUpgraded(what, base string, header http.Header, status int, code string) {
	a.t.Helper()
	k, got, err := openSocket(a.t.Context(), wsURL(base), header, nil)
	if k != nil {
		k.close()
	}
	if got == nil {
		a.hold(false, "%s: no answer: %v", what, err)
		return
	}
	a.refused(what, got, status, code)
}

// raw sends bytes that no client of HTTP would, and returns the first response.
// Requests that are to be answered one after the other say so themselves.
func raw(t *testing.T, address, request string) (*answer, error) {
	t.Helper()
	conn, reader := rawConn(t, address)
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, err
	}
	method, _, _ := strings.Cut(request, " ")
	return readRaw(reader, method)
}

// rawConn opens a connection that is closed with the test.
func rawConn(t *testing.T, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(waitTime)); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// readRaw reads the response to a request with a method.
func readRaw(reader *bufio.Reader, method string) (*answer, error) {
	response, err := http.ReadResponse(reader, &http.Request{Method: method})
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	return answerOf(response)
}

// rawPost is a request with a JSON body, on a connection that ends with it.
func rawPost(path, host, body string, headers ...string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n%s",
		path, host, len(body), lines(headers), body)
}

// lines are headers as they stand in a request.
func lines(headers []string) string {
	var b strings.Builder
	for _, header := range headers {
		b.WriteString(header + "\r\n")
	}
	return b.String()
}
