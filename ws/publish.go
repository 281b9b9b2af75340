package ws

import (
	"fmt"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// handleMessage stores a message, or answers why not. id is the sender's number of it,
// zero for none.
func (c *conn) handleMessage(id uint64, text string) error {
	c.noteEchoed()
	if reason := c.refusedFor(id); reason != nil {
		return c.refuse(reason, id, 0)
	}
	if id > 0 && id <= c.lastAccepted {
		return c.handleResent(id, text)
	}
	if c.firstUnacked > 0 && id > c.firstUnacked || c.lastUnacked > 0 && id > c.lastUnacked {
		// Stored now, it would overtake the messages that the client must resend, and
		// the store would take these for duplicates.
		c.lastUnacked = max(c.lastUnacked, id)
		c.sendError(room.ErrUnavailable, id, 0)
		return nil
	}
	// The first attempt of a resent message has been counted.
	if resent := id > 0 && id == c.firstUnacked; !resent && !c.messageLimiter.allow(c.settings.MessageRate, c.settings.MessageBurst) {
		return c.refuse(room.ErrRateLimited, id, 0)
	}
	return c.store(id, c.lastAccepted, text)
}

// handleResent answers a message that was accepted before. It has a limit of its own:
// under the limit of messages, the client might be informed that a stored message was
// refused.
func (c *conn) handleResent(id uint64, text string) error {
	if id <= c.lastEchoed.Load() {
		c.ack(id)
		return nil
	}
	// It was accepted but not fanned out. The store may have lost it since, before any
	// client received it.
	if !c.resendLimiter.allow(c.settings.MessageRate, c.settings.MessageBurst) {
		c.sendError(room.ErrUnavailable, id, 0)
		return nil
	}
	return c.store(id, id-1, text)
}

var errLost = fmt.Errorf("%w: the store has lost messages that it had accepted", room.ErrUnavailable)

// store stores a message, unless the store has lost messages of the session up to
// known, which it had accepted.
func (c *conn) store(id, known uint64, text string) error {
	const operation = "storing a message"
	receipt, err := c.publish(id, known, text)
	if err == nil && receipt.Lost {
		if known > c.lastEchoed.Load() {
			// When the client reconnects, it resends the missing messages.
			c.logFailure(operation, errLost)
			return errLost
		}
		// All lost messages had been fanned out: a gap informs every client.
		receipt, err = c.publish(id, 0, text)
	}
	if err != nil {
		if id > c.lastAccepted && !isFinal(err) {
			c.firstUnacked = id
			c.lastUnacked = max(c.lastUnacked, id)
		}
		return c.handleStoreError(operation, err, id, 0)
	}
	c.lastAccepted = max(c.lastAccepted, id)
	if receipt.Duplicate {
		c.ack(id)
	} else {
		c.hub.counters.messages.Add(1)
	}
	if observer := c.hub.observer; receipt.Began && observer != nil {
		observer.RoomStarted(c.room.roomID, c.userID, c.room.ttl)
	}
	c.noteAnswered(id)
	return nil
}

// publish posts a message. If the store delivers synchronously and the room is small,
// this goroutine drains the event queue and writes to the connections: to wake another
// one would take longer.
func (c *conn) publish(id, known uint64, text string) (room.Receipt, error) {
	if c.hub.synchronous && c.room.size.Load() <= pacedConns && c.room.queue.acquire() {
		defer c.room.queue.drainInline()
	}
	defer c.endCall()
	return c.settings.Rooms.Post(c.startCall(), c.room.id, c.userID, c.session.Tag, id, known, text)
}

func (c *conn) ack(id uint64) { c.send(jsonFrame(ackFrame{"ack", id})) }

// noteAnswered removes an id from the range to resend, after its final answer.
func (c *conn) noteAnswered(id uint64) {
	if id == c.firstUnacked {
		c.firstUnacked = 0
	}
	if id == c.lastUnacked {
		c.lastUnacked = 0
	}
}

// noteEchoed records the messages that were stored although they were answered
// `unavailable`: the client has received their echo and does not resend them.
func (c *conn) noteEchoed() {
	echoed := c.lastEchoed.Load()
	if echoed <= c.lastAccepted {
		return
	}
	c.lastAccepted = echoed
	if c.firstUnacked <= echoed {
		c.firstUnacked = 0
	}
	if c.lastUnacked <= echoed {
		c.lastUnacked = 0
	}
}

// refusal is the reason for which the message with this id was refused.
type refusal struct {
	id     uint64
	reason error
}

// refusedFor returns the reason for which an id was refused, nil if it was not.
func (c *conn) refusedFor(id uint64) error {
	for _, r := range c.refused {
		if r.id == id {
			return r.reason
		}
	}
	return nil
}
