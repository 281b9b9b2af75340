package ws_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

func TestJoinByQuery(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	s.post(t, admin, numbered("m", 5)...)
	c, welcome := s.joinByQuery(t, admin, "after", "3", "epoch", admin.Room.Epoch)
	if got := texts(welcome.Messages); !slices.Equal(got, []string{"m4", "m5"}) || welcome.Gap {
		t.Errorf("after 3: %v, gap %v; want m4 and m5", got, welcome.Gap)
	}
	c.post(1, "hello")
	c.nextMessage("hello")
	if _, welcome := s.joinByQuery(t, s.rejoin(t, admin)); len(welcome.Messages) != 6 {
		t.Errorf("without after: %d messages, want 6", len(welcome.Messages))
	}
}

func TestQueryRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, limits(func(l *room.Limits) { l.MaxMembers = 1 }))
	admin := s.create(t)
	removed := s.addMember(t, admin, "anna")
	bert := s.addMember(t, admin, "bert")
	if err := s.rooms.Remove(t.Context(), credentials(admin), "anna"); err != nil {
		t.Fatal(err)
	}
	other := s.create(t)
	s.join(t, admin)

	without := func(name string) url.Values { q := joinQuery(admin); q.Del(name); return q }
	with := func(name, value string) url.Values { q := joinQuery(admin); q.Set(name, value); return q }
	for name, test := range map[string]struct {
		query url.Values
		want  int
	}{
		"no session":         {without("sessionId"), http.StatusUnauthorized},
		"no user":            {without("userId"), http.StatusUnauthorized},
		"another's name":     {with("userId", "bert"), http.StatusUnauthorized},
		"another's session":  {with("sessionId", bert.SessionID), http.StatusUnauthorized},
		"session of a room":  {with("sessionId", other.SessionID), http.StatusUnauthorized},
		"removed":            {joinQuery(removed), http.StatusUnauthorized},
		"unknown room":       {with("roomId", room.NewID()), http.StatusNotFound},
		"no room id":         {with("roomId", ""), http.StatusNotFound},
		"odd room id":        {with("roomId", "../../etc/passwd"), http.StatusNotFound},
		"full":               {joinQuery(bert), http.StatusConflict},
		"after is no number": {with("after", "x"), http.StatusBadRequest},
		"after is negative":  {with("after", "-1"), http.StatusBadRequest},
		"after is too large": {with("after", "9007199254740992"), http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.refused(t, test.query); got != test.want {
				t.Errorf("status %d, want %d", got, test.want)
			}
		})
	}
	t.Run("store down", func(t *testing.T) {
		s := newSite(t)
		admin := s.create(t)
		for _, method := range []string{"Member", "Watch", "Enter"} {
			s.store.fail(method)
			if got := s.refused(t, joinQuery(admin)); got != http.StatusServiceUnavailable {
				t.Errorf("%s fails: status %d, want 503", method, got)
			}
		}
		s.store.fail()
		s.joinByQuery(t, admin)
	})
	t.Run("malformed query", func(t *testing.T) {
		r := s.upgradeRequest(t, nil)
		r.URL.RawQuery = "roomId=%zz"
		if got := s.get(t, r); got != http.StatusBadRequest {
			t.Errorf("status %d, want 400", got)
		}
	})
}

func TestUpgradeRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	for name, test := range map[string]struct {
		status int
		change func(*http.Request)
	}{
		"no upgrade":      {426, func(r *http.Request) { r.Header.Del("Upgrade") }},
		"another version": {426, func(r *http.Request) { r.Header.Set("Sec-WebSocket-Version", "12") }},
		"two versions":    {426, func(r *http.Request) { r.Header.Add("Sec-WebSocket-Version", "12") }},
		"another method":  {400, func(r *http.Request) { r.Method = http.MethodPut }},
		"no key":          {400, func(r *http.Request) { r.Header.Del("Sec-WebSocket-Key") }},
		"a body":          {400, func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("body")), 4 }},
		"a chunked body":  {400, func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("body")), -1 }},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.upgradeRequest(t, joinQuery(admin))
			test.change(r)
			if got := s.get(t, r); got != test.status {
				t.Errorf("status %d, want %d", got, test.status)
			}
		})
	}
	// The refused requests have left no user in the room.
	if _, welcome := s.join(t, s.addMember(t, admin, "anna")); !slices.Contains(welcome.Online, "anna") {
		t.Errorf("online %v, want anna", welcome.Online)
	}
}

func TestFirstFrame(t *testing.T) {
	t.Parallel()
	s := newSite(t, limits(func(l *room.Limits) { l.MaxMembers = 1 }))
	admin := s.create(t)
	removed, bert := s.addMember(t, admin, "anna"), s.addMember(t, admin, "bert")
	if err := s.rooms.Remove(t.Context(), credentials(admin), "anna"); err != nil {
		t.Fatal(err)
	}
	s.join(t, admin)
	encode := func(f fields) string { b, _ := json.Marshal(f); return string(b) }
	join := func(more fields) string { return encode(joinFields(admin, more)) }
	for name, test := range map[string]struct {
		kind int
		text string
		want int
	}{
		"not JSON":          {websocket.TextMessage, "hello", 4400},
		"nothing":           {websocket.TextMessage, "", 4400},
		"cut off":           {websocket.TextMessage, `{"type":"join"`, 4400},
		"more than one":     {websocket.TextMessage, `{"type":"join"}{}`, 4400},
		"an array":          {websocket.TextMessage, `[{"type":"join"}]`, 4400},
		"null":              {websocket.TextMessage, ` null`, 4400},
		"a string":          {websocket.TextMessage, `"join"`, 4400},
		"type is a number":  {websocket.TextMessage, `{"type":1}`, 4400},
		"room is a number":  {websocket.TextMessage, join(fields{"roomId": 1}), 4400},
		"after is a string": {websocket.TextMessage, join(fields{"after": "1"}), 4400},
		"after is negative": {websocket.TextMessage, join(fields{"after": -1}), 4400},
		"binary":            {websocket.BinaryMessage, join(nil), 4400},
		"invalid UTF-8":     {websocket.TextMessage, "{\"type\":\"join\",\"roomId\":\"\xff\"}", 1007},
		"another type":      {websocket.TextMessage, encode(fields{"type": "message", "message": "hi"}), 4401},
		"no type":           {websocket.TextMessage, `{}`, 4401},
		"type is null":      {websocket.TextMessage, `{"type":null}`, 4401},
		"bad session":       {websocket.TextMessage, join(fields{"sessionId": bert.SessionID}), 4401},
		"no session":        {websocket.TextMessage, join(fields{"sessionId": nil}), 4401},
		"unknown room":      {websocket.TextMessage, join(fields{"roomId": room.NewID()}), 4404},
		"odd room":          {websocket.TextMessage, join(fields{"roomId": "a b"}), 4404},
		"no room":           {websocket.TextMessage, join(fields{"roomId": nil}), 4404},
		"full":              {websocket.TextMessage, encode(joinFields(bert)), 4413},
		"too large":         {websocket.TextMessage, strings.Repeat(" ", 64<<10) + join(nil), 1009},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := s.connect(t)
			if err := c.socket.WriteMessage(test.kind, []byte(test.text)); err != nil {
				t.Fatal(err)
			}
			c.expectClosed(test.want)
		})
	}
	t.Run("removed", func(t *testing.T) {
		t.Parallel()
		c := s.connect(t)
		c.send(joinFields(removed))
		c.next("removed")
		c.expectClosed(4403)
	})
	t.Run("store down", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		admin := s.create(t)
		for _, method := range []string{"Member", "Watch", "Enter", "Before"} {
			s.store.fail(method)
			c := s.connect(t)
			c.send(joinFields(admin))
			if reason := c.expectClosed(1013); reason != "unavailable" {
				t.Errorf("reason %q", reason)
			}
		}
		s.store.fail()
		s.join(t, admin)
		if logged := s.logged.String(); strings.Contains(logged, admin.SessionID) || strings.Contains(logged, admin.Room.ID) {
			t.Errorf("the log holds secrets: %s", logged)
		}
	})
}

func TestJoinTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		silent, pinging, late := s.connect(t), s.connect(t), s.connect(t)
		admin := s.create(t)
		for range 9 {
			elapse(time.Second)
			if err := pinging.socket.WriteControl(websocket.PingMessage, []byte("x"), time.Now().Add(waitLimit)); err != nil {
				t.Fatal(err)
			}
		}
		elapse(999 * time.Millisecond)
		silent.expectOpen()
		pinging.expectOpen()
		late.send(joinFields(admin))
		late.next("welcome")
		elapse(time.Millisecond)
		silent.expectClosed(4408)
		pinging.expectClosed(4408)
		elapse(time.Minute - 10*time.Second)
		late.expectOpen()
	})
}
