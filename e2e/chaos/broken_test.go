package chaos_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/chaos"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// broken are builds that lack a part, and the violations that an experiment must find
// in them.
var broken = map[string]struct {
	file     string
	from, to string // text to replace, and its replacement
	faults   []string
	kinds    []string // of violations that show it
	set      func(*chaos.Options)
}{
	// A message that its client sends again, because it does not know whether the first
	// was stored, is stored twice.
	"duplicates": {
		file:   "redisstore/script/post.lua",
		from:   "if not below(highest, id) then",
		to:     "if false then",
		faults: []string{"redis-mute", "redis-reset", "redis-kill"},
		kinds:  []string{"doubled", "order"},
	},
	// A node does not catch up with messages that were posted while its connection for
	// events was broken.
	"resynchronization": {
		file:   "redisstore/resync.go",
		from:   "	f.live = false\n	switch {",
		to:     "	f.live = f.connected\n	switch {\n	case f.open:",
		faults: []string{"subscriber-cut"},
		kinds:  []string{"delivery", "end", "order", "outbox", "presence"},
	},
	// A key that is created after the start of a room outlives it.
	"deadline": {
		file:  "redisstore/script/post.lua",
		from:  "redis.call('PEXPIREAT', KEYS[2], deadline)",
		to:    "",
		kinds: []string{"expiry", "keys"},
	},
	// A connection that has ended is never released.
	"connections": {
		file:  "ws/hub.go",
		from:  "	delete(h.conns, c)",
		to:    "",
		kinds: []string{"left"},
		set:   func(o *chaos.Options) { o.Duration = 5 * time.Second },
	},
}

// TestBroken runs experiments with builds that are broken on purpose, and expects a
// violation of each. It shows that an experiment can fail.
func TestBroken(t *testing.T) {
	for name, b := range broken {
		t.Run(name, func(t *testing.T) {
			o := options(t, "standalone")
			o.Caddy = overlaid(t, b.file, b.from, b.to)
			o.Faults, o.StopEarly = b.faults, true
			o.Pace, o.Round, o.Duration = 400*time.Millisecond, 10*time.Second, time.Minute
			if b.set != nil {
				b.set(&o)
			}
			start := time.Now()
			report, err := chaos.Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(report.Violations, func(v chaos.Violation) bool { return slices.Contains(b.kinds, v.Kind) }) {
				report.Write(t.Output())
				t.Errorf("no violation is found")
				return
			}
			t.Logf("found after %s: %s: %s", time.Since(start).Round(100*time.Millisecond), report.Violations[0].Kind, report.Violations[0].What)
		})
	}
}

// overlaid builds Caddy as if a text in one file were replaced. The file does not
// change.
func overlaid(t *testing.T, file, from, to string) string {
	t.Helper()
	dir := t.TempDir()
	original := filepath.Join(harness.Repository(), file)
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), from); n != 1 {
		t.Fatalf("%s has %q %d times: update this test", file, from, n)
	}
	patched := filepath.Join(dir, filepath.Base(file))
	if err := os.WriteFile(patched, []byte(strings.Replace(string(text), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: patched}})
	if err != nil {
		t.Fatal(err)
	}
	description := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(description, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "caddy")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-overlay", description, "-o", binary, "./cmd/caddy")
	cmd.Dir = harness.Repository()
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return binary
}
