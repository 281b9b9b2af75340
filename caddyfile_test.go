package ephemeralchat_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	ephemeralchat "github.com/ephemeralchat/caddy-ephemeral-chat"
	"github.com/ephemeralchat/caddy-ephemeral-chat/api/apitest"
)

var update = flag.Bool("update", false, "write what is adapted into testdata/caddyfile")

// TestCaddyfile adapts each file of testdata/caddyfile: a Caddyfile, a line of
// hyphens, and the expected JSON. It provisions each as well.
func TestCaddyfile(t *testing.T) {
	files, err := filepath.Glob("testdata/caddyfile/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	t.Setenv("CHAT_REDIS", "redis://localhost:6379")
	t.Setenv("CHAT_PASSWORD", "tea")
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			caddyfile, want, _ := strings.Cut(string(content), "----------\n")
			config, warnings, err := adapt(caddyfile)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("adapting: %v, warnings %v", err, warnings)
			}
			var indented bytes.Buffer
			if err := json.Indent(&indented, config, "", "\t"); err != nil {
				t.Fatal(err)
			}
			indented.WriteByte('\n')
			if *update {
				content = []byte(caddyfile + "----------\n" + indented.String())
				if err := os.WriteFile(file, content, 0o600); err != nil {
					t.Fatal(err)
				}
			} else if indented.String() != want {
				t.Errorf("adapted to\n%s\nwant\n%s", indented.String(), want)
			}
			if err := provision(config); err != nil {
				t.Errorf("provisioning: %v", err)
			}
		})
	}
}

// provision loads a configuration but does not start it.
func provision(config []byte) error {
	var parsed caddy.Config
	if err := json.Unmarshal(config, &parsed); err != nil {
		return err
	}
	off := false
	parsed.Admin = &caddy.AdminConfig{Disabled: true, Config: &caddy.ConfigSettings{Persist: &off}}
	return caddy.Validate(&parsed)
}

// TestRefusedCaddyfiles checks that the parser finds mistakes and reports their line.
func TestRefusedCaddyfiles(t *testing.T) {
	for name, test := range map[string]struct {
		directive string // from line 2 on
		message   string
		line      int
	}{
		"unknown option":   {"ephemeral_chat {\nttl 1h\ntll 2h\n}", `unknown option "tll" of ephemeral_chat`, 4},
		"repeated option":  {"ephemeral_chat {\nttl 1h\nhistory 5\nttl 1h\n}", "ttl is given twice", 5},
		"repeated origins": {"ephemeral_chat {\norigins https://a\norigins https://b\n}", "origins is given twice", 4},
		"argument":         {"ephemeral_chat x", "wrong argument count", 2},
		"second argument":  {"ephemeral_chat /chat/* x", "wrong argument count", 2},

		"matcher of one path":  {"ephemeral_chat /chat", `path matcher "/chat" must end in /*`, 2},
		"matcher of a prefix":  {"ephemeral_chat /chat*", `path matcher "/chat*" must end in /*`, 2},
		"matcher of wildcards": {"ephemeral_chat /*/chat/*", "is taken literally", 2},
		"matcher of doubles":   {"ephemeral_chat //chat/*", "is taken literally", 2},
		"matcher with escapes": {"ephemeral_chat /ch%61t/*", "is taken literally", 2},
		"matcher placeholder":  {"ephemeral_chat /{env.X}/*", "is taken literally", 2},

		"no value":          {"ephemeral_chat {\nttl\n}", "wrong argument count", 3},
		"two values":        {"ephemeral_chat {\nhistory 5 6\n}", "wrong argument count", 3},
		"block":             {"ephemeral_chat {\nhistory 5 {\nx\n}\n}", `unexpected block: "x"`, 4},
		"no duration":       {"ephemeral_chat {\nttl long\n}", `ttl: time: invalid duration "long"`, 3},
		"ttl without unit":  {"ephemeral_chat {\nttl 60\n}", "ttl: time: missing unit", 3},
		"ttl of zero":       {"ephemeral_chat {\nttl 0s\n}", "ttl must be from 1s to", 3},
		"ttl with fraction": {"ephemeral_chat {\nttl 1500ms\n}", "ttl must be a multiple of 1s, not 1.5s", 3},
		"max_ttl too short": {"ephemeral_chat {\nmax_ttl 999ms\n}", "max_ttl must be from 1s to", 3},
		"max_ttl too long":  {"ephemeral_chat {\nmax_ttl 4000d\n}", "max_ttl must be from 1s to", 3},
		"lobby negative":    {"ephemeral_chat {\nlobby -1s\n}", "lobby must be from 1s to", 3},
		"lobby, fraction":   {"ephemeral_chat {\nlobby 1h0.5s\n}", "lobby must be a multiple of 1s", 3},
		"flush too slowly":  {"ephemeral_chat {\nflush_interval 2s\n}", "flush_interval must be off or from 1ms to 1s, not 2s", 3},
		"flush what":        {"ephemeral_chat {\nflush_interval never\n}", "flush_interval: time: invalid duration", 3},
		"ping too often":    {"ephemeral_chat {\nping_interval 900ms\n}", "ping_interval must be from 1s to 1h0m0s, not 900ms", 3},
		"no number":         {"ephemeral_chat {\nhistory many\n}", `history: a whole number is expected, not "many"`, 3},
		"history of zero":   {"ephemeral_chat {\nhistory 0\n}", "history must be from 1 to 100000, not 0", 3},
		"history too long":  {"ephemeral_chat {\nhistory 100001\n}", "history must be from 1 to 100000, not 100001", 3},
		"no size":           {"ephemeral_chat {\nmax_message big\n}", `max_message: a size such as 4KiB is expected, not "big"`, 3},
		"size of zero":      {"ephemeral_chat {\nmax_message 0\n}", "max_message must be from 1 to 1048576, not 0", 3},
		"size too big":      {"ephemeral_chat {\nmax_message 2MiB\n}", "max_message must be from 1 to 1048576, not 2097152", 3},
		"size far too big":  {"ephemeral_chat {\nmax_message 9EB\n}", "max_message: a size such as 4KiB is expected", 3},
		"nobody":            {"ephemeral_chat {\nmax_members 0\n}", "max_members must be from 1 to", 3},
		"no rooms":          {"ephemeral_chat {\nmax_rooms 0\n}", "max_rooms must be from 1 to", 3},

		"rate of nothing":     {"ephemeral_chat {\njoin_rate\n}", "join_rate takes a count and a window, or off", 3},
		"rate without window": {"ephemeral_chat {\njoin_rate 5\n}", "join_rate takes a count and a window, or off", 3},
		"rate with more":      {"ephemeral_chat {\njoin_rate 5 1m 1\n}", "join_rate takes a count and a window, or off", 3},
		"rate on":             {"ephemeral_chat {\njoin_rate on\n}", "join_rate takes a count and a window, or off", 3},
		"rate of zero":        {"ephemeral_chat {\ncreate_rate 0 1m\n}", "create_rate: count must be from 1 to 1000000, not 0", 3},
		"rate in no time":     {"ephemeral_chat {\nmessage_rate 5 0s\n}", "message_rate: window must be from 1ms to 24h0m0s, not 0s", 3},
		"rate in ages":        {"ephemeral_chat {\npassword_rate 5 25h\n}", "password_rate: window must be from 1ms to 24h0m0s, not 25h0m0s", 3},
		"rate, no number":     {"ephemeral_chat {\ncreate_rate few 1m\n}", `create_rate: a whole number is expected, not "few"`, 3},
		"rate, no window":     {"ephemeral_chat {\ncreate_rate 5 minute\n}", `create_rate: time: invalid duration "minute"`, 3},

		"no origin":           {"ephemeral_chat {\norigins\n}", "wrong argument count", 3},
		"any origin":          {"ephemeral_chat {\norigins *\n}", `origin "*" must be scheme://host`, 3},
		"origin of wildcard":  {"ephemeral_chat {\norigins https://*.a.example\n}", "must be scheme://host", 3},
		"origin without":      {"ephemeral_chat {\norigins a.example\n}", "must be scheme://host", 3},
		"origin with path":    {"ephemeral_chat {\norigins https://a.example/\n}", "must be scheme://host", 3},
		"origin with port":    {"ephemeral_chat {\norigins https://a.example:\n}", "must be scheme://host", 3},
		"origin with user":    {"ephemeral_chat {\norigins https://u@a.example\n}", "must be scheme://host", 3},
		"origin not in ASCII": {"ephemeral_chat {\norigins https://bücher.example\n}", "in ASCII", 3},
		"origin that is null": {"ephemeral_chat {\norigins null\n}", "must be scheme://host", 3},
		"page of its own":     {"ephemeral_chat {\npage index.html\n}", `page: on or off is expected, not "index.html"`, 3},
		"user of nothing":     {"ephemeral_chat {\nuser\n}", "wrong argument count", 3},
		"the same user":       {"ephemeral_chat {\nuser anna\n}", "placeholder", 3},
		"half an extension":   {"ephemeral_chat {\nextended_connect h2\n}", `extended_connect: on or off is expected, not "h2"`, 3},
		"page of nothing":     {"ephemeral_chat {\npage\n}", "wrong argument count", 3},

		"ttl above max_ttl":   {"ephemeral_chat {\nmax_ttl 1h\nttl 2h\n}", "ttl (2h0m0s) is longer than max_ttl (1h0m0s)", 4},
		"max_ttl below ttl":   {"ephemeral_chat {\nttl 2h\nhistory 5\nmax_ttl 1h\n}", "ttl (2h0m0s) is longer than max_ttl (1h0m0s)", 5},
		"ttl above default":   {"ephemeral_chat {\nttl 48h\nhistory 5\n}", "ttl (48h0m0s) is longer than max_ttl (24h0m0s)", 2},
		"redis and store":     {"ephemeral_chat {\nredis\nstore memory\n}", "redis and store exclude each other", 4},
		"store and redis":     {"ephemeral_chat {\nstore memory\nredis\n}", "redis and store exclude each other", 4},
		"rooms of redis":      {"ephemeral_chat {\nmax_rooms 5\nredis\n}", "max_rooms is for the memory store only", 4},
		"redis and its rooms": {"ephemeral_chat {\nredis\nmax_rooms 5\n}", "max_rooms is for the memory store only", 4},

		"room of nothing":     {"ephemeral_chat {\nroom\n}", "room takes an id and a name", 3},
		"room without name":   {"ephemeral_chat {\nroom lounge\n}", "room takes an id and a name", 3},
		"room with more":      {"ephemeral_chat {\nroom lounge The Lounge\n}", "room takes an id and a name", 3},
		"room, no name":       {"ephemeral_chat {\nroom lounge \"\"\n}", "room lounge: name is empty", 3},
		"room, bad id":        {"ephemeral_chat {\nroom the/lounge Lounge\n}", `room id "the/lounge": must be 1 to 64 characters`, 3},
		"room twice":          {"ephemeral_chat {\nroom a A\nroom b B\nroom a C\n}", "room a is given twice", 5},
		"room unknown":        {"ephemeral_chat {\nroom a A {\nttl 1h\ncolor red\n}\n}", `room: unknown option "color"`, 5},
		"room repeated":       {"ephemeral_chat {\nroom a A {\nttl 1h\nttl 1h\n}\n}", "room: ttl is given twice", 5},
		"room, no duration":   {"ephemeral_chat {\nroom a A {\nttl long\n}\n}", `ttl: time: invalid duration "long"`, 4},
		"room, ttl of zero":   {"ephemeral_chat {\nroom a A {\nttl 0s\n}\n}", "room: ttl must be from 1s to", 4},
		"room, two ttls":      {"ephemeral_chat {\nroom a A {\nttl 1h 2h\n}\n}", "wrong argument count", 4},
		"room, ttl fraction":  {"ephemeral_chat {\nroom a A {\nttl 1500ms\n}\n}", "room: ttl must be a multiple of 1s, not 1.5s", 4},
		"room above max_ttl":  {"ephemeral_chat {\nmax_ttl 1h\nroom a A {\nttl 2h\n}\n}", "room a: ttl must be whole seconds from 1 to 3600", 6},
		"max_ttl below room":  {"ephemeral_chat {\nroom a A {\nttl 2h\n}\nmax_ttl 1h\n}", "room a: ttl must be whole seconds from 1 to 3600", 6},
		"room above default":  {"ephemeral_chat {\nroom a A {\nttl 48h\n}\n}", "room a: ttl must be whole seconds from 1 to 86400", 2},
		"room, passwords":     {"ephemeral_chat {\nroom a A {\npassword a secret\n}\n}", "room: password takes one value", 4},
		"room, no password":   {"ephemeral_chat {\nroom a A {\nadmin_password\n}\n}", "room: admin_password takes one value", 4},
		"room, empty":         {"ephemeral_chat {\nroom a A {\npassword \"\"\n}\n}", "room: password is empty", 4},
		"room, block":         {"ephemeral_chat {\nroom a A {\npassword x {\ny\n}\n}\n}", `unexpected block: "y"`, 5},
		"room, same password": {"ephemeral_chat {\nroom a A {\npassword secret\nadmin_password secret\n}\n}", "room a: password and admin_password are the same", 6},

		"no store":           {"ephemeral_chat {\nstore\n}", "wrong argument count", 3},
		"unknown store":      {"ephemeral_chat {\nstore etcd\n}", `unknown store "etcd"`, 3},
		"memory twice":       {"ephemeral_chat {\nstore memory a b\n}", "wrong argument count", 3},
		"memory with block":  {"ephemeral_chat {\nstore memory a {\nsize 5\n}\n}", `unknown option "size" of the memory store`, 4},
		"redis addresses":    {"ephemeral_chat {\nredis a:1 b:2\n}", "redis: several addresses are for sentinel or cluster", 3},
		"redis address":      {"ephemeral_chat {\nredis localhost:port\n}", "redisstore: address: not host:port", 3},
		"redis URL":          {"ephemeral_chat {\nredis http://:secret@localhost\n}", "redisstore: address: not a redis://, rediss:// or unix:// URL", 3},
		"redis user only":    {"ephemeral_chat {\nredis {\nusername anna\n}\n}", "redisstore: password: missing for the user name", 5},
		"redis sentinel":     {"ephemeral_chat {\nredis a {\nsentinel\n}\n}", "wrong argument count", 4},
		"redis sentinels":    {"ephemeral_chat {\nredis a {\nsentinel main other\n}\n}", "wrong argument count", 4},
		"redis no sentinels": {"ephemeral_chat {\nredis {\nsentinel main\n}\n}", "redis: sentinel: the addresses of the sentinels are missing", 5},
		"redis sentinel URL": {"ephemeral_chat {\nredis redis://:secret@a {\nsentinel main\n}\n}", "redisstore: address: of sentinels and of a cluster, host or host:port is expected", 5},
		"redis its option":   {"ephemeral_chat {\nredis a {\nsentinel main {\ndb 1\n}\n}\n}", `redis: sentinel: unknown option "db"`, 5},
		"redis its password": {"ephemeral_chat {\nredis a {\nsentinel main {\npassword a secret\n}\n}\n}", "redis: sentinel: password takes one value", 5},
		"redis its block":    {"ephemeral_chat {\nredis a {\nsentinel main {\npassword x {\ny\n}\n}\n}\n}", `unexpected block: "y"`, 6},
		"redis it twice":     {"ephemeral_chat {\nredis a {\nsentinel main {\npassword x\npassword y\n}\n}\n}", "redis: sentinel: password is given twice", 6},
		"redis its user":     {"ephemeral_chat {\nredis a {\nsentinel main {\nusername x\n}\n}\n}", "redisstore: sentinel password: missing for the user name", 7},
		"redis both":         {"ephemeral_chat {\nredis a {\nsentinel main\ncluster\n}\n}", "redis: sentinel and cluster exclude each other", 5},
		"redis both again":   {"ephemeral_chat {\nredis a {\ncluster\nsentinel main\n}\n}", "redis: sentinel and cluster exclude each other", 5},
		"redis cluster":      {"ephemeral_chat {\nredis a {\ncluster on\n}\n}", "wrong argument count", 4},
		"redis no seeds":     {"ephemeral_chat {\nredis {\ncluster\n}\n}", "redis: cluster: the addresses of some of its nodes are missing", 5},
		"redis seed twice":   {"ephemeral_chat {\nredis a b a:6379 {\ncluster\n}\n}", "redisstore: address: given twice", 5},
		"redis cluster db":   {"ephemeral_chat {\nredis a {\ncluster\ndb 1\n}\n}", "redis: db: a cluster has only 0", 6},
		"redis unknown":      {"ephemeral_chat {\nredis {\npool 5\n}\n}", `redis: unknown option "pool"`, 4},
		"redis repeated":     {"ephemeral_chat {\nredis {\ndb 1\ndb 1\n}\n}", "redis: db is given twice", 5},
		"redis db":           {"ephemeral_chat {\nredis {\ndb zero\n}\n}", `redis: db: a whole number is expected, not "zero"`, 4},
		"redis db negative":  {"ephemeral_chat {\nredis {\ndb -1\n}\n}", "redis: db must be 0 or more, not -1", 4},
		"redis passwords":    {"ephemeral_chat {\nredis {\npassword a secret\n}\n}", "redis: password takes one value", 4},
		"redis no user":      {"ephemeral_chat {\nredis {\nusername\n}\n}", "redis: username takes one value", 4},
		"redis key prefixes": {"ephemeral_chat {\nredis {\nkey_prefix a b\n}\n}", "redis: key_prefix takes one value", 4},
		"redis tls argument": {"ephemeral_chat {\nredis {\ntls on\n}\n}", "wrong argument count", 4},
		"redis tls unknown":  {"ephemeral_chat {\nredis {\ntls {\ncaa x\n}\n}\n}", `redis: tls: unknown option "caa"`, 5},
		"redis tls repeated": {"ephemeral_chat {\nredis {\ntls {\nca x\nca y\n}\n}\n}", "redis: tls: ca is given twice", 6},
		"redis tls no key":   {"ephemeral_chat {\nredis {\ntls {\ncertificate x\n}\n}\n}", "wrong argument count", 5},
		"redis tls no ca":    {"ephemeral_chat {\nredis {\ntls {\nca\n}\n}\n}", "wrong argument count", 5},
		"redis tls skip":     {"ephemeral_chat {\nredis {\ntls {\ninsecure_skip_verify off\n}\n}\n}", "wrong argument count", 5},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := adapt(":80 {\n" + test.directive + "\n}\n")
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), test.message) {
				t.Errorf("error %q, want %q", err, test.message)
			}
			if where := fmt.Sprintf(", at Caddyfile:%d", test.line); !strings.Contains(err.Error()+" ", where) || !strings.HasSuffix(err.Error(), where) {
				t.Errorf("error %q, want it%s", err, where)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q shows a secret", err)
			}
		})
	}
}

// TestRefusedConfigurations checks mistakes that only JSON can have, and mistakes that
// show when placeholders are resolved.
func TestRefusedConfigurations(t *testing.T) {
	for name, test := range map[string]struct{ handler, message string }{
		"ttl":            {`"ttl": -1`, "ttl must be from 1s to"},
		"ttl of ns":      {`"ttl": 1000000001`, "ttl must be a multiple of 1s"},
		"ttl, max_ttl":   {`"ttl": "2h", "max_ttl": "1h"`, "ttl (2h0m0s) is longer than max_ttl (1h0m0s)"},
		"history":        {`"history": -1`, "history must be from 1 to 100000, not -1"},
		"rate of zero":   {`"join_rate": {}`, "join_rate: count must be from 1 to 1000000, not 0"},
		"rate, no time":  {`"join_rate": {"count": 5}`, "join_rate: window must be from 1ms"},
		"rate half off":  {`"join_rate": {"count": 5, "off": true}`, "join_rate: a rate that is off has neither count nor window"},
		"origin":         {`"origins": ["https://a.example", "a"]`, `origin "a" must be scheme://host`},
		"prefix":         {`"path_prefix": "chat"`, `path prefix "chat" must begin with a slash`},
		"prefix's end":   {`"path_prefix": "/chat/"`, `path prefix "/chat/" must begin with a slash, must not end with one`},
		"rooms":          {`"max_rooms": 5, "store": {"store": "redis"}`, "max_rooms is for the memory store only"},
		"room":           {`"rooms": [{"name": "A"}]`, `room id "": must be 1 to 64 characters`},
		"room, no name":  {`"rooms": [{"id": "a"}]`, "room a: name is empty"},
		"room twice":     {`"rooms": [{"id": "a", "name": "A"}, {"id": "a", "name": "B"}]`, "room a is given twice"},
		"room, ttl":      {`"max_ttl": "1h", "rooms": [{"id": "a", "name": "A", "ttl": "2h"}]`, "room a: ttl must be whole seconds from 1 to 3600"},
		"room, unset":    {`"rooms": [{"id": "a", "name": "A", "password": "{env.CHAT_UNSET}"}]`, "room a: password: evaluated placeholder {env.CHAT_UNSET} is empty"},
		"room, no file":  {`"rooms": [{"id": "a", "name": "A", "admin_password": "{file./nonexistent/secret}"}]`, "room a: admin_password: "},
		"room, long":     {`"rooms": [{"id": "a", "name": "A", "password": "{env.CHAT_LONG}"}]`, "room a: password too long"},
		"room, same":     {`"rooms": [{"id": "a", "name": "A", "password": "{env.CHAT_ONE}", "admin_password": "{env.CHAT_ALSO}"}]`, "room a: password and admin_password are the same"},
		"store":          {`"store": {"store": "etcd"}`, "unknown module: http.handlers.ephemeral_chat.stores.etcd"},
		"unknown":        {`"tll": "1h"`, `unknown field "tll"`},
		"unset variable": {`"store": {"store": "redis", "addresses": ["{env.CHAT_UNSET}"]}`, "address 1: evaluated placeholder {env.CHAT_UNSET} is empty"},
		"unset password": {`"store": {"store": "redis", "password": "{env.CHAT_UNSET}"}`, "password: evaluated placeholder {env.CHAT_UNSET} is empty"},
		"unknown placeholder": {
			`"store": {"store": "redis", "username": "{chat.user}"}`, "username: unrecognized placeholder {chat.user}",
		},
		"missing file":  {`"store": {"store": "redis", "password": "{file./nonexistent/secret}"}`, "password: "},
		"db":            {`"store": {"store": "redis", "db": -1}`, "db must be 0 or more, not -1"},
		"addresses":     {`"store": {"store": "redis", "addresses": ["a", "b"]}`, "several addresses are for sentinel or cluster"},
		"no master":     {`"store": {"store": "redis", "addresses": ["a"], "sentinel": {}}`, "sentinel: the name of the master is missing"},
		"no sentinels":  {`"store": {"store": "redis", "sentinel": {"master": "main"}}`, "sentinel: the addresses of the sentinels are missing"},
		"both":          {`"store": {"store": "redis", "addresses": ["a"], "sentinel": {"master": "main"}, "cluster": true}`, "sentinel and cluster exclude each other"},
		"no seeds":      {`"store": {"store": "redis", "cluster": true}`, "cluster: the addresses of some of its nodes are missing"},
		"cluster's db":  {`"store": {"store": "redis", "addresses": ["a"], "cluster": true, "db": 1}`, "db: a cluster has only 0"},
		"its password":  {`"store": {"store": "redis", "addresses": ["a"], "sentinel": {"master": "main", "password": "{env.CHAT_UNSET}"}}`, "sentinel password: evaluated placeholder {env.CHAT_UNSET} is empty"},
		"port":          {`"store": {"store": "redis", "addresses": ["localhost:99999"]}`, "address"},
		"scheme":        {`"store": {"store": "redis", "addresses": ["http://:secret@localhost"]}`, "address"},
		"broken URL":    {`"store": {"store": "redis", "addresses": ["redis://:secret%zz@localhost"]}`, "address"},
		"by variable":   {`"store": {"store": "redis", "addresses": ["{env.CHAT_BROKEN}"]}`, "address"},
		"two passwords": {`"store": {"store": "redis", "addresses": ["redis://:secret@localhost"], "password": "secret"}`, "password"},
		"no password":   {`"store": {"store": "redis", "username": "chat"}`, "password"},
		"no ca":         {`"store": {"store": "redis", "tls": {"ca": ["/nonexistent"]}}`, "tls: ca: open /nonexistent"},
		"empty ca":      {`"store": {"store": "redis", "tls": {"ca": ["/dev/null"]}}`, "tls: ca: no certificate in /dev/null"},
		"no key":        {`"store": {"store": "redis", "tls": {"certificate": "/dev/null"}}`, "tls: certificate and key go together"},
		"empty key":     {`"store": {"store": "redis", "tls": {"certificate": "/dev/null", "key": "/dev/null"}}`, "tls: client certificate: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("CHAT_BROKEN", "redis://:secret@localhost:port")
			t.Setenv("CHAT_LONG", strings.Repeat("secret@", 200))
			t.Setenv("CHAT_ONE", "secret@")
			t.Setenv("CHAT_ALSO", "secret@")
			err := provision([]byte(`{"apps": {"http": {"servers": {"chat": {"listen": ["127.0.0.1:0"], "routes": [{"handle": [` +
				`{"handler": "ephemeral_chat", ` + test.handler + `}]}]}}}}}`))
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), test.message) {
				t.Errorf("error %q, want %q", err, test.message)
			}
			if strings.Contains(err.Error(), "secret@") || strings.Contains(err.Error(), "secret%") {
				t.Errorf("error %q shows a secret", err)
			}
		})
	}
}

// TestRefusedDefaults checks the lines that are reported for mistakes in the global option
// and for sites that contradict it.
func TestRefusedDefaults(t *testing.T) {
	for name, test := range map[string]struct {
		defaults string // from line 3 on
		site     string // the line after them
		message  string
		line     int
	}{
		"unknown option":   {"tll 2h", "ephemeral_chat", `unknown option "tll" of ephemeral_chat`, 3},
		"repeated option":  {"ttl 2h\nttl 2h", "ephemeral_chat", "ttl is given twice", 4},
		"stores":           {"redis\nstore memory", "ephemeral_chat", "redis and store exclude each other", 4},
		"contradiction":    {"max_ttl 1h\nttl 2h", "ephemeral_chat", "ttl (2h0m0s) is longer than max_ttl (1h0m0s)", 4},
		"a room":           {"room lounge Lounge", "ephemeral_chat", "a room belongs to a site", 4},
		"the site differs": {"ttl 2h", "ephemeral_chat {\nmax_ttl 1h\n}", "ttl (2h0m0s) is longer than max_ttl (1h0m0s)", 8},
		"rooms of redis":   {"redis", "ephemeral_chat {\nmax_rooms 5\n}", "max_rooms is for the memory store only", 8},
		"both of a site":   {"redis", "ephemeral_chat {\nredis\nstore memory\n}", "redis and store exclude each other", 9},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := adapt("{\nephemeral_chat {\n" + test.defaults + "\n}\n}\n:80 {\n" + test.site + "\n}\n")
			if err == nil {
				t.Fatal("accepted")
			}
			if want := fmt.Sprintf(", at Caddyfile:%d", test.line); !strings.Contains(err.Error(), test.message) || !strings.Contains(err.Error()+" ", want) {
				t.Errorf("error %q, want %q%s", err, test.message, want)
			}
		})
	}
	_, _, err := adapt("{\nephemeral_chat {\nttl 1h\n}\nephemeral_chat {\nttl 2h\n}\n}\n:80 {\nephemeral_chat\n}\n")
	if err == nil || !strings.Contains(err.Error(), "ephemeral_chat is given twice") {
		t.Errorf("given twice: %v", err)
	}
	_, _, err = adapt("{\nephemeral_chat all {\nttl 1h\n}\n}\n:80 {\nephemeral_chat\n}\n")
	if err == nil || !strings.Contains(err.Error(), "wrong argument count") {
		t.Errorf("with an argument: %v", err)
	}
}

// TestDefaults runs sites that use the global option, and one that overrides it.
func TestDefaults(t *testing.T) {
	plain, other := newSite(t), newSite(t)
	loadWith(t, "ephemeral_chat {\nttl 7m\ncreate_rate 2 1h\n}",
		plain.block("ephemeral_chat")+other.block("ephemeral_chat /chat/* {\nttl 9m\ncreate_rate off\n}"))
	for range 2 {
		if ttl := plain.Post(t, "/createRoom", apitest.Object(t, "roomName", "x")).OK(t)["ttl"]; ttl != 7.*60 {
			t.Errorf("the ttl is %v s, want the default of 7 min", ttl)
		}
	}
	plain.Post(t, "/createRoom", apitest.Object(t, "roomName", "x")).Refused(t, 429, "rate_limited")
	for range 5 {
		if ttl := other.Post(t, "/chat/createRoom", apitest.Object(t, "roomName", "x")).OK(t)["ttl"]; ttl != 9.*60 {
			t.Errorf("the ttl is %v s, want the site's own of 9 min", ttl)
		}
	}
}

// FuzzCaddyfile parses options. The JSON of accepted options has only fields that the
// module knows, with values in their ranges.
func FuzzCaddyfile(f *testing.F) {
	for _, options := range []string{
		"ttl 1h\nmax_ttl 1d", "redis a:1 {\npassword x\ntls {\nca y\n}\n}", "store memory x", "join_rate off\ncreate_rate 5 1m",
		"origins https://a.example http://[::1]:80", "page off", "max_message 4KiB", "redis {\nsentinel x\n}", "lobby", "history 1 2", "{", "}", "ttl {\n}",
	} {
		f.Add(options)
	}
	f.Fuzz(func(t *testing.T, options string) {
		if strings.Contains(options, "import") {
			t.Skip("imports read files") // of this machine
		}
		config, _, err := adapt(":80 {\nephemeral_chat {\n" + options + "\n}\n}\n")
		if err != nil {
			return
		}
		var parsed struct {
			Apps struct {
				HTTP struct {
					Servers map[string]struct {
						Routes []struct{ Handle []json.RawMessage }
					}
				}
			}
		}
		if err := json.Unmarshal(config, &parsed); err != nil {
			t.Fatalf("%v: %s", err, config)
		}
		for _, server := range parsed.Apps.HTTP.Servers {
			for _, route := range server.Routes {
				for _, raw := range route.Handle {
					if !bytes.Contains(raw, []byte(`"handler":"ephemeral_chat"`)) {
						continue // options that close the block may continue with other directives
					}
					var handler struct {
						Module string `json:"handler"`
						ephemeralchat.Handler
					}
					decoder := json.NewDecoder(bytes.NewReader(raw))
					decoder.DisallowUnknownFields()
					if err := decoder.Decode(&handler); err != nil {
						t.Fatalf("%v: %s", err, raw)
					}
					if handler.TTL < 0 || handler.MaxTTL != 0 && handler.TTL > handler.MaxTTL || handler.History > 100_000 || handler.MaxMessage > 1<<20 {
						t.Fatalf("accepted %s", raw)
					}
				}
			}
		}
	})
}
