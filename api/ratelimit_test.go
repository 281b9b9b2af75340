package api_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api"
	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// clientNumber returns one of many addresses.
func clientNumber(n int) netip.Addr {
	var address [4]byte
	binary.BigEndian.PutUint32(address[:], uint32(n))
	return netip.AddrFrom4(address)
}

// TestLimiterIsTokenBucket compares a limiter with a textbook token bucket at the same
// random events.
func TestLimiterIsTokenBucket(t *testing.T) {
	const count, window = 5, time.Second
	limiter := api.NewLimiter(api.Rate{Count: count, Window: window})
	random := rand.New(rand.NewPCG(1, 2))
	type bucket struct {
		tokens float64
		at     time.Time
	}
	now := time.Unix(1_000_000, 0)
	buckets := make(map[int]*bucket)
	taken, refused := 0, 0
	for range 20_000 {
		// At the exact nanosecond at which a token becomes free, the two may disagree by
		// rounding.
		now = now.Add(time.Duration(random.IntN(60_000_000)) + 1)
		n := random.IntN(3)
		b := buckets[n]
		if b == nil {
			b = &bucket{tokens: count, at: now}
			buckets[n] = b
		}
		b.tokens = min(count, b.tokens+now.Sub(b.at).Seconds()*count/window.Seconds())
		b.at = now
		err := limiter.Take(clientNumber(n), now)
		if (err == nil) != (b.tokens >= 1) {
			t.Fatalf("bucket has %f tokens, limiter says %v", b.tokens, err)
		}
		if err != nil {
			if !errors.Is(err, room.ErrRateLimited) {
				t.Fatal(err)
			}
			refused++
			continue
		}
		taken++
		b.tokens--
		if random.IntN(4) == 0 {
			limiter.GiveBack(clientNumber(n))
			b.tokens++
		}
	}
	if taken < 1000 || refused < 1000 {
		t.Errorf("%d taken, %d refused: too few to compare", taken, refused)
	}
}

// TestLimiterForgets checks that a limiter knows at most the clients of two windows, and
// never more than MaxKeys.
func TestLimiterForgets(t *testing.T) {
	limiter := api.NewLimiter(api.Rate{Count: 1, Window: time.Minute})
	now := time.Unix(1_000_000, 0)
	take := func(n int) error { return limiter.Take(clientNumber(n), now) }
	for n := range api.MaxKeys * 2 {
		if err := take(n); err != nil {
			t.Fatalf("client %d: %v", n, err)
		}
		if keys := limiter.Keys(); keys > api.MaxKeys {
			t.Fatalf("%d keys", keys)
		}
	}
	last := api.MaxKeys*2 - 1
	if take(last) == nil {
		t.Error("the newest client was forgotten")
	}
	now = now.Add(59 * time.Second)
	if take(last) == nil {
		t.Error("a client was forgotten before its bucket was full")
	}
	for i := range 3 {
		now = now.Add(time.Minute)
		if err := take(i); err != nil {
			t.Error(err)
		}
	}
	if keys := limiter.Keys(); keys > 2 {
		t.Errorf("%d keys, but only 2 were seen in the last window", keys)
	}
}

// from returns an edit that sets the address of the client.
func from(address string) func(*http.Request) { return apitest.Header("X-Forwarded-For", address) }

func TestCreateRate(t *testing.T) {
	s := serve(t, func(o *options) { o.CreateRate = api.Rate{Count: 2, Window: time.Hour} })
	body := apitest.Object(t, "roomName", "x")
	s.Post(t, "/createRoom", "{}").Refused(t, 400, "invalid_request") // not charged
	s.Create(t)
	s.Create(t)
	limited := s.Post(t, "/createRoom", body)
	limited.Refused(t, 429, "rate_limited")
	if seconds, err := strconv.Atoi(limited.Header.Get("Retry-After")); err != nil || seconds < 1700 || seconds > 1800 {
		t.Errorf("Retry-After %q, want half an hour", limited.Header.Get("Retry-After"))
	}
}

func TestRateRefills(t *testing.T) {
	s := serve(t, func(o *options) { o.CreateRate = api.Rate{Count: 3, Window: 600 * time.Millisecond} })
	for range 3 {
		s.Create(t)
	}
	limited := time.Now()
	s.Post(t, "/createRoom", apitest.Object(t, "roomName", "x")).Refused(t, 429, "rate_limited")
	again := apitest.WaitUntil(t, func() bool { return s.Post(t, "/createRoom", apitest.Object(t, "roomName", "x")).Status == 200 })
	if waited := again.Sub(limited); waited > 400*time.Millisecond {
		t.Errorf("a third of the window took %s", waited)
	}
}

func TestJoinRate(t *testing.T) {
	s := serve(t, func(o *options) { o.JoinRate = api.Rate{Count: 3, Window: time.Hour} })
	admin := s.Create(t)
	s.Join(t, admin.Room)
	s.Post(t, "/joinRoom", admin.As(t)).OK(t)
	s.Post(t, "/joinRoom", apitest.Object(t, "roomId", "none")).Refused(t, 404, "room_not_found")
	s.Post(t, "/joinRoom", apitest.Object(t, "roomId", admin.Room)).Refused(t, 429, "rate_limited")
	s.Post(t, "/joinRoom", admin.As(t)).Refused(t, 429, "rate_limited")
	s.Post(t, "/roomInfo", apitest.Object(t, "roomId", admin.Room)).OK(t)
}

func TestPasswordRate(t *testing.T) {
	s := serve(t, func(o *options) { o.PasswordRate = api.Rate{Count: 2, Window: time.Hour} })
	first, second := s.Create(t, "password", "tea"), s.Create(t, "password", "tea")
	good := apitest.Object(t, "roomId", first.Room, "password", "tea")
	bad := apitest.Object(t, "roomId", first.Room, "password", "coffee")
	for range 3 { // correct passwords cost nothing
		s.Post(t, "/joinRoom", good).OK(t)
	}
	s.Post(t, "/joinRoom", bad).Refused(t, 403, "wrong_password")
	s.Post(t, "/joinRoom", good).OK(t)
	s.Post(t, "/joinRoom", bad).Refused(t, 403, "wrong_password")
	s.Post(t, "/joinRoom", bad).Refused(t, 429, "rate_limited")
	s.Post(t, "/joinRoom", good).Refused(t, 429, "rate_limited")
	s.Post(t, "/joinRoom", first.As(t)).OK(t)
	s.Post(t, "/joinRoom", apitest.Object(t, "roomId", second.Room, "password", "tea")).OK(t)
}

// TestPasswordRateInParallel checks that attempts count before the password is checked.
func TestPasswordRateInParallel(t *testing.T) {
	s := serve(t, func(o *options) { o.PasswordRate = api.Rate{Count: 3, Window: time.Hour} })
	room := s.Create(t, "password", "tea").Room
	codes := make(chan int)
	for range 12 {
		go func() { // ends with its request
			codes <- s.Post(t, "/joinRoom", apitest.Object(t, "roomId", room, "password", "coffee")).Status
		}()
	}
	got := make(map[int]int)
	for range 12 {
		got[<-codes]++
	}
	if got[403] != 3 || got[429] != 9 {
		t.Errorf("answers %v, want 3 of 403 and 9 of 429", got)
	}
}

// TestRoomPasswordRate guesses from many addresses that have attempts left.
func TestRoomPasswordRate(t *testing.T) {
	s := serve(t, func(o *options) {
		o.PasswordRate, o.RoomPasswordRate = api.Rate{Count: 2, Window: time.Hour}, api.Rate{Count: 4, Window: time.Hour}
	})
	first, second := s.Create(t, "password", "tea"), s.Create(t, "password", "tea")
	attempt := func(room, password string, address int) apitest.Reply {
		return s.Post(t, "/joinRoom", apitest.Object(t, "roomId", room, "password", password), from(clientNumber(address).String()))
	}
	for n := range 5 { // correct passwords cost nothing
		attempt(first.Room, "tea", n).OK(t)
	}
	attempt(first.Room, "coffee", 0).Refused(t, 403, "wrong_password")
	attempt(first.Room, "coffee", 0).Refused(t, 403, "wrong_password")
	for range 5 { // nor do those of a client without tokens
		attempt(first.Room, "coffee", 0).Refused(t, 429, "rate_limited")
	}
	attempt(first.Room, "coffee", 1).Refused(t, 403, "wrong_password")
	attempt(first.Room, "coffee", 2).Refused(t, 403, "wrong_password")
	attempt(first.Room, "coffee", 3).Refused(t, 429, "rate_limited")
	attempt(first.Room, "tea", 4).Refused(t, 429, "rate_limited")
	s.Post(t, "/joinRoom", first.As(t)).OK(t) // a member needs none
	attempt(second.Room, "tea", 3).OK(t)
	attempt(second.Room, "coffee", 3).Refused(t, 403, "wrong_password")
}
