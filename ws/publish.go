package ws

import (
	"errors"
	"fmt"

	"golang.org/x/time/rate"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// post stores a message.
func (c *conn) post(id uint64, message string) error {
	c.settleEchoed()
	if reason := c.refused.reason(id); reason != nil {
		return c.refuse(reason, id)
	}
	if id > 0 && id <= c.accepted {
		return c.postAgain(id, message)
	}
	if c.retry > 0 && id > c.retry || c.owed > 0 && id > c.owed {
		// Stored now, it would overtake those that the client has to send again,
		// and they would be taken for duplicates.
		c.owed = max(c.owed, id)
		c.tellError(room.ErrUnavailable, id, 0)
		return nil
	}
	if c.limiter == nil {
		c.limiter = rate.NewLimiter(c.settings.MessageRate, c.settings.MessageBurst)
	}
	if retried := id > 0 && id == c.retry; !retried && !c.limiter.Allow() {
		return c.refuse(room.ErrRateLimited, id)
	}
	return c.store(id, c.accepted, message)
}

// postAgain answers a message that was accepted before. It is not counted against
// the limit of messages, or the client might be told that one was refused which in
// truth is stored.
func (c *conn) postAgain(id uint64, message string) error {
	if id <= c.echoed.Load() {
		c.ack(id)
		return nil
	}
	// It was accepted but not told. The store may have lost it since, and with it
	// all that would have told anybody.
	if c.again == nil {
		c.again = rate.NewLimiter(c.settings.MessageRate, c.settings.MessageBurst)
	}
	if !c.again.Allow() {
		c.tellError(room.ErrUnavailable, id, 0)
		return nil
	}
	return c.store(id, id-1, message)
}

// store stores a message, unless the store has less of the session than what is
// known to have been accepted.
func (c *conn) store(id, known uint64, message string) error {
	receipt, err := c.say(id, known, message)
	if err == nil && receipt.Lost {
		if known > c.echoed.Load() {
			// When the client comes back, it learns what is missing, and says it again.
			c.report("storing a message", errLost)
			return errLost
		}
		// All have been told, so that everybody knows of the loss, by a gap.
		receipt, err = c.say(id, 0, message)
	}
	switch {
	case err == nil:
		c.accepted = max(c.accepted, id)
		if receipt.Duplicate {
			c.ack(id)
		} else {
			c.hub.counters.messages.Add(1)
		}
		if receipt.Began {
			c.observeStart()
		}
		c.settle(id)
		return nil
	case errors.Is(err, room.ErrRoomNotFound):
		return c.gone()
	case errors.Is(err, room.ErrRemoved):
		c.closeRemoved()
		return nil
	case final(err):
		return c.refuse(err, id)
	default:
		if id > c.accepted {
			c.retry = id // which has been paid for
			c.owed = max(c.owed, id)
		}
		c.report("storing a message", err)
		c.tellError(err, id, 0)
		return nil
	}
}

var errLost = fmt.Errorf("%w: the store has lost messages that it had accepted", room.ErrUnavailable)

// say hands a message to the store. In a small room on a store that tells of it at
// once, this goroutine is the one that writes to the connections: another one
// would have to be woken first.
func (c *conn) say(id, known uint64, message string) (room.Receipt, error) {
	if c.hub.synchronous && c.room.size.Load() <= pacedConns && c.room.inbox.claim() {
		defer c.room.inbox.settle()
	}
	defer c.endCall()
	return c.settings.Rooms.Post(c.startCall(), c.room.id, c.userID, c.session.Tag, id, known, message)
}

func (c *conn) ack(id uint64) { c.send(textFrame(encode(ackFrame{"ack", id}))) }

// settle notes that the client has the last word on the message id.
func (c *conn) settle(id uint64) {
	if id == c.retry {
		c.retry = 0
	}
	if id == c.owed {
		c.owed = 0
	}
}

// settleEchoed notes what was stored although it was answered unavailable: the
// client has seen its echo, and will not send it again.
func (c *conn) settleEchoed() {
	if echoed := c.echoed.Load(); echoed > c.accepted {
		c.accepted = echoed
		if c.retry <= echoed {
			c.retry = 0
		}
		if c.owed <= echoed {
			c.owed = 0
		}
	}
}

// refuse answers a frame that cannot be accepted, and ends the connection when
// there have been too many.
func (c *conn) refuse(err error, id uint64) error {
	c.refused.add(id, err)
	c.settle(id)
	c.tellError(err, id, 0)
	return c.countRefusal()
}
