package ephemeralchat

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/dustin/go-humanize"

	"github.com/ephemeralchat/caddy-ephemeral-chat/api"
)

const directive = "ephemeral_chat"

func init() {
	httpcaddyfile.RegisterDirective(directive, parseDirective)
	// Before handlers that answer all requests, and after those that change requests or
	// wrap responses.
	httpcaddyfile.RegisterDirectiveOrder(directive, httpcaddyfile.After, "encode")
	httpcaddyfile.RegisterGlobalOption(directive, parseDefaults)
}

// parseDirective returns the route of the directive. A path matcher of the directive is
// its mount point as well.
func parseDirective(helper httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !helper.Next() {
		return nil, helper.ArgErr()
	}
	handler := new(Handler)
	if defaults, ok := helper.Option(directive).(*Handler); ok {
		*handler = *defaults
		handler.Origins = slices.Clone(defaults.Origins)
	}
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

// parseDefaults parses the global option, which has the options of the directive but
// for room. They apply to each site that does not set them. Syntax:
//
//	{
//	    ephemeral_chat {
//	        <options>
//	    }
//	}
func parseDefaults(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		return nil, d.Errf("%s is given twice", directive)
	}
	defaults := new(Handler)
	if err := defaults.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	if len(defaults.Rooms) > 0 {
		return nil, d.Errf("%s: a room belongs to a site; move it to the directive", directive)
	}
	return defaults, nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	ephemeral_chat [<matcher>] {
//	    redis         [<address>...] { ... }
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
//	    flush_interval <duration> | off
//	}
//
// A path matcher must end in /* and is where the chat is mounted: the part before the
// asterisk is stripped from the path of a request for this handler, and the mount point
// without its slash redirects to the page. Other matchers only select requests.
//
// redis is short for "store redis", whose whole syntax is that of RedisStore. Without
// either, rooms are kept in memory. room may be given any number of times. An option
// that is not given has the value of the global option of the same name.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.ArgErr()
	}
	given := make(map[string]bool)
	for d.NextBlock(0) {
		name := d.Val()
		if given[name] && name != "room" {
			return d.Errf("%s is given twice", name)
		}
		given[name] = true
		if given["redis"] && given["store"] {
			return d.Err("only one store can be used: redis and store exclude each other")
		}
		if err := h.unmarshalOption(d, name, given); err != nil {
			return err
		}
		// Here the error has the line of the second of two options.
		if err := h.checkTogether(); err != nil {
			return d.WrapErr(err)
		}
	}
	return h.checkWithDefaults(d)
}

// checkWithDefaults returns an error if options contradict defaults. All of them must
// have been read for that, so the error has the line of the directive.
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

// unmarshalOption parses the option whose name is the current token. given has the
// names of the options so far.
func (h *Handler) unmarshalOption(d *caddyfile.Dispenser, name string, given map[string]bool) (err error) {
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
	case "redis", "store":
		if name == "store" && !d.NextArg() {
			return d.ArgErr()
		}
		return h.unmarshalStore(d, given["max_rooms"])
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
		h.ExtendedConnect, err = unmarshalSwitch(d)
		return err
	case "flush_interval":
		return unmarshalValue(d, checkFlushInterval, &h.FlushInterval, parseFlushInterval)
	}
	return d.Errf("unknown option %q of %s", name, directive)
}

// unmarshalStore parses a store, whose name is the current token. It replaces the store
// of the global option, and the max_rooms that belongs to it unless the site has its
// own.
func (h *Handler) unmarshalStore(d *caddyfile.Dispenser, keepMaxRooms bool) error {
	if !keepMaxRooms {
		h.MaxRooms = 0
	}
	name := d.Val()
	id := storeNamespace + "." + name
	if _, err := caddy.GetModule(id); err != nil {
		return d.Errf("unknown store %q: module %s is not compiled in; build Caddy with it or use redis or memory", name, id)
	}
	module, err := caddyfile.UnmarshalModule(d, id)
	if err != nil {
		return err
	}
	store, ok := module.(Store)
	if !ok {
		return d.Errf("store %q: module %s does not implement Store", name, id)
	}
	h.store = store
	h.StoreRaw = caddyconfig.JSONModuleObject(store, "store", name, nil)
	return nil
}

// unmarshalRoom parses a declared room, whose option is the current token. Syntax:
//
//	room <id> <name> {
//	    ttl            <duration>
//	    password       <password>
//	    admin_password <password>
//	}
//
// Errors do not quote passwords.
func (h *Handler) unmarshalRoom(d *caddyfile.Dispenser) error {
	var r DeclaredRoom
	if !d.AllArgs(&r.ID, &r.Name) {
		return d.Err("room takes an id and a name; quote a name that has spaces")
	}
	ttl := option[caddy.Duration]{name: "room: ttl", min: second, max: maxLifetime, unit: second}
	secrets := map[string]*string{"password": &r.Password, "admin_password": &r.AdminPassword}
	err := unmarshalBlock(d, "room", func(name string) error {
		secret := secrets[name]
		if name == "ttl" {
			return unmarshalValue(d, ttl.check, &r.TTL, parseDuration)
		}
		if secret == nil {
			return d.Errf("room: unknown option %q", name)
		}
		if err := unmarshalSecret(d, "room", secret); err != nil {
			return err
		}
		if *secret == "" {
			return d.Errf("room: %s is empty; remove it for a room without one", name)
		}
		return nil
	})
	h.Rooms = append(h.Rooms, r)
	return err
}

func (h *Handler) unmarshalOrigins(d *caddyfile.Dispenser) error {
	h.Origins = d.RemainingArgs()
	if len(h.Origins) == 0 {
		return d.ArgErr()
	}
	if _, err := api.ParseOrigins(h.Origins); err != nil {
		return d.WrapErr(err)
	}
	return noBlock(d)
}

// unmarshalBlock parses a block of options, each of which may be given once. The errors
// begin with the name of the option that has the block.
func unmarshalBlock(d *caddyfile.Dispenser, owner string, unmarshal func(name string) error) error {
	given := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		if given[name] {
			return d.Errf("%s: %s is given twice", owner, name)
		}
		given[name] = true
		if err := unmarshal(name); err != nil {
			return err
		}
	}
	return nil
}

// unmarshalSecret parses an option that has one argument. Its errors do not quote the
// argument, as those of ArgErr do.
func unmarshalSecret(d *caddyfile.Dispenser, owner string, target *string) error {
	name := d.Val()
	if !d.AllArgs(target) {
		return d.Errf("%s: %s takes one value", owner, name)
	}
	return noBlock(d)
}

// unmarshalSwitch parses an option that is on or off.
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

// unmarshalValue parses an option that has one argument.
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
	if err != nil {
		return 0, fmt.Errorf("%w; a duration such as 90m or 1d is expected", err)
	}
	return caddy.Duration(duration), nil
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
		return 0, fmt.Errorf("a whole number is expected, not %q", text)
	}
	return count, nil
}

func parseSize(text string) (int, error) {
	size, err := humanize.ParseBytes(text)
	if err != nil || size > math.MaxInt32 {
		return 0, fmt.Errorf("a size such as 4KiB is expected, not %q", text)
	}
	return int(size), nil
}

// noBlock returns an error if the option has a block.
func noBlock(d *caddyfile.Dispenser) error {
	if d.NextBlock(d.Nesting()) {
		return d.Errf("unexpected block: %q", d.Val())
	}
	return nil
}

// Interface guards
var _ caddyfile.Unmarshaler = (*Handler)(nil)
