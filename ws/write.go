package ws

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// gatherSize is how much is gathered for one system call, in bytes. A frame that
// is larger goes out whole.
const gatherSize = 64 << 10

// writer is what it takes to write to connections, one after the other.
type writer struct {
	batch  []*frame
	buffer []byte
	// gathered is how many bytes of buffer hold something, whatever its length.
	gathered int
	count    uint64 // bytes written since takeCount

	// For a write that does not wait.
	attempt func(fd uintptr) bool
	data    []byte
	n       int
	err     error
}

var writers = sync.Pool{New: func() any {
	w := new(writer)
	w.attempt = func(fd uintptr) bool {
		w.n, w.err = writeSocket(fd, w.data)
		return true // once is enough
	}
	return w
}}

func takeWriter() *writer {
	w, _ := writers.Get().(*writer)
	return w
}

// release gives the writer to others, without what it has written.
func (w *writer) release() {
	clear(w.batch)
	clear(w.buffer[:w.gathered])
	w.gathered = 0
	w.batch, w.data, w.err, w.count = w.batch[:0], nil, nil, 0
	if cap(w.buffer) > 2*gatherSize {
		w.buffer = nil // a rare large one is left to the collector
	}
	writers.Put(w)
}

// takeCount returns how many bytes were written since it was called last.
func (w *writer) takeCount() uint64 {
	count := w.count
	w.count = 0
	return count
}

// gather returns the bytes of the batch and what it counts for in the queue. The
// bytes are shared, and must not be changed.
func (w *writer) gather() (data []byte, size int) {
	if len(w.batch) == 1 {
		return w.batch[0].bytes, w.batch[0].size
	}
	w.buffer = w.buffer[:0]
	for _, f := range w.batch {
		w.buffer = append(w.buffer, f.bytes...)
		size += f.size
	}
	w.gathered = max(w.gathered, len(w.buffer))
	return w.buffer, size
}

// try writes what a socket takes without waiting.
func (w *writer) try(out *wire, data []byte) (int, error) {
	w.data, w.n, w.err = data, 0, nil
	if err := out.raw.Write(w.attempt); err != nil {
		return 0, err
	}
	return w.n, w.err
}

// flush writes what is queued, as far as the socket takes it without waiting, and
// leaves the rest to a goroutine. It is for whoever enqueue has told to.
func (c *conn) flush(w *writer) {
	if c.out.raw == nil {
		go c.write(nil, 0) // see wake
		return
	}
	written := 0
	for c.take(w, written) {
		data, size := w.gather()
		n, err := w.try(c.out, data)
		w.count += uint64(max(0, n))
		if err != nil {
			c.broken()
			return
		}
		if n < len(data) {
			rest := data[n:]
			if len(w.batch) > 1 {
				rest = bytes.Clone(rest) // the buffer is the next one's
			}
			go c.write(rest, size) // see wake
			return
		}
		written = size
	}
}

// write writes rest, which counts for restSize in the queue, and then what is
// queued until nothing is.
func (c *conn) write(rest []byte, restSize int) {
	w := takeWriter()
	defer w.release()
	defer func() { c.hub.counters.bytes.Add(w.takeCount()) }()
	if len(rest) > 0 && c.put(w, rest) != nil {
		c.broken()
		return
	}
	written := restSize
	for c.take(w, written) {
		data, size := w.gather()
		if c.put(w, data) != nil {
			c.broken()
			return
		}
		written = size
	}
}

// put writes data and waits until the socket has taken it.
func (c *conn) put(w *writer, data []byte) error {
	c.mu.Lock()
	deadline := c.closeBy
	if !c.closing {
		deadline = time.Now().Add(c.settings.deadAfter())
	}
	c.timed = true
	_ = c.out.Conn.SetWriteDeadline(deadline)
	c.mu.Unlock()
	n, err := c.out.Conn.Write(data)
	w.count += uint64(max(0, n))
	return err
}

// take moves frames from the queue to the writer's batch, as many as go out in
// one system call, after so many bytes of the queue have been written. When there
// is none the writing is over, and it reports false.
func (c *conn) take(w *writer, written int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queued -= written
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

// stopWriting is called with mu held when there is nothing more to write.
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
		// The peer has this long to answer the close frame.
		_ = c.out.SetReadDeadline(time.Now().Add(closeGrace))
	}
	if c.timed {
		// Over a stream of HTTP/2 it would reset the stream, also when nothing is
		// written any more.
		c.timed = false
		_ = c.out.Conn.SetWriteDeadline(time.Time{})
	}
}

// broken is called when a write has failed.
func (c *conn) broken() {
	c.mu.Lock()
	c.closing = true
	c.dropQueue()
	c.stopWriting()
	c.mu.Unlock()
	c.out.abort() // ends the reading
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
