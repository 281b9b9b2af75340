package build_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// acmeIssuer is the issuer of certificates of Caddy's own authority.
const acmeIssuer = "Caddy Local Authority - ECC Intermediate"

// TestAutomaticHTTPS starts a site that gets its certificate by ACME from another Caddy,
// proves by TLS-ALPN (RFC 8737) that the name is its own, and redirects HTTP to HTTPS.
// An authority checks the proof at port 443 only, so the site listens there.
func TestAutomaticHTTPS(t *testing.T) {
	address, redirects := harness.FreeAddress(t), harness.FreeAddress(t)
	origin := "https://localhost:" + harness.PortOf(t, address)
	root := harness.StartNode(t, harness.HTTPSOptions(t, address), origin+" {\n\ttls internal\n\tacme_server\n}", address).RootFile(t)
	const listen = "127.0.0.1:443"
	start := time.Now()
	n := harness.StartNode(t,
		fmt.Sprintf("\thttp_port %s\n\tacme_ca %s\n\tacme_ca_root %s", harness.PortOf(t, redirects), origin+"/acme/local/directory", root),
		fmt.Sprintf(`localhost {
	tls {
		issuer acme {
			disable_http_challenge
		}
	}
	ephemeral_chat /chat/* {
%s
	}
}`, harness.Unlimited), listen)

	trust := harness.Trust(t, root)
	a := harness.NewAPI(t, "https://localhost/chat")
	chain := a.UseTLS(t, trust)
	t.Logf("the certificate was there %s after the start", time.Since(start).Round(time.Millisecond))
	if issuer := chain[0].Issuer.CommonName; issuer != acmeIssuer {
		t.Errorf("the certificate is issued by %q", issuer)
	}
	stored, err := filepath.Glob(filepath.Join(n.Dir, "data", "caddy", "certificates", "localhost-*-acme-local-directory", "localhost", "localhost.crt"))
	if err != nil || len(stored) != 1 {
		t.Errorf("certificates stored as ACME's: %q, %v", stored, err)
	}

	expectRedirect(t, "http://localhost:"+harness.PortOf(t, redirects)+"/chat/", "https://localhost/chat/")

	anna := a.Create(t, 60)
	ben := a.Join(t, anna.RoomID, "ben")
	var sockets []*harness.Socket
	for _, m := range []harness.Member{anna, ben} {
		k := harness.Open(t, "wss://localhost/chat/ws", nil, trust.Clone())
		k.Send(t, m.Credentials("type", "join"))
		k.Await(t, "welcome")
		sockets = append(sockets, k)
	}
	for i, k := range sockets {
		k.Publish(t, fmt.Sprint("hello from ", i))
		for _, other := range sockets {
			other.AwaitText(t, fmt.Sprint("hello from ", i))
		}
	}
}

// expectRedirect fails the test unless the first URL redirects to the second.
func expectRedirect(t *testing.T, from, to string) {
	t.Helper()
	a := harness.NewAPI(t, from)
	a.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r := a.Get(t, "")
	if got := r.Header.Get("Location"); r.Status/100 != 3 || got != to {
		t.Errorf("%s: status %d, Location %q, want %q", from, r.Status, got, to)
	}
}
