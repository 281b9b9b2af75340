package ephemeralchat

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/dustin/go-humanize"
)

const directive = "ephemeral_chat"

func init() {
	httpcaddyfile.RegisterDirective(directive, parseDirective)
	// Before handlers that answer everything, and behind those that change
	// requests or wrap responses.
	httpcaddyfile.RegisterDirectiveOrder(directive, httpcaddyfile.After, "encode")
}

// parseDirective makes a route of the directive. Its own path matcher also says
// where the chat is mounted.
func parseDirective(helper httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !helper.Next() {
		return nil, helper.ArgErr()
	}
	handler := defaultsOf(helper)
	if helper.NextArg() {
		if pattern := helper.Val(); strings.HasPrefix(pattern, "/") {
			prefix, err := prefixOfMatcher(pattern)
			if err != nil {
				return nil, helper.WrapErr(err)
			}
			handler.PathPrefix = prefix
		}
		helper.Prev()
	}
	matchers, err := helper.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	if handler.PathPrefix != "" {
		// The mount point without its slash leads to the page as well.
		matchers["path"] = caddyconfig.JSON(caddyhttp.MatchPath{handler.PathPrefix, handler.PathPrefix + "/*"}, nil)
	}
	if err := handler.UnmarshalCaddyfile(helper.Dispenser); err != nil {
		return nil, err
	}
	return helper.NewRoute(matchers, handler), nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	ephemeral_chat [<matcher>] {
//	    redis         [<address>] {
//	        username   <name>
//	        password   <password>
//	        db         <number>
//	        key_prefix <prefix>
//	        tls {
//	            ca                   <file>...
//	            certificate          <file> <key file>
//	            server_name          <name>
//	            insecure_skip_verify
//	        }
//	    }
//	    store         <name> [<arguments>...] { ... }
//	    ttl           <duration>
//	    max_ttl       <duration>
//	    lobby         <duration>
//	    history       <count>
//	    max_message   <size>
//	    max_members   <count>
//	    max_rooms     <count>
//	    room          <id> <name> {
//	        ttl            <duration>
//	        password       <password>
//	        admin_password <password>
//	    }
//	    message_rate  <count> <window> | off
//	    join_rate     <count> <window> | off
//	    create_rate   <count> <window> | off
//	    password_rate <count> <window> | off
//	    room_password_rate <count> <window> | off
//	    max_connections <count>
//	    origins       <origin>...
//	    user          <placeholder>
//	    page          on | off
//	    extended_connect on | off
//	    ping_interval <duration>
//	    flush_interval <duration>|off
//	}
//
// A path matcher, which must end in /*, is where the chat is mounted: the part
// before the asterisk is taken off the path of a request for this handler, and
// the mount point without its slash is redirected to the page. Other matchers
// only choose requests.
//
// redis is short for "store redis". Without either, rooms are kept in memory. room
// may be given any number of times. What is not given is as the global option of the
// same name says.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.ArgErr()
	}
	seen := make(map[string]bool)
	for d.NextBlock(0) {
		name := d.Val()
		if seen[name] && name != "room" {
			return d.Errf("%s is given twice", name)
		}
		seen[name] = true
		if name == "redis" || name == "store" {
			if seen["redis"] && seen["store"] {
				return d.Err("only one store can be used: redis and store exclude each other")
			}
			h.forgetStore(seen)
		}
		if err := h.unmarshalOption(d, name); err != nil {
			return err
		}
		// Here, because now the line is that of one of the two.
		if err := h.checkTogether(); err != nil {
			return d.WrapErr(err)
		}
	}
	return h.checkWithDefaults(d)
}

// checkWithDefaults reports options that contradict defaults, which is known
// only when all of them have been read, at the line of the directive.
func (h *Handler) checkWithDefaults(d *caddyfile.Dispenser) error {
	complete := *h
	if complete.store == nil {
		complete.store = new(MemoryStore)
	}
	complete.setDefaults()
	if err := complete.Validate(); err != nil {
		d.Reset()
		d.Next()
		return d.WrapErr(err)
	}
	return nil
}

// unmarshalOption reads the option whose name is the current token.
func (h *Handler) unmarshalOption(d *caddyfile.Dispenser, name string) error {
	for _, o := range durationOptions {
		if o.name == name {
			return unmarshalValue(d, o.check, o.value(h), parseDuration)
		}
	}
	for _, o := range countOptions {
		if o.name == name {
			parse := parseCount
			if name == "max_message" {
				parse = parseSize
			}
			return unmarshalValue(d, o.check, o.value(h), parse)
		}
	}
	for _, o := range rateOptions {
		if o.name == name {
			return unmarshalRate(d, o.value(h))
		}
	}
	switch name {
	case "redis":
		return h.unmarshalStore(d)
	case "store":
		if !d.NextArg() {
			return d.ArgErr()
		}
		return h.unmarshalStore(d)
	case "room":
		return h.unmarshalRoom(d)
	case "origins":
		return h.unmarshalOrigins(d)
	case "user":
		return unmarshalValue(d, checkUser, &h.User, func(text string) (string, error) { return text, nil })
	case "page":
		on, err := unmarshalSwitch(d)
		h.DisablePage = !on
		return err
	case "extended_connect":
		var err error
		h.ExtendedConnect, err = unmarshalSwitch(d)
		return err
	case "flush_interval":
		return unmarshalValue(d, checkFlushInterval, &h.FlushInterval, parseFlushInterval)
	}
	return d.Errf("unknown option %q of %s", name, directive)
}

// unmarshalStore reads a store, whose name is the current token.
func (h *Handler) unmarshalStore(d *caddyfile.Dispenser) error {
	name := d.Val()
	id := storeNamespace + "." + name
	if _, err := caddy.GetModule(id); err != nil {
		return d.Errf("there is no store %q (no module %s is compiled in)", name, id)
	}
	module, err := caddyfile.UnmarshalModule(d, id)
	if err != nil {
		return err
	}
	store, ok := module.(Store)
	if !ok {
		return d.Errf("module %s is not a store; is %T", id, module)
	}
	h.store = store
	h.StoreRaw = caddyconfig.JSONModuleObject(store, "store", name, nil)
	return nil
}

func (h *Handler) unmarshalOrigins(d *caddyfile.Dispenser) error {
	h.Origins = nil
	for d.NextArg() {
		if _, err := parseOrigin(d.Val()); err != nil {
			return d.WrapErr(err)
		}
		h.Origins = append(h.Origins, d.Val())
	}
	if len(h.Origins) == 0 {
		return d.ArgErr()
	}
	return noBlock(d)
}

// unmarshalSwitch reads an option that is on or off.
func unmarshalSwitch(d *caddyfile.Dispenser) (on bool, err error) {
	name := d.Val()
	var value string
	if !d.AllArgs(&value) {
		return false, d.ArgErr()
	}
	if value != "on" && value != "off" {
		return false, d.Errf("%s is on or off, not %q", name, value)
	}
	return value == "on", noBlock(d)
}

// unmarshalValue reads an option that has one argument.
func unmarshalValue[T any](d *caddyfile.Dispenser, check func(T) error, target *T, parse func(string) (T, error)) error {
	name := d.Val()
	var text string
	if !d.AllArgs(&text) {
		return d.ArgErr()
	}
	value, err := parse(text)
	if err != nil {
		return d.Errf("%s: %w", name, err)
	}
	if err := check(value); err != nil {
		return d.WrapErr(err)
	}
	*target = value
	return noBlock(d)
}

func unmarshalRate(d *caddyfile.Dispenser, target **Rate) error {
	name, args := d.Val(), d.RemainingArgs()
	rate := new(Rate)
	switch {
	case len(args) == 1 && args[0] == "off":
		rate.Off = true
	case len(args) == 2:
		count, err := parseCount(args[0])
		if err != nil {
			return d.Errf("%s: %w", name, err)
		}
		window, err := parseDuration(args[1])
		if err != nil {
			return d.Errf("%s: %w", name, err)
		}
		rate.Count, rate.Window = count, window
	default:
		return d.Errf("%s takes a count and a window, or off", name)
	}
	if err := rate.check(); err != nil {
		return d.Errf("%s: %w", name, err)
	}
	*target = rate
	return noBlock(d)
}

func parseDuration(text string) (caddy.Duration, error) {
	duration, err := caddy.ParseDuration(text)
	return caddy.Duration(duration), err
}

func parseFlushInterval(text string) (caddy.Duration, error) {
	if text == "off" {
		return noFlushInterval, nil
	}
	return parseDuration(text)
}

func parseCount(text string) (int, error) {
	count, err := strconv.Atoi(text)
	if err != nil {
		return 0, errors.New("a whole number is expected, not " + strconv.Quote(text))
	}
	return count, nil
}

func parseSize(text string) (int, error) {
	size, err := humanize.ParseBytes(text)
	if err != nil || size > math.MaxInt32 {
		return 0, errors.New("a size such as 4KiB is expected, not " + strconv.Quote(text))
	}
	return int(size), nil
}

// noBlock reports a block where none belongs.
func noBlock(d *caddyfile.Dispenser) error {
	if d.NextBlock(d.Nesting()) {
		return d.Errf("unexpected block: %q", d.Val())
	}
	return nil
}

// Interface guards
var _ caddyfile.Unmarshaler = (*Handler)(nil)
