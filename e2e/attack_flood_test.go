package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// flood is what many attackers do, all the time.
type flood struct {
	name string
	// step is what an attacker does once in pace. Connections that it needs it opens, and
	// opens again when they have been closed.
	step func(a *attacker)
	pace time.Duration
	// ends are what connections are closed with, and what requests are answered with,
	// for the flood. Without any, all that the server does is to bear it.
	ends []string
}

const (
	floodAttackers = 10
	// framePace is the pace of those who send floodBatch frames at a time over a
	// connection that stays, all together 5,000 frames a second; connectPace that of those
	// whose connections are closed, or who make requests: 200 of them a second.
	framePace   = 10 * time.Millisecond
	floodBatch  = 5
	connectPace = 50 * time.Millisecond
	// floodWindow is how long there is quiet, and then a flood, in turns.
	floodWindow = time.Second
	// floodMemory is what a flood may make a node, built with the race detector, grow by.
	floodMemory = 64 << 20
	// floodAllowance is what two cores may add on which attackers, their victims and the
	// server share.
	floodAllowance = 50 * time.Millisecond
)

func floods() []flood {
	repeated := func(first byte, payload string) func(a *attacker) {
		batch := []byte(strings.Repeat(string(rawFrame(first, payload)), floodBatch))
		return func(a *attacker) { a.write(batch) }
	}
	once := func(frame []byte) func(a *attacker) { return func(a *attacker) { a.write(frame) } }
	emptyFragments := repeated(opContinuation, "")
	return []flood{
		{"pings", repeated(final|opPing, strings.Repeat("p", 125)), framePace, nil},
		{"pongs", repeated(final|opPong, strings.Repeat("p", 125)), framePace, nil},
		{"fragments without content", func(a *attacker) {
			if a.connected() && !a.begun {
				a.begun = true
				a.write(rawFrame(opText, ""))
			}
			emptyFragments(a)
		}, framePace, nil},
		{"typing", repeated(final|opText, `{"type":"typing"}`), framePace, nil},
		{"questions for a pong", repeated(final|opText, `{"type":"ping"}`), framePace, nil},
		{"messages", repeated(final|opText, `{"type":"message","message":"flood"}`), framePace, []string{"closed 4429"}},
		{"messages that are sent again", repeated(final|opText, `{"type":"message","message":"flood","id":1}`), framePace, nil},
		{"types that are none", repeated(final|opText, `{"type":"shout"}`), framePace, []string{"closed 4429"}},
		{"history", once(rawFrame(final|opText, `{"type":"history"}`)), framePace, []string{"closed 4429"}},
		{"taking back", repeated(final|opText, `{"type":"retract","seq":1}`), framePace, []string{"closed 4429"}},

		{"lengths of 2^62", once(rawFrameOf(final|opText, length64(1<<62), "{")), connectPace, []string{"closed 1009"}},
		{"frames above the limit", once(rawFrameOf(final|opText, length64(1<<20), "{")), connectPace, []string{"closed 1009"}},
		{"compressed frames", once(rawFrame(final|0x40|opText, "\xaa\x56\x2a\xa9\x2c\x48\x55\xb2\x52\x50\xaa\x05\x00")), connectPace, []string{"closed 1002"}},
		{"binary", once(rawFrame(final|opBinary, "x")), connectPace, []string{"closed 4400"}},
		{"what is not UTF-8", once(rawFrame(final|opText, "\xff")), connectPace, []string{"closed 1007"}},
		{"coming and going", func(a *attacker) {
			if a.connected() {
				a.hangUp()
			}
		}, connectPace, nil},
		{"tabs that throw each other out", (*attacker).another, connectPace, []string{"closed 4409"}},
		{"sessions that are forged", func(a *attacker) {
			forged := a.member
			forged.SessionID = strings.Repeat("A", len(forged.SessionID))
			a.joinAs(&forged)
		}, connectPace, []string{"closed 4401"}},
		{"rooms that are not there", func(a *attacker) {
			lost := a.member
			lost.RoomID = "AAAAAAAAAAAAAAAAAAAAAA"
			a.joinAs(&lost)
		}, connectPace, []string{"closed 4404"}},

		{"new rooms", func(a *attacker) { a.call("/createRoom", fields{"roomName": "flood"}) }, connectPace, []string{"answered 429"}},
		{"new members", func(a *attacker) {
			a.address = addressOf(0) // the limit is on one
			a.call("/joinRoom", fields{"roomId": a.member.RoomID})
		}, connectPace / 4, []string{"answered 429"}},
		{"bodies above the limit", func(a *attacker) {
			a.call("/createRoom", fields{"roomName": strings.Repeat("x", 100_000)})
		}, 2 * connectPace, []string{"answered 413"}},
	}
}

// TestAttackFloods floods a node, and looks at a room that has nothing to do with it:
// there, messages take no longer than twice as long, at the 99th percentile, as in the
// quiet between. What the flood is to be answered with it is, and the node grows by no
// more than is stated. Attackers have addresses of their own.
func TestAttackFloods(t *testing.T) {
	s := memorySite(t, "")
	room := newMeasuredRoom(t, s)
	victim := newVictim(t, s)
	held := 0
	for _, f := range floods() {
		t.Run(f.name, func(t *testing.T) {
			before := s.nodes[0].memory(t)
			peak, seen := before, make(map[string]int)
			var quiet, flooded []time.Duration
			// On a busy machine one window may be worse than another: up to three are
			// taken together.
			for range 3 {
				quiet = append(quiet, room.measure(t, floodWindow)...)
				stop := victim.flood(t, f)
				flooded = append(flooded, room.measure(t, floodWindow)...)
				peak = max(peak, s.nodes[0].memory(t))
				for end, n := range stop() {
					seen[end] += n
				}
				if percentile(flooded, 99) <= 2*percentile(quiet, 99)+floodAllowance && containsAll(seen, f.ends) {
					break
				}
			}
			t.Logf("99 %% within %s, quiet %s; half within %s, quiet %s; %+.1f MiB; %v",
				percentile(flooded, 99), percentile(quiet, 99), percentile(flooded, 50), percentile(quiet, 50),
				float64(peak-before)/(1<<20), seen)
			if limit := 2*percentile(quiet, 99) + floodAllowance; percentile(flooded, 99) > limit {
				t.Errorf("99 %% of the messages of others take up to %s, more than %s", percentile(flooded, 99), limit)
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
	s.noErrors(t)
}

func containsAll(seen map[string]int, ends []string) bool {
	return !slices.ContainsFunc(ends, func(end string) bool { return seen[end] == 0 })
}

// percentile returns what so many of a hundred do not exceed.
func percentile(delays []time.Duration, n int) time.Duration {
	if len(delays) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(delays))
	return sorted[len(sorted)*n/100].Round(10 * time.Microsecond)
}

// TestAttackSilence holds connections without saying who it is: with half of a
// request, with nothing behind the handshake, and with a join that comes a byte at a
// time. The latter two have ten seconds.
func TestAttackSilence(t *testing.T) {
	t.Parallel()
	const each = 40
	s := memorySite(t, "")
	victim := newVictim(t, s)
	before := s.nodes[0].memory(t)
	ctx, cancel := context.WithTimeout(t.Context(), waitTime)
	defer cancel()
	ends := make(chan string)
	join := rawFrame(final|opText, fmt.Sprintf(`{"type":"join","roomId":%q,"userId":"x","sessionId":"x"}`, victim.admin.RoomID)+strings.Repeat(" ", 1000))
	for n := range each {
		a := victim.attacker(ctx, n)
		for _, dribbled := range [][]byte{nil, join} {
			conn, err := a.dial()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			go func() { // it ends when the connection does
				_, _, err := conn.ReadMessage()
				ends <- closedWith(err)
			}()
			go func() { // likewise, or with the test
				for _, b := range dribbled {
					if _, err := conn.NetConn().Write([]byte{b}); err != nil {
						return
					}
					pause(ctx, 100*time.Millisecond)
				}
			}()
		}
		half, err := a.dialTCP(ctx, strings.TrimPrefix(s.base(0), "http://"))
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
	grown := s.nodes[0].memory(t) - before
	if grown > floodMemory {
		t.Errorf("the node has grown by %d MiB", grown>>20)
	}
	newAPI(t, s.base(0)).create(t, 60)
	t.Logf("%d connections closed within %s, %+.1f MiB", 2*each, took.Round(time.Millisecond), float64(grown)/(1<<20))
}

// call asks an endpoint, and notes the status of the answer.
func (a *attacker) call(endpoint string, value fields) {
	status, err := a.post(endpoint, value)
	if err == nil && status != http.StatusOK {
		a.note(fmt.Sprint("answered ", status))
	}
}
