package e2e_test

import (
	"encoding/json"
	"time"
)

// entry is a message, as it stands in the messages of a welcome, replay or
// history.
type entry struct {
	Seq       uint64 `json:"seq"`
	Message   string `json:"message"`
	Timestamp string `json:"timestamp"`
	UserID    string `json:"userId"`
	ID        uint64 `json:"id"`
	Session   string `json:"session"`
	Retracted bool   `json:"retracted"`
}

// numbers are those of messages. Under their name in a welcome a message has a
// flag.
type numbers []uint64

func (n *numbers) UnmarshalJSON(b []byte) error {
	if string(b) == "true" {
		return nil
	}
	return json.Unmarshal(b, (*[]uint64)(n))
}

// frame is a frame of the server. Which fields are set depends on the type.
type frame struct {
	Type string `json:"type"`

	// at is when it came, size how many bytes it had.
	at   time.Time
	size int

	// welcome
	SocketID string `json:"socketId"`
	Role     string `json:"role"`
	Room     struct {
		RoomID    string  `json:"roomId"`
		RoomName  string  `json:"roomName"`
		TTL       int     `json:"ttl"`
		Locked    bool    `json:"locked"`
		StartedAt *string `json:"startedAt"`
		ExpiresAt *string `json:"expiresAt"`
	} `json:"room"`
	Now         string   `json:"now"`
	LastID      uint64   `json:"lastId"`
	Online      []string `json:"online"`
	OnlineCount int      `json:"onlineCount"`
	Gap         bool     `json:"gap"`
	Retracted   numbers  `json:"retracted"`

	// welcome, replay, history
	Messages []entry `json:"messages"`
	More     bool    `json:"more"`

	// message; in part others
	entry
	Epoch string `json:"epoch"`

	StartedAt string `json:"startedAt"`
	ExpiresAt string `json:"expiresAt"`
	Locked    bool   `json:"locked"`
	Reason    string `json:"reason"`
	Code      string `json:"code"`
}
