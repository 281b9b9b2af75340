package load

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6455, section 4.2.2, wants it; it protects nothing
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// dialTimeout bounds the opening of a connection up to the answer to its upgrade.
const dialTimeout = 30 * time.Second

var errUpgrade = errors.New("load: the server does not upgrade to a WebSocket")

// dialer opens WebSockets.
type dialer struct {
	tls *tls.Config
}

// open dials and upgrades. What the server has sent behind the answer is
// returned as well.
func (d *dialer) open(ctx context.Context, address string) (conn net.Conn, rest []byte, err error) {
	target, err := url.Parse(address)
	if err != nil {
		return nil, nil, fmt.Errorf("load: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err = d.dial(ctx, target)
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

func (d *dialer) dial(ctx context.Context, target *url.URL) (net.Conn, error) {
	host := target.Host
	if target.Port() == "" {
		port := "80"
		if target.Scheme == "https" {
			port = "443"
		}
		host = net.JoinHostPort(target.Hostname(), port)
	}
	if target.Scheme == "https" {
		return (&tls.Dialer{Config: d.tls}).DialContext(ctx, "tcp", host)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", host)
}

// upgrade does the opening handshake (RFC 6455, section 4.1).
func upgrade(conn net.Conn, target *url.URL) (rest []byte, err error) {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	key := base64.StdEncoding.EncodeToString(nonce[:])
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", target.RequestURI(), target.Host, key)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	answer := make([]byte, 0, 1024)
	for {
		n, err := conn.Read(answer[len(answer):cap(answer)])
		answer = answer[:len(answer)+n]
		if head, rest, ok := bytes.Cut(answer, []byte("\r\n\r\n")); ok {
			return rest, checkUpgrade(string(head), key)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errUpgrade, err)
		}
		if len(answer) == cap(answer) {
			if len(answer) > 64<<10 {
				return nil, fmt.Errorf("%w: its answer does not end", errUpgrade)
			}
			answer = append(make([]byte, 0, 2*cap(answer)), answer...)
		}
	}
}

func checkUpgrade(head, key string) error {
	lines := strings.Split(head, "\r\n")
	if fields := strings.Fields(lines[0]); len(fields) < 2 || fields[1] != "101" {
		return fmt.Errorf("%w: %q", errUpgrade, lines[0])
	}
	hash := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see the import
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		if http.CanonicalHeaderKey(name) == "Sec-Websocket-Accept" &&
			strings.TrimSpace(value) == base64.StdEncoding.EncodeToString(hash[:]) {
			return nil
		}
	}
	return fmt.Errorf("%w: Sec-WebSocket-Accept is missing or wrong", errUpgrade)
}
