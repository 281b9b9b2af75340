package harness

import (
	"encoding/json"
	"testing"
	"time"
)

// Entry is a message as clients receive it, alone or in a list.
type Entry struct {
	Seq       uint64 `json:"seq"`
	Message   string `json:"message"`
	Timestamp string `json:"timestamp"`
	UserID    string `json:"userId"`
	ID        uint64 `json:"id"`
	Session   string `json:"session"`
	Retracted bool   `json:"retracted"`
}

// Seqs are the numbers of retracted messages in a welcome. A message has a flag under
// the same name, which decodes to nothing here.
type Seqs []uint64

// UnmarshalJSON implements json.Unmarshaler.
func (s *Seqs) UnmarshalJSON(b []byte) error {
	if string(b) == "true" {
		return nil
	}
	return json.Unmarshal(b, (*[]uint64)(s))
}

// Frame is a frame of the server. Its type determines which fields are set.
type Frame struct {
	Type string `json:"type"`

	At   time.Time `json:"-"` // when it was received
	Size int       `json:"-"` // in bytes

	// welcome
	SocketID    string   `json:"socketId"`
	Role        string   `json:"role"`
	Room        Room     `json:"room"`
	Now         string   `json:"now"`
	LastID      uint64   `json:"lastId"`
	Online      []string `json:"online"`
	OnlineCount int      `json:"onlineCount"`
	Gap         bool     `json:"gap"`
	Retracted   Seqs     `json:"retracted"`

	// welcome, replay, history
	Messages []Entry `json:"messages"`
	More     bool    `json:"more"`

	// message; other types have some of these
	Entry
	Epoch string `json:"epoch"`

	StartedAt string `json:"startedAt"`
	ExpiresAt string `json:"expiresAt"`
	Locked    bool   `json:"locked"`
	Reason    string `json:"reason"`
	Code      string `json:"code"`
}

// Room describes the room in a welcome.
type Room struct {
	RoomID    string  `json:"roomId"`
	RoomName  string  `json:"roomName"`
	TTL       int     `json:"ttl"`
	Locked    bool    `json:"locked"`
	StartedAt *string `json:"startedAt"`
	ExpiresAt *string `json:"expiresAt"`
}

// Time reads a time of the protocol.
func Time(text string) (time.Time, error) { return time.Parse("2006-01-02T15:04:05.000Z", text) }

// ParseTime reads a time of the protocol.
func ParseTime(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := Time(text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
