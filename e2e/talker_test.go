package e2e_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// resendDelay is how long a talker waits before it comes back or says again
// what could not be stored.
const resendDelay = 100 * time.Millisecond

// outgoing is a message that a talker has not seen stored.
type outgoing struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	ID      uint64 `json:"id"`
}

// talker is a client as the protocol wants it: it keeps what it says until it
// sees it stored, says it again when it cannot know, and comes back where it
// left off when it loses its connection, to the next node.
type talker struct {
	member member
	urls   []string // of the nodes, in the order of their use

	finished chan struct{} // closed when it does not come back any more

	mu       sync.Mutex
	socket   *socket // nil while there is none
	tag      string  // of its session
	lastID   uint64
	outbox   []outgoing
	stored   map[uint64]time.Time // when the message with an id was seen to be stored
	heard    []entry
	after    uint64
	epoch    string
	visits   int      // connections that were welcomed
	refused  int      // error frames "unavailable"
	faults   []string // what a correct server never does
	end      closing  // the last connection's
	reason   string   // of the room's end
	progress time.Time

	retries   []time.Duration // what nodes that stopped have said
	farewells map[string]int  // who was said to have left, and how often
	away      time.Duration   // the longest time without a connection
	lost      time.Time       // when the last connection was
}

// startTalker lets a member talk until the test or its room ends.
func startTalker(t *testing.T, m member, bases ...string) *talker {
	t.Helper()
	k := &talker{member: m, finished: make(chan struct{}), stored: make(map[uint64]time.Time), farewells: make(map[string]int)}
	for _, base := range bases {
		k.urls = append(k.urls, wsURL(base))
	}
	ctx, cancel := context.WithCancel(context.Background())
	// It ends when the room does, or the test cancels it and waits for it.
	go func() {
		defer close(k.finished)
		k.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-k.finished
	})
	until(t, waitTime, m.UserID+" is welcome", func() bool { return k.count(func() int { return k.visits }) > 0 })
	return k
}

func (k *talker) run(ctx context.Context) {
	for visit := 0; ctx.Err() == nil; visit++ {
		if k.stay(ctx, k.urls[visit%len(k.urls)]) {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(k.delay()):
		}
	}
}

// stay is one connection. It returns true if the talker is not to come back.
func (k *talker) stay(ctx context.Context, url string) bool {
	s, _, err := openSocket(ctx, url, nil, nil)
	if err != nil {
		return false
	}
	defer s.close()
	k.mu.Lock()
	join := k.member.credentials("type", "join")
	if k.visits > 0 {
		join["after"], join["epoch"] = k.after, k.epoch
	}
	k.mu.Unlock()
	if s.write(join) != nil {
		return false
	}
	again := time.NewTicker(resendDelay)
	defer again.Stop()
	resend, next := false, 0
	for {
		changed, open := s.change(), s.isOpen()
		for frames := s.all(); next < len(frames); next++ {
			resend = k.hear(s, &frames[next]) || resend
		}
		if !open {
			return k.left(s)
		}
		select {
		case <-changed:
		case <-s.done:
		case <-again.C:
			if resend {
				resend = false
				k.sayAgain(s)
			}
		case <-ctx.Done():
			return true
		}
	}
}

// delay is how long to wait before the next connection: what a node that stops says,
// else a little.
func (k *talker) delay() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.end.code == websocket.CloseGoingAway {
		var ms int
		if _, err := fmt.Sscanf(k.end.reason, "retry=%d", &ms); err != nil || ms < 0 {
			k.fault("1001 with reason %q", k.end.reason)
		}
		k.retries = append(k.retries, time.Duration(ms)*time.Millisecond)
		return time.Duration(ms) * time.Millisecond
	}
	return resendDelay
}

// left notes the end of a connection, and reports whether it is for good.
func (k *talker) left(s *socket) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.socket, k.end = nil, s.ending()
	k.lost = k.end.at
	switch k.end.code {
	case websocket.CloseAbnormalClosure, websocket.CloseGoingAway, websocket.CloseInternalServerErr,
		websocket.CloseTryAgainLater, 4503:
		return false
	default:
		return true
	}
}

// hear takes a frame in, and reports whether something has to be said again.
func (k *talker) hear(s *socket, f *frame) (resend bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.progress = f.at
	switch f.Type {
	case "welcome":
		if f.Gap {
			k.fault("gap in a welcome after %d", k.after)
		}
		if k.visits > 0 {
			k.away = max(k.away, f.at.Sub(k.lost))
		}
		k.tag, k.epoch, k.socket = f.Session, f.Epoch, s
		k.visits++
		k.settle(f.LastID, f.at)
		k.take(f.at, f.Messages...)
		k.sendAll(s)
	case "replay":
		k.take(f.at, f.Messages...)
	case "message":
		k.take(f.at, f.entry)
	case "ack":
		k.settle(f.ID, f.at)
	case "gap":
		k.fault("gap at %d", f.Seq)
	case "left":
		k.farewells[f.UserID]++
	case "ended":
		k.reason = f.Reason
	case "error":
		if f.Code != "unavailable" {
			k.fault("error %s", f.Code)
		}
		k.refused++
		return true
	}
	return false
}

// take notes messages. Each must follow the one before. One's own are echoes,
// wherever they come.
func (k *talker) take(at time.Time, messages ...entry) {
	for _, m := range messages {
		if m.Seq != k.after+1 && len(k.heard) > 0 {
			k.fault("message %d after %d", m.Seq, k.after)
		}
		k.after = m.Seq
		k.heard = append(k.heard, m)
		if m.Session == k.tag {
			k.settle(m.ID, at)
		}
	}
}

// settle notes that the messages up to an id are stored.
func (k *talker) settle(id uint64, at time.Time) {
	for len(k.outbox) > 0 && k.outbox[0].ID <= id {
		k.stored[k.outbox[0].ID] = at
		k.outbox = k.outbox[1:]
	}
}

func (k *talker) fault(format string, args ...any) {
	k.faults = append(k.faults, k.member.UserID+": "+fmt.Sprintf(format, args...))
}

// say says something, now or as soon as it is possible.
func (k *talker) say(text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lastID++
	o := outgoing{Type: "message", Message: text, ID: k.lastID}
	k.outbox = append(k.outbox, o)
	if k.socket != nil {
		_ = k.socket.write(o) // if that fails, it is said again
	}
}

func (k *talker) sayAgain(s *socket) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sendAll(s)
}

func (k *talker) sendAll(s *socket) {
	for _, o := range k.outbox {
		if s.write(o) != nil {
			return
		}
	}
}

// drop breaks the connection, as a network might.
func (k *talker) drop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.socket != nil {
		_ = k.socket.conn.Close()
	}
}

// count reads something of the talker.
func (k *talker) count(read func() int) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return read()
}

func (k *talker) pending() int { return k.count(func() int { return len(k.outbox) }) }

func (k *talker) isConnected() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.socket != nil
}

func (k *talker) heardCount() int { return k.count(func() int { return len(k.heard) }) }

func (k *talker) visitCount() int { return k.count(func() int { return k.visits }) }

// state tells how it is, for who has to find out what went wrong.
func (k *talker) state() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	first := uint64(0)
	if len(k.outbox) > 0 {
		first = k.outbox[0].ID
	}
	return fmt.Sprintf("%s: connected %t, %d connections, the last that ended with %+v; %d messages from %d to %d not seen stored; "+
		"heard up to %d, last frame %s ago; %d times unavailable; %s",
		k.member.UserID, k.socket != nil, k.visits, k.end, len(k.outbox), first, k.lastID,
		k.after, time.Since(k.progress).Round(time.Millisecond), k.refused, k.faults)
}

// newestID returns the id of what was said last.
func (k *talker) newestID() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lastID
}

// isStored reports whether the message with an id was seen to be stored.
func (k *talker) isStored(id uint64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.stored[id]
	return ok
}

// transcript returns what the talker has heard.
func (k *talker) transcript() []entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]entry(nil), k.heard...)
}
