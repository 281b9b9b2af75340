package redistest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
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
