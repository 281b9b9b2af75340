package load_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
)

// chat is a small chat server with faults.
type chat struct {
	// fault returns the numbers of the messages that a connection gets instead of a
	// message. Connections are numbered from 0 in each room. Nil is no fault.
	fault func(conn int, seq uint64) []uint64
	// refuse is the number of the message that is refused, with the code refuseAs or
	// rate_limited.
	refuse   uint64
	refuseAs string
	// hangUp is the number of the message at which connection 1 of a room is closed.
	hangUp uint64
	// status and code are the answer to joinRoom, unless status is 0.
	status int
	code   string

	mu    sync.Mutex
	rooms map[string]*chatRoom
	open  sync.WaitGroup
}

type chatRoom struct {
	conns []*websocket.Conn
	seq   uint64
	texts map[uint64]string
}

// start serves until the test ends, and returns the URL.
func (c *chat) start(t *testing.T) string {
	t.Helper()
	c.rooms = make(map[string]*chatRoom)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /createRoom", c.create)
	mux.HandleFunc("POST /joinRoom", c.join)
	mux.HandleFunc("GET /ws", c.serve)
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.Close()
		c.open.Wait()
	})
	return server.URL
}

func (c *chat) create(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := strconv.Itoa(len(c.rooms))
	c.rooms[id] = &chatRoom{texts: make(map[uint64]string)}
	_, _ = fmt.Fprintf(w, `{"roomId":%q,"userId":"admin","sessionId":"s"}`, id)
}

func (c *chat) join(w http.ResponseWriter, r *http.Request) {
	if c.status != 0 {
		w.WriteHeader(c.status)
		_, _ = fmt.Fprintf(w, `{"code":%q}`, c.code)
		return
	}
	var request struct{ RoomID string }
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = fmt.Fprintf(w, `{"roomId":%q,"userId":"member","sessionId":"s"}`, request.RoomID)
}

func (c *chat) serve(w http.ResponseWriter, r *http.Request) {
	c.open.Add(1)
	defer c.open.Done()
	conn, err := new(websocket.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	var join struct{ RoomID string }
	if err := conn.ReadJSON(&join); err != nil {
		return
	}
	room := c.enter(conn, join.RoomID)
	for {
		var frame struct{ Message string }
		if err := conn.ReadJSON(&frame); err != nil {
			return
		}
		c.post(room, conn, frame.Message)
	}
}

func (c *chat) enter(conn *websocket.Conn, id string) *chatRoom {
	c.mu.Lock()
	defer c.mu.Unlock()
	room := c.rooms[id]
	room.conns = append(room.conns, conn)
	_ = conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"type":"welcome","seq":%d}`, room.seq))
	return room
}

func (c *chat) post(room *chatRoom, from *websocket.Conn, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse == room.seq+1 {
		c.refuse = 0
		// Unescaped, so it need not be JSON.
		_ = from.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"type":"error","code":"%s","message":"no"}`, cmp.Or(c.refuseAs, "rate_limited")))
		return
	}
	room.seq++
	room.texts[room.seq] = text
	for i, conn := range room.conns {
		if i == 1 && c.hangUp == room.seq {
			_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4503, "too_slow"))
			_ = conn.Close()
		}
		give := []uint64{room.seq}
		if c.fault != nil {
			give = c.fault(i, room.seq)
		}
		for _, seq := range give {
			_ = conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"type":"message","seq":%d,"message":%q}`, seq, room.texts[seq]))
		}
	}
}
