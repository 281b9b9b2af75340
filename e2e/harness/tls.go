package harness

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// HTTPSOptions returns the global options for a site on https://localhost with the
// port of an address.
func HTTPSOptions(t *testing.T, address string) string {
	t.Helper()
	return fmt.Sprintf("\thttps_port %s\n\tauto_https disable_redirects", PortOf(t, address))
}

// RootFile returns the file of the root certificate of Caddy's own authority
// (tls internal, acme_server), and waits until it is there.
func (n *Node) RootFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(n.Dir, "data", "caddy", "pki", "authorities", "local", "root.crt")
	Until(t, StartTime, "the authority has a root certificate", func() bool {
		_, err := os.Stat(file)
		return err == nil
	})
	return file
}

// Trust returns a configuration that trusts the certificates in files only.
func Trust(t *testing.T, files ...string) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	for _, file := range files {
		pem, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			t.Fatalf("no certificate in %s", pem)
		}
	}
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

// UseTLS makes a client use a TLS configuration, and waits until the site has its
// certificate. It returns the chain.
func (a *API) UseTLS(t *testing.T, trust *tls.Config) (chain []*x509.Certificate) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: trust.Clone(), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	a.Client.Transport = transport
	Until(t, StartTime, "the site has its certificate", func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.Base+"/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := a.Client.Do(request)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		chain = response.TLS.PeerCertificates
		return response.StatusCode == http.StatusOK
	})
	return chain
}

// TLSSite starts two nodes with one Redis, each with a certificate of its own
// authority. It returns what to trust, and the files of the two root certificates.
func TLSSite(t *testing.T) (s *Site, trust *tls.Config, roots []string) {
	t.Helper()
	server := StartRedis(t)
	s = &Site{Redis: server}
	for range 2 {
		address := FreeAddress(t)
		origin := "https://localhost:" + PortOf(t, address)
		n := StartNode(t, HTTPSOptions(t, address),
			fmt.Sprintf("%s {\n\ttls internal\n\tephemeral_chat /chat/* {\n\t\tredis %s\n%s\n}\n}", origin, server.Addr(), Unlimited), address)
		roots = append(roots, n.RootFile(t))
		s.Add(t, n, origin+"/chat")
	}
	trust = Trust(t, roots...)
	for _, a := range s.APIs {
		a.UseTLS(t, trust)
	}
	return s, trust, roots
}
