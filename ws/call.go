package ws

import (
	"context"
	"time"
)

// calls are the calls of the store that a connection's reading goroutine makes,
// one at a time. A context with a deadline for each would cost more than the rest
// of what the connection does for a message; so one serves until it is overdue.
type calls struct {
	ctx     context.Context //nolint:containedctx // it is for calls, which end before the connection does
	overdue *time.Timer     // ends ctx
}

// startCall returns the context of a call, which ends after storeTimeout or when
// the connection is aborted. endCall must follow before the next one.
func (c *conn) startCall() context.Context {
	if c.calls.ctx == nil || c.calls.ctx.Err() != nil {
		c.calls.ctx = c.context(&c.cancel) //nolint:fatcontext // it takes the place of the other, and does not hold it
		c.calls.overdue = time.AfterFunc(storeTimeout, c.cancel)
	} else {
		c.calls.overdue.Reset(storeTimeout)
	}
	return c.calls.ctx
}

// endCall ends what startCall has begun. If the time was up just then, the next
// call gets another context.
func (c *conn) endCall() { c.calls.overdue.Stop() }
