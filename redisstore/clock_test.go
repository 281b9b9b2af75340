package redisstore_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore"
)

// TestClock samples a server with another clock over a slow network. The estimate is
// never ahead, and at most as far behind as the best reply of the last minute was late.
func TestClock(t *testing.T) {
	for name, drift := range map[string]float64{"same speed": 0, "slower": -80e-6, "faster": 80e-6} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := redisstore.NewClock()
				began := time.Now()
				server := func() time.Time {
					passed := time.Since(began)
					return began.Add(17*time.Second + passed + time.Duration(float64(passed)*drift))
				}
				source := rand.New(rand.NewPCG(1, 2))
				random := func(most time.Duration) time.Duration { return time.Duration(source.Int64N(int64(most))) }
				for i := range 2_000 {
					there, back := random(20*time.Millisecond), random(20*time.Millisecond)
					sent := c.Local()
					<-time.After(there)
					reply := server().Truncate(time.Millisecond)
					<-time.After(back)
					c.Add(reply, sent, c.Local())
					<-time.After(random(time.Second))
					now, estimate := server(), c.Now()
					if estimate.After(now) {
						t.Fatalf("reply %d: %v ahead", i, estimate.Sub(now))
					}
					if behind := now.Sub(estimate); i > 100 && behind > 25*time.Millisecond {
						t.Fatalf("reply %d: %v behind", i, behind)
					}
				}
			})
		})
	}
}

// TestClockStepsBack sets the server's clock back: the next reply shows it.
func TestClockStepsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := redisstore.NewClock()
		c.Add(time.Now().Add(time.Hour), c.Local(), c.Local())
		c.Add(time.Now(), c.Local(), c.Local())
		if ahead := time.Until(c.Now()); ahead > 0 {
			t.Errorf("%v ahead of a clock that was set back", ahead)
		}
	})
}
