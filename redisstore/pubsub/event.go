package pubsub

import (
	"encoding/json"
	"errors"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// Types of events. Everything else in a room's channel is the finished frame of a
// message. Nodes ignore types and fields that they don't know, so that nodes of
// different versions can share a Redis.
const (
	TypeStarted = "started" // startedAt, deadline: script/start_clock.lua
	TypeLocked  = "locked"  // locked
	TypeRemoved = "removed" // userId
	TypeOpened  = "opened"  // node, userId, socketId, session: a new connection
	TypePresent = "present" // node, userId: the user is, still, online through the node
	TypeClosed  = "closed"  // node, userId: the user is no longer online through the node
	TypeTyping  = "typing"  // userId
	TypeEpoch   = "epoch"   // epoch: messages were lost, resync
	TypeEnded   = "ended"   // reason
	// seq, oldest (the oldest message that is kept): script/retract.lua
	TypeRetracted = "retracted"
	TypeMarker    = "mark" // mark: a node has read the room at this moment
)

// Event is an event as it is published. Which fields are set depends on Type.
type Event struct {
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
	Marker    string         `json:"mark,omitempty"`
	Seq       uint64         `json:"seq,omitempty"`
	Oldest    uint64         `json:"oldest,omitempty"`
}

// errForeign means that a payload is not an event of this package.
var errForeign = errors.New("redisstore: payload is not an event")

// DecodeEvent decodes a payload that is not the frame of a message.
func DecodeEvent(payload []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(payload, &e); err != nil {
		return Event{}, errForeign // its own error may repeat the payload
	}
	valid := true
	switch e.Type {
	case TypeStarted:
		valid = e.StartedAt > 0 && e.Deadline >= e.StartedAt
	case TypeRemoved, TypeTyping:
		valid = e.UserID != ""
	case TypeOpened, TypePresent, TypeClosed:
		valid = e.UserID != "" && e.Node != ""
	case TypeRetracted:
		valid = e.Oldest > 0 && e.Seq >= e.Oldest
	case TypeEnded:
		valid = e.Reason == room.EndExpired || e.Reason == room.EndDeleted
	}
	if !valid {
		return Event{}, errForeign
	}
	return e, nil
}

// Encode returns the payload of the event.
func (e Event) Encode() string {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings, numbers and booleans always encode
	}
	return string(b)
}
