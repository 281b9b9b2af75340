package ws_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/time/rate"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/memstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// waitLimit is how long a test waits for an event that should follow at once.
const waitLimit = 20 * time.Second

// site is a hub behind an HTTP server.
type site struct {
	store  *faultyStore
	rooms  *room.Rooms
	hub    *ws.Hub
	server *httptest.Server
	// dial opens a network connection to the server.
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	logged *logBuffer // of the hub and the HTTP server
}

// siteConfig configures a site.
type siteConfig struct {
	limits   room.Limits
	settings ws.Settings
	store    *faultyStore // nil: a new memory store
	piped    bool         // in a synctest bubble: connections are pipes
	secure   bool         // TLS
	wrap     func(http.Handler) http.Handler
	accepted func(net.Conn) // called for every connection of the server
}

// newSite starts a site; it is stopped when the test is over.
func newSite(tb testing.TB, changes ...func(*siteConfig)) *site {
	tb.Helper()
	p := siteConfig{
		limits: room.Limits{
			TTL: time.Hour, MaxTTL: 24 * time.Hour, Lobby: time.Hour, History: 10_000, MaxMessage: 4 << 10, MaxMembers: 2_000,
		},
		settings: ws.Settings{PingInterval: 30 * time.Second, MessageRate: rate.Inf},
		wrap:     func(h http.Handler) http.Handler { return h },
	}
	for _, change := range changes {
		change(&p)
	}
	if p.store == nil {
		p.store = &faultyStore{Store: memstore.New()}
		tb.Cleanup(func() {
			if err := p.store.Close(); err != nil {
				tb.Errorf("closing the store: %v", err)
			}
		})
	}
	s := &site{store: p.store, rooms: room.NewRooms(p.store, p.limits), logged: &logBuffer{}}
	logger := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), s.logged, zap.DebugLevel))
	s.hub = ws.NewHub(p.store, func() *zap.Logger { return logger })
	p.settings.Rooms = s.rooms

	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		//nolint:contextcheck // a connection outlives its request
		if err := s.hub.Serve(w, r, p.settings); err != nil {
			http.Error(w, apierror.Message(err), apierror.Of(err).Status)
		}
	})
	s.server = httptest.NewUnstartedServer(p.wrap(handler))
	s.server.Config.ErrorLog = zap.NewStdLog(logger)
	if p.piped {
		listener := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		_ = s.server.Listener.Close()
		s.server.Listener, s.dial = listener, listener.dial
	} else {
		s.dial = (&net.Dialer{}).DialContext
	}
	if p.accepted != nil {
		s.server.Listener = &watchedListener{Listener: s.server.Listener, accepted: p.accepted}
	}
	if p.secure {
		s.server.StartTLS()
	} else {
		s.server.Start()
	}
	tb.Cleanup(func() {
		s.hub.Close()
		s.server.Close()
	})
	return s
}

func limits(change func(*room.Limits)) func(*siteConfig) {
	return func(p *siteConfig) { change(&p.limits) }
}

func settings(change func(*ws.Settings)) func(*siteConfig) {
	return func(p *siteConfig) { change(&p.settings) }
}

func piped(p *siteConfig) { p.piped = true }

// inBubble runs a test in a synctest bubble, where time passes only while every
// goroutine waits.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// elapse lets time pass in a bubble, and then waits until every goroutine does.
func elapse(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // in a bubble it only moves the clock
	synctest.Wait()
}

// eventually polls until done returns true.
func eventually(tb testing.TB, done func() bool) {
	tb.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(waitLimit); !done(); <-ticker.C {
		if time.Now().After(deadline) {
			tb.Fatalf("still not after %v", waitLimit)
		}
	}
}

// create makes a room and returns its admin, named admin.
func (s *site) create(tb testing.TB, ttl ...time.Duration) room.Admission {
	tb.Helper()
	wish := room.CreateRequest{Name: "Ärger im Büro", Username: "admin"}
	if len(ttl) > 0 {
		wish.TTL = &ttl[0]
	}
	admission, err := s.rooms.Create(context.WithoutCancel(tb.Context()), wish)
	if err != nil {
		tb.Fatalf("creating a room: %v", err)
	}
	return admission
}

// addMember makes a new member of the room that in is admitted to.
func (s *site) addMember(tb testing.TB, in room.Admission, name string) room.Admission {
	tb.Helper()
	admission, err := s.rooms.Join(context.WithoutCancel(tb.Context()), room.JoinRequest{RoomID: in.Room.ID, Username: name})
	if err != nil {
		tb.Fatalf("joining as %q: %v", name, err)
	}
	return admission
}

// rejoin issues another session to a member.
func (s *site) rejoin(tb testing.TB, of room.Admission) room.Admission {
	tb.Helper()
	admission, err := s.rooms.Rejoin(tb.Context(), credentials(of))
	if err != nil {
		tb.Fatalf("rejoining as %q: %v", of.UserID, err)
	}
	return admission
}

func credentials(a room.Admission) room.Credentials {
	return room.Credentials{RoomID: a.Room.ID, UserID: a.UserID, SessionID: a.SessionID}
}

// post stores messages without a connection.
func (s *site) post(tb testing.TB, as room.Admission, texts ...string) {
	tb.Helper()
	for _, text := range texts {
		if _, err := s.rooms.Post(tb.Context(), as.Room.ID, as.UserID, "", 0, 0, text); err != nil {
			tb.Fatalf("posting: %v", err)
		}
	}
}

// kept returns the texts of all messages that the room keeps.
func (s *site) kept(tb testing.TB, in room.Admission) []string {
	tb.Helper()
	page, err := s.store.Store.After(tb.Context(), in.Room.ID, 0, 64<<20)
	if err != nil {
		tb.Fatalf("reading the room: %v", err)
	}
	return texts(decodeEntries(tb, page.Entries))
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *logBuffer) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// Sync implements zapcore.WriteSyncer.
func (j *logBuffer) Sync() error { return nil }

func (j *logBuffer) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// pipeListener is a network inside the process.
type pipeListener struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// watchedListener passes each connection that it accepts to accepted.
type watchedListener struct {
	net.Listener
	accepted func(net.Conn)
}

func (l *watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.accepted(conn)
	}
	return conn, err
}

// get sends a plain HTTP request and returns the status of its answer.
func (s *site) get(tb testing.TB, request *http.Request) int {
	tb.Helper()
	transport := &http.Transport{DialContext: s.dial, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport, Timeout: waitLimit}).Do(request)
	if err != nil {
		tb.Fatalf("HTTP request: %v", err)
	}
	_, err = io.Copy(io.Discard, response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		tb.Fatalf("reading the answer: %v", err)
	}
	return response.StatusCode
}
