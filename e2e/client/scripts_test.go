package client_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// scriptTime bounds the time of a script on a busy machine.
const scriptTime = 3 * time.Minute

// actions are what a script can request from the test, by name. Their results go back
// to the script.
type actions map[string]func(args []string) any

// runScript runs a script of node/web, which uses the JavaScript client as a page
// does, and fails the test if the script fails.
func runScript(t *testing.T, name string, settings harness.Fields, can actions) {
	t.Helper()
	harness.InstallNode(t)
	ctx, cancel := context.WithTimeout(t.Context(), scriptTime)
	defer cancel()
	script := exec.CommandContext(ctx, "node", name)
	script.Dir = filepath.Join(harness.NodeDir(), "web")
	var errors bytes.Buffer
	script.Stderr = &errors
	input, err := script.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := script.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := script.Start(); err != nil {
		t.Fatalf("node (which the tests need): %v", err)
	}
	lines := json.NewEncoder(input)
	_ = lines.Encode(settings) // fails only if the script has ended, which then has a reason
	for requests := bufio.NewScanner(output); requests.Scan(); {
		var request struct {
			Ask  string   `json:"ask"`
			Args []string `json:"args"`
		}
		if err := json.Unmarshal(requests.Bytes(), &request); err != nil {
			t.Errorf("%s prints %s", name, requests.Text())
			continue
		}
		action, ok := can[request.Ask]
		if !ok {
			t.Errorf("%s requests %q", name, request.Ask)
			cancel()
			break
		}
		_ = lines.Encode(action(request.Args)) // as above
	}
	err = script.Wait()
	if ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	text := strings.TrimSpace(errors.String())
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
	if text != "" {
		t.Log(text)
	}
}

// do returns an action without arguments and result.
func do(action func()) func([]string) any {
	return func([]string) any {
		action()
		return nil
	}
}

// outages returns the actions of a proxy.
func outages(p *harness.Proxy) actions {
	return actions{
		"cut":     do(func() { p.Set(harness.Refused) }),
		"silence": do(func() { p.Set(harness.Silent) }),
		"heal":    do(func() { p.Set(harness.NoOutage) }),
	}
}

// startProxy starts a proxy in front of the last node of a site.
func startProxy(t *testing.T, s *harness.Site) (*harness.Proxy, harness.Fields) {
	t.Helper()
	p := harness.StartProxy(t, strings.TrimPrefix(s.Base(len(s.Bases)-1), "http://"))
	return p, harness.Fields{"bases": s.Bases, "proxied": "http://" + p.Addr()}
}

// TestClientTypes checks the types of the modules that browsers load.
func TestClientTypes(t *testing.T) {
	harness.InstallNode(t)
	check := exec.CommandContext(t.Context(), filepath.Join("node_modules", ".bin", "tsc"), "--project", ".")
	check.Dir = harness.NodeDir()
	if output, err := check.CombinedOutput(); err != nil {
		t.Errorf("tsc: %v\n%s", err, output)
	}
}

// TestClientOrderings runs the client against a fake server that orders frames at
// random.
func TestClientOrderings(t *testing.T) {
	runScript(t, "orderings.mjs", harness.Fields{}, nil)
}

// TestClientCloseCodes closes the client's connection with every code.
func TestClientCloseCodes(t *testing.T) {
	t.Parallel() // mostly waits
	runScript(t, "closecodes.mjs", harness.Fields{}, nil)
}

// TestClientFrames sends frames to the client that it must survive.
func TestClientFrames(t *testing.T) {
	runScript(t, "frames.mjs", harness.Fields{}, nil)
}

// TestClientQuietLinks makes time pass faster, with the client's timers. Because it is
// sensitive to load, no other test runs at the same time.
func TestClientQuietLinks(t *testing.T) {
	runScript(t, "quiet.mjs", harness.Fields{}, nil)
}

func TestClientTalks(t *testing.T) {
	harness.OnBothStores(t, "message_rate off", func(t *testing.T, s *harness.Site) {
		runScript(t, "talk.mjs", harness.Fields{"bases": s.Bases}, nil)
		s.ExpectNoErrors(t)
	})
}

func TestClientTabs(t *testing.T) {
	harness.OnBothStores(t, "", func(t *testing.T, s *harness.Site) {
		runScript(t, "tabs.mjs", harness.Fields{"bases": s.Bases}, nil)
		s.ExpectNoErrors(t)
	})
}

func TestClientExpiry(t *testing.T) {
	t.Parallel() // mostly waits
	harness.OnBothStores(t, "", func(t *testing.T, s *harness.Site) {
		p, settings := startProxy(t, s)
		runScript(t, "expiry.mjs", settings, outages(p))
		s.ExpectNoErrors(t)
	})
}

func TestClientExactlyOnce(t *testing.T) {
	harness.OnBothStores(t, "message_rate off", func(t *testing.T, s *harness.Site) {
		p, settings := startProxy(t, s)
		can := outages(p)
		ctx, cancel := context.WithCancel(t.Context())
		var cutting sync.WaitGroup
		can["cut again and again"] = do(func() {
			cutting.Go(func() { p.CutRepeatedly(ctx) }) // ends with the action "heal"
		})
		can["heal"] = do(func() {
			cancel()
			cutting.Wait()
			p.Set(harness.NoOutage)
		})
		defer can["heal"](nil)
		runScript(t, "cuts.mjs", settings, can)
		s.ExpectNoErrors(t)
	})
}

func TestClientRetracts(t *testing.T) {
	harness.OnBothStores(t, "", func(t *testing.T, s *harness.Site) {
		for _, private := range []bool{false, true} {
			p, settings := startProxy(t, s)
			settings["private"] = private
			runScript(t, "retract.mjs", settings, outages(p))
		}
		s.ExpectNoErrors(t)
	})
}

func TestClientDeadLink(t *testing.T) {
	t.Parallel() // mostly waits
	s := harness.MemorySite(t, "")
	p, settings := startProxy(t, s)
	runScript(t, "silence.mjs", settings, outages(p))
}

func TestClientRate(t *testing.T) {
	t.Parallel() // mostly waits
	harness.OnBothStores(t, "message_rate 3 1s", func(t *testing.T, s *harness.Site) {
		runScript(t, "rate.mjs", harness.Fields{"bases": s.Bases}, nil)
	})
}

// TestClientRestarts restarts the node, and Redis with all its data.
func TestClientRestarts(t *testing.T) {
	server := harness.StartRedisWith(t, harness.RedisOptions{AOF: true})
	s := harness.StartSite(t, server, "", server.Addr())
	n := s.Nodes[0]
	runScript(t, "restart.mjs", harness.Fields{"bases": s.Bases}, actions{
		"stop node":   func([]string) any { return n.Stop(t).String() },
		"kill node":   do(func() { n.Kill(t) }),
		"start node":  do(func() { n = n.Restart(t) }),
		"kill redis":  do(func() { server.Kill(t) }),
		"start redis": do(func() { server.Restart(t) }),
	})
}

// TestClientGap kills Redis, which loses the messages that it has not saved.
func TestClientGap(t *testing.T) {
	server := harness.StartRedis(t)
	s := harness.StartSite(t, server, "history 20\nmessage_rate off", server.Addr())
	p, settings := startProxy(t, s)
	can := outages(p)
	can["save redis"] = do(func() {
		if err := server.Client().Save(t.Context()).Err(); err != nil {
			t.Error(err)
		}
	})
	can["kill redis"] = do(func() { server.Kill(t) })
	can["start redis"] = do(func() { server.Restart(t) })
	runScript(t, "gap.mjs", settings, can)
}

// TestClientPrivate searches Redis and the logs for the texts of a private room, and
// changes messages in Redis, as the operator of Redis could.
func TestClientPrivate(t *testing.T) {
	server := harness.StartRedis(t)
	s := harness.StartSite(t, server, "message_rate off", server.Addr(), server.Addr())
	runScript(t, "private.mjs", harness.Fields{"bases": s.Bases}, actions{
		"contents": func([]string) any { return server.Values(t) },
		"logged": func([]string) any {
			text := ""
			for _, n := range s.Nodes {
				text += n.Log()
			}
			return text
		},
		"tamper": func(args []string) any {
			tamper(t, server, args[0], args[1])
			return nil
		},
	})
}

// tamper changes messages of a room that has at least five: the second differs in one
// character of its text, the third is from ben, and the fifth is the first of the
// other room.
func tamper(t *testing.T, r *harness.Redis, roomID, otherID string) {
	t.Helper()
	key := "room:messages:" + roomID
	entries, err := r.Client().LRange(t.Context(), key, 0, -1).Result()
	if err != nil || len(entries) < 5 {
		t.Fatalf("%d messages: %v", len(entries), err)
	}
	other, err := r.Client().LIndex(t.Context(), "room:messages:"+otherID, 0).Result()
	if err != nil {
		t.Fatal(err)
	}
	change := func(index int, field string, value func(string) string) {
		var entry harness.Fields
		if err := json.Unmarshal([]byte(entries[index]), &entry); err != nil {
			t.Fatal(err)
		}
		before, _ := entry[field].(string)
		entry[field] = value(before)
		delete(entry, "seq")
		rest, err := json.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		// The store expects the number first.
		after := fmt.Sprintf(`{"seq":%d,%s`, index+1, rest[1:])
		if after == entries[index] {
			t.Fatalf("no change in %s", after)
		}
		if err := r.Client().LSet(t.Context(), key, int64(index), after).Err(); err != nil {
			t.Fatal(err)
		}
		entries[index] = after
	}
	change(1, "message", func(text string) string {
		middle := len(text) / 2
		character := "A"
		if text[middle] == 'A' {
			character = "B"
		}
		return text[:middle] + character + text[middle+1:]
	})
	change(2, "userId", func(string) string { return "ben" })
	change(4, "userId", func(string) string { return "anna" })
	change(4, "message", func(string) string {
		var entry struct{ Message string }
		if err := json.Unmarshal([]byte(other), &entry); err != nil {
			t.Fatal(err)
		}
		return entry.Message
	})
}
