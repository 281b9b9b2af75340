package pipeline_test

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

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// postAtOnce posts from many goroutines, each one message after the other, without ids,
// so that a message that is sent twice is stored twice. It ends when disturb has
// returned and each poster has posted a few more. disturb gets the number of posts so
// far. The result is the outcome of each poster's posts, in order.
func (s *setup) postAtOnce(t *testing.T, posters int, disturb func(posted *atomic.Int64)) [][]*pending {
	t.Helper()
	done := make(chan struct{})
	outcomes := make([][]*pending, posters)
	var work sync.WaitGroup
	var posted atomic.Int64
	for i := range posters {
		// Ends after done; awaited below.
		work.Go(func() {
			for left := 3; left > 0; {
				post := newPost(fmt.Sprintf("poster %03d posts %06d", i, len(outcomes[i])))
				p := &pending{body: string(post.Body)}
				p.receipt, p.err = s.node.Post(t.Context(), s.roomID, post)
				outcomes[i] = append(outcomes[i], p)
				posted.Add(1)
				select {
				case <-done:
					left--
				default:
				}
			}
		})
	}
	disturb(&posted)
	close(done)
	work.Wait()
	expectIdle(t, s.node)
	return outcomes
}

// expectConsistent fails unless each acknowledged message is stored under its number,
// no message twice, and those of each poster in order. It returns how many posts failed.
func (s *setup) expectConsistent(t *testing.T, outcomes [][]*pending) (failed int) {
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
	s := newSetup(t)
	seen := recordPosts(s.node)
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
	outcomes := s.postAtOnce(t, 256, func(*atomic.Int64) {
		eventually(t, func() string {
			s.do(t, "script", "flush")
			if n := recovered(); n < 5 {
				return fmt.Sprintf("%d calls lacked the script", n)
			}
			return ""
		})
	})
	if failed := s.expectConsistent(t, outcomes); failed > 0 {
		t.Errorf("%d posts failed", failed)
	}
}

func TestConnectionsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	outcomes := s.postAtOnce(t, 256, func(posted *atomic.Int64) {
		for range 20 {
			before := posted.Load()
			eventually(t, func() string {
				if posted.Load() < before+2*256 {
					return "the posters do not go on"
				}
				return ""
			})
			s.do(t, "client", "kill", "type", "normal", "skipme", "yes")
		}
	})
	failed := s.expectConsistent(t, outcomes)
	if failed == 0 {
		t.Error("no post was under way when connections were killed")
	}
	total := 0
	for _, posts := range outcomes {
		total += len(posts)
	}
	t.Logf("%d of %d posts failed", failed, total)
}

// TestPostersCancel cancels posts of half of the posters after a moment: the posts of
// the others succeed.
func TestPostersCancel(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	var gaveUp atomic.Int64
	outcomes := s.postAtOnce(t, 64, func(*atomic.Int64) {
		var work sync.WaitGroup
		for i := range 64 {
			// Ends after 50 posts; awaited below.
			work.Go(func() {
				for n := range 50 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*100*time.Microsecond)
					text := fmt.Sprintf("canceling %03d posts %06d", i, n)
					if _, err := s.node.Post(ctx, s.roomID, newPost(text)); err != nil {
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
	if failed := s.expectConsistent(t, outcomes); failed > 0 {
		t.Errorf("%d posts of others failed", failed)
	}
	if gaveUp.Load() < 64 {
		t.Errorf("%d posts were given up, want one of each canceling poster at least", gaveUp.Load())
	}
}

// cutter is a proxy between a node and its server. It closes a connection with a
// shared call after so many replies.
type cutter struct {
	replies int
	cut     atomic.Bool // a connection was closed
	work    sync.WaitGroup
}

// listen returns the address of the cutter.
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

// forward forwards the calls of the node. A connection has one call at a time.
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

// answer forwards the replies. Each is a line.
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

// TestPartOfCallFails closes a connection between the replies to posts that share a
// call: the answered ones have succeeded.
func TestPartOfCallFails(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.post(t, "loads the script")
	c := &cutter{replies: 4}
	node := openNode(t, c.listen(t, s.server))
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
			t.Errorf("message %d is not the one whose sender got that number", p.receipt.Seq)
		}
	}
	expectIdle(t, node)
}
