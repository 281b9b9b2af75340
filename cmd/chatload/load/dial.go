package load

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6455, section 4.2.2, requires it; it protects nothing
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// dialTimeout bounds a connection's opening, including the upgrade, and a request.
	dialTimeout = 30 * time.Second
	// maxAnswer is the size of the longest answer to an upgrade, in bytes.
	maxAnswer = 64 << 10
)

var errUpgrade = errors.New("load: the server does not upgrade to a WebSocket")

// dial opens a WebSocket. rest are the bytes that followed the server's answer.
func dial(ctx context.Context, address string, config *tls.Config) (conn net.Conn, rest []byte, err error) {
	target, err := url.Parse(address)
	if err != nil {
		return nil, nil, fmt.Errorf("load: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if target.Scheme == "https" {
		conn, err = (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", hostPort(target, "443"))
	} else {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", hostPort(target, "80"))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("load: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	rest, err = upgrade(conn, target)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, rest, nil
}

func hostPort(target *url.URL, port string) string {
	if target.Port() != "" {
		return target.Host
	}
	return net.JoinHostPort(target.Hostname(), port)
}

// upgrade does the opening handshake (RFC 6455, section 4.1).
func upgrade(conn net.Conn, target *url.URL) (rest []byte, err error) {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	key := base64.StdEncoding.EncodeToString(nonce[:])
	request := &http.Request{Method: http.MethodGet, URL: target, Host: target.Host, Header: http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {key},
	}}
	if err := request.Write(conn); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	reader := bufio.NewReader(io.LimitReader(conn, maxAnswer))
	answer, err := http.ReadResponse(reader, request) //nolint:bodyclose // it ends with the connection
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUpgrade, err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("%w: %q", errUpgrade, answer.Status)
	}
	hash := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see the import
	if answer.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(hash[:]) {
		return nil, fmt.Errorf("%w: Sec-WebSocket-Accept is missing or wrong", errUpgrade)
	}
	return reader.Peek(reader.Buffered())
}
