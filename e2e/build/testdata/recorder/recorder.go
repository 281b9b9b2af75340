// Package recorder is a handler of events that writes them to a file. The tests build it
// into Caddy with xcaddy.
package recorder

import (
	"context"
	"encoding/json"
	"os"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
)

func init() { caddy.RegisterModule(Recorder{}) }

// Recorder appends each event to a file, as a line of JSON.
type Recorder struct {
	// The file.
	File string `json:"file,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Recorder) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.recorder", New: func() caddy.Module { return new(Recorder) }}
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens: recorder <file>.
func (r *Recorder) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.AllArgs(&r.File) {
		return d.ArgErr()
	}
	return nil
}

// Handle writes the event.
func (r *Recorder) Handle(_ context.Context, e caddy.Event) error {
	line, err := json.Marshal(map[string]any{"name": e.Name(), "data": e.Data})
	if err != nil {
		return err
	}
	file, err := os.OpenFile(r.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(append(line, '\n')); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

// Interface guards
var (
	_ caddyevents.Handler   = (*Recorder)(nil)
	_ caddyfile.Unmarshaler = (*Recorder)(nil)
)
