package baseline_test

import (
	"crypto/tls"
	"io"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/baseline"
)

// TestModes checks that each mode delivers every message once and in order.
func TestModes(t *testing.T) {
	t.Parallel()
	for _, mode := range []baseline.Mode{baseline.Direct, baseline.Batched, baseline.Paced} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			handler, err := baseline.New(mode)
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(handler)
			t.Cleanup(server.Close)
			for name, o := range map[string]load.Options{
				"a rate":             {Rooms: 2, Members: 150, Rate: 20}, // enough for Paced to pause
				"messages in flight": {Rooms: 3, Members: 4, Rate: 1, InFlight: 3},
			} {
				o.URLs, o.Parallel, o.Size, o.Duration = []string{server.URL + "/"}, 16, 100, 500*time.Millisecond
				result, err := load.Run(t.Context(), &o, load.EphemeralChat{}, io.Discard)
				if err != nil {
					t.Fatal(err)
				}
				if !result.Faultless() {
					t.Errorf("%s: %s", name, result)
				}
				if result.Posts == 0 || result.Deliveries == 0 {
					t.Errorf("%s: no message was sent: %s", name, result)
				}
			}
		})
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	certificate, err := baseline.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	handler, err := baseline.New(baseline.Direct)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	o := load.Options{
		URLs: []string{server.URL + "/"}, Insecure: true, Parallel: 4,
		Members: 5, Storm: 10, Size: 100, Duration: time.Second,
	}
	result, err := load.Run(t.Context(), &o, load.EphemeralChat{}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if result.Connections != 10 || result.Disconnected > 0 {
		t.Errorf("got %s", result)
	}
}

func TestUnknownMode(t *testing.T) {
	t.Parallel()
	if _, err := baseline.New("fast"); err == nil {
		t.Error("the mode fast was accepted")
	}
}
