package load

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// firstBuffer is the size of a new connection's read buffer, in bytes. It is
	// doubled whenever a read fills it, up to maxBuffer, so that it does not
	// limit how much one read brings, and idle connections stay small.
	firstBuffer = 512
	maxBuffer   = 256 << 10
	// stalledBuffer is the receive buffer of a connection that stops reading, in
	// bytes: else the system takes megabytes for it, and nobody notices.
	stalledBuffer = 4 << 10
	// writeTimeout is how long a server may take to read what is sent to it.
	writeTimeout = 30 * time.Second
)

var errLeft = errors.New("load: closed by this side")

// conn is a member's connection.
type conn struct {
	// Fixed before the reader starts.
	run     *run
	room    *room
	member  Member
	net     net.Conn
	stalled bool // stops reading when it has joined
	latency *Histogram

	joined chan error // receives once: nil, or why not
	left   atomic.Bool
	gone   atomic.Bool // lost, not left

	// Of the reader, and of others when it has ended.
	buffer  []byte
	message []byte // of a fragmented message, what has come so far
	order   order
	err     error

	received atomic.Uint64 // messages
	reads    atomic.Uint64 // reads that brought messages
	refused  atomic.Uint64

	writing sync.Mutex
	text    []byte
	out     []byte
}

// connect opens the connection and joins. The reader that it starts is counted in
// run.readers; it ends when the connection is closed.
func (c *conn) connect(ctx context.Context, address string) error {
	network, rest, err := c.run.dialer.open(ctx, address)
	if err != nil {
		return err
	}
	c.net = network
	if c.stalled {
		shrink(network)
	}
	c.buffer = append(make([]byte, 0, max(firstBuffer, len(rest))), rest...)
	c.joined = make(chan error, 1)
	c.run.readers.Go(c.read)
	if err := c.send(opText, c.member.Join); err != nil {
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

// shrink makes the receive buffer small, if the system lets it.
func shrink(network net.Conn) {
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
		c.left.Store(true)
		_ = c.net.Close()
	}
}

// send writes a frame in one piece.
func (c *conn) send(opcode byte, parts ...[]byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.write(opcode, parts...)
}

// write is send with c.writing held.
func (c *conn) write(opcode byte, parts ...[]byte) error {
	c.out = appendFrame(c.out[:0], opcode, rand.Uint32(), parts...) //nolint:gosec // proxies are not to be defended against here
	if err := c.net.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := c.net.Write(c.out)
	return err
}

// say sends a message that is stamped with the time.
func (c *conn) say(slot int) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.text = appendText(c.text[:0], int64(slot), c.run.now(), c.run.options.Size)
	return c.write(opText, c.member.Before, c.text, c.member.After)
}

// read reads until the connection ends, or, if it is one that stalls, until it
// has joined.
func (c *conn) read() {
	err := c.readAll()
	if c.left.Load() {
		err = errLeft
	}
	c.err = err
	select {
	case c.joined <- err: // unless it has joined, which connect is told of
	default:
	}
	if err != nil && !errors.Is(err, errLeft) {
		c.run.lose(c, err)
	}
}

func (c *conn) readAll() error {
	for {
		done, err := c.parse()
		if done || err != nil {
			return err
		}
		n, err := c.net.Read(c.buffer[len(c.buffer):cap(c.buffer)])
		c.buffer = c.buffer[:len(c.buffer)+n]
		if err != nil && n == 0 {
			return fmt.Errorf("load: connection lost: %w", err)
		}
	}
}

// parse handles the frames that are in the buffer, and makes room for more. It
// reports whether nothing more is to be read.
func (c *conn) parse() (done bool, err error) {
	now := c.run.now()
	full := len(c.buffer) == cap(c.buffer)
	at, need, messages := 0, 0, 0
	for !done && err == nil {
		var f frame
		f, need, err = parseFrame(c.buffer[at:])
		if err != nil || need == 0 || need > len(c.buffer)-at {
			break
		}
		at += need
		var n int
		n, done, err = c.take(f, now)
		messages += n
	}
	if messages > 0 {
		c.received.Add(uint64(messages))
		c.reads.Add(1)
	}
	rest := c.buffer[at:]
	if size := cap(c.buffer); need > size || full && size < maxBuffer {
		c.buffer = make([]byte, 0, max(need, 2*size))
	}
	c.buffer = append(c.buffer[:0], rest...)
	return done, err
}

// take handles a frame, and returns how many messages were in it.
func (c *conn) take(f frame, now int64) (messages int, done bool, err error) {
	switch f.opcode {
	case opText, opContinuation:
		payload := f.payload
		if !f.final || len(c.message) > 0 {
			if len(c.message)+len(payload) > maxFrame {
				return 0, false, errTooLarge
			}
			c.message = append(c.message, payload...)
			if !f.final {
				return 0, false, nil
			}
			payload, c.message = c.message, nil
		}
		return c.takePayload(payload, now)
	case opPing:
		return 0, false, c.send(opPong, f.payload)
	case opClose:
		if len(f.payload) < 2 {
			return 0, false, errors.New("load: closed by the server")
		}
		return 0, false, fmt.Errorf("load: closed by the server: %d %q", binary.BigEndian.Uint16(f.payload), f.payload[2:])
	}
	return 0, false, nil
}

func (c *conn) takePayload(payload []byte, now int64) (messages int, done bool, err error) {
	for len(payload) > 0 {
		var e Event
		e, payload = c.run.dialect.Next(payload)
		switch e.Kind {
		case EventMessage:
			messages++
			if c.order.see(e.Seq) {
				c.deliver(e.Text, now)
			}
		case EventJoined:
			c.order.last = e.Seq
			select {
			case c.joined <- nil:
			default: // said twice
			}
			done = done || c.stalled
		case EventRefused:
			c.refused.Add(1)
			c.run.refuse(string(e.Text))
		case EventPing:
			if err := c.send(opText, c.run.dialect.Pong()); err != nil {
				return messages, done, err
			}
		case EventOther:
		}
	}
	return messages, done, nil
}

// deliver takes a message that was not seen before.
func (c *conn) deliver(text []byte, now int64) {
	slot, sent, ok := parseStamp(text)
	if !ok {
		return
	}
	if sent >= c.run.from.Load() && sent < c.run.until.Load() {
		c.latency.Record(time.Duration(now - sent))
	}
	c.room.delivered(slot)
}
