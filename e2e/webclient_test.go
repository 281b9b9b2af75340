package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// scriptTime is in which a script must have ended, on a busy machine.
const scriptTime = 3 * time.Minute

// deeds are what a script can ask the test to do, by name. What they return, it is
// told.
type deeds map[string]func(args []string) any

// runScript runs a script of node/web, which uses web/client.js as a page would,
// and fails the test if the script does.
func runScript(t *testing.T, name string, settings fields, can deeds) {
	t.Helper()
	installNode(t)
	ctx, cancel := context.WithTimeout(t.Context(), scriptTime)
	defer cancel()
	script := exec.CommandContext(ctx, "node", name)
	script.Dir = filepath.Join(repository(), "e2e", "node", "web")
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
	tell(t, input, settings)
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		var asked struct {
			Ask  string   `json:"ask"`
			Args []string `json:"args"`
		}
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			t.Errorf("%s prints %s", name, lines.Text())
			continue
		}
		do, ok := can[asked.Ask]
		if !ok {
			t.Errorf("%s asks for %q", name, asked.Ask)
			cancel()
			break
		}
		tell(t, input, do(asked.Args))
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

// tell writes a line for a script. If it cannot be written, the script has ended,
// and says why.
func tell(t *testing.T, input io.Writer, value any) {
	t.Helper()
	line, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = input.Write(append(line, '\n'))
}

// networkOf are the deeds of a proxy.
func networkOf(p *proxy) deeds {
	set := func(o outage) func([]string) any {
		return func([]string) any {
			p.set(o)
			return nil
		}
	}
	return deeds{"cut": set(refused), "silence": set(silent), "heal": set(noOutage)}
}

// proxied starts a proxy in front of the last node of a site.
func (s *site) proxied(t *testing.T) (*proxy, fields) {
	t.Helper()
	p := startProxy(t, strings.TrimPrefix(s.bases[len(s.bases)-1], "http://"))
	return p, fields{"bases": s.bases, "proxied": "http://" + p.address}
}

// TestClientTypes checks the types of the modules that browsers load.
func TestClientTypes(t *testing.T) {
	installNode(t)
	check := exec.CommandContext(t.Context(), filepath.Join("node_modules", ".bin", "tsc"), "--project", ".")
	check.Dir = filepath.Join(repository(), "e2e", "node")
	if output, err := check.CombinedOutput(); err != nil {
		t.Errorf("tsc: %v\n%s", err, output)
	}
}

// TestClientOrderings runs the client against a server that is made of chance.
func TestClientOrderings(t *testing.T) {
	runScript(t, "orderings.mjs", fields{}, nil)
}

func TestClientCloseCodes(t *testing.T) {
	t.Parallel() // it waits most of the time
	runScript(t, "closecodes.mjs", fields{}, nil)
}

func TestClientFrames(t *testing.T) {
	runScript(t, "frames.mjs", fields{}, nil)
}

// TestClientQuietLinks lets time pass faster, which must be the only thing that
// keeps the machine busy.
func TestClientQuietLinks(t *testing.T) {
	runScript(t, "quiet.mjs", fields{}, nil)
}

func TestClientTalks(t *testing.T) {
	onBoth(t, "message_rate off", func(t *testing.T, s *site) {
		runScript(t, "talk.mjs", fields{"bases": s.bases}, nil)
		s.noErrors(t)
	})
}

func TestClientTabs(t *testing.T) {
	onBoth(t, "", func(t *testing.T, s *site) {
		runScript(t, "tabs.mjs", fields{"bases": s.bases}, nil)
		s.noErrors(t)
	})
}

func TestClientExpiry(t *testing.T) {
	t.Parallel() // it waits most of the time
	onBoth(t, "", func(t *testing.T, s *site) {
		p, settings := s.proxied(t)
		runScript(t, "expiry.mjs", settings, networkOf(p))
		s.noErrors(t)
	})
}

func TestClientExactlyOnce(t *testing.T) {
	onBoth(t, "message_rate off", func(t *testing.T, s *site) {
		p, settings := s.proxied(t)
		can := networkOf(p)
		healed := make(chan struct{})
		var cutting sync.WaitGroup
		can["cut again and again"] = func([]string) any {
			// It ends when the script asks for that, or has ended.
			cutting.Go(func() { p.cutAgainAndAgain(healed) })
			return nil
		}
		can["heal"] = func([]string) any {
			closeOnce(healed)
			cutting.Wait()
			return nil
		}
		t.Cleanup(func() { can["heal"](nil) })
		runScript(t, "cuts.mjs", settings, can)
		s.noErrors(t)
	})
}

func TestClientRetracts(t *testing.T) {
	onBoth(t, "", func(t *testing.T, s *site) {
		for _, private := range []bool{false, true} {
			p, settings := s.proxied(t)
			settings["private"] = private
			runScript(t, "retract.mjs", settings, networkOf(p))
		}
		s.noErrors(t)
	})
}

func TestClientDeadLink(t *testing.T) {
	t.Parallel() // it waits most of the time
	s := memorySite(t, "")
	p, settings := s.proxied(t)
	runScript(t, "silence.mjs", settings, networkOf(p))
}

func TestClientRate(t *testing.T) {
	t.Parallel() // it waits most of the time
	onBoth(t, "message_rate 3 1s", func(t *testing.T, s *site) {
		runScript(t, "rate.mjs", fields{"bases": s.bases}, nil)
	})
}

// TestClientRestarts restarts node and Redis, which has everything on disk.
func TestClientRestarts(t *testing.T) {
	server := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	listen := freeAddress(t)
	start := func() *node {
		sites := fmt.Sprintf("http://%s {\n\tephemeral_chat {\n\t\tredis %s\n\t}\n}\n", listen, server.address)
		return startNode(t, "", sites, listen)
	}
	n := start()
	runScript(t, "restart.mjs", fields{"bases": []string{"http://" + listen}}, deeds{
		"stop node":   func([]string) any { return n.stop(t, stopTime).String() },
		"kill node":   func([]string) any { n.kill(t); n.err = nil; return nil },
		"start node":  func([]string) any { n = start(); return nil },
		"kill redis":  func([]string) any { server.kill(t); return nil },
		"start redis": func([]string) any { server.start(t); return nil },
	})
}

// TestClientGap lets Redis lose what it had not saved.
func TestClientGap(t *testing.T) {
	server := startRedis(t)
	s := startSite(t, server, "history 20\nmessage_rate off", server.address)
	p, settings := s.proxied(t)
	can := networkOf(p)
	can["save redis"] = func([]string) any {
		if err := server.client.Save(t.Context()).Err(); err != nil {
			t.Error(err)
		}
		return nil
	}
	can["kill redis"] = func([]string) any { server.kill(t); return nil }
	can["start redis"] = func([]string) any { server.start(t); return nil }
	runScript(t, "gap.mjs", settings, can)
}

// TestClientPrivate looks at what is left of a private room in Redis, and changes
// it, as somebody could to whom Redis belongs.
func TestClientPrivate(t *testing.T) {
	server := startRedis(t)
	s := startSite(t, server, "message_rate off", server.address, server.address)
	runScript(t, "private.mjs", fields{"bases": s.bases}, deeds{
		"contents": func([]string) any { return server.readable(t) },
		"logged": func([]string) any {
			text := ""
			for _, n := range s.nodes {
				text += n.log(t)
			}
			return text
		},
		"tamper": func(args []string) any {
			server.tamper(t, args[0], args[1])
			return nil
		},
	})
}
