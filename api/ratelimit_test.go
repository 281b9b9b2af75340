package api_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// clientNumber returns one of many addresses.
func clientNumber(n int) netip.Addr {
	var address [4]byte
	binary.BigEndian.PutUint32(address[:], uint32(n))
	return netip.AddrFrom4(address)
}

// TestLimiterIsTokenBucket compares a limiter with the textbook's bucket, which
// is told the same story.
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
		// Off the instants at which a token becomes free to the nanosecond, where
		// the two may disagree by rounding.
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
		t.Errorf("%d taken, %d refused: the story has no point", taken, refused)
	}
}

// TestLimiterForgets checks that memory is bounded by the clients of two windows,
// and in any case.
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
		t.Errorf("%d keys, of which 2 were seen of late", keys)
	}
}
