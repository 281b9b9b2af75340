package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// acmeIssuer is the issuer that Caddy's own authority names as that of the
// certificates which it gives out.
const acmeIssuer = "Caddy Local Authority - ECC Intermediate"

// startAuthority runs a Caddy that gives out certificates by ACME, and returns
// where its directory is and the file of its root certificate.
func startAuthority(t *testing.T) (directory, root string) {
	t.Helper()
	address := freeAddress(t)
	port := portOf(t, address)
	n := startNode(t,
		fmt.Sprintf("\thttps_port %s\n\tauto_https disable_redirects", port),
		fmt.Sprintf("https://localhost:%s {\n\ttls internal\n\tacme_server\n}", port), address)
	root = filepath.Join(n.dir, "data", "caddy", "pki", "authorities", "local", "root.crt")
	until(t, startTime, "the authority has a root certificate", func() bool {
		_, err := os.Stat(root)
		return err == nil
	})
	return "https://localhost:" + port + "/acme/local/directory", root
}

// TestAutomaticHTTPS is of a site that asks an authority for its certificate by
// ACME, proves by TLS-ALPN (RFC 8737) that the name is its own, and sends those
// who come by HTTP on to HTTPS. The authority looks for the proof at port 443
// and no other, so the site listens there.
func TestAutomaticHTTPS(t *testing.T) {
	directory, root := startAuthority(t)
	const listen = "127.0.0.1:443"
	redirects := freeAddress(t)
	start := time.Now()
	n := startNode(t,
		fmt.Sprintf("\thttp_port %s\n\tacme_ca %s\n\tacme_ca_root %s", portOf(t, redirects), directory, root),
		fmt.Sprintf(`localhost {
	tls {
		issuer acme {
			disable_http_challenge
		}
	}
	ephemeral_chat /chat/* {
%s
	}
}`, unlimited), listen)

	pem, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	trust := x509.NewCertPool()
	if !trust.AppendCertsFromPEM(pem) {
		t.Fatalf("no certificate in %s", pem)
	}
	config := &tls.Config{RootCAs: trust}
	a := newAPI(t, "https://localhost/chat")
	transport := &http.Transport{TLSClientConfig: config.Clone(), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	a.client.Transport = transport
	var chain []*x509.Certificate
	until(t, startTime, "the site has its certificate", func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.base+"/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := a.client.Do(request)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		chain = response.TLS.PeerCertificates
		return response.StatusCode == http.StatusOK
	})
	t.Logf("the certificate was there %s after the start", time.Since(start).Round(time.Millisecond))
	if issuer := chain[0].Issuer.CommonName; issuer != acmeIssuer {
		t.Errorf("the certificate is issued by %q", issuer)
	}
	stored, err := filepath.Glob(filepath.Join(n.dir, "data", "caddy", "certificates", "localhost-*-acme-local-directory", "localhost", "localhost.crt"))
	if err != nil || len(stored) != 1 {
		t.Errorf("certificates stored as ACME's: %q, %v", stored, err)
	}

	expectRedirect(t, "http://localhost:"+portOf(t, redirects)+"/chat/", "https://localhost/chat/")

	anna := a.create(t, 60)
	var ben member
	a.succeed(t, "/joinRoom", fields{"roomId": anna.RoomID, "username": "ben"}).decode(t, &ben)
	var sockets []*socket
	for _, m := range []member{anna, ben} {
		k, _, err := openSocket(t.Context(), "wss://localhost/chat/ws", nil, config.Clone())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(k.close)
		k.send(t, m.credentials("type", "join"))
		k.await(t, "welcome")
		sockets = append(sockets, k)
	}
	for i, k := range sockets {
		k.send(t, fields{"type": "message", "message": fmt.Sprint("hello from ", i)})
		for _, other := range sockets {
			other.awaitThat(t, "the message", func(f *frame) bool {
				return f.Type == "message" && f.Message == fmt.Sprint("hello from ", i)
			})
		}
	}
}

// expectRedirect fails the test unless the first address sends on to the second.
func expectRedirect(t *testing.T, from, to string) {
	t.Helper()
	client := &http.Client{
		Timeout:       waitTime,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, from, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if got := response.Header.Get("Location"); response.StatusCode/100 != 3 || got != to {
		t.Errorf("%s: status %d, Location %q, want %q", from, response.StatusCode, got, to)
	}
}
