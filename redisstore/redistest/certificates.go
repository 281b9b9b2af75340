package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// ServerName is a name that the certificate is for, besides 127.0.0.1.
const ServerName = "redis.test"

// Certificates are the files of an authority and of a certificate by it, in PEM.
// Servers and clients present the same.
type Certificates struct {
	CA, Certificate, Key string
	config               *tls.Config
}

// NewCertificates makes certificates that are valid for an hour. They go with the
// test.
func NewCertificates(tb testing.TB) *Certificates {
	tb.Helper()
	directory := tb.TempDir()
	write := func(name, kind string, content []byte) string {
		file := filepath.Join(directory, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			tb.Fatal(err)
		}
		return file
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootKey, rootDER := issue(tb, root, root, nil)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "redis"},
		DNSNames: []string{ServerName}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	leafKey, leafDER := issue(tb, leaf, root, rootKey)
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		tb.Fatal(err)
	}
	c := &Certificates{
		CA:          write("ca.pem", "CERTIFICATE", rootDER),
		Certificate: write("cert.pem", "CERTIFICATE", leafDER),
		Key:         write("key.pem", "PRIVATE KEY", keyDER),
	}
	pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
	if err != nil {
		tb.Fatal(err)
	}
	authorities := x509.NewCertPool()
	authority, err := x509.ParseCertificate(rootDER)
	if err != nil {
		tb.Fatal(err)
	}
	authorities.AddCert(authority)
	c.config = &tls.Config{RootCAs: authorities, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	return c
}

func issue(tb testing.TB, template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	if signer == nil {
		signer = private
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &private.PublicKey, signer)
	if err != nil {
		tb.Fatal(err)
	}
	return private, der
}

// Config is the configuration of a client; nil for nil.
func (c *Certificates) Config() *tls.Config {
	if c == nil {
		return nil
	}
	return c.config.Clone()
}

// arguments makes a server encrypt everything, and let in only who presents a
// certificate by the same authority.
func (c *Certificates) arguments() []string {
	if c == nil {
		return nil
	}
	return []string{
		"--tls-cert-file", c.Certificate, "--tls-key-file", c.Key, "--tls-ca-cert-file", c.CA,
		"--tls-replication", "yes",
	}
}
