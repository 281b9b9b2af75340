package ws

import (
	"time"
)

// startPinging pings the client every PingInterval.
func (c *conn) startPinging() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		// The timer ends with the connection: finish stops it, and when it is
		// too late for that, closing is set and it is not wound up again.
		c.pinger = time.AfterFunc(c.settings.PingInterval, c.ping)
	}
}

func (c *conn) ping() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	c.push(pingFrame)
	c.pinger.Reset(c.settings.PingInterval)
}

// aliveSlack is the part of a PingInterval by which a connection may be taken for
// alive longer than it is.
const aliveSlack = 16

// alive extends the time for which the client may be silent. After a close it
// is not extended any more.
func (c *conn) alive() {
	now := time.Now()
	if now.Sub(c.heard) < c.settings.PingInterval/aliveSlack {
		return // the deadline is good for a little longer; to set it costs more
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.heard = now
		_ = c.out.SetReadDeadline(now.Add(c.settings.deadAfter() + c.settings.PingInterval/aliveSlack))
	}
}
