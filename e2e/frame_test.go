package e2e_test

import "time"

// entry is a message, as it stands in the messages of a welcome, replay or
// history.
type entry struct {
	Seq       uint64 `json:"seq"`
	Message   string `json:"message"`
	Timestamp string `json:"timestamp"`
	UserID    string `json:"userId"`
	ID        uint64 `json:"id"`
	Session   string `json:"session"`
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
