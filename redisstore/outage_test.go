package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
)

// load posts from several senders on both nodes until disturb returns and every sender
// has posted a few more. Each posts its messages in order, resends them with the same id
// while the store is unavailable, and again if the store has lost them. The result is
// the number of messages.
func (s *setup) load(t *testing.T, senders int, disturb func()) (posted int) {
	t.Helper()
	done := make(chan struct{})
	var sending sync.WaitGroup
	counts := make([]int, senders)
	for i := range senders {
		// Ends after done; awaited below.
		sending.Go(func() {
			node := s.nodes[i%len(s.nodes)]
			session := fmt.Sprintf("session-%d", i)
			for left := 20; left > 0; {
				id := uint64(counts[i] + 1)
				p := newPost(node, session, id, fmt.Sprintf("%s posts %d", session, id))
				p.Known = id - 1
				receipt, err := node.Post(t.Context(), s.room.ID, p)
				s.attempts.Add(1)
				switch {
				case errors.Is(err, room.ErrUnavailable):
					pause()
					continue
				case err != nil:
					t.Errorf("Post: %v", err)
					return
				case receipt.Lost:
					counts[i]-- // until the store has all earlier ones
					continue
				}
				counts[i]++
				select {
				case <-done:
					left--
				default:
				}
			}
		})
	}
	disturb()
	close(done)
	sending.Wait()
	for _, n := range counts {
		posted += n
	}
	return posted
}

// expectAll fails unless both watches have received the same n messages, each once.
func (s *setup) expectAll(t *testing.T, n int) {
	t.Helper()
	var first []room.Event
	for i, w := range s.watches {
		w.awaitSeq(t, uint64(n))
		messages := w.all(room.EventMessage)
		if len(messages) != n {
			t.Errorf("node %d received %d messages, want %d", i, len(messages), n)
		}
		seen := make(map[string]bool)
		for j, m := range messages {
			_, body, _ := bytes.Cut(m.Frame, []byte(`"message":`))
			if m.Seq != uint64(j+1) || seen[string(body)] {
				t.Fatalf("node %d: message %d has number %d, received before: %v", i, j+1, m.Seq, seen[string(body)])
			}
			seen[string(body)] = true
			if i > 0 && !bytes.Equal(m.Frame, first[j].Frame) {
				t.Fatalf("node %d received another message %d than node 0", i, m.Seq)
			}
		}
		first = messages
		if other := w.all(room.EventGap, room.EventEnded, room.EventLeft); len(other) > 0 {
			t.Errorf("node %d received %s", i, describe(other))
		}
	}
}

func TestServerKilledUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{AOF: true}, time.Hour)
	s.watches[0].enter(t, presenceOf(admin))
	var back time.Duration
	posted := s.load(t, 6, func() {
		for range 2 {
			s.awaitPosts(t, 200)
			s.server.Kill(t)
			s.expectUnavailable(t, 300*time.Millisecond)
			s.server.Restart(t)
			restarted := time.Now()
			seq := s.postUntilAccepted(t)
			for _, w := range s.watches {
				w.awaitSeq(t, seq)
			}
			back = max(back, time.Since(restarted))
		}
	}) + 2
	s.expectAll(t, posted)
	t.Logf("%d messages; received again %v after the restart", posted, back)
	if back > 5*time.Second {
		t.Errorf("the rooms went on %v after the restart", back)
	}
	s.post(t, 1, "still here")
}

// postUntilAccepted posts one message until it is accepted.
func (s *setup) postUntilAccepted(t *testing.T) (seq uint64) {
	t.Helper()
	session := room.NewNonce()
	eventually(t, awaitTimeout, func() string {
		receipt, err := s.nodes[1].Post(t.Context(), s.room.ID, newPost(s.nodes[1], session, 1, "from "+session))
		if err != nil {
			return err.Error()
		}
		if receipt.Duplicate {
			r, err := s.nodes[1].Load(t.Context(), s.room.ID)
			if err != nil {
				return err.Error()
			}
			receipt.Seq = r.Seq
		}
		seq = receipt.Seq
		return ""
	})
	return seq
}

func TestPubSubCutUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	for i, w := range s.watches {
		joinRoom(t, s.nodes[0], s.room.ID, fmt.Sprintf("user-%d", i))
		w.enter(t, presenceOf(fmt.Sprintf("user-%d", i)))
	}
	posted := s.load(t, 4, func() {
		for range 6 {
			s.awaitPosts(t, 200)
			s.cutPubSub(t)
		}
	})
	s.expectAll(t, posted)
	for i, w := range s.watches {
		if joined := w.all(room.EventJoined); len(joined) != 2 {
			t.Errorf("node %d received %s, want each user once", i, describe(joined))
		}
	}
}

// TestEnterWhileCut opens connections while those for events are cut: the own node
// receives EventOpened for each, whatever was lost.
func TestEnterWhileCut(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	var opened []room.Presence
	for i := range 40 {
		if i%10 == 3 {
			s.cutPubSub(t)
		}
		p := presenceOf(admin)
		s.watches[0].enter(t, p)
		opened = append(opened, p)
	}
	for _, p := range opened {
		s.watches[0].await(t, "EventOpened", func(e room.Event) bool { return e.Kind == room.EventOpened && e.SocketID == p.SocketID })
	}
}

func TestFlushedServer(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	s.post(t, 0, "one")
	s.do(t, "flushall")
	// No client uses the room: the nodes notice by themselves.
	for i, w := range s.watches {
		if e := w.awaitKind(t, room.EventEnded); e.Reason != room.EndDeleted {
			t.Errorf("node %d: ended with %q", i, e.Reason)
		}
	}
}

func TestDeadlineWithoutServer(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*testing.T, *setup){
		"killed": func(t *testing.T, s *setup) { t.Helper(); s.server.Kill(t) },
		"hangs": func(t *testing.T, s *setup) {
			t.Helper()
			s.server.Pause(t)
			t.Cleanup(func() { s.server.Resume(t) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t, redistest.Options{}, 2*time.Second)
			clock, err := s.nodes[0].Start(t.Context(), s.room.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range s.watches {
				w.awaitKind(t, room.EventStarted)
			}
			stop(t, s)
			for i, w := range s.watches {
				e := w.awaitKind(t, room.EventEnded)
				w.mu.Lock()
				at := w.at[len(w.at)-1]
				w.mu.Unlock()
				if late := at.Sub(clock.Deadline); e.Reason != room.EndExpired || late < 0 || late > 500*time.Millisecond {
					t.Errorf("node %d: ended with %q %v after the deadline, want expired within 500ms", i, e.Reason, late)
				}
			}
		})
	}
}

// TestEveryCallWithoutServer checks that each call soon returns ErrUnavailable, with
// none of its arguments in the error.
func TestEveryCallWithoutServer(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{Password: "hunter2"}, time.Hour)
	node, w := s.nodes[0], s.watches[0]
	s.server.Kill(t)
	secret := room.Presence{UserID: "SECRET", SocketID: "SECRET", Order: 1, Session: "SECRET"}
	for name, call := range map[string]func(context.Context) error{
		"Create": func(ctx context.Context) error {
			r := s.room
			r.Key, r.Password = []byte("SECRET"), []byte("SECRET")
			return node.Create(ctx, r, room.CreateLimits{Lobby: time.Hour})
		},
		"Load":   func(ctx context.Context) error { _, err := node.Load(ctx, s.room.ID); return err },
		"Member": func(ctx context.Context) error { _, _, err := node.Member(ctx, s.room.ID, "SECRET"); return err },
		"Join": func(ctx context.Context) error {
			_, err := node.Join(ctx, s.room.ID, room.Join{Candidates: []string{"SECRET"}, MaxOnline: 1, MaxMembers: 1})
			return err
		},
		"Start":     func(ctx context.Context) error { _, err := node.Start(ctx, s.room.ID); return err },
		"SetLocked": func(ctx context.Context) error { return node.SetLocked(ctx, s.room.ID, true) },
		"Remove":    func(ctx context.Context) error { return node.Remove(ctx, s.room.ID, "SECRET") },
		"Delete":    func(ctx context.Context) error { return node.Delete(ctx, s.room.ID) },
		"Post": func(ctx context.Context) error {
			_, err := node.Post(ctx, s.room.ID, newPost(node, "SECRET", 1, "SECRET"))
			return err
		},
		"Before": func(ctx context.Context) error { _, err := node.Before(ctx, s.room.ID, 0, 1, 1); return err },
		"After":  func(ctx context.Context) error { _, err := node.After(ctx, s.room.ID, 0, 1); return err },
		"Watch": func(ctx context.Context) error {
			_, _, err := node.Watch(ctx, s.room.ID, func(room.Event) {})
			return err
		},
		"Watch of another room": func(ctx context.Context) error {
			_, _, err := node.Watch(ctx, room.NewID(), func(room.Event) {})
			return err
		},
		"Enter":  func(ctx context.Context) error { _, err := w.Enter(ctx, secret, 1); return err },
		"Typing": func(ctx context.Context) error { return w.Typing(ctx, "SECRET") },
	} {
		began := time.Now()
		err := call(t.Context())
		if !errors.Is(err, room.ErrUnavailable) || errors.Is(err, room.ErrRoomNotFound) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
			continue
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("%s failed after %v", name, took)
		}
		if strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), s.room.ID) {
			t.Errorf("%s: the error repeats what the call was given: %v", name, err)
		}
	}
}

// TestRefusingServer checks the same for error replies, which may repeat arguments.
func TestRefusingServer(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	joinRoom(t, s.nodes[0], s.room.ID, "anna")
	s.do(t, "config", "set", "maxmemory", "1")
	s.do(t, "config", "set", "maxmemory-policy", "noeviction")
	_, err := s.nodes[0].Post(t.Context(), s.room.ID, newPost(s.nodes[0], "tag", 1, "SECRET"))
	if !errors.Is(err, room.ErrUnavailable) || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("Post to a full server: %v, want ErrUnavailable without the text", err)
	}
	s.do(t, "config", "set", "maxmemory", "0")
	// The message was not stored.
	if seq := s.post(t, 0, "one"); seq != 1 {
		t.Errorf("the next message has number %d, want 1", seq)
	}
	s.do(t, "set", "room:messages:"+s.room.ID, "not a list")
	_, err = s.nodes[0].Post(t.Context(), s.room.ID, newPost(s.nodes[0], "", 0, "SECRET"))
	if !errors.Is(err, room.ErrUnavailable) || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("Post onto a key of another type: %v, want ErrUnavailable without the text", err)
	}
}

func TestHangingServer(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	s.watches[0].enter(t, presenceOf(admin))
	s.server.Pause(t)
	began := time.Now()
	_, _, err := s.nodes[0].Watch(t.Context(), s.room.ID, func(room.Event) {})
	if !errors.Is(err, room.ErrUnavailable) || time.Since(began) > 4*time.Second {
		t.Errorf("Watch of a hanging server: %v after %v, want ErrUnavailable within 3s", err, time.Since(began))
	}
	for i, node := range s.nodes {
		eventually(t, awaitTimeout, func() string {
			if node.PubSubStats().Lost == 0 {
				return fmt.Sprintf("node %d has not noticed", i)
			}
			return ""
		})
	}
	s.server.Resume(t)
	seq := s.postUntilAccepted(t)
	for _, w := range s.watches {
		w.awaitSeq(t, seq)
		if other := w.all(room.EventGap, room.EventEnded, room.EventLeft); len(other) > 0 {
			t.Errorf("after a pause received %s", describe(other))
		}
	}
}

// TestExitDuringOutage checks that a node writes an exit after the outage.
func TestExitDuringOutage(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{AOF: true}, time.Hour)
	p := presenceOf(admin)
	s.watches[0].enter(t, p)
	s.watches[1].awaitUser(t, room.EventJoined, admin)
	s.server.Kill(t)
	s.watches[0].Exit(t.Context(), admin, p.Order)
	s.watches[0].Close()
	s.server.Restart(t)
	s.watches[1].awaitUser(t, room.EventLeft, admin)
	if left := s.watches[1].all(room.EventLeft); len(left) != 1 {
		t.Errorf("received %s, want one leave", describe(left))
	}
}

// TestDirtyPresence checks that a node writes the presence of a user again that Redis lost.
func TestDirtyPresence(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	joinRoom(t, s.nodes[0], s.room.ID, "anna")
	s.watches[0].enter(t, presenceOf("anna"))
	online := s.do(t, "hgetall", "room:online:"+s.room.ID)
	s.do(t, "del", "room:online:"+s.room.ID, "room:names:"+s.room.ID)
	s.nodes[0].MarkDirty(s.room.ID, "anna")
	eventually(t, awaitTimeout, func() string {
		if now := s.do(t, "hgetall", "room:online:"+s.room.ID); !reflect.DeepEqual(now, online) {
			return fmt.Sprintf("online are %v, were %v", now, online)
		}
		return ""
	})
	if looks := s.do(t, "sismember", "room:names:"+s.room.ID, name.Skeleton("anna")); looks != int64(1) {
		t.Error("the name can be given out once more")
	}
}

func TestScriptsForgotten(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	for range 3 {
		s.do(t, "script", "flush")
		seq := s.post(t, 0, "one")
		s.do(t, "script", "flush")
		seq = max(seq, s.post(t, 1, "two"))
		for _, w := range s.watches {
			w.awaitSeq(t, seq)
		}
	}
	s.do(t, "script", "flush")
	if err := s.nodes[0].Delete(t.Context(), s.room.ID); err != nil {
		t.Fatal(err)
	}
	for _, w := range s.watches {
		w.awaitKind(t, room.EventEnded)
	}
}
