package attack_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/rawws"
)

// flood is an attack by many clients at the same time.
type flood struct {
	name string
	// step is one step of an attacker, which is repeated at a pace. It opens the
	// connection that it needs, again if the server has closed it.
	step func(a *attacker)
	pace time.Duration
	// ends are the close codes and statuses by which the server must answer the flood.
	// Without any, the server only has to endure it.
	ends []string
}

const (
	floodAttackers = 10
	// framePace is the pace of attackers that send floodBatch frames at a time over one
	// connection: together 5,000 frames a second. connectPace is the pace of attackers
	// whose connections are closed, or that send requests: together 200 a second.
	framePace   = 10 * time.Millisecond
	floodBatch  = 5
	connectPace = 50 * time.Millisecond
	// floodWindow is the length of the quiet before a flood, and of the flood.
	floodWindow = time.Second
	// floodMemory bounds the growth of a node by a flood, with the race detector.
	floodMemory = 64 << 20
	// floodAllowance is a delay that two cores may add, which attackers, members and the
	// server share.
	floodAllowance = 50 * time.Millisecond
)

func floods() []flood {
	repeated := func(first byte, payload string) func(a *attacker) {
		batch := []byte(strings.Repeat(string(rawws.Frame(first, payload)), floodBatch))
		return func(a *attacker) { a.write(batch) }
	}
	once := func(frame []byte) func(a *attacker) { return func(a *attacker) { a.write(frame) } }
	emptyFragments := repeated(rawws.Continuation, "")
	return []flood{
		{"pings", repeated(rawws.Final|rawws.Ping, strings.Repeat("p", 125)), framePace, nil},
		{"pongs", repeated(rawws.Final|rawws.Pong, strings.Repeat("p", 125)), framePace, nil},
		{"fragments without content", func(a *attacker) {
			if a.connected() && !a.begun {
				a.begun = true
				a.write(rawws.Frame(rawws.Text, ""))
			}
			emptyFragments(a)
		}, framePace, nil},
		{"typing", repeated(rawws.Final|rawws.Text, `{"type":"typing"}`), framePace, nil},
		{"requests for a pong", repeated(rawws.Final|rawws.Text, `{"type":"ping"}`), framePace, nil},
		{"messages", repeated(rawws.Final|rawws.Text, `{"type":"message","message":"flood"}`), framePace, []string{"closed 4429"}},
		{"resent messages", repeated(rawws.Final|rawws.Text, `{"type":"message","message":"flood","id":1}`), framePace, nil},
		{"unknown types", repeated(rawws.Final|rawws.Text, `{"type":"shout"}`), framePace, []string{"closed 4429"}},
		{"history", once(rawws.Frame(rawws.Final|rawws.Text, `{"type":"history"}`)), framePace, []string{"closed 4429"}},
		{"retractions", repeated(rawws.Final|rawws.Text, `{"type":"retract","seq":1}`), framePace, []string{"closed 4429"}},

		{"lengths of 2^62", once(rawws.FrameWithLength(rawws.Final|rawws.Text, rawws.Length64(1<<62), "{")), connectPace, []string{"closed 1009"}},
		{"frames above the limit", once(rawws.FrameWithLength(rawws.Final|rawws.Text, rawws.Length64(1<<20), "{")), connectPace, []string{"closed 1009"}},
		{"compressed frames", once(rawws.Frame(rawws.Final|0x40|rawws.Text, "\xaa\x56\x2a\xa9\x2c\x48\x55\xb2\x52\x50\xaa\x05\x00")), connectPace, []string{"closed 1002"}},
		{"binary", once(rawws.Frame(rawws.Final|rawws.Binary, "x")), connectPace, []string{"closed 4400"}},
		{"invalid UTF-8", once(rawws.Frame(rawws.Final|rawws.Text, "\xff")), connectPace, []string{"closed 1007"}},
		{"connections that end at once", func(a *attacker) {
			if a.connected() {
				a.hangUp()
			}
		}, connectPace, nil},
		{"tabs that replace each other", (*attacker).another, connectPace, []string{"closed 4409"}},
		{"forged sessions", func(a *attacker) {
			forged := a.member
			forged.SessionID = strings.Repeat("A", len(forged.SessionID))
			a.joinAs(&forged)
		}, connectPace, []string{"closed 4401"}},
		{"unknown rooms", func(a *attacker) {
			lost := a.member
			lost.RoomID = "AAAAAAAAAAAAAAAAAAAAAA"
			a.joinAs(&lost)
		}, connectPace, []string{"closed 4404"}},

		{"new rooms", func(a *attacker) { a.call("/createRoom", harness.Fields{"roomName": "flood"}) }, connectPace, []string{"answered 429"}},
		{"new members", func(a *attacker) {
			a.address = addressOf(0) // the limit is on one
			a.call("/joinRoom", harness.Fields{"roomId": a.member.RoomID})
		}, connectPace / 4, []string{"answered 429"}},
		{"bodies above the limit", func(a *attacker) {
			a.call("/createRoom", harness.Fields{"roomName": strings.Repeat("x", 100_000)})
		}, 2 * connectPace, []string{"answered 413"}},
	}
}

// TestAttackFloods floods a node, and measures another room. There the 99th percentile
// of the delay at most doubles, compared with the quiet before. The server must answer
// the flood as stated, and the node may grow by floodMemory. Each attacker has an
// address of its own.
func TestAttackFloods(t *testing.T) {
	s := harness.MemorySite(t, "")
	room := newMeasuredRoom(t, s)
	victim := newVictim(t, s)
	held := 0
	for _, f := range floods() {
		t.Run(f.name, func(t *testing.T) {
			before := s.Nodes[0].Memory(t)
			peak, seen := before, make(map[string]int)
			var quiet, flooded []time.Duration
			// On a busy machine windows differ: up to three are taken together.
			for range 3 {
				quiet = append(quiet, room.measure(t, floodWindow)...)
				stop := victim.flood(t, f)
				flooded = append(flooded, room.measure(t, floodWindow)...)
				peak = max(peak, s.Nodes[0].Memory(t))
				for end, n := range stop() {
					seen[end] += n
				}
				if harness.Percentile(flooded, 99) <= 2*harness.Percentile(quiet, 99)+floodAllowance && containsAll(seen, f.ends) {
					break
				}
			}
			t.Logf("99 %% within %s, quiet %s; half within %s, quiet %s; %+.1f MiB; %v",
				harness.Percentile(flooded, 99), harness.Percentile(quiet, 99), harness.Percentile(flooded, 50), harness.Percentile(quiet, 50),
				float64(peak-before)/(1<<20), seen)
			if limit := 2*harness.Percentile(quiet, 99) + floodAllowance; harness.Percentile(flooded, 99) > limit {
				t.Errorf("99 %% of the messages of others take up to %s, more than %s", harness.Percentile(flooded, 99), limit)
			}
			if grown := peak - before; grown > floodMemory {
				t.Errorf("the node has grown by %d MiB", grown>>20)
			}
			if !containsAll(seen, f.ends) {
				t.Errorf("the flood was answered with %v, want %v", seen, f.ends)
			}
			for end := range seen {
				if len(f.ends) == 0 && strings.HasPrefix(end, "closed 1") && end != fmt.Sprint("closed ", websocket.CloseAbnormalClosure) {
					t.Errorf("the flood was answered with %v", seen)
				}
			}
			held++
		})
	}
	t.Logf("%d floods tried", held)
	s.ExpectNoErrors(t)
}

func containsAll(seen map[string]int, ends []string) bool {
	return !slices.ContainsFunc(ends, func(end string) bool { return seen[end] == 0 })
}

// TestAttackSilence holds connections without a join: with half of a request, with no
// frame after the handshake, and with a join that is sent a byte at a time. The server
// closes the latter two after ten seconds.
func TestAttackSilence(t *testing.T) {
	t.Parallel()
	const each = 40
	s := harness.MemorySite(t, "")
	victim := newVictim(t, s)
	before := s.Nodes[0].Memory(t)
	ctx, cancel := context.WithTimeout(t.Context(), harness.WaitTime)
	defer cancel()
	ends := make(chan string)
	join := rawws.Frame(rawws.Final|rawws.Text, fmt.Sprintf(`{"type":"join","roomId":%q,"userId":"x","sessionId":"x"}`, victim.admin.RoomID)+strings.Repeat(" ", 1000))
	for n := range each {
		a := victim.attacker(ctx, n)
		for _, dribbled := range [][]byte{nil, join} {
			conn, err := a.dial()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			go func() { // ends with the connection
				_, _, err := conn.ReadMessage()
				ends <- closedWith(err)
			}()
			go func() { // ends with the connection or the test
				for _, b := range dribbled {
					if _, err := conn.NetConn().Write([]byte{b}); err != nil {
						return
					}
					harness.Pace(ctx, 100*time.Millisecond)
				}
			}()
		}
		half, err := a.dialTCP(ctx, strings.TrimPrefix(s.Base(0), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = half.Close() }()
		if _, err := half.Write([]byte("GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: web")); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	seen := make(map[string]int)
	for range 2 * each {
		seen[<-ends]++
	}
	took := time.Since(begin)
	if seen["closed 4408"] != 2*each {
		t.Errorf("closed with %v", seen)
	}
	if took > 15*time.Second {
		t.Errorf("it took %s to close all", took)
	}
	grown := s.Nodes[0].Memory(t) - before
	if grown > floodMemory {
		t.Errorf("the node has grown by %d MiB", grown>>20)
	}
	harness.NewAPI(t, s.Base(0)).Create(t, 60)
	t.Logf("%d connections closed within %s, %+.1f MiB", 2*each, took.Round(time.Millisecond), float64(grown)/(1<<20))
}

// call calls an endpoint, and records the status if it is not 200.
func (a *attacker) call(endpoint string, value harness.Fields) {
	status, err := a.post(endpoint, value)
	if err == nil && status != http.StatusOK {
		a.note(fmt.Sprint("answered ", status))
	}
}
