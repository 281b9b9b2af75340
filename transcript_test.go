package ephemeralchat_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
)

// TestTranscript replays the conversation in docs/protocol.md.
func TestTranscript(t *testing.T) {
	document, err := os.ReadFile("docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, transcript, ok := strings.Cut(string(document), "```transcript\n")
	if !ok {
		t.Fatal("docs/protocol.md has no transcript")
	}
	transcript, _, _ = strings.Cut(transcript, "```")
	forEachStore(t, func(t *testing.T, store string) {
		r := &replayer{
			site:    serve(t, "ephemeral_chat {\n"+store+"\n}"),
			sockets: make(map[string]*websocket.Conn),
			values:  make(map[string]string),
		}
		for i, line := range strings.Split(strings.TrimSpace(transcript), "\n") {
			if line == "" {
				continue
			}
			if err := r.play(t, line); err != nil {
				t.Fatalf("line %d of the transcript: %s\n%v", i+1, line, err)
			}
		}
	})
}

// replayer replays a transcript. A JSON string such as "<room>" stands for a value that
// the server chooses: its first occurrence matches any value, later ones the same value.
type replayer struct {
	site    *site
	sockets map[string]*websocket.Conn
	reply   apitest.Reply
	values  map[string]string
}

var placeholder = regexp.MustCompile(`"<[^>"]+>"`)

func (r *replayer) play(t *testing.T, line string) error {
	t.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	switch {
	case verb == "POST":
		path, body, _ := strings.Cut(rest, " ")
		r.reply = r.site.Post(t, path, r.fill(body))
		return nil
	case strings.HasSuffix(verb, ">"):
		return r.socket(t, verb[:1]).WriteMessage(websocket.TextMessage, []byte(r.fill(rest)))
	case strings.HasSuffix(verb, "<"):
		return r.receive(r.socket(t, verb[:1]), rest)
	default:
		status, err := strconv.Atoi(verb)
		if err != nil {
			return err
		}
		if r.reply.Status != status {
			return fmt.Errorf("status %d: %s", r.reply.Status, r.reply.Body)
		}
		return r.match(rest, string(r.reply.Body))
	}
}

// socket returns the connection of a client. The first call opens it.
func (r *replayer) socket(t *testing.T, name string) *websocket.Conn {
	t.Helper()
	if r.sockets[name] == nil {
		conn, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+r.site.Address+"/ws", nil)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		t.Cleanup(func() { conn.Close() })
		r.sockets[name] = conn
	}
	return r.sockets[name]
}

func (r *replayer) receive(conn *websocket.Conn, want string) error {
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	_, got, err := conn.ReadMessage()
	if code, ok := strings.CutPrefix(want, "close "); ok {
		var closed *websocket.CloseError
		if !errors.As(err, &closed) || strconv.Itoa(closed.Code) != code {
			return fmt.Errorf("not closed with %s: %q %w", code, got, err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	return r.match(want, string(got))
}

// fill puts the values into a request.
func (r *replayer) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(name string) string {
		value, err := json.Marshal(r.values[name])
		if err != nil {
			return name
		}
		return string(value)
	})
}

// match compares JSON literally, except for values that are not known yet.
func (r *replayer) match(want, got string) error {
	var pattern strings.Builder
	var names []string
	last := 0
	filled := placeholder.ReplaceAllStringFunc(want, func(name string) string {
		if value, known := r.values[name]; known {
			return strconv.Quote(value)
		}
		return name
	})
	for _, at := range placeholder.FindAllStringIndex(filled, -1) {
		pattern.WriteString(regexp.QuoteMeta(filled[last:at[0]]))
		pattern.WriteString(`"([^"]+)"`)
		names = append(names, filled[at[0]:at[1]])
		last = at[1]
	}
	pattern.WriteString(regexp.QuoteMeta(filled[last:]))
	found := regexp.MustCompile("^" + pattern.String() + "$").FindStringSubmatch(got)
	if found == nil {
		return fmt.Errorf("got %s\nwant %s", got, filled)
	}
	for i, name := range names {
		if value, known := r.values[name]; known && value != found[i+1] {
			return fmt.Errorf("%s is both %q and %q", name, value, found[i+1])
		}
		r.values[name] = found[i+1]
	}
	return nil
}
