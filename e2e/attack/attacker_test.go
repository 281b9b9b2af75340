package attack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// victim is a node under attack, with a room for the attackers.
type victim struct {
	base  string
	admin harness.Member
	api   *harness.API
}

func newVictim(t *testing.T, s *harness.Site) *victim {
	t.Helper()
	return &victim{s.Base(0), s.API(0).Create(t, 3600), s.API(0)}
}

// attacker has an address and a session of its own. It is used by one goroutine.
type attacker struct {
	ctx     context.Context //nolint:containedctx // all of its goroutines end with it
	base    string
	address net.Addr
	member  harness.Member
	conn    *websocket.Conn // nil while there is none
	begun   bool            // has begun a message on this connection
	client  *http.Client
	reading sync.WaitGroup

	mu   sync.Mutex
	seen map[string]int
	lost map[*websocket.Conn]bool // connections that have ended
}

func (g *victim) attacker(ctx context.Context, n int) *attacker {
	a := &attacker{
		ctx: ctx, base: g.base, address: addressOf(n),
		seen: make(map[string]int), lost: make(map[*websocket.Conn]bool),
	}
	a.client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
		return a.dialTCP(ctx, address)
	}}}
	return a
}

// addressOf returns the address of an attacker.
func addressOf(n int) net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+n))}
}

// flood begins a flood. Its stop function returns the numbers of close codes and of
// statuses by which the server has answered.
func (g *victim) flood(t *testing.T, f flood) (stop func() map[string]int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var attacking sync.WaitGroup
	all := make([]*attacker, floodAttackers)
	for n := range all {
		a := g.attacker(ctx, n)
		a.member = g.api.Join(t, g.admin.RoomID, "")
		all[n] = a
		attacking.Go(func() { // ends with ctx
			for next := time.Now(); ctx.Err() == nil; {
				f.step(a)
				next = next.Add(f.pace)
				harness.Pace(ctx, time.Until(next))
			}
			a.hangUp()
			a.client.CloseIdleConnections()
		})
	}
	return func() map[string]int {
		cancel()
		attacking.Wait()
		seen := make(map[string]int)
		for _, a := range all {
			a.reading.Wait()
			for end, n := range a.seen {
				seen[end] += n
			}
		}
		return seen
	}
}

func (a *attacker) note(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[what]++
}

func (a *attacker) dialTCP(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{LocalAddr: a.address}).DialContext(ctx, "tcp", address)
}

// dial opens a WebSocket.
func (a *attacker) dial() (*websocket.Conn, error) {
	dialer := websocket.Dialer{
		HandshakeTimeout: harness.WaitTime,
		NetDialContext:   func(ctx context.Context, _, address string) (net.Conn, error) { return a.dialTCP(ctx, address) },
	}
	conn, _, err := dialer.DialContext(a.ctx, harness.WebSocketURL(a.base), nil) //nolint:bodyclose // the connection owns it
	return conn, err
}

// joinAs opens a WebSocket, joins with it, and reads it in the background.
func (a *attacker) joinAs(m *harness.Member) *websocket.Conn {
	conn, err := a.dial()
	if err != nil {
		return nil
	}
	if err := conn.WriteJSON(m.Credentials("type", "join")); err != nil {
		_ = conn.Close()
		return nil
	}
	a.reading.Go(func() { // ends with the connection, which ends with ctx
		defer context.AfterFunc(a.ctx, func() { _ = conn.Close() })()
		defer func() { _ = conn.Close() }()
		for {
			if _, _, err := conn.NextReader(); err != nil {
				a.mu.Lock()
				a.lost[conn] = true
				a.mu.Unlock()
				if a.ctx.Err() == nil {
					a.note(closedWith(err))
				}
				return
			}
		}
	})
	return conn
}

// connected opens a WebSocket unless one is open, and reports whether one is open.
func (a *attacker) connected() bool {
	a.mu.Lock()
	if a.lost[a.conn] {
		delete(a.lost, a.conn)
		a.conn = nil
	}
	a.mu.Unlock()
	if a.conn == nil {
		a.conn, a.begun = a.joinAs(&a.member), false
	}
	return a.conn != nil
}

// another opens a second WebSocket.
func (a *attacker) another() {
	a.conn = nil
	a.connected()
}

func (a *attacker) write(frames []byte) {
	if a.connected() {
		_, _ = a.conn.NetConn().Write(frames) // if it fails, the reader records the reason
	}
}

func (a *attacker) hangUp() {
	if a.conn != nil {
		_ = a.conn.Close()
		a.conn = nil
	}
}

func (a *attacker) post(endpoint string, value harness.Fields) (status int, err error) {
	body, err := json.Marshal(value)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(a.ctx, http.MethodPost, a.base+endpoint, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header = harness.JSONHeader()
	response, err := a.client.Do(request)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, errors.Join(err, response.Body.Close())
}

// closedWith describes the end of a connection.
func closedWith(err error) string {
	if end, ok := errors.AsType[*websocket.CloseError](err); ok {
		return fmt.Sprint("closed ", end.Code)
	}
	return "lost"
}

// measuredRoom is a room whose members exchange messages, to measure their delay.
type measuredRoom struct {
	sockets []*harness.Socket
	sent    int // messages
}

// measuredPace is the time between two messages in a measured room. Each member sends
// eight messages a second, which the limit allows.
const measuredPace = 25 * time.Millisecond

func newMeasuredRoom(t *testing.T, s *harness.Site) *measuredRoom {
	t.Helper()
	admin := s.API(0).Create(t, 3600)
	m := new(measuredRoom)
	for range 5 {
		member := s.API(0).Join(t, admin.RoomID, "")
		k, _ := harness.Join(t, s.Base(0), &member)
		m.sockets = append(m.sockets, k)
	}
	return m
}

// measure exchanges messages for a while, and returns the delay of each to each member.
func (m *measuredRoom) measure(t *testing.T, period time.Duration) []time.Duration {
	t.Helper()
	sent := make(map[string]time.Time)
	for begin := time.Now(); time.Since(begin) < period; harness.Pace(t.Context(), measuredPace) {
		text := fmt.Sprint("message ", m.sent)
		sent[text] = time.Now()
		m.sockets[m.sent%len(m.sockets)].Publish(t, text)
		m.sent++
	}
	var delays []time.Duration
	for _, k := range m.sockets {
		for range sent {
			f, ok := k.Wait(harness.WaitTime, func(f *harness.Frame) bool { return f.Type == "message" && strings.HasPrefix(f.Message, "message ") })
			if !ok {
				t.Fatalf("a message is missing: %s", k.Summary())
			}
			delays = append(delays, f.At.Sub(sent[f.Message]))
		}
	}
	return delays
}
