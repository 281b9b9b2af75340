package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest/poll"
)

// drainTimeout bounds the time from the end of the last client until a node has no
// rooms and no connections: it notices a connection without a close frame after two
// pings.
const drainTimeout = 20 * time.Second

// Process is one process of a node, with its samples.
type Process struct {
	Node    string
	Pools   int // of connections to Redis
	Samples []Sample
	pid     int
}

// Sample is the use of resources by a process that has no rooms and no connections,
// after a garbage collection.
type Sample struct {
	Goroutines int
	Files      int // descriptors
	Heap       int // bytes of objects in use
	Held       int // bytes that the Go runtime has not returned to the system
	Resident   int // bytes of the process in memory
}

// String implements fmt.Stringer.
func (s Sample) String() string {
	return fmt.Sprintf("%5d goroutines, %4d descriptors, %6.2f MiB heap, %6.1f MiB held, %6.1f MiB resident",
		s.Goroutines, s.Files, mebibytes(s.Heap), mebibytes(s.Held), mebibytes(s.Resident))
}

func mebibytes(bytes int) float64 { return float64(bytes) / (1 << 20) }

// measure waits until the short-lived rooms have ended, and takes a sample of each
// node. The rooms of a round have ended before.
func (x *experiment) measure(ctx context.Context) {
	x.shortLived.Lock()
	defer x.shortLived.Unlock()
	x.http.CloseIdleConnections()
	for _, n := range x.nodes {
		if err := poll.Until(ctx, drainTimeout+x.o.Tolerance, n.drained); err != nil {
			if ctx.Err() == nil {
				x.journal.violate("left", err.Error(), nil)
			}
			continue
		}
		p := x.processOf(n)
		s, err := n.sample(ctx, fmt.Sprintf("%d-%d", p.pid, len(p.Samples)+1))
		if err != nil {
			if ctx.Err() == nil {
				x.journal.violate("measure", fmt.Sprintf("%s cannot be measured: %v", n.name, err), nil)
			}
			continue
		}
		x.mu.Lock()
		p.Samples = append(p.Samples, s)
		x.mu.Unlock()
		x.journal.log("%s has %s", n.name, s)
	}
}

// processOf returns the current process of a node.
func (x *experiment) processOf(n *node) *Process {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.processes {
		if p.Node == n.name && p.pid == n.PID() {
			return p
		}
	}
	p := &Process{Node: n.name, Pools: x.topology.pools, pid: n.PID()}
	x.processes = append(x.processes, p)
	return p
}

// drained returns an error while the node has connections or rooms.
func (n *node) drained(ctx context.Context) error {
	text, err := n.get(ctx, "/ephemeral_chat/")
	if err != nil {
		return err
	}
	var stats struct {
		Stores []struct{ Connections, Rooms int }
	}
	if err := json.Unmarshal(text, &stats); err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	for _, s := range stats.Stores {
		if s.Connections > 0 || s.Rooms > 0 {
			return fmt.Errorf("%s still has %d connections and %d rooms after the last client has gone", n.name, s.Connections, s.Rooms)
		}
	}
	return nil
}

// sample measures the node, and writes its profiles to files whose names contain
// name.
func (n *node) sample(ctx context.Context, name string) (s Sample, err error) {
	// The first collection leaves the content of sync.Pool for one more.
	for _, profile := range []string{"goroutine", "heap?gc=1", "heap?gc=1"} {
		content, err := n.get(ctx, "/debug/pprof/"+profile)
		if err != nil {
			return s, err
		}
		kind, _, _ := strings.Cut(profile, "?")
		if err := os.WriteFile(filepath.Join(n.Dir, kind+"-"+name+".pb.gz"), content, 0o600); err != nil {
			return s, err
		}
	}
	heap, err := n.get(ctx, "/debug/pprof/heap?debug=1")
	if err != nil {
		return s, err
	}
	goroutines, err := n.get(ctx, "/debug/pprof/goroutine?debug=1")
	if err != nil {
		return s, err
	}
	proc := fmt.Sprint("/proc/", n.PID())
	status, err := os.ReadFile(proc + "/status")
	if err != nil {
		return s, err
	}
	files, err := os.ReadDir(proc + "/fd")
	if err != nil {
		return s, err
	}
	s.Files = len(files)
	var system, released int
	for _, number := range []struct {
		text   []byte
		prefix string
		value  *int
	}{
		{heap, "\n# HeapAlloc = ", &s.Heap},
		{heap, "\n# Sys = ", &system},
		{heap, "\n# HeapReleased = ", &released},
		{goroutines, "goroutine profile: total ", &s.Goroutines},
		{status, "\nVmRSS:", &s.Resident},
	} {
		_, after, _ := strings.Cut(string(number.text), number.prefix)
		if _, err := fmt.Sscan(after, number.value); err != nil {
			return s, fmt.Errorf("no number after %q: %w", number.prefix, err)
		}
	}
	s.Held = system - released
	s.Resident <<= 10 // it is in KiB
	return s, nil
}
