package baseline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// Mode is a way to write messages to the members of a room.
type Mode string

// The modes.
const (
	// Direct writes in the loop of whoever broadcasts, with a mutex for each
	// connection: what the examples of WebSocket libraries do.
	Direct Mode = "direct"
	// Batched has a writer for each connection, which writes all that is queued
	// for it in one system call.
	Batched Mode = "batched"
	// Paced has a writer for each core, which writes to its share of the
	// connections, to each all that is queued in one system call, and rests for a
	// while after it has written to many.
	Paced Mode = "paced"
)

// Server is an http.Handler. Its connections live until their clients leave.
type Server struct {
	mux      *http.ServeMux
	upgrader websocket.Upgrader
	newSink  func() sink

	mu    sync.Mutex
	rooms map[string]*room
	users atomic.Uint64
}

// New returns a server. Its writers live as long as the process.
func New(mode Mode) (*Server, error) {
	s := &Server{
		mux:      http.NewServeMux(),
		upgrader: websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }},
		rooms:    make(map[string]*room),
	}
	switch mode {
	case Direct:
		s.newSink = func() sink { return new(directSink) }
	case Batched:
		s.newSink = func() sink { return new(batchedSink) }
	case Paced:
		writers := startWriters()
		s.newSink = func() sink { return &pacedSink{writers: writers} }
	default:
		return nil, fmt.Errorf("floor: no mode %q", mode)
	}
	s.mux.HandleFunc("POST /createRoom", s.createRoom)
	s.mux.HandleFunc("POST /joinRoom", s.joinRoom)
	s.mux.HandleFunc("GET /ws", s.serveWS)
	s.mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	s.mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	return s, nil
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

type admission struct {
	RoomID    string `json:"roomId"`
	UserID    string `json:"userId"`
	SessionID string `json:"sessionId"`
}

func (s *Server) createRoom(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	id := strconv.Itoa(len(s.rooms))
	s.rooms[id] = &room{sink: s.newSink()}
	s.mu.Unlock()
	s.admit(w, id)
}

func (s *Server) joinRoom(w http.ResponseWriter, r *http.Request) {
	var request admission
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.admit(w, request.RoomID)
}

func (s *Server) admit(w http.ResponseWriter, roomID string) {
	user := fmt.Sprintf("user-%d", s.users.Add(1))
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(admission{RoomID: roomID, UserID: user, SessionID: "none"}) // else the client is gone
}

// serveWS serves a connection until it ends.
func (s *Server) serveWS(w http.ResponseWriter, r *http.Request) {
	ws, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // answered
	}
	defer func() { _ = ws.Close() }()
	var join admission
	if err := ws.ReadJSON(&join); err != nil {
		return
	}
	s.mu.Lock()
	room := s.rooms[join.RoomID]
	s.mu.Unlock()
	if room == nil {
		return
	}
	member := &member{ws: ws, userID: join.UserID}
	if room.join(member) != nil {
		return
	}
	defer room.leave(member)
	buffer := make([]byte, 0, 512)
	for {
		if buffer, err = readMessage(ws, buffer[:0]); err != nil {
			return
		}
		_, text, ok := bytes.Cut(buffer, []byte(`"message":"`))
		text, after, ended := bytes.Cut(text, []byte{'"'})
		if !ok || !ended || string(after) != "}" {
			return // a client that escapes: not one of ours
		}
		room.post(member, text)
	}
}

// readMessage is ws.ReadMessage with a buffer of the caller's.
func readMessage(ws *websocket.Conn, buffer []byte) ([]byte, error) {
	_, reader, err := ws.NextReader()
	if err != nil {
		return buffer, err
	}
	for {
		if len(buffer) == cap(buffer) {
			buffer = append(buffer, 0)[:len(buffer)]
		}
		n, err := reader.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		if errors.Is(err, io.EOF) {
			return buffer, nil
		}
		if err != nil {
			return buffer, err
		}
	}
}

// member is a connection.
type member struct {
	ws     *websocket.Conn
	userID string

	mu    sync.Mutex
	queue []byte        // what is to be written; Batched
	wake  chan struct{} // closed when the member leaves; Batched
}

// room numbers messages.
type room struct {
	mu   sync.Mutex
	seq  uint64
	sink sink
}

// sink delivers to the members of one room. Its methods are called with the
// room's mutex held, so that all members get the same order.
type sink interface {
	join(*member)
	leave(*member)
	deliver(payload []byte)
}

func (r *room) join(m *member) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	welcome := fmt.Sprintf(`{"type":"welcome","userId":%q,"seq":%d}`, m.userID, r.seq)
	if err := m.ws.WriteMessage(websocket.TextMessage, []byte(welcome)); err != nil {
		return err
	}
	r.sink.join(m)
	return nil
}

func (r *room) leave(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sink.leave(m)
}

func (r *room) post(m *member, text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	b := make([]byte, 0, len(text)+len(m.userID)+96)
	b = append(b, `{"type":"message","seq":`...)
	b = strconv.AppendUint(b, r.seq, 10)
	b = append(b, `,"message":"`...)
	b = append(b, text...)
	b = append(b, `","timestamp":"`...)
	b = time.Now().UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","userId":"`...)
	b = append(b, m.userID...)
	b = append(b, `"}`...)
	r.sink.deliver(b)
}
