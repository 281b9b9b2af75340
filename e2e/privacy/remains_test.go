package privacy_test

import (
	"bytes"
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
