package redisserver

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
	"time"
)

// ServerName is the DNS name in the certificate, besides 127.0.0.1.
const ServerName = "redis.test"

// Certificates are the PEM files of an authority and of a certificate that it signed.
// Servers and clients present the same certificate.
type Certificates struct {
	CA, Certificate, Key string
	config               *tls.Config
}

// NewCertificates writes certificates that are valid for an hour to a directory.
func NewCertificates(dir string) (*Certificates, error) {
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootKey, rootDER, err := issue(root, root, nil)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "redis"},
		DNSNames: []string{ServerName}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	leafKey, leafDER, err := issue(leaf, root, rootKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		return nil, err
	}
	c := &Certificates{
		CA: filepath.Join(dir, "ca.pem"), Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"),
	}
	for _, file := range []struct {
		path, kind string
		content    []byte
	}{{c.CA, "CERTIFICATE", rootDER}, {c.Certificate, "CERTIFICATE", leafDER}, {c.Key, "PRIVATE KEY", keyDER}} {
		if err := os.WriteFile(file.path, pem.EncodeToMemory(&pem.Block{Type: file.kind, Bytes: file.content}), 0o600); err != nil {
			return nil, err
		}
	}
	authority, err := x509.ParseCertificate(rootDER)
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	authorities.AddCert(authority)
	pair := tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}
	c.config = &tls.Config{RootCAs: authorities, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	return c, nil
}

// issue returns a new key and the certificate for it, self-signed if signer is nil.
func issue(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if signer == nil {
		signer = private
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &private.PublicKey, signer)
	return private, der, err
}

// Config returns the configuration of a client; nil for nil.
func (c *Certificates) Config() *tls.Config {
	if c == nil {
		return nil
	}
	return c.config.Clone()
}

// arguments makes a server encrypt everything, and accept only clients with a
// certificate of the same authority.
func (c *Certificates) arguments() []string {
	if c == nil {
		return nil
	}
	return []string{
		"--tls-cert-file", c.Certificate, "--tls-key-file", c.Key, "--tls-ca-cert-file", c.CA,
		"--tls-replication", "yes",
	}
}
