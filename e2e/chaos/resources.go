package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// emptyTime is in which a node must have closed all rooms and connections after the
// last client has gone: one that went without a word is missed after two pings.
const emptyTime = 20 * time.Second

// Process is one process of a node, and what it took of the machine in each rest.
type Process struct {
	Node    string
	Pools   int // of connections to Redis
	Samples []Sample
	pid     int
}

// Sample is what a process takes of the machine when it has no rooms and no
// connections, after everything that is garbage was collected.
type Sample struct {
	At         time.Time
	Goroutines int
	Files      int // descriptors
	Heap       int // bytes of objects that are in use
	Held       int // bytes that the Go runtime has of the system and has not given back
	Resident   int // bytes of the process in memory
}

// rest waits until the short lives of rooms have ended, and measures the nodes. The
// rooms of a round have ended before.
func (l *Lab) rest(ctx context.Context) {
	l.living.Lock()
	defer l.living.Unlock()
	l.measure(ctx)
}

// measure takes a sample of each node. All clients have gone.
func (l *Lab) measure(ctx context.Context) {
	l.http.CloseIdleConnections()
	for _, n := range l.nodes {
		if err := until(ctx, emptyTime+l.o.Tolerance, n.empty); err != nil {
			if ctx.Err() == nil {
				l.journal.violate("left", err.Error(), nil)
			}
			continue
		}
		if err := l.sample(ctx, n); err != nil && ctx.Err() == nil {
			l.journal.violate("measure", fmt.Sprintf("%s cannot be measured: %v", n.name, err), nil)
		}
	}
}

func (l *Lab) sample(ctx context.Context, n *node) error {
	p := l.processOf(n)
	s, err := n.sample(ctx, fmt.Sprintf("%d-%d", p.pid, len(p.Samples)+1))
	if err != nil {
		return err
	}
	l.mu.Lock()
	p.Samples = append(p.Samples, s)
	l.mu.Unlock()
	l.journal.note("rest: %s has %d goroutines, %d descriptors, %.2f MiB heap, %.1f MiB held, %.1f MiB resident",
		n.name, s.Goroutines, s.Files, mebibytes(s.Heap), mebibytes(s.Held), mebibytes(s.Resident))
	return nil
}

// processOf returns the process that a node runs in.
func (l *Lab) processOf(n *node) *Process {
	l.mu.Lock()
	defer l.mu.Unlock()
	pid := n.cmd.Process.Pid
	for _, p := range l.processes {
		if p.Node == n.name && p.pid == pid {
			return p
		}
	}
	p := &Process{Node: n.name, Pools: l.topology.pools(), pid: pid}
	l.processes = append(l.processes, p)
	return p
}

func mebibytes(bytes int) float64 { return float64(bytes) / (1 << 20) }

// empty reports what a node still has open.
func (n *node) empty(ctx context.Context) error {
	text, err := n.ask(ctx, "/ephemeral_chat/")
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

// sample measures the node, and leaves its profiles in files with a name, for who
// has to find out what has grown.
func (n *node) sample(ctx context.Context, name string) (s Sample, err error) {
	// The first collection leaves what pools keep for one more.
	for _, profile := range []string{"goroutine", "heap?gc=1", "heap?gc=1"} {
		content, err := n.ask(ctx, "/debug/pprof/"+profile)
		if err != nil {
			return s, err
		}
		kind, _, _ := strings.Cut(profile, "?")
		if err := os.WriteFile(filepath.Join(n.dir, kind+"-"+name+".pb.gz"), content, 0o600); err != nil {
			return s, err
		}
	}
	s.At = time.Now()
	heap, err := n.ask(ctx, "/debug/pprof/heap?debug=1")
	if err != nil {
		return s, err
	}
	var system, released int
	for what, value := range map[string]*int{"HeapAlloc": &s.Heap, "Sys": &system, "HeapReleased": &released} {
		if err := scanAfter(string(heap), "\n# "+what+" = ", value); err != nil {
			return s, err
		}
	}
	s.Held = system - released
	goroutines, err := n.ask(ctx, "/debug/pprof/goroutine?debug=1")
	if err != nil {
		return s, err
	}
	if err := scanAfter(string(goroutines), "goroutine profile: total ", &s.Goroutines); err != nil {
		return s, err
	}
	pid := fmt.Sprint("/proc/", n.cmd.Process.Pid)
	files, err := os.ReadDir(pid + "/fd")
	if err != nil {
		return s, err
	}
	s.Files = len(files)
	status, err := os.ReadFile(pid + "/status")
	if err != nil {
		return s, err
	}
	if err := scanAfter(string(status), "\nVmRSS:", &s.Resident); err != nil {
		return s, err
	}
	s.Resident <<= 10 // it is in KiB
	return s, nil
}

// scanAfter reads the number that follows a prefix in a text.
func scanAfter(text, prefix string, number *int) error {
	_, after, ok := strings.Cut(text, prefix)
	if !ok {
		return fmt.Errorf("no %q", prefix)
	}
	_, err := fmt.Sscan(after, number)
	return err
}
