package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// EphemeralChat is the protocol of ephemeral chat (docs/protocol.md).
type EphemeralChat struct{}

// Path is the path of the WebSocket.
func (EphemeralChat) Path() string { return "ws" }

// Open creates a room and joins it. The admin is the first of its members.
func (EphemeralChat) Open(ctx context.Context, client *http.Client, base string, number, members int) ([]Member, error) {
	endpoint, request := "createRoom", map[string]string{"roomName": fmt.Sprintf("load %d", number)}
	list := make([]Member, members)
	for i := range list {
		var answer struct{ RoomID, UserID, SessionID string }
		if err := call(ctx, client, base+endpoint, request, &answer); err != nil {
			return nil, err
		}
		list[i] = Member{
			Join:   fmt.Appendf(nil, `{"type":"join","roomId":%q,"userId":%q,"sessionId":%q}`, answer.RoomID, answer.UserID, answer.SessionID),
			Before: []byte(`{"type":"message","message":"`),
			After:  []byte(`"}`),
		}
		endpoint, request = "joinRoom", map[string]string{"roomId": answer.RoomID}
	}
	return list, nil
}

// call posts a request to an endpoint.
func call(ctx context.Context, client *http.Client, url string, request, response any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("load: %s: %w", url, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("load: %s: %w", url, err)
	}
	if answer.StatusCode != http.StatusOK {
		return problemError(url, answer, text)
	}
	if err := json.Unmarshal(text, response); err != nil {
		return fmt.Errorf("load: %s: is this where the chat is mounted? %w", url, err)
	}
	return nil
}

// problemError returns the error for an answer other than 200, with a remedy.
func problemError(url string, answer *http.Response, text []byte) error {
	var problem struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(text, &problem) != nil || problem.Code == "" {
		return fmt.Errorf("load: %s: %q: is this where the chat is mounted?", url, answer.Status)
	}
	hint := ""
	switch problem.Code {
	case "rate_limited":
		option := "join_rate"
		if strings.HasSuffix(url, "createRoom") {
			option = "create_rate"
		}
		hint = ": set " + option + " of the site to off, or high enough for this load"
	case "room_full":
		hint = ": set max_members of the site to at least -members"
	case "too_many_rooms":
		hint = ": raise max_rooms of the site"
	}
	return fmt.Errorf("load: %s: %q%s", url, problem.Code, hint)
}

var (
	typeKey = []byte(`"type":"`)
	seqKey  = []byte(`"seq":`)
	codeKey = []byte(`"code":"`)
)

// Next parses a frame, which is one event.
func (EphemeralChat) Next(payload []byte) (Event, []byte) {
	_, rest, ok := bytes.Cut(payload, typeKey)
	if !ok {
		return Event{Kind: EventRefused, Text: []byte("a frame without a type")}, nil
	}
	switch kind, _, _ := bytes.Cut(rest, []byte{'"'}); string(kind) {
	case "message":
		return Event{Kind: EventMessage, Seq: NumberAfter(payload, seqKey), Text: rest}, nil
	case "welcome":
		return Event{Kind: EventJoined, Seq: NumberAfter(payload, seqKey)}, nil
	case "error":
		_, code, _ := bytes.Cut(payload, codeKey)
		code, _, _ = bytes.Cut(code, []byte{'"'})
		return Event{Kind: EventRefused, Text: code}, nil
	}
	return Event{}, nil
}

// NumberAfter returns the number that follows the first occurrence of a key, or 0.
// The key cannot occur within a JSON string, where its quotation marks are escaped.
func NumberAfter(payload, key []byte) uint64 {
	_, rest, _ := bytes.Cut(payload, key)
	var n uint64
	for _, c := range rest {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + uint64(c-'0')
	}
	return n
}
