package ws

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

// frame is one or more WebSocket frames that were encoded once and can be written
// to any number of connections.
type frame struct {
	// bytes are what goes over the wire. They must not be changed.
	bytes []byte
	// size is what the frame counts for in a queue, in bytes.
	size int
}

// frameOverhead is what a queued frame costs beside its payload, in bytes: its
// header and its place in the queue.
const frameOverhead = 64

var (
	pingFrame = newFrame(websocket.PingMessage, nil)
	pongFrame = textFrame([]byte(`{"type":"pong"}`))
)

// newFrame encodes a frame.
func newFrame(messageType int, payload []byte) *frame {
	return wireFrame(appendFrame(make([]byte, 0, maxHeader+len(payload)), messageType, payload))
}

// wireFrame is a frame of bytes that are encoded already.
func wireFrame(bytes []byte) *frame { return &frame{bytes: bytes, size: len(bytes) + frameOverhead} }

// maxHeader is the size of the longest header that a server's frame has.
const maxHeader = 10

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

// closeFrame encodes a close frame. The reason is cut to what a control frame
// may hold (RFC 6455, section 5.5: 125 bytes, of which two are the code).
func closeFrame(code int, reason string) *frame {
	return newFrame(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason[:min(len(reason), 123)]))
}

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
	replayFrame struct {
		Type string `json:"type"`
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
	removedFrame struct {
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

// encode encodes one of the frames above. HTML characters stay as they are.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("ws: encoding %T: %v", v, err)) // structs of strings and numbers
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// encodeWith encodes one of the frames above with entries as its messages.
// Entries are JSON already and are copied as they are.
func encodeWith(v any, entries [][]byte) []byte {
	head := encode(v)
	size := len(head) + len(`,"messages":[]}`)
	for _, entry := range entries {
		size += len(entry) + 1
	}
	b := make([]byte, 0, size)
	b = append(b, head[:len(head)-1]...)
	b = append(b, `,"messages":[`...)
	for i, entry := range entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, entry...)
	}
	return append(b, "]}"...)
}

// stateOf returns what connections are told of a room.
func stateOf(r *room.Room) roomState {
	state := roomState{RoomID: r.ID, RoomName: r.Name, TTL: int64(r.TTL.Seconds()), Locked: r.Locked}
	if r.Started() {
		started, expires := message.FormatTime(r.StartedAt), message.FormatTime(r.Deadline)
		state.StartedAt, state.ExpiresAt = &started, &expires
	}
	return state
}
