package ephemeralchat_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	ephemeralchat "github.com/ephemeralchat/caddy-ephemeral-chat"
	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
)

// askAdmin calls the admin endpoint like Caddy.
func askAdmin(t *testing.T, method, path string) (status int, header http.Header, body string) {
	t.Helper()
	routes := new(ephemeralchat.AdminAPI).Routes()
	if len(routes) != 1 || !strings.HasPrefix(path, routes[0].Pattern) {
		t.Fatalf("routes %v do not serve %s", routes, path)
	}
	w := httptest.NewRecorder()
	err := routes[0].Handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
	if refused, ok := errors.AsType[caddy.APIError](err); ok {
		return refused.HTTPStatus, w.Header(), refused.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, w.Header(), w.Body.String()
}

func askAdminFor[T any](t *testing.T, path string) T {
	t.Helper()
	status, header, body := askAdmin(t, http.MethodGet, path)
	if status != http.StatusOK || header.Get("Content-Type") != "application/json" {
		t.Fatalf("GET %s: %d %v %s", path, status, header, body)
	}
	var value T
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("GET %s: %v: %s", path, err, body)
	}
	return value
}

type adminRoom struct {
	ID          string  `json:"id"`
	Store       string  `json:"store"`
	Connections int     `json:"connections"`
	Online      int     `json:"online"`
	StartedAt   *string `json:"started_at"`
	ExpiresAt   *string `json:"expires_at"`
	Seq         int     `json:"seq"`
}

func adminRooms(t *testing.T, query string) []adminRoom {
	t.Helper()
	return askAdminFor[struct {
		Rooms []adminRoom `json:"rooms"`
	}](t, "/ephemeral_chat/rooms"+query).Rooms
}

func expectAdmin(t *testing.T, method, path string, status int, message string) http.Header {
	t.Helper()
	got, header, body := askAdmin(t, method, path)
	if got != status || !strings.Contains(body, message) {
		t.Errorf("%s %s: %d %q, want %d %q", method, path, got, body, status, message)
	}
	return header
}

func TestAdminAPI(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	inMemory, inRedis, quiet := newSite(t), newSite(t), newSite(t)
	load(t, inMemory.block("ephemeral_chat")+inRedis.block("ephemeral_chat {\nredis "+server.Addr()+"\n}")+
		quiet.block("ephemeral_chat {\nstore memory quiet\n}"))
	redisName := "redis/" + server.Addr() + "/0"
	if rooms := adminRooms(t, ""); len(rooms) != 0 {
		t.Errorf("rooms before there are any: %v", rooms)
	}

	started := inMemory.Create(t, "username", "anna")
	ben := inMemory.Join(t, started.Room, "username", "ben")
	onStarted := inMemory.connect(t, "", started)
	inMemory.connect(t, "", started)
	onStarted.closed(t) // by the newer one of the same session
	inMemory.connect(t, "", ben).echo(t, "hello")
	waiting := inRedis.Create(t, "roomName", "Secret plans", "password", "open-sesame")
	onWaiting := inRedis.connect(t, "", waiting)

	var rooms []adminRoom
	apitest.WaitUntil(t, func() bool { rooms = adminRooms(t, ""); return len(rooms) == 2 && rooms[0].Connections == 2 })
	times := inMemory.Info(t, started.Room)
	startedAt, expiresAt := fmt.Sprint(times["startedAt"]), fmt.Sprint(times["expiresAt"])
	want := []adminRoom{
		{ID: started.Room, Store: "memory", Connections: 2, Online: 2, StartedAt: &startedAt, ExpiresAt: &expiresAt, Seq: 1},
		{ID: waiting.Room, Store: redisName, Connections: 1, Online: 1},
	}
	if !reflect.DeepEqual(rooms, want) {
		t.Errorf("rooms %+v, want %+v", rooms, want)
	}
	if rooms := adminRooms(t, "?store="+redisName); !reflect.DeepEqual(rooms, want[1:]) {
		t.Errorf("rooms in Redis %+v, want %+v", rooms, want[1:])
	}
	_, _, body := askAdmin(t, http.MethodGet, "/ephemeral_chat/rooms")
	_, _, stats := askAdmin(t, http.MethodGet, "/ephemeral_chat/")
	for _, private := range []string{"Secret plans", "anna", "hello", started.Session} {
		if strings.Contains(body+stats, private) {
			t.Errorf("the admin API shows %q", private)
		}
	}

	expectAdmin(t, http.MethodGet, "/ephemeral_chat/x", 404, "no such endpoint")
	expectAdmin(t, http.MethodGet, "/ephemeral_chat/rooms?store=x", 404, `no such store: "x"`)
	if allow := expectAdmin(t, http.MethodPost, "/ephemeral_chat/rooms", 405, "method not allowed").Get("Allow"); allow != "GET, HEAD" {
		t.Errorf("Allow %q", allow)
	}
	if allow := expectAdmin(t, http.MethodGet, "/ephemeral_chat/rooms/"+started.Room, 405, "method not allowed").Get("Allow"); allow != "DELETE" {
		t.Errorf("Allow %q", allow)
	}
	expectAdmin(t, http.MethodDelete, "/ephemeral_chat/rooms/AAAAAAAAAAAAAAAAAAAAAA", 404, "room not found")
	expectAdmin(t, http.MethodDelete, "/ephemeral_chat/rooms/a%20b", 404, "room not found")
	expectAdmin(t, http.MethodDelete, "/ephemeral_chat/rooms/"+waiting.Room+"?store=memory", 404, "room not found")

	expectAdmin(t, http.MethodDelete, "/ephemeral_chat/rooms/"+waiting.Room, 204, "")
	if frame := onWaiting.receive(t, "ended"); frame["reason"] != "deleted" {
		t.Errorf("ended: %v", frame)
	}
	if code, _ := onWaiting.closed(t); code != 4410 {
		t.Errorf("closed with %d", code)
	}
	inRedis.Post(t, "/joinRoom", waiting.As(t)).Refused(t, 404, "room_not_found")
	expectAdmin(t, http.MethodDelete, "/ephemeral_chat/rooms/"+waiting.Room, 404, "room not found")

	server.Kill(t)
	expectAdmin(t, http.MethodDelete, "/ephemeral_chat/rooms/"+waiting.Room, 503, redisName+": store is not available")
	expectAdmin(t, http.MethodDelete, "/ephemeral_chat/rooms/"+started.Room, 204, "")
	inMemory.Post(t, "/roomInfo", apitest.Object(t, "roomId", started.Room)).Refused(t, 404, "room_not_found")
}

// TestAdminStatistics checks that the statistics are those of the metrics.
func TestAdminStatistics(t *testing.T) {
	server := redistest.Start(t, redistest.Options{})
	s, other := newSite(t), newSite(t)
	load(t, s.block(withMetrics("redis "+server.Addr()))+other.block("ephemeral_chat"))
	admin := s.Create(t)
	c := s.connect(t, "", admin)
	c.echo(t, "hello")
	c.send(t, "type", "message", "message", "")
	c.expectError(t, "invalid_message")

	type call struct {
		Count, Errors int
		Seconds       float64
	}
	type store struct {
		Name, Module       string
		Connections, Rooms int
		Opened             int            `json:"connections_opened"`
		Closed             map[string]int `json:"connections_closed"`
		Messages           int
		Deliveries         int
		SentBytes          int `json:"sent_bytes"`
		Refusals           struct {
			HTTP      map[string]int
			WebSocket map[string]int
		}
		Calls map[string]call `json:"store_calls"`
		Link  *struct {
			Up                    bool
			Losses, Resyncs, Gaps int
		}
	}
	type statistics struct{ Stores []store }
	var all []store
	// A message is counted when the store has answered, and bytes when all are written:
	// both may be after the client has the frames.
	apitest.WaitUntil(t, func() bool {
		all = askAdminFor[statistics](t, "/ephemeral_chat/").Stores
		if len(all) != 2 || all[0].Name != "memory" || all[1].Name != "redis/"+server.Addr()+"/0" {
			t.Fatalf("stores %+v", all)
		}
		sent := s.scrape(t).sum(t, "sent_bytes_total", `store="`+all[1].Name+`"`)
		return all[1].Messages == 1 && sent > 0 && sent == float64(all[1].SentBytes)
	})
	got := all[1]
	if got.Module != "http.handlers.ephemeral_chat.stores.redis" || got.Connections != 1 || got.Rooms != 1 || got.Opened != 1 ||
		got.Messages != 1 || got.Deliveries != 1 || got.SentBytes == 0 || got.Refusals.WebSocket["invalid_message"] != 1 ||
		got.Calls["post"].Count != 1 || got.Calls["post"].Seconds <= 0 || got.Link == nil || !got.Link.Up {
		t.Errorf("statistics %+v", got)
	}
	if all[0].Link != nil || all[0].Opened != 0 {
		t.Errorf("statistics of the other store %+v", all[0])
	}
	if only := askAdminFor[statistics](t, "/ephemeral_chat/?store=memory").Stores; len(only) != 1 || only[0].Name != "memory" {
		t.Errorf("statistics of one store %+v", only)
	}
}

// FuzzAdmin sends any request to the admin endpoint. Only a DELETE request with the
// id of a room may end the room.
func FuzzAdmin(f *testing.F) {
	for _, seed := range [][2]string{
		{"GET", ""},
		{"HEAD", "rooms"},
		{"GET", "rooms/"},
		{"GET", "?store=memory"},
		{"GET", "rooms?store=x&store=memory"},
		{"DELETE", "rooms/AAAAAAAAAAAAAAAAAAAAAA"},
		{"DELETE", "rooms/..%2f"},
		{"DELETE", "rooms/%00"},
		{"DELETE", "rooms//"},
		{"POST", "rooms"},
		{"GET", "../config/"},
		{"GET", "rooms/%zz"},
		{"DELETE", "?%"},
	} {
		f.Add(seed[0], seed[1])
	}
	handler := provisioned(f, &ephemeralchat.Handler{})
	request := httptest.NewRequestWithContext(f.Context(), http.MethodPost, "/createRoom", strings.NewReader(`{"roomName":"x"}`))
	request.Header.Set("Content-Type", "application/json")
	made := httptest.NewRecorder()
	if err := handler.ServeHTTP(made, asInCaddy(request), noNext(f)); err != nil || made.Code != http.StatusOK {
		f.Fatal(made.Code, err)
	}
	var room struct{ RoomID string }
	if err := json.Unmarshal(made.Body.Bytes(), &room); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		target, err := url.Parse("/ephemeral_chat/" + path)
		if err != nil || !strings.HasPrefix(target.Path, "/ephemeral_chat/") {
			return // Caddy's server refuses it or routes it elsewhere
		}
		r := (&http.Request{Method: method, URL: target, Header: make(http.Header), Body: http.NoBody}).WithContext(t.Context())
		w := httptest.NewRecorder()
		err = new(ephemeralchat.AdminAPI).Routes()[0].Handler.ServeHTTP(w, r)
		refused, isRefused := errors.AsType[caddy.APIError](err)
		switch {
		case isRefused && (refused.HTTPStatus == http.StatusNotFound || refused.HTTPStatus == http.StatusMethodNotAllowed):
		case err != nil:
			t.Errorf("%s %q: %v", method, path, err)
		case w.Code == http.StatusNoContent:
			if method != http.MethodDelete || !strings.Contains(target.Path, room.RoomID) {
				t.Errorf("%s %q has ended a room", method, path)
			}
		case w.Code != http.StatusOK || method != http.MethodGet && method != http.MethodHead || !json.Valid(w.Body.Bytes()):
			t.Errorf("%s %q: %d %s", method, path, w.Code, w.Body)
		}
	})
}
