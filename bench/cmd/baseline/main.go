// Command baseline runs a minimal chat server, to compare others with.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/baseline"
)

func main() {
	mode := flag.String("mode", string(baseline.Direct), "how to write: direct, batched or paced")
	listen := flag.String("listen", "127.0.0.1:8080", "`address` to listen on")
	secure := flag.Bool("tls", false, "serve HTTPS with a self-signed certificate")
	flag.Parse()
	_, _ = fmt.Fprintf(os.Stderr, "baseline: %v\n", serve(baseline.Mode(*mode), *listen, *secure))
	os.Exit(1)
}

// serve serves until the process is killed, so it returns only an error.
func serve(mode baseline.Mode, listen string, secure bool) error {
	handler, err := baseline.New(mode)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: listen, Handler: handler, ReadHeaderTimeout: time.Minute}
	if !secure {
		return server.ListenAndServe()
	}
	certificate, err := baseline.Certificate()
	if err != nil {
		return err
	}
	server.TLSConfig = &tls.Config{
		Certificates: []tls.Certificate{certificate},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
	}
	return server.ListenAndServeTLS("", "")
}
