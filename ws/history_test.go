package ws_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

func TestHistory(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.create(t)
	c, _ := s.join(t, admin)
	c.send(fields{"type": "history"})
	if f := c.next("history"); f.Messages == nil || len(f.Messages) > 0 || f.More {
		t.Errorf("history of an empty room: %s", f.raw)
	}
	s.post(t, admin, numbered("m", 300)...)
	all := numbered("m", 300)
	for name, test := range map[string]struct {
		ask  fields
		want []string
		more bool
	}{
		"default":            {fields{}, all[250:], true},
		"limit":              {fields{"limit": 3}, all[297:], true},
		"largest limit":      {fields{"limit": 200}, all[100:], true},
		"before":             {fields{"before": 101, "limit": 2}, all[98:100], true},
		"the first":          {fields{"before": 2}, all[:1], false},
		"up to the first":    {fields{"before": 51, "limit": 50}, all[:50], false},
		"one short of it":    {fields{"before": 51, "limit": 49}, all[1:50], true},
		"before the first":   {fields{"before": 1}, nil, false},
		"before a later one": {fields{"before": 9007199254740991, "limit": 1}, all[299:], true},
		"null is absent":     {fields{"before": nil, "limit": nil}, all[250:], true},
	} {
		t.Run(name, func(t *testing.T) {
			test.ask["type"] = "history"
			c.send(test.ask)
			f := c.await("history")
			if got := texts(f.Messages); !slices.Equal(got, test.want) || f.More != test.more {
				t.Errorf("%v, more %v; want %v, %v", got, f.More, test.want, test.more)
			}
			for i, e := range f.Messages {
				if e.Seq != f.Messages[0].Seq+uint64(i) || e.Timestamp == "" || e.UserID != "admin" {
					t.Errorf("entry %+v", e)
				}
			}
		})
	}
	t.Run("store down", func(*testing.T) {
		s.store.fail("Before")
		c.send(fields{"type": "history"})
		c.nextError("unavailable", 0)
		s.store.fail()
		c.send(fields{"type": "history"})
		c.next("history")
	})
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t, limits(func(l *room.Limits) { l.MaxMessage = 100 << 10 }))
	admin := s.create(t)
	const size = 90 << 10
	for _, letter := range "abcde" {
		s.post(t, admin, strings.Repeat(string(letter), size))
	}
	c, welcome := s.join(t, admin)
	if len(welcome.raw) > 260<<10 || len(welcome.Messages) != 2 || welcome.Messages[1].Seq != 5 || !welcome.More {
		t.Errorf("welcome of %d bytes, %d messages, more %v", len(welcome.raw), len(welcome.Messages), welcome.More)
	}
	before := welcome.Messages[0].Seq
	var seen []uint64
	for more := true; more; {
		c.send(fields{"type": "history", "before": before, "limit": 200})
		f := c.next("history")
		if len(f.raw) > 260<<10 {
			t.Errorf("history of %d bytes", len(f.raw))
		}
		for _, e := range slices.Backward(f.Messages) {
			seen = append(seen, e.Seq)
		}
		before, more = f.Messages[0].Seq, f.More
	}
	if !slices.Equal(seen, []uint64{3, 2, 1}) {
		t.Errorf("paging back gave %v, want 3, 2, 1", seen)
	}
}

// TestHistoryRate checks the rate limit of requests for the history.
func TestHistoryRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newSite(t, piped)
		c, _ := s.join(t, s.create(t))
		for _, want := range []int{20, 5, 5} {
			for range want + 5 {
				c.send(fields{"type": "history"})
			}
			synctest.Wait()
			answers := 0
			for _, f := range c.received() {
				switch {
				case f.Type == "history":
					answers++
				case f.Type != "error" || f.Code != "rate_limited":
					t.Errorf("got %s", f.raw)
				}
			}
			if answers != want {
				t.Errorf("%d answers, want %d", answers, want)
			}
			elapse(time.Second)
		}
	})
}
