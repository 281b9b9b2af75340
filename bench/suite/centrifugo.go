package suite

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/baseline"
)

// centrifugoConfig gives channels the features of our rooms: a history of 1,000
// numbered messages, and recovery from it. Clients need not authenticate.
const centrifugoConfig = `{
	"http_server": {"address": %[1]q, "port": %[2]s, "tls": {"enabled": %[3]t, "cert_pem": "cert.pem", "key_pem": "key.pem"}},
	"engine": {"type": %[4]q, "redis": {"address": %[5]q}},
	"log": {"level": "error"},
	"usage_stats": {"disabled": true},
	"debug": {"enabled": true},
	"client": {"insecure": true, "allowed_origins": ["*"]},
	"channel": {"without_namespace": {
		"history_size": 1000, "history_ttl": "1h", "force_recovery": true,
		"allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true,
		"allow_publish_for_client": true, "allow_publish_for_anonymous": true
	}}
}
`

// startCentrifugo starts Centrifugo with its engine in memory or in Redis.
func startCentrifugo(engine string) func(context.Context, *server) error {
	return func(ctx context.Context, s *server) error {
		listen, err := freeAddress()
		if err != nil {
			return err
		}
		redis := ""
		if engine == "redis" {
			if redis, err = s.runRedis(ctx); err != nil {
				return err
			}
		}
		if err := writeCertificate(s.dir); err != nil {
			return err
		}
		host, port, _ := net.SplitHostPort(listen)
		config := fmt.Sprintf(centrifugoConfig, host, port, s.tls, engine, "redis://"+redis)
		file := filepath.Join(s.dir, "config.json")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			return err
		}
		return s.runSite(ctx, "centrifugo", listen, s.url(listen), s.program("centrifugo"), "--config", file)
	}
}

// writeCertificate writes the files cert.pem and key.pem.
func writeCertificate(dir string) error {
	certificate, err := baseline.Certificate()
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: certificate.Certificate[0]},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}
