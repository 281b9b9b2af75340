package ws

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// gatherSize is how many bytes are gathered for one system call. A larger frame is
// written whole.
const gatherSize = 64 << 10

// writer holds the buffers of one goroutine that writes to connections, one after
// the other.
type writer struct {
	batch  []*frame
	buffer []byte
	count  uint64 // bytes written

	// Arguments and results of attempt, which is made once so that a write that does
	// not block allocates nothing.
	attempt func(fd uintptr) bool
	data    []byte
	n       int
	err     error
}

var writers = sync.Pool{New: func() any {
	w := new(writer)
	w.attempt = func(fd uintptr) bool {
		w.n, w.err = writeSocket(fd, w.data)
		return true // RawConn.Write must not wait and call it again
	}
	return w
}}

func takeWriter() *writer {
	w, _ := writers.Get().(*writer)
	return w
}

// release adds the bytes written to a counter, and puts the writer back into the pool,
// without a buffer of unusual size.
func (w *writer) release(bytes *atomic.Uint64) {
	bytes.Add(w.count)
	clear(w.batch)
	w.batch, w.data, w.err, w.count = w.batch[:0], nil, nil, 0
	if cap(w.buffer) > 2*gatherSize {
		w.buffer = nil
	}
	writers.Put(w)
}

// gather returns the bytes of the batch and their size in the queue. The bytes are
// shared and must not be changed.
func (w *writer) gather() (data []byte, size int) {
	if len(w.batch) == 1 {
		return w.batch[0].bytes, w.batch[0].size
	}
	w.buffer = w.buffer[:0]
	for _, f := range w.batch {
		w.buffer = append(w.buffer, f.bytes...)
		size += f.size
	}
	return w.buffer, size
}

// tryWrite writes the bytes that the socket accepts without blocking.
func (w *writer) tryWrite(out *netConn, data []byte) (int, error) {
	w.data, w.n, w.err = data, 0, nil
	if err := out.raw.Write(w.attempt); err != nil {
		return 0, err
	}
	w.count += uint64(max(0, w.n))
	return w.n, w.err
}

// write writes data to a connection and blocks until the socket has accepted it.
func (w *writer) write(c *conn, data []byte) error {
	c.mu.Lock()
	deadline := c.closeBy
	if !c.closing {
		deadline = time.Now().Add(c.settings.deadAfter())
	}
	c.hasDeadline = true
	_ = c.out.Conn.SetWriteDeadline(deadline)
	c.mu.Unlock()
	n, err := c.out.Conn.Write(data)
	w.count += uint64(max(0, n))
	return err
}

// flush writes the queued frames, as far as the socket accepts them without blocking,
// and leaves the rest to a goroutine. The caller has set c.writing, by enqueue.
func (c *conn) flush(w *writer) {
	if c.out.raw == nil {
		go c.writeQueue(nil, 0) // see startWriting
		return
	}
	written := 0
	for c.nextBatch(w, written) {
		data, size := w.gather()
		n, err := w.tryWrite(c.out, data)
		if err != nil {
			c.writeFailed()
			return
		}
		if n < len(data) {
			rest := data[n:]
			if len(w.batch) > 1 {
				rest = bytes.Clone(rest) // the next connection uses the buffer
			}
			go c.writeQueue(rest, size) // see startWriting
			return
		}
		written = size
	}
}

// writeQueue writes rest, which counts for size in the queue, and then the queued
// frames until none is left.
func (c *conn) writeQueue(rest []byte, size int) {
	w := takeWriter()
	defer w.release(&c.hub.counters.bytes)
	if len(rest) > 0 && w.write(c, rest) != nil {
		c.writeFailed()
		return
	}
	for c.nextBatch(w, size) {
		var data []byte
		data, size = w.gather()
		if w.write(c, data) != nil {
			c.writeFailed()
			return
		}
	}
}

// nextBatch removes the written bytes from the size of the queue, and moves the
// frames of the next system call to the writer's batch. If the queue is empty, it
// ends the writing and returns false.
func (c *conn) nextBatch(w *writer, written int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queuedBytes -= written
	clear(w.batch)
	w.batch = w.batch[:0]
	if c.held || len(c.queue) == 0 {
		c.stopWriting()
		return false
	}
	size := 0
	for _, f := range c.queue {
		if size += len(f.bytes); size > gatherSize && len(w.batch) > 0 {
			break
		}
		w.batch = append(w.batch, f)
	}
	clear(c.queue[:len(w.batch)])
	c.queue = c.queue[len(w.batch):]
	return true
}

// stopWriting clears c.writing. mu is held, and no frame is left to write.
func (c *conn) stopWriting() {
	c.writing = false
	if len(c.queue) == 0 {
		c.queue = c.inline[:0] // an idle connection keeps no memory for frames
	}
	if c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
	if c.closing {
		// The time for the client to answer the close frame.
		_ = c.out.SetReadDeadline(time.Now().Add(closeGrace))
	}
	if c.hasDeadline {
		// When a write deadline of an HTTP/2 stream expires, the stream is reset, even
		// if no write is in progress.
		c.hasDeadline = false
		_ = c.out.Conn.SetWriteDeadline(time.Time{})
	}
}

// writeFailed ends a connection whose socket has failed.
func (c *conn) writeFailed() {
	c.mu.Lock()
	c.closing = true
	c.dropQueue()
	c.stopWriting()
	c.mu.Unlock()
	c.out.abort() // ends the reading
}

// waitDrained waits until every queued frame has been written, and reports whether
// the connection is still open.
func (c *conn) waitDrained(ctx context.Context) bool {
	c.mu.Lock()
	idle := c.idle
	if c.writing && idle == nil {
		idle = make(chan struct{})
		c.idle = idle
	}
	writing := c.writing
	c.mu.Unlock()
	if writing {
		select {
		case <-idle:
		case <-ctx.Done():
			return false
		}
	}
	return !c.isClosing()
}
