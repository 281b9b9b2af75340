package ws_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

func TestWelcome(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	anna, zoe := s.addMember(t, admin, "anna"), s.addMember(t, admin, "zoe")

	first, empty := s.join(t, admin)
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(empty.raw, &keys); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"type", "socketId", "userId", "session", "role", "room", "now", "epoch", "seq", "lastId",
		"maxMessage", "messageRate", "online", "onlineCount", "messages", "more", "gap", "retracted",
	} {
		if _, ok := keys[name]; !ok {
			t.Errorf("welcome lacks %q: %s", name, empty.raw)
		}
		delete(keys, name)
	}
	if len(keys) > 0 {
		t.Errorf("welcome has fields that the protocol lacks: %v", keys)
	}
	if string(empty.raw[:len(`{"type":"welcome"`)]) != `{"type":"welcome"` {
		t.Errorf("welcome does not begin with its type: %.60s", empty.raw)
	}
	want := map[string]any{
		"roomId": admin.Room.ID, "roomName": "Ärger im Büro", "ttl": 3600.0, "locked": false,
		"startedAt": nil, "expiresAt": nil,
	}
	if fmt.Sprint(empty.Room) != fmt.Sprint(want) {
		t.Errorf("room %v, want %v", empty.Room, want)
	}
	if empty.Messages == nil || len(empty.Messages) > 0 || empty.Seq != 0 || empty.More || empty.Gap || empty.LastID != 0 {
		t.Errorf("welcome to an empty room: %s", empty.raw)
	}
	if empty.Role != "admin" || empty.UserID != "admin" || len(empty.Session) != 12 || empty.SocketID == "" || empty.Epoch == "" {
		t.Errorf("welcome of the admin: %s", empty.raw)
	}
	if now, err := time.Parse("2006-01-02T15:04:05.000Z", empty.Now); err != nil || time.Since(now).Abs() > time.Minute {
		t.Errorf("now is %q (%v)", empty.Now, err)
	}
	if strings.Contains(string(empty.raw), admin.SessionID) {
		t.Error("welcome shows the secret session id")
	}

	s.join(t, zoe)
	s.post(t, admin, numbered("m", 60)...)
	if err := s.rooms.SetLocked(t.Context(), credentials(admin), true); err != nil {
		t.Fatal(err)
	}
	first.await("locked")
	_, full := s.join(t, anna)
	if !slices.Equal(full.Online, []string{"admin", "anna", "zoe"}) || full.OnlineCount != 3 {
		t.Errorf("online %v (%d), want admin, anna, zoe", full.Online, full.OnlineCount)
	}
	if full.Role != "member" || full.UserID != "anna" || full.SocketID == empty.SocketID || full.Session == empty.Session {
		t.Errorf("welcome of a member: %s", full.raw)
	}
	if got := texts(full.Messages); !slices.Equal(got, numbered("m", 60)[10:]) {
		t.Errorf("newest messages %v, want m11 to m60", got)
	}
	if first := full.Messages[0]; first.Seq != 11 || first.UserID != "admin" || first.Timestamp == "" {
		t.Errorf("first message %+v", first)
	}
	if full.Seq != 60 || !full.More || full.Gap || full.Epoch != empty.Epoch {
		t.Errorf("seq %d, more %v, gap %v, epoch %q", full.Seq, full.More, full.Gap, full.Epoch)
	}
	clock, err := s.rooms.Start(t.Context(), credentials(admin))
	if err != nil {
		t.Fatal(err)
	}
	if full.Room["locked"] != true || full.Room["startedAt"] != message.FormatTime(clock.StartedAt) ||
		full.Room["expiresAt"] != message.FormatTime(clock.Deadline) {
		t.Errorf("room %v, want it locked and with the times of its start", full.Room)
	}
}

func TestResume(t *testing.T) {
	t.Parallel()
	s := newSite(t, limits(func(l *room.Limits) { l.History = 8 }))
	admin := s.create(t)
	s.post(t, admin, numbered("m", 30)...)
	page, err := s.store.Before(t.Context(), admin.Room.ID, 0, 100, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	oldest := page.First
	if oldest < 2 || oldest > 23 {
		t.Fatalf("of 30 messages those from %d on are kept; the test needs some of them gone", oldest)
	}
	all := numbered("m", 30)
	for name, test := range map[string]struct {
		after uint64
		epoch string
		want  []string
		gap   bool
		more  bool
	}{
		"some":                {after: 28, epoch: page.Epoch, want: all[28:], more: true},
		"no epoch given":      {after: 28, want: all[28:], more: true},
		"nothing":             {after: 30, epoch: page.Epoch, want: nil},
		"everything kept":     {after: oldest - 1, epoch: page.Epoch, want: all[oldest-1:]},
		"one is gone":         {after: oldest - 2, epoch: page.Epoch, want: all[oldest-1:], gap: true},
		"from the beginning":  {after: 0, epoch: page.Epoch, want: all[oldest-1:], gap: true},
		"another epoch":       {after: 28, epoch: "other", want: all[oldest-1:], gap: true},
		"ahead of the newest": {after: 31, epoch: page.Epoch, want: all[oldest-1:], gap: true},
		"ahead without epoch": {after: 1<<53 - 1, want: all[oldest-1:], gap: true},
		"newest, other epoch": {after: 30, epoch: "other", want: all[oldest-1:], gap: true},
	} {
		t.Run(name, func(t *testing.T) {
			more := fields{"after": test.after}
			if test.epoch != "" {
				more["epoch"] = test.epoch
			}
			c, welcome := s.join(t, s.rejoin(t, admin), more)
			if got := texts(welcome.Messages); !slices.Equal(got, test.want) {
				t.Errorf("messages %v, want %v", got, test.want)
			}
			if welcome.Gap != test.gap || welcome.More != test.more || welcome.Seq != 30 || welcome.Epoch != page.Epoch {
				t.Errorf("gap %v, more %v, seq %d, epoch %q; want %v, %v, 30, %q",
					welcome.Gap, welcome.More, welcome.Seq, welcome.Epoch, test.gap, test.more, page.Epoch)
			}
			c.send(fields{"type": "history", "limit": 1})
			c.next("history") // and not a replay
		})
	}
}
