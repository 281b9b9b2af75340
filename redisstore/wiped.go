package redisstore

import (
	"context"
	"net"
	"syscall"
)

// dialer makes a connection, as redis.Options.Dialer does.
type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// wiping makes the connections of a dialer forget what has gone over them.
func wiping(dial dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return wiped(conn), nil
	}
}

// wiped returns a connection that forgets what has gone over it.
func wiped(conn net.Conn) net.Conn {
	w := &wipedConn{Conn: conn}
	if socket, ok := conn.(syscall.Conn); ok {
		return &wipedSocket{w, socket}
	}
	return w
}

// wipedConn overwrites what the library has left in its buffers. It keeps both of
// them for as long as it keeps the connection, and so it would keep
// what was said in rooms that are long gone.
//
// What was sent is overwritten as soon as it is on its way, what has come as soon as
// something is to be read again: by then, all before it has been understood.
type wipedConn struct {
	net.Conn

	// Owned by whoever reads.
	incoming []byte // the library's buffer
	dirty    int    // from its beginning, how many bytes hold something

	// Owned by whoever writes.
	outgoing *byte // the first byte of the library's buffer
}

// Read implements net.Conn. What is read into p before something else can be read
// is what bufio.Reader has done with: it moves the rest to the beginning first, and
// p follows that.
func (c *wipedConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return c.Conn.Read(p)
	}
	if c.incoming == nil {
		c.incoming = p // the first time nothing is in the buffer, and p all of it
	}
	at := len(c.incoming) - len(p)
	if inside := at >= 0 && &c.incoming[at] == &p[0]; !inside {
		// Past the buffer, which is empty, right to where a long text is wanted.
		clear(c.incoming[:c.dirty])
		c.dirty = 0
		return c.Conn.Read(p)
	}
	clear(c.incoming[at:max(at, c.dirty)])
	n, err := c.Conn.Read(p)
	c.dirty = at + max(0, n)
	return n, err
}

// Write implements net.Conn, but for the promise to leave p as it is where p is the
// buffer of the library's bufio.Writer, which has no more use for it. A text that is
// larger than the buffer comes to Write without it, and is somebody else's; but
// never first, because a command does not begin with one.
func (c *wipedConn) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return c.Conn.Write(p)
	}
	if c.outgoing == nil {
		c.outgoing = &p[0]
	}
	n, err := c.Conn.Write(p)
	if &p[0] == c.outgoing && n == len(p) {
		clear(p)
	}
	return n, err
}

// wipedSocket is one whose socket the library can look at, to find out whether an
// idle connection still is one.
type wipedSocket struct {
	*wipedConn
	syscall.Conn
}

// Interface guards.
var (
	_ net.Conn     = (*wipedConn)(nil)
	_ net.Conn     = (*wipedSocket)(nil)
	_ syscall.Conn = (*wipedSocket)(nil)
)
