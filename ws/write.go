package ws

import (
	"context"
	"errors"
	"time"

	"github.com/gorilla/websocket"
)

// write writes what is queued until nothing is, as much of it in one system
// call as there is.
func (c *conn) write() {
	var batch []*frame
	for {
		c.mu.Lock()
		for _, f := range batch {
			c.queued -= f.size
		}
		clear(batch)
		batch = batch[:0]
		if !c.held {
			batch, c.queue = c.queue, batch
		}
		if len(batch) == 0 {
			c.stopWriting()
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()

		if err := c.writeBatch(batch); err != nil {
			c.mu.Lock()
			c.closing = true
			c.dropQueue()
			c.stopWriting()
			c.mu.Unlock()
			if !errors.Is(err, websocket.ErrCloseSent) {
				c.out.abort() // ends the reading
			}
			// Otherwise gorilla/websocket has closed the connection for a
			// violation of the protocol, and the reading goroutine waits for
			// the client to take that in.
			return
		}
	}
}

// stopWriting is called with mu held when there is nothing more to write.
func (c *conn) stopWriting() {
	c.writing = false
	if len(c.queue) == 0 {
		c.queue = nil // an idle connection keeps no memory for frames
	}
	if c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
	if c.closing {
		// The peer has this long to answer the close frame.
		_ = c.out.SetReadDeadline(time.Now().Add(closeGrace))
	}
}

func (c *conn) writeBatch(batch []*frame) error {
	for len(batch) > 0 {
		c.out.begin()
		for len(batch) > 0 && c.out.gathered() < gatherSize {
			if err := c.ws.WritePreparedMessage(batch[0].message); err != nil {
				_ = c.flush()
				return err
			}
			batch = batch[1:]
		}
		if err := c.flush(); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) flush() error {
	c.mu.Lock()
	deadline := c.closeBy
	if !c.closing {
		deadline = time.Now().Add(c.settings.deadAfter())
	}
	_ = c.out.Conn.SetWriteDeadline(deadline)
	c.mu.Unlock()
	return c.out.flush()
}

// drained waits until everything that was queued has been written, and reports
// whether the connection still lives.
func (c *conn) drained(ctx context.Context) bool {
	c.mu.Lock()
	if !c.writing {
		defer c.mu.Unlock()
		return !c.closing
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	select {
	case <-idle:
		c.mu.Lock()
		defer c.mu.Unlock()
		return !c.closing
	case <-ctx.Done():
		return false
	}
}
