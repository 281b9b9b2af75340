package harness

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
)

// ExpectProblem fails the test unless the response is a problem document.
func ExpectProblem(t *testing.T, r *Response, status int, code string) {
	t.Helper()
	if r.Status != status || r.Code() != code || r.Fields["status"] != float64(status) ||
		r.Fields["type"] == nil || r.Fields["title"] == nil || r.Fields["detail"] == nil ||
		r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("response is %d %s %v, not %d %s", r.Status, r.Body, r.Header, status, code)
	}
}

// ExpectStatus fails the test unless the response has a status.
func ExpectStatus(t *testing.T, what string, r *Response, status int) {
	t.Helper()
	if r.Status != status {
		t.Errorf("%s: %d %s", what, r.Status, r.Body)
	}
}

// ExpectNoRoom fails the test unless every endpoint responds that the room does not
// exist.
func ExpectNoRoom(t *testing.T, a *API, m *Member) {
	t.Helper()
	for _, endpoint := range Endpoints[1:] {
		r := a.Call(t, endpoint, m.Credentials("locked", true, "memberId", "ben"))
		ExpectProblem(t, r, 404, "room_not_found")
	}
	ExpectProblem(t, a.Call(t, "/joinRoom", Fields{"roomId": m.RoomID, "username": "x"}), 404, "room_not_found")
}

// ExpectNoKeys fails the test if Redis, if there is one, has keys of a room.
func (s *Site) ExpectNoKeys(t *testing.T, roomID string) {
	t.Helper()
	if s.Redis == nil {
		return
	}
	if left := s.Redis.Deadlines(t, roomID); len(left) > 0 {
		t.Errorf("keys of a room that has ended: %v", left)
	}
}

// State returns everything that Redis holds or, for rooms in memory, the parts of a
// room's state that clients can see.
func (s *Site) State(t *testing.T, m *Member) map[string]string {
	t.Helper()
	if s.Redis != nil {
		return s.Redis.Contents(t, "")
	}
	state := map[string]string{"info": string(s.API(0).Succeed(t, "/roomInfo", Fields{"roomId": m.RoomID}).Body)}
	k, welcome := Join(t, s.Base(0), m)
	state["seq"] = fmt.Sprint(welcome.Seq, welcome.Room.RoomName, welcome.Room.Locked)
	k.Close()
	return state
}

// ExpectUnchanged fails the test unless State returns the same as before.
func (s *Site) ExpectUnchanged(t *testing.T, before map[string]string, m *Member) {
	t.Helper()
	if after := s.State(t, m); !maps.Equal(before, after) {
		t.Errorf("the state has changed:\nbefore %q\nafter  %q", before, after)
	}
}

// ExpectUpgradeLogged fails the test unless the access log has WebSockets, and all of
// them have the status.
func ExpectUpgradeLogged(t *testing.T, path string, status int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	upgrades := 0
	for line := range strings.Lines(string(text)) {
		var logged struct {
			Status  int `json:"status"`
			Request struct {
				URI string `json:"uri"`
			} `json:"request"`
		}
		if err := json.Unmarshal([]byte(line), &logged); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if strings.HasSuffix(logged.Request.URI, "/ws") {
			upgrades++
			if logged.Status != status {
				t.Errorf("logged with status %d: %s", logged.Status, line)
			}
		}
	}
	if upgrades == 0 {
		t.Errorf("no WebSocket in the access log:\n%s", text)
	}
}

// TwoChat has two clients exchange messages in a new room.
func TwoChat(t *testing.T, base string) {
	t.Helper()
	a := NewAPI(t, base)
	anna := a.Create(t, 60)
	ben := a.Join(t, anna.RoomID, "ben")
	annas, _ := Join(t, base, &anna)
	bens, _ := Join(t, base, &ben)
	annas.Publish(t, "hello Ben")
	bens.AwaitText(t, "hello Ben")
	bens.Publish(t, "hello Anna")
	if f := annas.AwaitText(t, "hello Anna"); f.Seq != 2 || f.UserID != "ben" {
		t.Errorf("message: %+v", f)
	}
}
