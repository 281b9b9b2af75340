package build_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// recordedEvents returns the events of a room that the recorder has written to a file,
// each as its name and the value of a key.
func recordedEvents(t *testing.T, file, roomID, key string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var recorded []string
	for line := range strings.Lines(string(text)) {
		var event struct {
			Name string
			Data map[string]any
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			continue // the line is incomplete
		}
		if event.Data["room_id"] == roomID {
			recorded = append(recorded, fmt.Sprint(event.Name, " ", event.Data[key]))
		}
	}
	return recorded
}

// TestOperation checks metrics, events and the admin API across a reload.
func TestOperation(t *testing.T) {
	dir, listen := t.TempDir(), harness.FreeAddress(t)
	record := func(file string) string {
		var b strings.Builder
		for _, name := range []string{"room_created", "room_started", "room_ended", "member_joined", "member_removed"} {
			fmt.Fprintf(&b, "on %s recorder %s\n", name, filepath.Join(dir, file))
		}
		return "events {\n" + b.String() + "}"
	}
	sites := func(ttl time.Duration) string {
		return fmt.Sprintf("http://%s {\nephemeral_chat /chat/* {\nttl %s\n%s\n}\n}", listen, ttl, harness.Unlimited)
	}
	n := newXcaddyNode(t)
	n.Start(t, record("before"), sites(time.Hour), listen)
	base := "http://" + listen + "/chat"
	a, operator := harness.NewAPI(t, base), harness.NewAPI(t, "http://"+n.Admin+"/ephemeral_chat")
	for sample, value := range n.Metrics(t) {
		if value != 0 {
			t.Errorf("at the start %s is %v", sample, value)
		}
	}

	anna := a.Create(t, 600)
	ben := a.Join(t, anna.RoomID, "ben")
	annas, _ := harness.Join(t, base, &anna)
	bens, _ := harness.Join(t, base, &ben)
	for i := range 10 {
		annas.Publish(t, fmt.Sprint("before ", i))
	}
	bens.AwaitText(t, "before 9")
	annas.AwaitText(t, "before 9")
	const memory = `{store="memory"}`
	expect := func(name string, want float64) {
		t.Helper()
		// Clients may receive a message before the store has answered the node, which
		// counts it then.
		if got := 0.0; !harness.Poll(harness.WaitTime, func() bool { got = n.Metrics(t)[name]; return got == want }) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	expect("messages_total"+memory, 10)
	expect("deliveries_total"+memory, 20)
	expect("connections"+memory, 2)
	expect(`store_call_seconds_count{operation="post",store="memory"}`, 10)

	n.Write(t, record("after"), sites(time.Minute))
	if output, err := n.Reload(t); err != nil {
		t.Fatalf("reload: %v\n%s", err, output)
	}
	bens.Publish(t, "after the reload")
	annas.AwaitText(t, "after the reload")
	bens.AwaitText(t, "after the reload")
	expect("messages_total"+memory, 11)
	expect("deliveries_total"+memory, 22)
	expect("connections_opened_total"+memory, 2)

	var stats struct {
		Stores []struct {
			Name        string
			Connections int
			Messages    int
		}
	}
	operator.Get(t, "/").Decode(t, &stats)
	if s := stats.Stores; len(s) != 1 || s[0].Name != "memory" || s[0].Connections != 2 || s[0].Messages != 11 {
		t.Errorf("statistics: %+v", s)
	}
	var rooms struct {
		Rooms []struct {
			ID          string
			Connections int
			Seq         int
		}
	}
	operator.Do(t, http.MethodGet, "/rooms", nil, nil).Decode(t, &rooms)
	if r := rooms.Rooms; len(r) != 1 || r[0].ID != anna.RoomID || r[0].Connections != 2 || r[0].Seq != 11 {
		t.Errorf("rooms: %+v", r)
	}
	if got := operator.Do(t, http.MethodDelete, "/rooms/AAAAAAAAAAAAAAAAAAAAAA", nil, nil); got.Status != 404 || got.Fields["error"] != "room not found" {
		t.Errorf("deleting no room: %d %s", got.Status, got.Body)
	}
	if got := operator.Do(t, http.MethodPost, "/rooms", nil, nil); got.Status != 405 || got.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST on the rooms: %d %v", got.Status, got.Header)
	}
	harness.ExpectStatus(t, "deleting the room", operator.Do(t, http.MethodDelete, "/rooms/"+anna.RoomID, nil, nil), 204)
	for _, s := range []*harness.Socket{annas, bens} {
		if f := s.Await(t, "ended"); f.Reason != "deleted" {
			t.Errorf("ended: %+v", f)
		}
		s.AwaitClose(t, 4410)
	}
	harness.ExpectProblem(t, a.Call(t, "/roomInfo", harness.Fields{"roomId": anna.RoomID}), 404, "room_not_found")
	harness.Until(t, harness.WaitTime, "both ends are counted", func() bool {
		return n.Metrics(t)[`connections_closed_total{reason="room_ended",store="memory"}`] == 2
	})
	expect(`refusals_total{code="room_not_found",store="memory",via="http"}`, 1)

	for file, want := range map[string][]string{
		"before": {"room_created admin", "member_joined ben", "room_started admin"},
		"after":  {"room_ended <nil>"},
	} {
		var recorded []string
		harness.Poll(harness.WaitTime, func() bool {
			recorded = recordedEvents(t, filepath.Join(dir, file), anna.RoomID, "user_id")
			return len(recorded) >= len(want)
		})
		if !slices.Equal(recorded, want) {
			t.Errorf("events %s the reload: %q, want %q", file, recorded, want)
		}
	}
	for _, line := range n.LoggedErrors() {
		if !strings.Contains(line, `"logger":"admin.api"`) { // Caddy's own, of the two refused requests
			t.Errorf("logged: %s", line)
		}
	}
}
