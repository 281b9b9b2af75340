package ephemeralchat

import (
	"cmp"
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
func (h *Handler) unmarshalOption(d *caddyfile.Dispenser, name string, given map[string]bool) error {
	if i := slices.IndexFunc(options, func(o option) bool { return o.name == name }); i >= 0 {
		return options[i].unmarshal(h, d)
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
		return unmarshalValue(d, nil, &h.DisablePage, func(text string) (bool, error) {
			on, err := parseSwitch(text)
			return !on, err
		})
	case "extended_connect":
		return unmarshalValue(d, nil, &h.ExtendedConnect, parseSwitch)
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
	secret := func(target *string) error {
		name := d.Val()
		if err := unmarshalSecret(d, target); err != nil || *target != "" {
			return err
		}
		return d.Errf("%s is empty; remove it for a room without one", name)
	}
	checkTTL := checkRange("ttl", second, maxLifetime, second)
	err := unmarshalBlock(d, "room", map[string]func() error{
		"ttl":            func() error { return unmarshalValue(d, checkTTL, &r.TTL, parseDuration) },
		"password":       func() error { return secret(&r.Password) },
		"admin_password": func() error { return secret(&r.AdminPassword) },
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

// unmarshalBlock parses a block of options. Each option has a function that parses it and
// may be given once. Errors begin with owner, the option that has the block.
func unmarshalBlock(d *caddyfile.Dispenser, owner string, options map[string]func() error) error {
	given := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		unmarshal := options[name]
		if unmarshal == nil {
			return d.Errf("%s: unknown option %q", owner, name)
		}
		if given[name] {
			return d.Errf("%s: %s is given twice", owner, name)
		}
		given[name] = true
		err := unmarshal()
		if err == nil {
			err = noBlock(d)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", owner, err)
		}
	}
	return nil
}

// unmarshalSecret parses an option that has one argument. Its error does not quote the
// argument, as that of ArgErr would.
func unmarshalSecret(d *caddyfile.Dispenser, target *string) error {
	name := d.Val()
	if !d.AllArgs(target) {
		return d.Errf("%s takes one value", name)
	}
	return nil
}

// unmarshalValue parses an option that has one argument. check may be nil.
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
	if check != nil {
		if err := check(value); err != nil {
			return d.WrapErr(err)
		}
	}
	*target = value
	return noBlock(d)
}

func unmarshalRate(d *caddyfile.Dispenser, target **Rate) error {
	name, args := d.Val(), d.RemainingArgs()
	if len(args) == 1 && args[0] == "off" {
		*target = &Rate{Off: true}
		return noBlock(d)
	}
	if len(args) != 2 {
		return d.Errf("%s takes a count and a window, or off", name)
	}
	count, countErr := parseCount(args[0])
	window, windowErr := parseDuration(args[1])
	*target = &Rate{Count: count, Window: window}
	if err := cmp.Or(countErr, windowErr, (*target).check()); err != nil {
		return d.Errf("%s: %w", name, err)
	}
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

func parseSwitch(text string) (on bool, err error) {
	if text != "on" && text != "off" {
		return false, fmt.Errorf("on or off is expected, not %q", text)
	}
	return text == "on", nil
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
