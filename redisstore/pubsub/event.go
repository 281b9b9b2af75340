package redisstore

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// What is published in a room's channel is a message's finished frame or one
// of these. Types and fields that a node doesn't know are ignored, so that
// nodes of different versions can share a Redis.
const (
	typeStarted = "started" // startedAt, deadline: scripts/begin.lua
	typeLocked  = "locked"  // locked
	typeRemoved = "removed" // userId
	typeOpened  = "opened"  // node, userId, socketId, session: a new connection
	typePresent = "present" // node, userId: the user is, still, on the node
	typeClosed  = "closed"  // node, userId: the user is not on the node any more
	typeTyping  = "typing"  // userId
	typeEpoch   = "epoch"   // epoch: messages were lost, look at the room
	typeEnded   = "ended"   // reason
	// seq, oldest (the oldest message that is kept): scripts/retract.lua
	typeRetracted = "retracted"
	typeMark      = "mark" // mark: the moment at which somebody read the room
)

// wireEvent is an event as it is published.
type wireEvent struct {
	Type      string         `json:"type"`
	Node      string         `json:"node,omitempty"`
	UserID    string         `json:"userId,omitempty"`
	SocketID  string         `json:"socketId,omitempty"`
	Session   string         `json:"session,omitempty"`
	Locked    bool           `json:"locked,omitempty"`
	StartedAt int64          `json:"startedAt,omitempty"` // Unix time in milliseconds, as is Deadline
	Deadline  int64          `json:"deadline,omitempty"`
	Epoch     string         `json:"epoch,omitempty"`
	Reason    room.EndReason `json:"reason,omitempty"`
	Mark      string         `json:"mark,omitempty"`
	Seq       uint64         `json:"seq,omitempty"`
	Oldest    uint64         `json:"oldest,omitempty"`
}

// errForeign means that a payload is none of ours.
var errForeign = errors.New("redisstore: payload is not an event")

// decodeEvent reads an event that is not a message.
func decodeEvent(payload []byte) (wireEvent, error) {
	var e wireEvent
	if err := json.Unmarshal(payload, &e); err != nil {
		return wireEvent{}, errForeign // its own error may repeat the payload
	}
	switch e.Type {
	case typeStarted:
		if e.StartedAt <= 0 || e.Deadline < e.StartedAt {
			return wireEvent{}, errForeign
		}
	case typeRemoved, typeTyping:
		if e.UserID == "" {
			return wireEvent{}, errForeign
		}
	case typeOpened, typePresent, typeClosed:
		if e.UserID == "" || e.Node == "" {
			return wireEvent{}, errForeign
		}
	case typeRetracted:
		if e.Oldest == 0 || e.Seq < e.Oldest {
			return wireEvent{}, errForeign
		}
	case typeEnded:
		if e.Reason != room.EndExpired && e.Reason != room.EndDeleted {
			return wireEvent{}, errForeign
		}
	}
	return e, nil
}

func (e wireEvent) startedAt() time.Time { return time.UnixMilli(e.StartedAt) }
func (e wireEvent) deadline() time.Time  { return time.UnixMilli(e.Deadline) }

func (e wireEvent) encode() string {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings, numbers and booleans always encode
	}
	return string(b)
}

func encodeLocked(locked bool) string {
	return wireEvent{Type: typeLocked, Locked: locked}.encode()
}

func encodeRemoved(userID string) string {
	return wireEvent{Type: typeRemoved, UserID: userID}.encode()
}

func encodeTyping(userID string) string {
	return wireEvent{Type: typeTyping, UserID: userID}.encode()
}

func encodeEpoch(epoch string) string {
	return wireEvent{Type: typeEpoch, Epoch: epoch}.encode()
}

func encodeMark(mark string) string {
	return wireEvent{Type: typeMark, Mark: mark}.encode()
}

func encodeEnded(reason room.EndReason) string {
	return wireEvent{Type: typeEnded, Reason: reason}.encode()
}

func encodeOpened(node string, p room.Presence) string {
	return wireEvent{Type: typeOpened, Node: node, UserID: p.UserID, SocketID: p.SocketID, Session: p.Session}.encode()
}

func encodePresent(node, userID string) string {
	return wireEvent{Type: typePresent, Node: node, UserID: userID}.encode()
}

func encodeClosed(node, userID string) string {
	return wireEvent{Type: typeClosed, Node: node, UserID: userID}.encode()
}
