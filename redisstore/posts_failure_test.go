package redisstore_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// crowd has posters post, each one message after the other, without ids, so that
// what is sent twice is stored twice. It ends when disturb has returned and each
// has posted a few more. It returns the outcome of each poster's posts, in order.
func (s *setup) crowd(t *testing.T, posters int, disturb func()) [][]*pending {
	t.Helper()
	done := make(chan struct{})
	outcomes := make([][]*pending, posters)
	var posting sync.WaitGroup
	for i := range posters {
		// Ends after done; awaited below.
		posting.Go(func() {
			for left := 3; left > 0; {
				post := newPost(s.nodes[0], "", 0, fmt.Sprintf("poster %03d says %06d", i, len(outcomes[i])))
				p := &pending{body: string(post.Body)}
				p.receipt, p.err = s.nodes[0].Post(t.Context(), s.room.ID, post)
				outcomes[i] = append(outcomes[i], p)
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
	posting.Wait()
	expectIdle(t, s.nodes[0])
	return outcomes
}

// check fails unless what was acknowledged is stored under the number that was
// told, and nothing else twice, and what each poster says in its order. It
// returns how many posts failed.
func (s *setup) check(t *testing.T, outcomes [][]*pending) (failed int) {
	t.Helper()
	stored := s.stored(t)
	at := make(map[string]int, len(stored))
	for i, body := range stored {
		if _, twice := at[body]; twice {
			t.Fatalf("a message is stored twice: %s", body)
		}
		at[body] = i + 1
	}
	for _, posts := range outcomes {
		last := 0
		for _, p := range posts {
			number, is := at[p.body]
			switch {
			case p.err != nil:
				failed++
				if !errors.Is(p.err, room.ErrUnavailable) {
					t.Fatalf("Post: %v", p.err)
				}
			case !is || p.receipt.Seq != uint64(number):
				t.Fatalf("message %d was acknowledged and is stored as %d (0: not at all)", p.receipt.Seq, number)
			}
			if is && number < last {
				t.Fatalf("message %d of a poster is stored before its message %d", number, last)
			}
			last = max(last, number)
		}
	}
	return failed
}

func TestScriptFlushedUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	seen := seeCalls(s.nodes[0])
	recovered := func() (n int) {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		for _, shared := range seen.shared {
			if shared.inFull {
				n++
			}
		}
		return n
	}
	outcomes := s.crowd(t, 256, func() {
		eventually(t, patience, func() string {
			s.raw(t, "script", "flush")
			if n := recovered(); n < 5 {
				return fmt.Sprintf("%d calls lacked the script", n)
			}
			return ""
		})
	})
	if failed := s.check(t, outcomes); failed > 0 {
		t.Errorf("%d posts failed", failed)
	}
}

func TestConnectionsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	outcomes := s.crowd(t, 256, func() {
		for range 20 {
			s.raw(t, "client", "kill", "type", "normal", "skipme", "yes")
			<-time.After(10 * time.Millisecond)
		}
	})
	failed := s.check(t, outcomes)
	if failed == 0 {
		t.Error("no post was under way when connections were killed")
	}
	total := 0
	for _, posts := range outcomes {
		total += len(posts)
	}
	t.Logf("%d of %d posts failed", failed, total)
}

// TestImpatientPosters has half of the posters give up after a moment, again and
// again: nobody else notices.
func TestImpatientPosters(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	var gaveUp atomic.Int64
	outcomes := s.crowd(t, 64, func() {
		var work sync.WaitGroup
		for i := range 64 {
			// Ends after 50 posts; awaited below.
			work.Go(func() {
				for n := range 50 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*100*time.Microsecond)
					text := fmt.Sprintf("impatient %03d says %06d", i, n)
					if _, err := s.nodes[0].Post(ctx, s.room.ID, newPost(s.nodes[0], "", 0, text)); err != nil {
						gaveUp.Add(1)
						if !errors.Is(err, room.ErrUnavailable) {
							t.Errorf("Post: %v", err)
						}
					}
					cancel()
				}
			})
		}
		work.Wait()
	})
	if failed := s.check(t, outcomes); failed > 0 {
		t.Errorf("%d posts of others failed", failed)
	}
	if gaveUp.Load() < 64 {
		t.Errorf("%d posts were given up, want one of each impatient poster at least", gaveUp.Load())
	}
}

// cutter stands between a store and its server. It cuts a connection on which
// posts share a call after so many replies.
type cutter struct {
	replies int
	cut     atomic.Bool // one was cut
	work    sync.WaitGroup
}

// listen returns where the cutter listens.
func (c *cutter) listen(t *testing.T, server *redistest.Server) (address string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = l.Close() // ends the loop below
		c.work.Wait()
	})
	// Ends with the listener; awaited above.
	c.work.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			backend, err := new(net.Dialer).DialContext(context.WithoutCancel(t.Context()), "tcp", server.Addr())
			if err != nil {
				_ = client.Close()
				return
			}
			var shared atomic.Bool
			// Both end with either connection; awaited above.
			c.work.Go(func() { c.forward(client, backend, &shared) })
			c.work.Go(func() { c.answer(backend, client, &shared) })
		}
	})
	return l.Addr().String()
}

// forward passes on what the store sends. Each connection carries one call at a
// time.
func (c *cutter) forward(client, backend net.Conn, shared *atomic.Bool) {
	defer func() { _ = backend.Close() }()
	buffer := make([]byte, 1<<20)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Count(buffer[:n], []byte("evalsha")) > 1 {
			shared.Store(true)
		}
		if _, err := backend.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// answer passes on the replies, each of which is a line.
func (c *cutter) answer(backend, client net.Conn, shared *atomic.Bool) {
	defer func() { _ = client.Close() }()
	replies := bufio.NewReader(backend)
	for passed := 0; ; {
		line, err := replies.ReadBytes('\n')
		if err != nil {
			return
		}
		if shared.Load() && !c.cut.Load() {
			if passed == c.replies {
				c.cut.Store(true)
				return
			}
			passed++
		}
		if _, err := client.Write(line); err != nil {
			return
		}
	}
}

// TestPartOfCallFails cuts a connection between the replies to posts that share a
// call: those that were answered have succeeded.
func TestPartOfCallFails(t *testing.T) {
	t.Parallel()
	s := newSetup(t, redistest.Options{}, time.Hour)
	s.post(t, 0, "brings the script")
	c := &cutter{replies: 4}
	node := openNode(t, redisstore.Options{Addrs: []string{c.listen(t, s.server)}})
	s.server.Pause(t)
	posts := s.startPosts(t, node, 12)
	s.server.Resume(t)
	for i, p := range posts {
		p.await(t)
		switch {
		case i < 2+c.replies && p.err != nil:
			t.Errorf("post %d was answered, but failed: %v", i, p.err)
		case i >= 2+c.replies && !errors.Is(p.err, room.ErrUnavailable):
			t.Errorf("post %d was not answered: %v, want ErrUnavailable", i, p.err)
		}
	}
	if !c.cut.Load() {
		t.Error("no connection was cut")
	}
	stored := s.stored(t)
	for i, p := range posts {
		if !slices.Contains(stored, p.body) {
			t.Errorf("post %d was sent but is not stored", i)
		}
		if p.err == nil && !strings.Contains(stored[p.receipt.Seq-1], p.body) {
			t.Errorf("message %d is not the one that was told so", p.receipt.Seq)
		}
	}
	expectIdle(t, node)
}
