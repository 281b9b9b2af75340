// Package baseline is a chat server that does as little as a chat server can: its
// rooms never end, it authenticates no client, keeps no history, enforces no limit,
// and speaks only those parts of the protocol that the load tool uses. Its cost is
// that of writing to sockets in one of three ways, its Mode.
package baseline

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
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

const (
	// Direct writes in the goroutine that received the message, with a mutex for
	// each connection, as the examples of WebSocket libraries do.
	Direct Mode = "direct"
	// Batched has a goroutine for each connection, which writes all queued messages
	// in one system call.
	Batched Mode = "batched"
	// Paced has a goroutine for each core, which writes all queued messages of a
	// connection in one system call, and pauses after it has written to many
	// connections.
	Paced Mode = "paced"
)

// Server is an http.Handler. Its connections live until their clients close them.
type Server struct {
	mux            *http.ServeMux
	upgrader       websocket.Upgrader
	newBroadcaster func() broadcaster

	mu    sync.Mutex
	rooms map[string]*room
	users atomic.Uint64
}

// New returns a server. The goroutines of Paced live as long as the process.
func New(mode Mode) (*Server, error) {
	s := &Server{
		mux:      http.NewServeMux(),
		upgrader: websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }},
		rooms:    make(map[string]*room),
	}
	switch mode {
	case Direct:
		s.newBroadcaster = func() broadcaster { return new(direct) }
	case Batched:
		s.newBroadcaster = func() broadcaster { return new(batched) }
	case Paced:
		writers := startWriters()
		s.newBroadcaster = func() broadcaster { return newPaced(writers) }
	default:
		return nil, fmt.Errorf("baseline: unknown mode %q", mode)
	}
	s.mux.HandleFunc("POST /createRoom", s.createRoom)
	s.mux.HandleFunc("POST /joinRoom", s.joinRoom)
	s.mux.HandleFunc("GET /ws", s.serveWS)
	s.mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	s.mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	return s, nil
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// admission is the answer to createRoom and joinRoom, and the join frame.
type admission struct {
	RoomID    string `json:"roomId"`
	UserID    string `json:"userId"`
	SessionID string `json:"sessionId"`
}

func (s *Server) createRoom(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	id := strconv.Itoa(len(s.rooms))
	s.rooms[id] = &room{members: s.newBroadcaster()}
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
	_ = json.NewEncoder(w).Encode(admission{RoomID: roomID, UserID: user, SessionID: "none"}) // fails only if the client has gone
}

// serveWS serves a connection until it ends.
func (s *Server) serveWS(w http.ResponseWriter, r *http.Request) {
	ws, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
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
	var frame bytes.Buffer
	for {
		_, reader, err := ws.NextReader()
		if err != nil {
			return
		}
		frame.Reset()
		if _, err := frame.ReadFrom(reader); err != nil {
			return
		}
		_, text, ok := bytes.Cut(frame.Bytes(), []byte(`"message":"`))
		text, after, ended := bytes.Cut(text, []byte{'"'})
		if !ok || !ended || string(after) != "}" {
			return // the load tool sends no text that has to be escaped
		}
		room.post(member, text)
	}
}

// member is a connection.
type member struct {
	ws     *websocket.Conn
	userID string

	mu    sync.Mutex
	queue []byte        // frames to write; owned by the writer with Paced
	wake  chan struct{} // closed when the member leaves; with Batched
}

// room numbers messages.
type room struct {
	mu      sync.Mutex
	seq     uint64
	members broadcaster
}

// broadcaster delivers to the members of one room. Its methods are called with the
// room's mutex held, so that all members get the same order.
type broadcaster interface {
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
	r.members.join(m)
	return nil
}

func (r *room) leave(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members.leave(m)
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
	r.members.deliver(append(b, `"}`...))
}

// Certificate makes a self-signed certificate for the loopback interface.
func Certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
