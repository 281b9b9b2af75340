package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/script"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// pending is a post in a goroutine.
type pending struct {
	body    string
	cancel  context.CancelFunc
	done    chan struct{} // closed when Post has returned
	receipt room.Receipt
	err     error
}

func (p *pending) await(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(awaitTimeout):
		t.Fatalf("the post of %s does not return", p.body)
	}
}

// startPosts starts n posts on a node, one after the other: the first two are sent and
// the others wait. The server must not answer meanwhile.
func (s *setup) startPosts(t *testing.T, node *node, n int) []*pending {
	t.Helper()
	started := make([]*pending, n)
	for i := range started {
		post := newPost(fmt.Sprintf("text %03d", i))
		ctx, cancel := context.WithCancel(t.Context())
		p := &pending{body: string(post.Body), cancel: cancel, done: make(chan struct{})}
		started[i] = p
		// Ends when the post does, which the context or the client's timeout ends.
		go func() {
			defer close(p.done)
			p.receipt, p.err = node.Post(ctx, s.roomID, post)
		}()
		t.Cleanup(func() {
			cancel()
			<-p.done
		})
		// All must have come before the first ones time out, so this polls often.
		for deadline := time.Now().Add(awaitTimeout); ; runtime.Gosched() {
			calls, waiting := node.Pending()
			if calls+waiting == i+1 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d calls are under way and %d posts wait after %d were started", calls, waiting, i+1)
			}
		}
	}
	return started
}

// stored returns the bodies of the messages of the room, in their order.
func (s *setup) stored(t *testing.T) []string {
	t.Helper()
	page, err := s.node.scripts.History(t.Context(), script.Keyspace{}.Room(s.roomID), script.After, 0, 1<<30, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	bodies := make([]string, len(page.Entries))
	for i, entry := range page.Entries {
		_, body, _ := bytes.Cut(entry, []byte(","))
		bodies[i] = string(body)
	}
	return bodies
}

// expectStored fails unless these are stored, each once: the first two at any place,
// because posts that are sent alone have no order, and the others in this order.
func (s *setup) expectStored(t *testing.T, want []string) {
	t.Helper()
	stored := s.stored(t)
	shared := slices.DeleteFunc(slices.Clone(stored), func(body string) bool { return slices.Contains(want[:2], body) })
	if len(stored) != len(want) || !slices.Equal(shared, want[2:]) {
		t.Errorf("stored is\n%q\nwant\n%q", stored, want)
	}
}

// expectIdle fails unless no post is in flight or waits.
func expectIdle(t *testing.T, node *node) {
	t.Helper()
	eventually(t, func() string {
		if calls, waiting := node.Pending(); calls+waiting != 0 {
			return fmt.Sprintf("%d calls are under way and %d posts wait, want none", calls, waiting)
		}
		return ""
	})
}

func TestLonePost(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	seen := recordPosts(s.node)
	s.post(t, "hi") // loads the script
	seen.single = nil
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "the caller's")
	for range 5 {
		if _, err := s.node.Post(ctx, s.roomID, newPost("hi")); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen.single) != 5 || len(seen.shared) != 0 {
		t.Fatalf("5 posts made %d calls of their own and %d shared ones, want 5 and none", len(seen.single), len(seen.shared))
	}
	for _, used := range seen.single {
		if used.Value(key{}) == nil {
			t.Error("a lone post is not made under the caller's context")
		}
	}
	expectIdle(t, s.node)
}

// TestPostsShareCalls checks that waiting posts are sent in the order of arrival, and at
// most 128 in a call.
func TestPostsShareCalls(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.post(t, "loads the script")
	seen := recordPosts(s.node)
	const n = 2 + 300
	s.server.Pause(t)
	posts := s.startPosts(t, s.node, n)
	s.server.Resume(t)
	for _, p := range posts {
		if p.await(t); p.err != nil {
			t.Fatalf("Post: %v", p.err)
		}
	}
	stored := s.stored(t)
	if len(stored) != 1+n {
		t.Errorf("%d messages are stored, want %d", len(stored), 1+n)
	}
	for _, p := range posts {
		if at := int(p.receipt.Seq); at < 1 || at > len(stored) || stored[at-1] != p.body {
			t.Errorf("message %d is not the one whose sender got that number", at)
		}
	}
	total := 0
	for _, shared := range seen.shared {
		first := slices.IndexFunc(posts, func(p *pending) bool { return p.body == shared.bodies[0] })
		for i, body := range shared.bodies {
			if body != posts[first+i].body {
				t.Fatalf("post %d of a call is not the one that came next", i)
			}
		}
		if len(shared.bodies) > 128 {
			t.Errorf("a call carries %d posts", len(shared.bodies))
		}
		total += len(shared.bodies)
	}
	if len(seen.single) != 2 || total != n-2 {
		t.Errorf("%d posts went alone and %d shared calls, want 2 and %d", len(seen.single), total, n-2)
	}
	expectIdle(t, s.node)
}

// TestCancelWaitingPost cancels waiting posts: they return at once and are not stored;
// the others are, in order.
func TestCancelWaitingPost(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.server.Pause(t)
	posts := s.startPosts(t, s.node, 12)
	var left []string
	for i, p := range posts {
		if i != 2 && i != 6 && i != 11 {
			left = append(left, p.body)
			continue
		}
		p.cancel()
		p.await(t)
		if !errors.Is(p.err, room.ErrUnavailable) || !errors.Is(p.err, context.Canceled) {
			t.Errorf("a post that was given up: %v, want ErrUnavailable and why", p.err)
		}
	}
	s.server.Resume(t)
	for i, p := range posts {
		if p.await(t); p.err != nil && slices.Contains(left, p.body) {
			t.Errorf("post %d: %v", i, p.err)
		}
	}
	s.expectStored(t, left)
	expectIdle(t, s.node)
}

// TestCancelSentPost cancels a post in a shared call that was sent.
func TestCancelSentPost(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	seen := recordPosts(s.node)
	arrived, leave := make(chan struct{}), make(chan struct{})
	seen.before = sync.OnceFunc(func() {
		close(arrived)
		<-leave
	})
	s.server.Pause(t)
	posts := s.startPosts(t, s.node, 7)
	s.server.Resume(t)
	<-arrived
	s.server.Pause(t)
	close(leave)
	posts[4].cancel()
	posts[4].await(t)
	if !errors.Is(posts[4].err, room.ErrUnavailable) {
		t.Errorf("a post that was given up: %v, want ErrUnavailable", posts[4].err)
	}
	s.server.Resume(t)
	for i, p := range posts {
		if p.await(t); i != 4 && p.err != nil {
			t.Errorf("post %d: %v", i, p.err)
		}
	}
	var all []string
	for _, p := range posts {
		all = append(all, p.body)
	}
	s.expectStored(t, all)
	expectIdle(t, s.node)
}

// TestCloseWhilePostsWait checks that no post waits for ever.
func TestCloseWhilePostsWait(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	node := openNode(t, s.server.Addr())
	s.server.Pause(t)
	t.Cleanup(func() { s.server.Resume(t) })
	posts := s.startPosts(t, node, 6)
	node.close()
	for i, p := range posts {
		if p.await(t); !errors.Is(p.err, room.ErrUnavailable) {
			t.Errorf("post %d: %v, want ErrUnavailable", i, p.err)
		}
	}
	expectIdle(t, node)
	if _, err := node.Post(t.Context(), s.roomID, newPost("too late")); !errors.Is(err, room.ErrUnavailable) {
		t.Errorf("Post after Close: %v, want ErrUnavailable", err)
	}
}
