package load

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// firstBuffer is the size of a new connection's read buffer, in bytes. A read
	// that fills the buffer doubles it, up to maxBuffer, so that it does not limit
	// how much one read returns, and idle connections stay small.
	firstBuffer = 512
	maxBuffer   = 256 << 10
	// stalledBuffer is the receive buffer of a connection that stops reading, in
	// bytes: by default the kernel buffers megabytes, and the server would not see
	// that the connection has stalled.
	stalledBuffer = 4 << 10
	// writeTimeout bounds the write of a frame.
	writeTimeout = 30 * time.Second
)

var errClosed = errors.New("load: closed by this side")

// conn is a member's connection.
type conn struct {
	// Fixed before the reader starts.
	run     *run
	room    *room
	member  Member
	node    string // URL
	net     net.Conn
	stalled bool // stops reading when it has joined
	latency *Histogram

	joined chan error  // receives one value: nil, or the error
	closed atomic.Bool // by this side
	lost   atomic.Bool // closed by the server, or failed

	// Owned by the reader, and by others when it has ended.
	buffer   []byte
	message  []byte // fragments of a message that is not complete
	messages uint64 // in the frames of the current read
	done     bool   // has joined and stalls
	sequence sequence

	received atomic.Uint64 // messages
	reads    atomic.Uint64 // reads that returned messages
	refused  atomic.Uint64

	writing sync.Mutex // guards text and out, and writes
	text    []byte
	out     []byte
}

// connect opens the connection and joins. It starts a reader, which run.reading
// counts, and which ends when the connection is closed.
func (c *conn) connect(ctx context.Context) error {
	network, err := dial(ctx, c.node+c.run.protocol.Path(), c.run.options.tlsConfig())
	if err != nil {
		return err
	}
	c.net = network
	if c.stalled {
		shrinkReceiveBuffer(network)
	}
	c.buffer = make([]byte, 0, firstBuffer)
	c.joined = make(chan error, 1)
	c.run.reading.Go(c.read)
	if err := c.sendFrame(opText, c.member.Join); err != nil {
		c.close()
		return err
	}
	select {
	case err := <-c.joined:
		return err
	case <-ctx.Done():
		c.close()
		return ctx.Err()
	}
}

// shrinkReceiveBuffer requests a small receive buffer, which the kernel may refuse.
func shrinkReceiveBuffer(network net.Conn) {
	if secure, ok := network.(*tls.Conn); ok {
		network = secure.NetConn()
	}
	if tcp, ok := network.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(stalledBuffer)
	}
}

// close closes the connection from this side.
func (c *conn) close() {
	if c.net != nil {
		c.closed.Store(true)
		_ = c.net.Close()
	}
}

// sendFrame writes a frame in one system call.
func (c *conn) sendFrame(opcode byte, parts ...[]byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.writeFrame(opcode, parts...)
}

// writeFrame is sendFrame with c.writing held.
func (c *conn) writeFrame(opcode byte, parts ...[]byte) error {
	c.out = appendFrame(c.out[:0], opcode, rand.Uint32(), parts...) //nolint:gosec // masks protect proxies, and none is here
	if err := c.net.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := c.net.Write(c.out)
	return err
}

// sendMessage sends a message that carries the time.
func (c *conn) sendMessage(slot int) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.text = appendText(c.text[:0], int64(slot), c.run.now(), c.run.options.Size)
	return c.writeFrame(opText, c.member.Before, c.text, c.member.After)
}

// read reads until the connection ends, or, if it stalls, until it has joined.
func (c *conn) read() {
	err := c.readAll()
	if c.closed.Load() {
		err = errClosed
	}
	select {
	case c.joined <- err:
	default: // connect has its answer
	}
	if err != nil && !errors.Is(err, errClosed) {
		c.run.noteDisconnect(c, err)
	}
}

func (c *conn) readAll() error {
	for {
		if err := c.parse(); err != nil || c.done {
			return err
		}
		n, err := c.net.Read(c.buffer[len(c.buffer):cap(c.buffer)])
		c.buffer = c.buffer[:len(c.buffer)+n]
		if err != nil && n == 0 {
			return fmt.Errorf("load: connection lost: %w", err)
		}
	}
}

// parse handles the frames in the buffer and makes room for more.
func (c *conn) parse() (err error) {
	now := c.run.now()
	full := len(c.buffer) == cap(c.buffer)
	at, need := 0, 0
	for !c.done && err == nil {
		var f frame
		f, need, err = parseFrame(c.buffer[at:])
		if err != nil || need == 0 || need > len(c.buffer)-at {
			break
		}
		at += need
		err = c.handle(f, now)
	}
	if c.messages > 0 {
		c.received.Add(c.messages)
		c.reads.Add(1)
		c.messages = 0
	}
	rest := c.buffer[at:]
	if size := cap(c.buffer); need > size || full && size < maxBuffer {
		c.buffer = make([]byte, 0, max(need, 2*size))
	}
	c.buffer = append(c.buffer[:0], rest...)
	return err
}

func (c *conn) handle(f frame, now int64) error {
	switch f.opcode {
	case opText, opContinuation:
		payload := f.payload
		if !f.final || len(c.message) > 0 {
			if len(c.message)+len(payload) > maxFrame {
				return errTooLarge
			}
			c.message = append(c.message, payload...)
			if !f.final {
				return nil
			}
			payload, c.message = c.message, nil
		}
		return c.handlePayload(payload, now)
	case opPing:
		return c.sendFrame(opPong, f.payload)
	case opClose:
		if len(f.payload) < 2 {
			return errors.New("load: closed by the server")
		}
		return fmt.Errorf("load: closed by the server: %d %q", binary.BigEndian.Uint16(f.payload), f.payload[2:])
	}
	return nil
}

func (c *conn) handlePayload(payload []byte, now int64) error {
	for len(payload) > 0 {
		var e Event
		e, payload = c.run.protocol.Next(payload)
		switch e.Kind {
		case EventMessage:
			c.messages++
			if c.sequence.observe(e.Seq) {
				c.deliver(e.Text, now)
			}
		case EventJoined:
			c.sequence.last = e.Seq
			select {
			case c.joined <- nil:
			default: // joined before
			}
			c.done = c.stalled
		case EventRefused:
			c.refused.Add(1)
			c.run.noteRefusal(string(e.Text))
		case EventPing:
			if err := c.sendFrame(opText, e.Text); err != nil {
				return err
			}
		case EventOther:
		}
	}
	return nil
}

// deliver records a message that has not arrived before.
func (c *conn) deliver(text []byte, now int64) {
	slot, sent, ok := parseText(text)
	if !ok {
		return
	}
	if sent >= c.run.from.Load() && sent < c.run.until.Load() {
		c.latency.Record(time.Duration(now - sent))
	}
	c.room.delivered(slot)
}

// dialTimeout bounds a connection's opening, including the upgrade, and a request.
const dialTimeout = 30 * time.Second

var errUpgrade = errors.New("load: the server does not upgrade to a WebSocket")

// dial opens a WebSocket and returns the connection below it. A server sends nothing
// before the first frame of a member, so no bytes follow its answer to the upgrade.
func dial(ctx context.Context, address string, config *tls.Config) (net.Conn, error) {
	dialer := websocket.Dialer{TLSClientConfig: config, HandshakeTimeout: dialTimeout}
	ws, answer, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(address, "http"), nil) //nolint:bodyclose // it ends with the connection
	switch {
	case errors.Is(err, websocket.ErrBadHandshake):
		return nil, fmt.Errorf("%w: %w: %q", errUpgrade, err, answer.Status)
	case err != nil:
		return nil, fmt.Errorf("load: %w", err)
	}
	return ws.NetConn(), nil
}
