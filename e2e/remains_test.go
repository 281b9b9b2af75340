package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// forgetTime is in which everything must be forgotten, on a busy machine: what is
// queued for a client may take 5 s to go out, and as long to be answered.
const forgetTime = 30 * time.Second

// releaseBinary is Caddy as users run it: without the race detector, which keeps
// memory in ways of its own.
var releaseBinary = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(filepath.Dir(caddyBinary), "caddy-release") // which lives as long as the tests
	ctx, cancel := context.WithTimeout(context.Background(), buildTime)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "./cmd/caddy")
	build.Dir = repository()
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building Caddy: %w\n%s", err, output)
	}
	return binary, nil
})

// TestNothingRemains lets rooms live, with everything that people leave in them, and
// end in each of the ways in which rooms end, and looks for it afterwards wherever
// it could be.
func TestNothingRemains(t *testing.T) {
	binary, err := releaseBinary()
	if err != nil {
		t.Fatal(err)
	}
	for _, is := range []struct{ store, end, memory string }{
		{"redis", "deletion", "default"}, {"redis", "expiry", "clobberfree"}, {"memory", "lobby", "default"}, {"memory", "deletion", "clobberfree"},
	} {
		t.Run(is.store+" "+is.end+" "+is.memory, func(t *testing.T) {
			t.Parallel() // it waits most of the time
			h := &household{end: is.end, profile: newProfile(t), shopProfile: newProfile(t)}
			h.open(t, runWith(t, binary, is.memory), is.store)
			h.live(t)
			h.expectAll(t)
			h.over(t)
			h.expectNothing(t, is.memory)
		})
	}
}

// runWith returns a program that runs a binary as an operator would who wants what
// the collector of Go frees to be overwritten, or does not.
func runWith(t *testing.T, binary, memory string) string {
	t.Helper()
	if memory == "default" {
		return binary
	}
	script := filepath.Join(t.TempDir(), "caddy")
	text := fmt.Sprintf("#!/bin/sh\nGODEBUG=%s=1 exec %s \"$@\"\n", memory, binary)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return script
}

// household is a room with all who have to do with it: two nodes with Redis or one
// without, a page, an element on the page of a shop, and a client in Go.
type household struct {
	*site
	end     string // of the room
	profile *profile
	shop    string // the address of the shop's page
	// shopProfile is that of who is at the shop.
	shopProfile *profile

	admin         member
	adminAPI      *api
	goClient      *socket
	page, shopTab *tab

	markers []*marker
	// What the markers are of.
	message, umlauts, fromPage, fromShop, long, refused, retracted, draft *marker
	password, wrong, roomName, adminName, pageName, shopName              *marker
}

func (h *household) mark(what, word string) *marker {
	m := newMarker(what, word)
	h.markers = append(h.markers, m)
	return m
}

// open starts the nodes.
func (h *household) open(t *testing.T, binary, store string) {
	t.Helper()
	addresses := []string{"store memory"}
	h.site = new(site)
	if store == "redis" {
		// Strings are not compressed in the dump, so that they can be found.
		h.redis = startRedis(t, "--rdbcompression", "no")
		addresses = []string{"redis " + h.redis.address, "redis " + h.redis.address}
	}
	shop := freeAddress(t)
	for _, store := range addresses {
		listen := freeAddress(t)
		n := startNodeIn(t, binary, t.TempDir(), "\tdebug\n\tmetrics", fmt.Sprintf(`
http://%s {
	log {
		output file access.log
		format json
	}
	ephemeral_chat {
		%s
		ttl %s
		lobby %s
		origins http://%s
	}
}`, listen, store, h.lasts("expiry"), h.lasts("lobby"), shop), listen)
		h.add(t, n, "http://"+listen)
	}
	h.shop = shop
}

// lasts is for how long the room may be there, if it is to end that way, or another.
func (h *household) lasts(end string) string {
	if h.end == end {
		return "60s" // enough to say everything on a busy machine
	}
	return "10m"
}

// live is the life of the room.
func (h *household) live(t *testing.T) {
	h.password, h.wrong = h.mark("password", "pass"), h.mark("wrong password", "wrong")
	h.roomName = h.mark("room name", "plans")
	h.adminName, h.pageName, h.shopName = h.mark("user name", "anna"), h.mark("user name", "ben"), h.mark("user name", "carl")

	h.adminAPI = h.api(0)
	h.adminAPI.succeed(t, "/createRoom", fields{"roomName": h.roomName.text, "username": h.adminName.text, "password": h.password.text}).decode(t, &h.admin)
	h.markers = append(h.markers, markerOf("room id", "__"+h.admin.RoomID+"__"), markerOf("session", h.admin.SessionID))
	expectRefusal(t, h.api(1).call(t, "/joinRoom", fields{"roomId": h.admin.RoomID, "password": h.wrong.text}), 403, "wrong_password")
	h.goClient, _ = enter(t, h.base(0), &h.admin)

	h.page = h.profile.openBlank(t, h.base(1))
	h.page.tolerate("network error.*403.*joinRoom")
	h.page.visit(h.base(1) + "/#" + h.admin.RoomID)
	h.page.fill("Your name", h.pageName.text)
	h.page.fill("Password", h.wrong.text)
	h.page.click("button", "Join")
	h.page.awaitText("not the password")
	h.page.fill("Password", h.password.text)
	h.page.click("button", "Join")
	h.page.find("textbox", "Message")

	shop := embedding(t, h.shop, h.base(0), fmt.Sprintf(`<ephemeral-chat room="%s"></ephemeral-chat>`, h.admin.RoomID))
	h.shopTab = h.shopProfile.open(t, shop, h.base(0))
	h.shopTab.fill("Your name", h.shopName.text)
	h.shopTab.fill("Password", h.password.text)
	h.shopTab.click("button", "Join")
	h.shopTab.find("textbox", "Message")

	h.draft = h.mark("draft", "draft")
	if h.end == "lobby" { // the first message would start the room
		h.page.fill("Message", h.draft.text)
		h.goClient.await(t, "typing")
		return
	}
	h.talk(t)
	h.page.fill("Message", h.draft.text)
}

// talk says all kinds of things.
func (h *household) talk(t *testing.T) {
	h.message, h.umlauts, h.long = h.mark("message", "hello"), h.mark("message", "grüße \"an\" alle: "), h.mark("message", strings.Repeat("very ", 700))
	h.fromPage, h.fromShop = h.mark("message", "page"), h.mark("message", "shop")
	h.refused, h.retracted = h.mark("refused message", strings.Repeat("too long ", 1000)), h.mark("retracted message", "oops")
	for _, m := range []*marker{h.message, h.umlauts, h.long} {
		h.goClient.say(t, m.text)
		h.goClient.awaitText(t, m.text)
	}
	h.goClient.say(t, h.refused.text)
	h.goClient.await(t, "error")
	h.page.say(h.fromPage.text)
	h.shopTab.hears(h.pageName.text, h.fromPage.text)
	h.shopTab.say(h.fromShop.text)
	h.page.hears(h.shopName.text, h.fromShop.text)
	h.page.say(h.retracted.text)
	oops := h.goClient.awaitText(t, h.retracted.text)
	h.goClient.send(t, fields{"type": "retract", "seq": oops.Seq})
	h.goClient.await(t, "retracted")
	// Somebody who comes back is given all that there is, and asks for it again.
	again, _ := enter(t, h.base(1), &h.admin)
	again.send(t, fields{"type": "history", "limit": 200})
	again.await(t, "history")
	h.goClient = again
}

// over waits for the end of the room, and for everybody to have heard of it.
func (h *household) over(t *testing.T) {
	t.Helper()
	if h.end == "deletion" {
		h.adminAPI.succeed(t, "/deleteRoom", h.admin.credentials())
	}
	if _, ok := h.goClient.expect(3*forgetTime, func(f *frame) bool { return f.Type == "ended" }); !ok {
		t.Fatal("the room has not ended")
	}
	h.goClient.awaitClose(t, 4410)
	for _, b := range []*tab{h.page, h.shopTab} {
		b.find("heading", "This room is gone")
	}
	for _, a := range h.apis {
		a.client.CloseIdleConnections()
	}
}

// expectAll fails the test unless everything is found while the room lives:
// otherwise it is worth nothing that it is not found afterwards.
func (h *household) expectAll(t *testing.T) {
	t.Helper()
	if h.redis != nil {
		found := make(traces)
		found.search([]byte(h.redis.values(t)), h.markers, nil)
		found.search(h.redis.dump(t), h.markers, nil)
		for _, what := range []string{"room name", "user name", "room id"} {
			if found.of(what) == 0 {
				t.Errorf("%s is not found in Redis while the room lives", what)
			}
		}
		if h.end != "lobby" && found.of("message") == 0 {
			t.Error("no message is found in Redis while the room lives")
		}
		t.Logf("in Redis while the room lives: %v", found)
	}
	if h.end == "expiry" {
		return // before all of the memory has been looked through
	}
	found := make(traces)
	for _, n := range h.nodes {
		for what, count := range n.remember(t, h.markers, nil) {
			found[what] += count
		}
	}
	for _, m := range h.markers {
		// What is typed and not sent is the browser's.
		if m.what != "draft" && found.of(m.what) == 0 {
			t.Errorf("%s is not found in the memory of a node while the room lives", m.what)
		}
	}
	t.Logf("in memory while the room lives: %v", found)
}

// dump has Redis write everything to disk, and returns that.
func (r *redisServer) dump(t *testing.T) []byte {
	t.Helper()
	if err := r.client.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(r.dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func (h *household) expectNothing(t *testing.T, memory string) {
	t.Helper()
	// What is there for all to see.
	for i, n := range h.nodes {
		for _, path := range []string{"/metrics", "/config/", "/ephemeral_chat/", "/ephemeral_chat/rooms"} {
			found := make(traces)
			found.search(n.ask(t, path), h.markers, nil)
			if len(found) > 0 {
				t.Errorf("node %d, %s: %v", i, path, found)
			}
		}
	}
	// In the browser.
	for name, b := range map[string]*tab{"page": h.page, "shop": h.shopTab} {
		found := make(traces)
		found.search([]byte(eval[string](b, storedLive)), h.markers, nil)
		if len(found) > 0 {
			t.Errorf("stored by the %s: %v", name, found)
		}
		b.close()
	}
	h.expectEmptyRedis(t)
	for _, p := range []*profile{h.profile, h.shopProfile} {
		p.end() // with its connections, which it would keep for a while
	}
	h.expectForgotten(t, memory)
	h.expectLogged(t)
	for name, p := range map[string]*profile{"page": h.profile, "shop": h.shopProfile} {
		files := make(map[string]bool)
		found := p.search(t, h.markers, func(_, file string) { files[filepath.Base(file)] = true })
		if n := found.of(secrets...); n > 0 {
			t.Errorf("%d secrets are in the files of the browser that had the %s: %v", n, name, found)
		}
		t.Logf("in the files of the browser that had the %s: %v, in %v", name, found, slices.Sorted(maps.Keys(files)))
	}
}

// bulkString is how the protocol of Redis begins a string.
var bulkString = regexp.MustCompile(`\r\n\$\d+\r\n`)

// texts are the markers of what was said, and secrets of what nobody may find.
var (
	texts   = []string{"message", "retracted message", "refused message", "draft"}
	secrets = append([]string{"password", "wrong password", "session"}, texts...)
)

// expectLogged looks into everything that the nodes have written to disk or to
// standard error, at the level that says most.
func (h *household) expectLogged(t *testing.T) {
	t.Helper()
	for i, n := range h.nodes {
		content, err := os.ReadFile(filepath.Join(n.dir, "access.log"))
		if err != nil {
			t.Fatal(err)
		}
		found := make(traces)
		found.search(append(content, n.log(t)...), h.markers, nil)
		if k := found.of(secrets...); k > 0 || !strings.Contains(n.log(t), `"level":"debug"`) {
			t.Errorf("node %d has logged %d secrets: %v", i, k, found)
		}
		t.Logf("logged by node %d: %v", i, found)
	}
}

// expectEmptyRedis looks into Redis.
func (h *household) expectEmptyRedis(t *testing.T) {
	t.Helper()
	if h.redis == nil {
		return
	}
	// The bare id of a room stays in the list of the lobby for as long as the room could
	// have waited there, once in the list and once in the dump.
	var found traces
	if !poll(forgetTime, func() bool {
		found = make(traces)
		found.search([]byte(h.redis.values(t)), h.markers, nil)
		found.search(h.redis.dump(t), h.markers, nil)
		ids := found.of("room id")
		return ids <= 2*2 && len(found) <= 1 && (ids > 0) == (len(found) == 1)
	}) {
		t.Errorf("in Redis: %v", found)
	}
	t.Logf("in Redis: %v", found)
	t.Logf("in the memory of redis-server: %v", h.redis.remember(t, h.markers, nil))
}

// expectForgotten looks into the memory of the nodes. As a rule what is free there
// keeps what was in it until it is used for something else, and the test can only say
// how much that is.
func (h *household) expectForgotten(t *testing.T, memory string) {
	t.Helper()
	for i, n := range h.nodes {
		var found traces
		poll(5*time.Second, func() bool {
			for range 3 {
				n.ask(t, "/debug/pprof/heap?gc=1")
			}
			found = n.remember(t, h.markers, nil)
			return len(found) == 0
		})
		t.Logf("in the memory of node %d, %s: %v", i, memory, found)
		if memory != "clobberfree" {
			continue
		}
		// What the collector frees is overwritten. The buffers of net/http keep the last
		// request that went through each, those of a connection to Redis that nobody uses
		// its last reply; and a name may stand on the stack of a goroutine that waits.
		n.remember(t, h.markers, func(what, where string, around []byte) {
			kind, _, _ := strings.Cut(what, ",")
			said := slices.Contains(texts, kind)
			inRequest := !said && bytes.Contains(around, []byte("\r\n\r\n{"))
			inReply := said && bulkString.Match(around)
			if slices.Contains(secrets, kind) && !inRequest && !inReply {
				t.Errorf("node %d still has %s at %s: %q", i, what, where, around)
			}
		})
	}
}

// ask asks the admin endpoint for something.
func (n *node) ask(t *testing.T, path string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.admin+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
