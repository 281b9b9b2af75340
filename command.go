package ephemeralchat

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "ephemeral-chat",
		Usage: "[--listen <address>] [--domain <name>] [--redis <address>] [--ttl <duration>] [--access-log] [--debug]",
		Short: "Serves chat rooms that vanish",
		Long: `
Serves a page to create chat rooms and talk in them, without a configuration
file. Rooms are kept in memory and end with the process, or in Redis if an address
is given.

With --domain, the site is served under that name over HTTPS. Caddy obtains and
renews the certificate; the name must resolve to this machine, and ports 80 and 443
must be reachable. Without it, plain HTTP is served on port 8080 or at --listen.`,
		Flags: commandFlags(),
		Func:  runCommand,
	})
}

func commandFlags() *flag.FlagSet {
	flags := flag.NewFlagSet("ephemeral-chat", flag.ContinueOnError)
	flags.String("listen", "", "The address to listen on")
	flags.String("domain", "", "The domain name to serve under, over HTTPS")
	flags.String("redis", "", "The address or URL of Redis, to keep the rooms in")
	flags.String("ttl", "", "The lifetime of a room unless its creator chooses another (default 1h)")
	flags.Bool("access-log", false, "Log requests")
	flags.Bool("debug", false, "Log more")
	return flags
}

// runCommand serves until a signal ends the process.
func runCommand(flags caddycmd.Flags) (int, error) {
	caddy.TrapSignals()
	domain, listen := flags.String("domain"), flags.String("listen")
	if domain == "" && listen == "" {
		listen = ":8080" // a port that needs no privileges
	}
	handler, err := commandHandler(flags.String("redis"), flags.String("ttl"))
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	config := commandConfig(handler, domain, listen, flags.Bool("access-log"))
	if flags.Bool("debug") {
		config.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{
			caddy.DefaultLoggerName: {BaseLog: caddy.BaseLog{Level: zap.DebugLevel.CapitalString()}},
		}}
	}
	if err := caddy.Run(config); err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	_, _ = fmt.Fprintf(os.Stdout, "Chat rooms are served at %s\n", commandURL(domain, listen))
	select {} // the trapped signals end the process
}

// commandHandler returns the configuration of the chat.
func commandHandler(redis, ttl string) (*Handler, error) {
	handler := new(Handler)
	if redis != "" {
		store := &RedisStore{Addresses: []string{redis}}
		if err := store.checkLiteral(); err != nil {
			return nil, fmt.Errorf("--redis: %w", err)
		}
		handler.StoreRaw = caddyconfig.JSONModuleObject(store, "store", "redis", nil)
	}
	if ttl != "" {
		duration, err := caddy.ParseDuration(ttl)
		if err != nil {
			return nil, fmt.Errorf("--ttl: %w", err)
		}
		if duration <= 0 {
			return nil, fmt.Errorf("--ttl must be positive, not %s", ttl)
		}
		handler.TTL = caddy.Duration(duration)
		handler.MaxTTL = max(handler.TTL, defaultMaxTTL)
	}
	return handler, nil
}

// commandConfig returns the configuration of Caddy: one server with the chat at its
// root. For a domain, Caddy's automatic HTTPS adds the rest.
func commandConfig(handler *Handler, domain, listen string, accessLog bool) *caddy.Config {
	route := caddyhttp.Route{HandlersRaw: []json.RawMessage{
		caddyconfig.JSONModuleObject(handler, "handler", directive, nil),
	}}
	if domain != "" {
		route.MatcherSetsRaw = caddyhttp.RawMatcherSets{{"host": caddyconfig.JSON(caddyhttp.MatchHost{domain}, nil)}}
		listen = cmp.Or(listen, ":"+strconv.Itoa(caddyhttp.DefaultHTTPSPort))
	}
	server := &caddyhttp.Server{
		Listen:            []string{listen},
		ReadHeaderTimeout: caddy.Duration(10 * time.Second),
		IdleTimeout:       caddy.Duration(2 * time.Minute),
		Routes:            caddyhttp.RouteList{route},
	}
	if accessLog {
		server.Logs = new(caddyhttp.ServerLogConfig)
	}
	app := caddyhttp.App{Servers: map[string]*caddyhttp.Server{"chat": server}}
	return &caddy.Config{
		Admin:   &caddy.AdminConfig{Disabled: true, Config: &caddy.ConfigSettings{Persist: new(false)}},
		AppsRaw: caddy.ModuleMap{"http": caddyconfig.JSON(app, nil)},
	}
}

// commandURL returns the URL of the page.
func commandURL(domain, listen string) string {
	if domain != "" {
		if _, port, err := net.SplitHostPort(listen); err == nil && port != strconv.Itoa(caddyhttp.DefaultHTTPSPort) {
			domain = net.JoinHostPort(domain, port)
		}
		return "https://" + domain + "/"
	}
	address := listen
	if host, port, err := net.SplitHostPort(listen); err == nil {
		if host == "" || host == "0.0.0.0" || host == "::" {
			host = "localhost"
		}
		address = net.JoinHostPort(host, port)
	}
	return "http://" + strings.TrimSuffix(address, ":80") + "/"
}
