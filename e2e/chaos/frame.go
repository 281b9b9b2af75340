package chaos

import "time"

// entry is a message as all clients receive it.
type entry struct {
	Seq       uint64 `json:"seq"`
	Message   string `json:"message"`
	Timestamp string `json:"timestamp"`
	UserID    string `json:"userId"`
	ID        uint64 `json:"id"`
	Session   string `json:"session"`
}

// frame is any frame of the server.
type frame struct {
	entry

	Type      string  `json:"type"`
	Epoch     string  `json:"epoch"`
	LastID    uint64  `json:"lastId"`
	Gap       bool    `json:"gap"`
	Messages  []entry `json:"messages"`
	Online    []string
	Code      string
	Reason    string
	ExpiresAt string
	Room      struct{ ExpiresAt string }
}

// outgoing is a message that its client has not seen stored.
type outgoing struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	ID      uint64 `json:"id"`

	posted time.Time
	sent   bool // at least once
}

// parseTime parses a time of the protocol; zero if there is none.
func parseTime(text string) time.Time {
	at, err := time.Parse("2006-01-02T15:04:05.000Z", text)
	if err != nil {
		return time.Time{}
	}
	return at
}
