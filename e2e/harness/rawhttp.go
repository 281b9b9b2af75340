package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// RawConn opens a TCP connection that is closed with the test, or fails after
// WaitTime.
func RawConn(t *testing.T, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), WaitTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(WaitTime)); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// RawRequest sends bytes that no HTTP client would send, and returns the first
// response.
func RawRequest(t *testing.T, address, request string) *Response {
	t.Helper()
	conn, reader := RawConn(t, address)
	_, err := io.WriteString(conn, request)
	method, _, _ := strings.Cut(request, " ")
	r, readErr := ReadRawResponse(reader, method)
	if err := errors.Join(err, readErr); err != nil {
		t.Fatalf("%.100q: %v", request, err)
	}
	return r
}

// ReadRawResponse reads the response to a request with a method.
func ReadRawResponse(reader *bufio.Reader, method string) (*Response, error) {
	response, err := http.ReadResponse(reader, &http.Request{Method: method}) //nolint:bodyclose // ReadResponse closes it
	if err != nil {
		return nil, err
	}
	return ReadResponse(response)
}

// RawPost returns a request with a JSON body, which closes its connection.
func RawPost(path, host, body string, headers ...string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n%s",
		path, host, len(body), HeaderLines(headers), body)
}

// HeaderLines returns headers as they stand in a request.
func HeaderLines(headers []string) string {
	var b strings.Builder
	for _, header := range headers {
		b.WriteString(header + "\r\n")
	}
	return b.String()
}
