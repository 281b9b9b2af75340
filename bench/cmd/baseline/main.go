// Command floor runs a chat server that does as little as one can, for comparison.
package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/bench/baseline"
)

func main() {
	mode := flag.String("mode", string(baseline.Direct), "how it writes: direct, batched or paced")
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	secure := flag.Bool("tls", false, "with a certificate that it makes itself")
	flag.Parse()
	if err := serve(baseline.Mode(*mode), *listen, *secure); !errors.Is(err, http.ErrServerClosed) {
		_, _ = fmt.Fprintf(os.Stderr, "floor: %v\n", err)
		os.Exit(1)
	}
}

// serve listens until the process is ended.
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
