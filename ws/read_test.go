package ws_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

func TestRefusedFrames(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	for text, want := range map[string]struct {
		code string
		id   uint64
	}{
		`{}`:                                                                      {"unknown_type", 0},
		`{"type":"shout","id":3}`:                                                 {"unknown_type", 3},
		`{"type":"join"}`:                                                         {"unknown_type", 0},
		`{"type":"message"}`:                                                      {"invalid_message", 0},
		`{"type":"message","id":4}`:                                               {"invalid_message", 4},
		`{"type":"message","id":5,"message":""}`:                                  {"invalid_message", 5},
		`{"type":"message","id":6,"message":null}`:                                {"invalid_message", 6},
		`{"type":"message","id":7,"message":5}`:                                   {"invalid_frame", 7},
		`{"type":"message","message":["x"],"id":8}`:                               {"invalid_frame", 8},
		`{"type":"message","message":"x","id":0}`:                                 {"invalid_frame", 0},
		`{"type":"message","message":"x","id":-1}`:                                {"invalid_frame", 0},
		`{"type":"message","message":"x","id":1.5}`:                               {"invalid_frame", 0},
		`{"type":"message","message":"x","id":1e3}`:                               {"invalid_frame", 0},
		`{"type":"message","message":"x","id":"1"}`:                               {"invalid_frame", 0},
		`{"type":"message","message":"x","id":true}`:                              {"invalid_frame", 0},
		`{"type":"message","message":"x","id":9007199254740992}`:                  {"invalid_frame", 0},
		`{"type":"message","message":"x","id":99999999999999999999999}`:           {"invalid_frame", 0},
		`{"type":7,"message":"x"}`:                                                {"invalid_frame", 0},
		`{"type":"history","limit":0}`:                                            {"invalid_frame", 0},
		`{"type":"history","limit":201}`:                                          {"invalid_frame", 0},
		`{"type":"history","limit":-5}`:                                           {"invalid_frame", 0},
		`{"type":"history","limit":"10"}`:                                         {"invalid_frame", 0},
		`{"type":"history","before":0}`:                                           {"invalid_frame", 0},
		`{"type":"history","before":-1}`:                                          {"invalid_frame", 0},
		`{"type":"history","before":9007199254740992}`:                            {"invalid_frame", 0},
		`{"type":"retract"}`:                                                      {"invalid_frame", 0},
		`{"type":"retract","seq":null}`:                                           {"invalid_frame", 0},
		`{"type":"retract","seq":0}`:                                              {"invalid_frame", 0},
		`{"type":"retract","seq":-1}`:                                             {"invalid_frame", 0},
		`{"type":"retract","seq":"1"}`:                                            {"invalid_frame", 0},
		`{"type":"retract","seq":9007199254740992}`:                               {"invalid_frame", 0},
		`{"type":"retract","seq":1,"epoch":7}`:                                    {"invalid_frame", 0},
		`{"type":"retract","seq":1}`:                                              {"message_not_found", 0},
		`{"type":"message","id":9,"message":"` + strings.Repeat("x", 4097) + `"}`: {"message_too_long", 9},
		`{"type":"message","message":"` + strings.Repeat("é", 2049) + `"}`:        {"message_too_long", 0},
	} {
		t.Run(text[:min(len(text), 40)], func(t *testing.T) {
			c, _ := s.join(t, s.rejoin(t, admin))
			c.sendText(text)
			c.nextError(want.code, want.id)
			c.send(fields{"type": "history"})
			c.next("history") // the connection lives on
		})
	}
	if kept := s.kept(t, admin); len(kept) > 0 {
		t.Errorf("stored: %.200q", kept)
	}
	if info, err := s.rooms.Info(t.Context(), admin.Room.ID); err != nil || !info.StartedAt.IsZero() {
		t.Errorf("a refused frame has started the room (%v)", err)
	}
}

func TestLongestMessage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	c, _ := s.join(t, admin)
	var want []string
	for _, test := range []struct{ frame, message string }{
		{strings.Repeat("x", 4096), strings.Repeat("x", 4096)},
		{strings.Repeat("é", 2048), strings.Repeat("é", 2048)},
		{strings.Repeat("😀", 1024), strings.Repeat("😀", 1024)},
		{strings.Repeat(`\u0001`, 4096), strings.Repeat("\x01", 4096)},
		{strings.Repeat(`\u00e9`, 2048), strings.Repeat("é", 2048)},
		{strings.Repeat(`\ud83d\ude00`, 1024), strings.Repeat("😀", 1024)},
		{`<b>&\u2028\"\\`, "<b>&\u2028\"\\"},
	} {
		c.sendText(`{"type":"message","message":"` + test.frame + `"}`)
		if len(want) == 0 {
			c.next("started")
		}
		c.nextMessage(test.message)
		want = append(want, test.message)
	}
	if kept := s.kept(t, admin); !slices.Equal(kept, want) {
		t.Error("the kept messages are not those that were posted")
	}
}

func TestMessageRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped, settings(func(s *ws.Settings) { s.MessageRate, s.MessageBurst = 1, 3 }))
		admin := s.create(t)
		c, _ := s.join(t, admin)
		other, _ := s.join(t, s.rejoin(t, admin))
		for id := range uint64(5) {
			c.post(id+1, "m"+strconv.FormatUint(id+1, 10))
		}
		synctest.Wait()
		var got []string // echoes and errors may overtake each other
		for _, f := range c.received() {
			got = append(got, f.Type+f.Code+strconv.FormatUint(f.ID, 10))
		}
		slices.Sort(got)
		want := []string{"errorrate_limited4", "errorrate_limited5", "message1", "message2", "message3", "started0"}
		if !slices.Equal(got, want) {
			t.Fatalf("received %v, want %v", got, want)
		}
		other.post(1, "another connection")
		c.nextMessage("another connection")
		elapse(time.Second)
		c.post(6, "m6")
		c.nextMessage("m6")
		if kept := s.kept(t, admin); !slices.Equal(kept, []string{"m1", "m2", "m3", "another connection", "m6"}) {
			t.Errorf("kept %v", kept)
		}
		// Resending an accepted message does not count.
		for range 5 {
			c.post(3, "m3")
			c.next("ack")
		}
		elapse(time.Second)
		c.post(7, "m7")
		c.nextMessage("m7")
	})
}

// TestPingByFrame checks that ping frames are answered beyond all limits, because a page
// has no access to WebSocket pings.
func TestPingByFrame(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings(func(s *ws.Settings) { s.MessageRate, s.MessageBurst = rate.Every(time.Hour), 1 }))
	admin := s.create(t)
	c, _ := s.join(t, admin)
	c.post(1, "m1")
	c.next("started")
	c.nextMessage("m1")
	c.post(2, "m2")
	c.nextError("rate_limited", 2)
	s.store.fail("Post", "Before")
	for range 100 {
		c.send(fields{"type": "ping"})
		if pong := c.next("pong"); string(pong.raw) != `{"type":"pong"}` {
			t.Errorf("pong %s", pong.raw)
		}
	}
}

func TestWelcomeHasLimits(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*ws.Settings){
		`"maxMessage":4096,"messageRate":{"messages":10,"per":1000}`:  func(s *ws.Settings) { s.MessageRate, s.MessageBurst = 10, 10 },
		`"maxMessage":4096,"messageRate":{"messages":3,"per":60000}`:  func(s *ws.Settings) { s.MessageRate, s.MessageBurst = rate.Limit(3.0/60), 3 },
		`"maxMessage":4096,"messageRate":{"messages":30,"per":10000}`: func(s *ws.Settings) { s.MessageRate, s.MessageBurst = 3, 30 },
		`"maxMessage":4096,"messageRate":null`:                        func(s *ws.Settings) { s.MessageRate = rate.Inf },
	} {
		s := newSite(t, settings(change))
		if _, welcome := s.join(t, s.create(t)); !strings.Contains(string(welcome.raw), want) {
			t.Errorf("welcome %s, want %s", welcome.raw, want)
		}
	}
}

func TestTooManyRefusals(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		c, _ := s.join(t, s.create(t))
		for range 3 { // in all more than 50, but never within 10 s
			for range 50 {
				c.send(fields{"type": "shout"})
				c.nextError("unknown_type", 0)
			}
			elapse(10*time.Second + time.Millisecond)
		}
		for range 51 {
			c.send(fields{"type": "shout"})
			c.nextError("unknown_type", 0)
		}
		if reason := c.expectClosed(4429); reason != "too_fast" {
			t.Errorf("reason %q", reason)
		}
	})
}

func TestUnavailableDoesNotCount(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings(func(s *ws.Settings) { s.MessageRate, s.MessageBurst = rate.Every(time.Hour), 2 }))
	admin := s.create(t)
	c, _ := s.join(t, admin)
	s.store.fail("Post")
	for range 60 { // more often than a client may be refused
		c.post(1, "private words")
		c.nextError("unavailable", 1)
	}
	s.store.fail()
	c.post(0, "hello")
	c.next("started")
	c.nextMessage("hello")
	// Both messages of the burst are used up, and this one was counted before.
	c.post(1, "private words")
	c.nextMessage("private words")
	c.post(2, "more")
	c.nextError("rate_limited", 2)
	if logged := s.logged.String(); strings.Contains(logged, "private words") || !strings.Contains(logged, "not available") {
		t.Errorf("the log holds a message's text, or not the failure: %.500s", logged)
	}
}

func TestBadFrames(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	message := `{"type":"message","message":"x"}`
	for name, test := range map[string]struct {
		bytes []byte
		want  int
	}{
		"not JSON":            {rawFrame(final|opText, "hello"), 4400},
		"null":                {rawFrame(final|opText, "null"), 4400},
		"an array":            {rawFrame(final|opText, "[]"), 4400},
		"empty":               {rawFrame(final|opText, ""), 4400},
		"too deep":            {rawFrame(final|opText, `{"a":`+strings.Repeat("[", 20_000)), 4400},
		"binary":              {rawFrame(final|0x2, message), 4400},
		"invalid UTF-8":       {rawFrame(final|opText, "{\"type\":\"message\",\"message\":\"\xc3\x28\"}"), 1007},
		"surrogates in UTF-8": {rawFrame(final|opText, "{\"type\":\"message\",\"message\":\"\xed\xa0\x80\"}"), 1007},
		"above the limit":     {rawFrame(final|opText, strings.Repeat(" ", 64<<10)+message), 1009},
		"a huge one":          {rawFrame(final|opText, strings.Repeat(" ", 2<<20)), 1009},
		"one beyond 63 bits":  {[]byte{final | opText, masked | 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1009},
		"fragments beyond 63 bits": {append(rawFrame(opText, "{"),
			opContinuation, masked|127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0), 1009},
		"unmasked":                {[]byte{final | opText, 2, '{', '}'}, 1002},
		"reserved bit":            {rawFrame(final|rsv1|opText, message), 1002},
		"reserved opcode":         {rawFrame(final|0x3, message), 1002},
		"reserved control opcode": {rawFrame(final|0xb, ""), 1002},
		"fragmented ping":         {rawFrame(opPing, ""), 1002},
		"long ping":               {rawFrame(final|opPing, strings.Repeat("x", 126)), 1002},
		"nothing to continue":     {rawFrame(final|opContinuation, message), 1002},
		"text within text":        {append(rawFrame(opText, message), rawFrame(final|opText, message)...), 1002},
		"close code 1005":         {rawFrame(final|opClose, "\x03\xed"), 1002},
		"close code 0":            {rawFrame(final|opClose, "\x00\x00"), 1002},
		"close, invalid UTF-8":    {rawFrame(final|opClose, "\x03\xe8\xff"), 1002},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := s.join(t, s.rejoin(t, admin))
			c.sendRaw(test.bytes)
			c.awaitClosed(test.want)
			<-c.finished
		})
	}
	t.Cleanup(func() {
		if kept := s.kept(t, admin); len(kept) > 0 {
			t.Errorf("stored: %q", kept)
		}
	})
}

// TestBadFrameInBusyRoom checks that the client receives the close code even if other
// frames are queued for it.
func TestBadFrameInBusyRoom(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	stop, stopped := make(chan struct{}), make(chan struct{})
	// It ends when the test closes stop.
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				s.post(t, admin, "a text")
			}
		}
	}()
	for i := range 16 {
		c, _ := s.join(t, s.rejoin(t, admin))
		if i%2 == 0 {
			c.sendRaw(rawFrame(final|0x3, "what?"))
			c.awaitClosed(websocket.CloseProtocolError)
		} else {
			c.sendRaw(rawFrame(final|opText, strings.Repeat(" ", 256<<10)))
			c.awaitClosed(websocket.CloseMessageTooBig)
		}
	}
	close(stop)
	<-stopped
}

func TestFrameLimit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ maxMessage, limit int }{{1, 64 << 10}, {16 << 10, 64 << 10}, {32 << 10, 128 << 10}} {
		s := newSite(t, limits(func(l *room.Limits) { l.MaxMessage = test.maxMessage }))
		c, _ := s.join(t, s.create(t))
		frame := `{"type":"shout"}`
		frame += strings.Repeat(" ", test.limit-len(frame))
		c.sendText(frame)
		c.nextError("unknown_type", 0)
		c.sendText(frame + " ")
		c.expectClosed(1009)
	}
}

func TestFragmentsAndPings(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	c, _ := s.join(t, admin)
	c.sendRaw(
		rawFrame(opText, "{\"type\":\"mess"),
		rawFrame(final|opPing, "between"),
		rawFrame(opContinuation, "age\",\"message\":\"\xc3"), // half of an é
		rawFrame(opContinuation, ""),
		rawFrame(final|opPing, ""),
		rawFrame(final|opContinuation, "\xa9\"}"),
	)
	c.next("started")
	c.nextMessage("é")
	longest := strings.Repeat("p", 125)
	c.sendRaw(rawFrame(final|opPing, longest))
	c.until("three pongs", func() bool { return len(c.pongs) == 3 })
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.pongs, []string{"between", "", longest}) {
		t.Errorf("pongs %q", c.pongs)
	}
}
