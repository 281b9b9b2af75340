package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// metrics reads those of the chat from the admin endpoint of a node, by name and
// labels.
func (n *node) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	got := newAPI(t, "http://"+n.admin).do(t, http.MethodGet, "/metrics", nil, nil)
	if got.status != http.StatusOK {
		t.Fatalf("metrics: %d %s", got.status, got.body)
	}
	all := make(map[string]float64)
	for line := range strings.Lines(string(got.body)) {
		sample, ok := strings.CutPrefix(strings.TrimSpace(line), "caddy_ephemeral_chat_")
		if !ok {
			continue
		}
		at := strings.LastIndexByte(sample, ' ')
		value, err := strconv.ParseFloat(sample[at+1:], 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all[sample[:at]] = value
	}
	return all
}

// events reads what the recorder has written about a room: the names, and the
// values of one key each.
func events(t *testing.T, file, roomID, key string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var told []string
	for line := range strings.Lines(string(text)) {
		var event struct {
			Name string
			Data map[string]any
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			continue // it is being written
		}
		if event.Data["room_id"] == roomID {
			told = append(told, fmt.Sprint(event.Name, " ", event.Data[key]))
		}
	}
	return told
}

// TestWatching is of what an operator sees and does, across a reload.
func TestWatching(t *testing.T) {
	binary := buildWithXcaddy(t)
	dir, listen := t.TempDir(), freeAddress(t)
	record := func(file string) string {
		var b strings.Builder
		for _, name := range []string{"room_created", "room_started", "room_ended", "member_joined", "member_removed"} {
			fmt.Fprintf(&b, "on %s recorder %s\n", name, filepath.Join(dir, file))
		}
		return "events {\n" + b.String() + "}"
	}
	sites := func(ttl time.Duration) string {
		return fmt.Sprintf("http://%s {\nephemeral_chat /chat/* {\nttl %s\n%s\n}\n}", listen, ttl, unlimited)
	}
	n := startNodeIn(t, binary, dir, record("before"), sites(time.Hour), listen)
	base := "http://" + listen + "/chat"
	a, operator := newAPI(t, base), newAPI(t, "http://"+n.admin+"/ephemeral_chat")
	for sample, value := range n.metrics(t) {
		if value != 0 {
			t.Errorf("at the start %s is %v", sample, value)
		}
	}

	anna := a.create(t, 600)
	ben := a.join(t, anna.RoomID, "ben")
	annas, _ := enter(t, base, &anna)
	bens, _ := enter(t, base, &ben)
	for i := range 10 {
		annas.say(t, fmt.Sprint("before ", i))
	}
	bens.awaitText(t, "before 9")
	annas.awaitText(t, "before 9")
	const memory = `{store="memory"}`
	expect := func(name string, want float64) {
		t.Helper()
		// A message may be told before the store has answered, and it is counted.
		if got := 0.0; !poll(waitTime, func() bool { got = n.metrics(t)[name]; return got == want }) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	expect("messages_total"+memory, 10)
	expect("deliveries_total"+memory, 20)
	expect("connections"+memory, 2)
	expect(`store_call_seconds_count{operation="post",store="memory"}`, 10)

	n.write(t, record("after"), sites(time.Minute))
	if output, err := n.reload(t); err != nil {
		t.Fatalf("reload: %v\n%s", err, output)
	}
	bens.say(t, "after the reload")
	annas.awaitText(t, "after the reload")
	bens.awaitText(t, "after the reload")
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
	operator.do(t, http.MethodGet, "/", nil, nil).decode(t, &stats)
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
	operator.do(t, http.MethodGet, "/rooms", nil, nil).decode(t, &rooms)
	if r := rooms.Rooms; len(r) != 1 || r[0].ID != anna.RoomID || r[0].Connections != 2 || r[0].Seq != 11 {
		t.Errorf("rooms: %+v", r)
	}
	if got := operator.do(t, http.MethodDelete, "/rooms/AAAAAAAAAAAAAAAAAAAAAA", nil, nil); got.status != 404 || got.fields["error"] != "room not found" {
		t.Errorf("deleting no room: %d %s", got.status, got.body)
	}
	if got := operator.do(t, http.MethodPost, "/rooms", nil, nil); got.status != 405 || got.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST on the rooms: %d %v", got.status, got.header)
	}
	if got := operator.do(t, http.MethodDelete, "/rooms/"+anna.RoomID, nil, nil); got.status != 204 {
		t.Errorf("deleting the room: %d %s", got.status, got.body)
	}
	for _, s := range []*socket{annas, bens} {
		if f := s.await(t, "ended"); f.Reason != "deleted" {
			t.Errorf("ended: %+v", f)
		}
		s.awaitClose(t, 4410)
	}
	expectRefusal(t, a.call(t, "/roomInfo", fields{"roomId": anna.RoomID}), 404, "room_not_found")
	until(t, waitTime, "both ends are counted", func() bool {
		return n.metrics(t)[`connections_closed_total{reason="room_ended",store="memory"}`] == 2
	})
	expect(`refusals_total{code="room_not_found",store="memory",via="http"}`, 1)

	for file, want := range map[string][]string{
		"before": {"room_created admin", "member_joined ben", "room_started admin"},
		"after":  {"room_ended <nil>"},
	} {
		var told []string
		poll(waitTime, func() bool {
			told = events(t, filepath.Join(dir, file), anna.RoomID, "user_id")
			return len(told) >= len(want)
		})
		if !slices.Equal(told, want) {
			t.Errorf("events %s the reload: %q, want %q", file, told, want)
		}
	}
	for _, line := range n.errorsLogged(t) {
		if !strings.Contains(line, `"logger":"admin.api"`) { // Caddy's own word on the two refusals
			t.Errorf("logged: %s", line)
		}
	}
}
