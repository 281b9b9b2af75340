package redistest_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/poll"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/redisserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestServer kills and restarts servers of each kind. With an AOF the data is
// there again, without it is not.
func TestServer(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]redistest.Options{
		"port":     {},
		"AOF":      {AOF: true},
		"socket":   {Unix: true, AOF: true},
		"password": {Password: "secret", AOF: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t, o)
			if err := s.Client().Set(t.Context(), "key", "value", 0).Err(); err != nil {
				t.Fatal(err)
			}
			addr := s.Addr()
			s.Kill(t)
			s.Kill(t) // twice is fine
			if err := s.Client().Ping(t.Context()).Err(); err == nil {
				t.Error("a killed server answers")
			}
			s.Restart(t)
			if s.Addr() != addr {
				t.Errorf("the address is %s after the restart, want %s", s.Addr(), addr)
			}
			want := ""
			if o.AOF {
				want = "value"
			}
			if got, err := s.Client().Get(t.Context(), "key").Result(); got != want {
				t.Errorf("after the restart the key is %q (%v), want %q", got, err, want)
			}
		})
	}
}

// TestPromotedServerRestarts restarts a replica that was promoted, before the Sentinels
// replace it: it must still be the master.
func TestPromotedServerRestarts(t *testing.T) {
	t.Parallel()
	s, err := redisserver.StartSentinels(t.Context(), redisserver.SentinelOptions{DownAfter: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Failover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := poll.Until(t.Context(), time.Minute, s.Healthy); err != nil {
		t.Fatal(err)
	}
	promoted := s.Servers[1]
	if err := promoted.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := promoted.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if role, err := promoted.Client().Do(t.Context(), "role").Slice(); err != nil || role[0] != "master" {
		t.Errorf("after the restart its role is %v (%v), want master", role, err)
	}
}
