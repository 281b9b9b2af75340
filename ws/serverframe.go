package ws

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// frame is one or more WebSocket frames, encoded once for any number of connections.
type frame struct {
	bytes []byte // on the wire; they must not be changed
	size  int    // in a queue, in bytes
}

const (
	// frameOverhead is the cost of a queued frame beside its payload, in bytes: its
	// header and its place in the queue.
	frameOverhead = 64
	// maxHeader is the size of the longest header of a server's frame.
	maxHeader = 10
)

var (
	pingFrame = newFrame(websocket.PingMessage, nil)
	pongFrame = textFrame([]byte(`{"type":"pong"}`))
)

// newFrame encodes a frame.
func newFrame(messageType int, payload []byte) *frame {
	return encodedFrame(appendFrame(make([]byte, 0, maxHeader+len(payload)), messageType, payload))
}

// encodedFrame is a frame of bytes that are encoded already.
func encodedFrame(bytes []byte) *frame {
	return &frame{bytes: bytes, size: len(bytes) + frameOverhead}
}

// appendFrame appends a frame as a server sends it, whole and not masked (RFC
// 6455, section 5.2). The message types of gorilla/websocket are the opcodes.
func appendFrame(b []byte, messageType int, payload []byte) []byte {
	const final = 1 << 7
	b = append(b, final|byte(messageType)) //nolint:gosec // G115: opcodes have four bits
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

func textFrame(payload []byte) *frame { return newFrame(websocket.TextMessage, payload) }

// jsonFrame encodes one of the structs below.
func jsonFrame(v any) *frame { return textFrame(message.JSON(v)) }

// The frames of the server, in the order of the documentation.
type (
	welcomeFrame struct {
		Type        string       `json:"type"`
		SocketID    string       `json:"socketId"`
		UserID      string       `json:"userId"`
		Session     string       `json:"session"`
		Role        room.Role    `json:"role"`
		Room        roomState    `json:"room"`
		Now         string       `json:"now"`
		Epoch       string       `json:"epoch"`
		Seq         uint64       `json:"seq"`
		LastID      uint64       `json:"lastId"`
		MaxMessage  int          `json:"maxMessage"`
		MessageRate *messageRate `json:"messageRate"`
		Online      []string     `json:"online"`
		OnlineCount int          `json:"onlineCount"`
		More        bool         `json:"more"`
		Gap         bool         `json:"gap"`
		Retracted   []uint64     `json:"retracted"`
	}
	roomState struct {
		RoomID    string  `json:"roomId"`
		RoomName  string  `json:"roomName"`
		TTL       int64   `json:"ttl"`
		Locked    bool    `json:"locked"`
		StartedAt *string `json:"startedAt"`
		ExpiresAt *string `json:"expiresAt"`
	}
	messageRate struct {
		Messages int   `json:"messages"`
		Per      int64 `json:"per"` // milliseconds
	}
	historyFrame struct {
		Type string `json:"type"`
		More bool   `json:"more"`
	}
	startedFrame struct {
		Type      string `json:"type"`
		StartedAt string `json:"startedAt"`
		ExpiresAt string `json:"expiresAt"`
	}
	userFrame struct { // joined, left, typing
		Type   string `json:"type"`
		UserID string `json:"userId"`
	}
	onlineFrame struct {
		Type        string `json:"type"`
		OnlineCount int    `json:"onlineCount"`
	}
	retractedFrame struct {
		Type string `json:"type"`
		Seq  uint64 `json:"seq"`
	}
	lockedFrame struct {
		Type   string `json:"type"`
		Locked bool   `json:"locked"`
	}
	gapFrame struct {
		Type  string `json:"type"`
		Epoch string `json:"epoch"`
		Seq   uint64 `json:"seq"`
	}
	typeFrame struct { // replay, removed
		Type string `json:"type"`
	}
	endedFrame struct {
		Type   string         `json:"type"`
		Reason room.EndReason `json:"reason"`
	}
	ackFrame struct {
		Type string `json:"type"`
		ID   uint64 `json:"id"`
	}
	errorFrame struct {
		Type    string `json:"type"`
		Code    string `json:"code"`
		Message string `json:"message"`
		ID      uint64 `json:"id,omitempty"`
		Seq     uint64 `json:"seq,omitempty"`
	}
)

// pageFrame encodes one of the structs above with the entries of a page, which are
// JSON already, as its messages.
func pageFrame(head any, page *room.Page) *frame {
	size := 0
	for _, entry := range page.Entries {
		size += len(entry) + 1
	}
	b := bytes.TrimSuffix(message.JSON(head), []byte("}"))
	b = append(slices.Grow(b, len(`,"messages":[]}`)+size), `,"messages":[`...)
	for i, entry := range page.Entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, entry...)
	}
	return textFrame(append(b, "]}"...))
}

// newRoomState returns the room as a welcome shows it.
func newRoomState(r *room.Room) roomState {
	state := roomState{RoomID: r.ID, RoomName: r.Name, TTL: int64(r.TTL.Seconds()), Locked: r.Locked}
	if r.Started() {
		state.StartedAt, state.ExpiresAt = new(message.FormatTime(r.StartedAt)), new(message.FormatTime(r.Deadline))
	}
	return state
}

// newMessageRate returns the limit of messages as a welcome shows it, nil for none.
func newMessageRate(s *Settings) *messageRate {
	if s.MessageRate == rate.Inf {
		return nil
	}
	per := float64(s.MessageBurst) / float64(s.MessageRate) * 1000
	return &messageRate{s.MessageBurst, int64(math.Round(per))}
}
