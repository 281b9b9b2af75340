package suite

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/baseline"
)

// startCentrifugo starts Centrifugo with its engine in memory or in Redis. Its
// channels have the features of our rooms: a history of 1,000 numbered messages, and
// recovery from it. Clients need not authenticate.
func startCentrifugo(redis bool) func(context.Context, *server) error {
	return func(ctx context.Context, s *server) error {
		listen, err := freeAddress()
		if err != nil {
			return err
		}
		host, port, err := net.SplitHostPort(listen)
		if err != nil {
			return err
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			return err
		}
		httpServer := map[string]any{"address": host, "port": number}
		if s.tls {
			if httpServer["tls"], err = centrifugoTLS(s.dir); err != nil {
				return err
			}
		}
		engine := map[string]any{"type": "memory"}
		if redis {
			address, err := s.runRedis(ctx)
			if err != nil {
				return err
			}
			engine = map[string]any{"type": "redis", "redis": map[string]any{"address": "redis://" + address}}
		}
		config, err := json.Marshal(map[string]any{
			"http_server": httpServer,
			"engine":      engine,
			"log":         map[string]any{"level": "error"},
			"usage_stats": map[string]any{"disabled": true},
			"debug":       map[string]any{"enabled": true},
			"client":      map[string]any{"insecure": true, "allowed_origins": []string{"*"}},
			"channel": map[string]any{"without_namespace": map[string]any{
				"history_size": 1000, "history_ttl": "1h", "force_recovery": true,
				"allow_subscribe_for_client": true, "allow_subscribe_for_anonymous": true,
				"allow_publish_for_client": true, "allow_publish_for_anonymous": true,
			}},
		})
		if err != nil {
			return err
		}
		file := filepath.Join(s.dir, "config.json")
		if err := os.WriteFile(file, config, 0o600); err != nil {
			return err
		}
		return s.runSite(ctx, "centrifugo", listen, s.url(listen), s.programs.Centrifugo, "--config", file)
	}
}

// centrifugoTLS returns the settings of TLS, and writes a certificate to files.
func centrifugoTLS(dir string) (map[string]any, error) {
	certificate, err := baseline.Certificate()
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		return nil, err
	}
	settings := map[string]any{"enabled": true}
	for name, block := range map[string]*pem.Block{
		"cert_pem": {Type: "CERTIFICATE", Bytes: certificate.Certificate[0]},
		"key_pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, err
		}
		settings[name] = file
	}
	return settings, nil
}
