package privacy_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// forgetTime bounds the time until all copies are gone on a busy machine. A frame may
// take 5 s to be sent to a client, and its answer as long.
const forgetTime = 30 * time.Second

// TestNothingRemains fills rooms with markers, ends them in each way, and then searches
// Redis, the nodes' memory, metrics, logs and files, and the browsers for the markers.
func TestNothingRemains(t *testing.T) {
	binary := harness.ReleaseBinary(t)
	for _, is := range []struct{ store, end, memory string }{
		{"redis", "deletion", "default"}, {"redis", "expiry", "clobberfree"}, {"memory", "lobby", "default"}, {"memory", "deletion", "clobberfree"},
	} {
		t.Run(is.store+" "+is.end+" "+is.memory, func(t *testing.T) {
			t.Parallel() // mostly waits
			s := &scenario{end: is.end, profile: browser.NewProfile(t), shopProfile: browser.NewProfile(t), redisDir: t.TempDir()}
			s.start(t, binary, is.store, is.memory)
			s.fill(t)
			s.expectAll(t)
			s.awaitEnd(t)
			s.expectNothing(t, is.memory)
		})
	}
}

// scenario is a room with three clients: a page, an element on the page of a shop, and
// a client in Go. The room is in Redis, on two nodes, or in the memory of one.
type scenario struct {
	*harness.Site
	redisDir string
	end      string // of the room: deletion, expiry or lobby
	profile  *browser.Profile
	shop     string // the address of the shop

	shopProfile *browser.Profile // the profile of the shop's visitor

	admin         harness.Member
	adminAPI      *harness.API
	goClient      *harness.Socket
	page, shopTab *browser.Tab

	markers []*marker

	message, umlauts, fromPage, fromShop, long, refused, retracted, draft *marker
	password, wrong, roomName, adminName, pageName, shopName              *marker
}

// mark returns a new marker, for which the test searches.
func (s *scenario) mark(kind, word string) *marker {
	m := newMarker(kind, word)
	s.markers = append(s.markers, m)
	return m
}

// start starts Redis and the nodes. With clobberfree, Go's garbage collector overwrites
// the memory that it frees.
func (s *scenario) start(t *testing.T, binary, store, memory string) {
	t.Helper()
	addresses := []string{"store memory"}
	s.Site = new(harness.Site)
	if store == "redis" {
		// Without compression, strings in the dump can be found.
		s.Redis = harness.StartRedisWith(t, harness.RedisOptions{Dir: s.redisDir, Args: []string{"--rdbcompression", "no"}})
		addresses = []string{"redis " + s.Redis.Addr(), "redis " + s.Redis.Addr()}
	}
	shop := harness.FreeAddress(t)
	for _, store := range addresses {
		listen := harness.FreeAddress(t)
		n := &harness.Node{Binary: binary, Dir: t.TempDir(), Admin: harness.FreeAddress(t)}
		if memory == "clobberfree" {
			n.Env = []string{"GODEBUG=clobberfree=1"}
		}
		n.Start(t, "\tdebug\n\tmetrics", fmt.Sprintf(`
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
}`, listen, store, s.time("expiry"), s.time("lobby"), shop), listen)
		s.Add(t, n, "http://"+listen)
	}
	s.shop = shop
}

// time returns the time until the room ends in a way: short if it is to end that way.
func (s *scenario) time(end string) string {
	if s.end == end {
		return "60s" // enough for all messages on a busy machine
	}
	return "10m"
}

// fill lets the clients join, exchange messages, and fail.
func (s *scenario) fill(t *testing.T) {
	t.Helper()
	s.password, s.wrong = s.mark("password", "pass"), s.mark("wrong password", "wrong")
	s.roomName = s.mark("room name", "plans")
	s.adminName, s.pageName, s.shopName = s.mark("user name", "anna"), s.mark("user name", "ben"), s.mark("user name", "carl")

	s.adminAPI = s.API(0)
	s.adminAPI.Succeed(t, "/createRoom", harness.Fields{"roomName": s.roomName.text, "username": s.adminName.text, "password": s.password.text}).Decode(t, &s.admin)
	s.markers = append(s.markers, markerOf("room id", "__"+s.admin.RoomID+"__"), markerOf("session", s.admin.SessionID))
	harness.ExpectProblem(t, s.API(1).Call(t, "/joinRoom", harness.Fields{"roomId": s.admin.RoomID, "password": s.wrong.text}), 403, "wrong_password")
	s.goClient, _ = harness.Join(t, s.Base(0), &s.admin)

	s.page = s.profile.OpenBlank(t, s.Base(1))
	s.page.Tolerate("network error.*403.*joinRoom")
	s.page.Visit(s.Base(1) + "/#" + s.admin.RoomID)
	s.page.Fill("Your name", s.pageName.text)
	s.page.Fill("Password", s.wrong.text)
	s.page.Click("button", "Join")
	s.page.AwaitText("not the password")
	s.page.Fill("Password", s.password.text)
	s.page.Click("button", "Join")
	s.page.Find("textbox", "Message")

	shop := browser.EmbeddingPage(t, s.shop, s.Base(0), fmt.Sprintf(`<ephemeral-chat room="%s"></ephemeral-chat>`, s.admin.RoomID))
	s.shopTab = s.shopProfile.Open(t, shop, s.Base(0))
	s.shopTab.Fill("Your name", s.shopName.text)
	s.shopTab.Fill("Password", s.password.text)
	s.shopTab.Click("button", "Join")
	s.shopTab.Find("textbox", "Message")

	s.draft = s.mark("draft", "draft")
	if s.end == "lobby" { // the first message would start the room
		s.page.Fill("Message", s.draft.text)
		s.goClient.Await(t, "typing")
		return
	}
	s.exchange(t)
	s.page.Fill("Message", s.draft.text)
}

// exchange publishes messages of all kinds.
func (s *scenario) exchange(t *testing.T) {
	s.message, s.umlauts, s.long = s.mark("message", "hello"), s.mark("message", "grüße \"an\" alle: "), s.mark("message", strings.Repeat("very ", 700))
	s.fromPage, s.fromShop = s.mark("message", "page"), s.mark("message", "shop")
	s.refused, s.retracted = s.mark("refused message", strings.Repeat("too long ", 1000)), s.mark("retracted message", "oops")
	for _, m := range []*marker{s.message, s.umlauts, s.long} {
		s.goClient.Publish(t, m.text)
		s.goClient.AwaitText(t, m.text)
	}
	s.goClient.Publish(t, s.refused.text)
	s.goClient.Await(t, "error")
	s.page.Publish(s.fromPage.text)
	s.shopTab.AwaitMessage(s.pageName.text, s.fromPage.text)
	s.shopTab.Publish(s.fromShop.text)
	s.page.AwaitMessage(s.shopName.text, s.fromShop.text)
	s.page.Publish(s.retracted.text)
	oops := s.goClient.AwaitText(t, s.retracted.text)
	s.goClient.Send(t, harness.Fields{"type": "retract", "seq": oops.Seq})
	s.goClient.Await(t, "retracted")
	// A client that rejoins receives all messages, and requests them again.
	again, _ := harness.Join(t, s.Base(1), &s.admin)
	again.Send(t, harness.Fields{"type": "history", "limit": 200})
	again.Await(t, "history")
	s.goClient = again
}

// awaitEnd waits for the end of the room, and until all clients are notified.
func (s *scenario) awaitEnd(t *testing.T) {
	t.Helper()
	if s.end == "deletion" {
		s.adminAPI.Succeed(t, "/deleteRoom", s.admin.Credentials())
	}
	if _, ok := s.goClient.Wait(3*forgetTime, func(f *harness.Frame) bool { return f.Type == "ended" }); !ok {
		t.Fatal("the room has not ended")
	}
	s.goClient.AwaitClose(t, 4410)
	for _, b := range []*browser.Tab{s.page, s.shopTab} {
		b.Find("heading", "This room is gone")
	}
	for _, a := range s.APIs {
		a.Client.CloseIdleConnections()
	}
}

// expectAll fails the test unless the markers are found before the room ends. Otherwise
// a search without results would prove nothing.
func (s *scenario) expectAll(t *testing.T) {
	t.Helper()
	if s.Redis != nil {
		found := make(traces)
		found.search([]byte(s.Redis.Values(t)), s.markers, nil)
		found.search(s.dump(t), s.markers, nil)
		for _, what := range []string{"room name", "user name", "room id"} {
			if found.of(what) == 0 {
				t.Errorf("%s is not found in Redis before the room ends", what)
			}
		}
		if s.end != "lobby" && found.of("message") == 0 {
			t.Error("no message is found in Redis before the room ends")
		}
		t.Logf("in Redis before the room ends: %v", found)
	}
	if s.end == "expiry" {
		return // the room would expire during the search of the memory
	}
	found := make(traces)
	for _, n := range s.Nodes {
		for what, count := range searchMemory(t, n.PID(), s.markers, nil) {
			found[what] += count
		}
	}
	for _, m := range s.markers {
		// A draft is in the browser only.
		if m.kind != "draft" && found.of(m.kind) == 0 {
			t.Errorf("%s is not found in the memory of a node before the room ends", m.kind)
		}
	}
	t.Logf("in memory before the room ends: %v", found)
}

// dump makes Redis write all data to disk, and returns the file.
func (s *scenario) dump(t *testing.T) []byte {
	t.Helper()
	if err := s.Redis.Client().Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(s.redisDir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// expectNothing searches everywhere after the end of the room.
func (s *scenario) expectNothing(t *testing.T, memory string) {
	t.Helper()
	// The admin endpoint.
	for i, n := range s.Nodes {
		for _, path := range []string{"/metrics", "/config/", "/ephemeral_chat/", "/ephemeral_chat/rooms"} {
			found := make(traces)
			found.search(n.AdminGet(t, path), s.markers, nil)
			if len(found) > 0 {
				t.Errorf("node %d, %s: %v", i, path, found)
			}
		}
	}
	// The storage that scripts of a page can read.
	for name, b := range map[string]*browser.Tab{"page": s.page, "shop": s.shopTab} {
		found := make(traces)
		found.search([]byte(browser.Eval[string](b, storedLive)), s.markers, nil)
		if len(found) > 0 {
			t.Errorf("stored by the %s: %v", name, found)
		}
		b.Close()
	}
	s.expectEmptyRedis(t)
	for _, p := range []*browser.Profile{s.profile, s.shopProfile} {
		p.End() // and closes its connections, which it would keep for a while
	}
	s.expectForgotten(t, memory)
	s.expectLogged(t)
	for name, p := range map[string]*browser.Profile{"page": s.profile, "shop": s.shopProfile} {
		files := make(map[string]bool)
		found := searchFiles(t, p.Dir, s.markers, func(file string) { files[filepath.Base(file)] = true })
		if n := found.of(secrets...); n > 0 {
			t.Errorf("%d secrets are in the files of the browser that had the %s: %v", n, name, found)
		}
		t.Logf("in the files of the browser that had the %s: %v, in %v", name, found, slices.Sorted(maps.Keys(files)))
	}
}

// bulkString matches the beginning of a string in the protocol of Redis.
var bulkString = regexp.MustCompile(`\r\n\$\d+\r\n`)

// texts are the kinds of markers in messages. secrets are those that no search may find.
var (
	texts   = []string{"message", "retracted message", "refused message", "draft"}
	secrets = append([]string{"password", "wrong password", "session"}, texts...)
)

// expectLogged searches the logs of the nodes, which have the level debug.
func (s *scenario) expectLogged(t *testing.T) {
	t.Helper()
	for i, n := range s.Nodes {
		content, err := os.ReadFile(filepath.Join(n.Dir, "access.log"))
		if err != nil {
			t.Fatal(err)
		}
		found := make(traces)
		found.search(append(content, n.Log()...), s.markers, nil)
		if k := found.of(secrets...); k > 0 || !strings.Contains(n.Log(), `"level":"debug"`) {
			t.Errorf("node %d has logged %d secrets: %v", i, k, found)
		}
		t.Logf("logged by node %d: %v", i, found)
	}
}

// expectEmptyRedis searches the data of Redis, and logs how much its memory keeps.
func (s *scenario) expectEmptyRedis(t *testing.T) {
	t.Helper()
	if s.Redis == nil {
		return
	}
	// The id of a room stays in the list of the lobby for the lobby time, once in the
	// list and once in the dump.
	var found traces
	if !harness.Poll(forgetTime, func() bool {
		found = make(traces)
		found.search([]byte(s.Redis.Values(t)), s.markers, nil)
		found.search(s.dump(t), s.markers, nil)
		ids := found.of("room id")
		return ids <= 2*2 && len(found) <= 1 && (ids > 0) == (len(found) == 1)
	}) {
		t.Errorf("in Redis: %v", found)
	}
	t.Logf("in Redis: %v", found)
	pid := redisPID(t, s.Redis)
	t.Logf("in the memory of redis-server: %v", searchMemory(t, pid, s.markers, nil))
}

// expectForgotten searches the memory of the nodes. Freed memory keeps its contents
// until it is reused, so that the test can only log how much that is, except with
// clobberfree.
func (s *scenario) expectForgotten(t *testing.T, memory string) {
	t.Helper()
	for i, n := range s.Nodes {
		var found traces
		harness.Poll(5*time.Second, func() bool {
			for range 3 {
				n.AdminGet(t, "/debug/pprof/heap?gc=1")
			}
			found = searchMemory(t, n.PID(), s.markers, nil)
			return len(found) == 0
		})
		t.Logf("in the memory of node %d, %s: %v", i, memory, found)
		if memory != "clobberfree" {
			continue
		}
		// Freed memory is overwritten. But the buffers of net/http keep their last request,
		// those of an idle connection to Redis its last reply, and the stack of a waiting
		// goroutine may keep a name.
		searchMemory(t, n.PID(), s.markers, func(what, where string, around []byte) {
			kind, _, _ := strings.Cut(what, ",")
			isText := slices.Contains(texts, kind)
			inRequest := !isText && bytes.Contains(around, []byte("\r\n\r\n{"))
			inReply := isText && bulkString.Match(around)
			if slices.Contains(secrets, kind) && !inRequest && !inReply {
				t.Errorf("node %d still has %s at %s: %q", i, what, where, around)
			}
		})
	}
}

// redisPID returns the number of the server's process.
func redisPID(t *testing.T, r *harness.Redis) int {
	t.Helper()
	info, err := r.Client().InfoMap(t.Context(), "server").Result()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(info["Server"]["process_id"])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// searchFiles searches the files of a folder, and their names, for markers. It calls
// report with the path of each file that has one.
func searchFiles(t *testing.T, dir string, markers []*marker, report func(path string)) traces {
	t.Helper()
	found, files := make(traces), 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path) //nolint:gosec // G122: only the browser writes to its folder
		if err != nil {
			return err
		}
		files++
		found.search(append(content, path...), markers, func(*marker, *form, int) { report(path) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 10 {
		t.Errorf("the profile has %d files only", files)
	}
	return found
}

// storedLive returns everything that scripts of a page can read in the browser.
const storedLive = `(async () => {
	const all = [JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage }), document.cookie]
	for (const { name } of await indexedDB.databases()) all.push('IndexedDB ' + name)
	for (const name of await caches.keys()) {
		all.push('CacheStorage ' + name)
		for (const request of await (await caches.open(name)).keys()) all.push(request.url)
	}
	for (const worker of await navigator.serviceWorker?.getRegistrations() ?? []) all.push('service worker ' + worker.scope)
	return all.join('\n')
})()`
