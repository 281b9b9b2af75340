package ephemeralchat_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/ephemeralchat/caddy-ephemeral-chat"
	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
)

// site is a server of the Caddy in this process.
type site struct{ apitest.Site }

// serve runs a Caddy with one site until the end of the test. A process has only one
// Caddy, so tests that call serve cannot run in parallel.
func serve(t *testing.T, directives string) *site {
	t.Helper()
	s := newSite(t)
	load(t, s.block(directives))
	return s
}

// newSite returns a site on a free port, for load.
func newSite(t *testing.T) *site {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return &site{apitest.Site{Address: listener.Addr().String()}}
}

// block returns the block of the site in a Caddyfile.
func (s *site) block(directives string) string {
	_, port, _ := net.SplitHostPort(s.Address)
	return fmt.Sprintf("http://:%s {\n\tbind 127.0.0.1\n%s\n}\n", port, directives)
}

// load loads a Caddyfile into the Caddy of this process.
func load(t *testing.T, caddyfile string) {
	t.Helper()
	loadWith(t, "", caddyfile)
}

// loadWith is load with more global options.
func loadWith(t *testing.T, options, caddyfile string) {
	t.Helper()
	if err := tryLoad(t, options, caddyfile); err != nil {
		t.Fatalf("loading: %v\n%s", err, caddyfile)
	}
}

func tryLoad(t *testing.T, options, caddyfile string) error {
	t.Helper()
	apitest.Client.CloseIdleConnections() // the servers of the old configuration close them
	storage := t.TempDir()                // removed after Caddy, which writes to it, has stopped
	t.Cleanup(func() {
		apitest.Client.CloseIdleConnections()
		if err := caddy.Stop(); err != nil {
			t.Errorf("stopping Caddy: %v", err)
		}
	})
	config, _, err := adapt("{\nadmin off\npersist_config off\ngrace_period 1s\nskip_install_trust\n" +
		"storage file_system " + storage + "\nlog {\noutput discard\n}\n" + options + "\n}\n" + caddyfile)
	if err != nil {
		return err
	}
	return caddy.Load(config, true)
}

func adapt(caddyfile string) ([]byte, []caddyconfig.Warning, error) {
	return caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
}

// forEachStore runs a test with each store of this module. The argument of the test is
// the Caddyfile option that selects the store.
func forEachStore(t *testing.T, test func(t *testing.T, store string)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, "store memory") })
	t.Run("redis", func(t *testing.T) { test(t, "redis "+redistest.Start(t, redistest.Options{}).Addr()) })
}
