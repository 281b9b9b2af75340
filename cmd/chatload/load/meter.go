package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc/<pid>/stat: USER_HZ, which is 100 on
// every architecture that Go runs on.
const tick = time.Second / 100

// settledFor is how long memory must not have fallen to count as settled.
const settledFor = 3 * time.Second

// Process is a process that belongs to the server.
type Process struct {
	Name string
	PID  int
}

// meter reads from the system what processes spend.
type meter struct {
	processes []Process
	gc        []string // URLs that make the processes collect garbage
	client    *http.Client
}

// newMeter fails if a process is not there.
func newMeter(o *Options) (*meter, error) {
	m := &meter{processes: o.Processes, gc: o.GC, client: o.httpClient()}
	if _, err := m.cpu(); err != nil {
		return nil, err
	}
	return m, nil
}

// cpu returns the CPU time that each process has spent, in user and system mode.
// It is exact to 10 ms.
func (m *meter) cpu() ([]time.Duration, error) {
	times := make([]time.Duration, 0, len(m.processes))
	for _, p := range m.processes {
		spent, err := cpuOf(strconv.Itoa(p.PID))
		if err != nil {
			return nil, err
		}
		times = append(times, spent)
	}
	return times, nil
}

func cpuOf(pid string) (time.Duration, error) {
	text, err := os.ReadFile("/proc/" + pid + "/stat") //nolint:gosec // of a process that the user names
	if err != nil {
		return 0, fmt.Errorf("load: CPU time of a process: %w", err)
	}
	// The name of the program stands in parentheses and may contain anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("load: /proc/%s/stat: too few fields", pid)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("load: /proc/%s/stat: %w", pid, err)
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("load: /proc/%s/stat: %w", pid, err)
	}
	return time.Duration(user+system) * tick, nil
}

// machine returns the CPU time that everything on this machine has spent since it
// was started, and what it could have spent; 0 where that is not known. What the
// host of a virtual machine takes away counts as spent.
func machine() (busy, all time.Duration) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	// cpu user nice system idle iowait irq softirq steal, and guests, which are
	// counted among users.
	for i, field := range strings.Fields(first) {
		if i == 0 || i > 8 {
			continue
		}
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, 0
		}
		all += time.Duration(n) * tick
		if i != 4 && i != 5 {
			busy += time.Duration(n) * tick
		}
	}
	return busy, all
}

// spent returns what all processes together have spent between two readings.
func spent(before, after []time.Duration) time.Duration {
	var total time.Duration
	for i := range before {
		total += after[i] - before[i]
	}
	return total
}

// memory returns the proportional set size of each process, in bytes: what it has
// in memory, shared pages divided by those who share them.
func (m *meter) memory() ([]int64, error) {
	sizes := make([]int64, 0, len(m.processes))
	for _, p := range m.processes {
		size, err := memoryOf(p.PID)
		if err != nil {
			return nil, err
		}
		sizes = append(sizes, size)
	}
	return sizes, nil
}

func memoryOf(pid int) (int64, error) {
	path := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	text, err := os.ReadFile(path) //nolint:gosec // of a process that the user names
	if err != nil {
		return 0, fmt.Errorf("load: memory of a process: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "Pss:"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("load: %s: %w", path, err)
			}
			return kilobytes << 10, nil
		}
	}
	return 0, fmt.Errorf("load: %s has no Pss", path)
}

// settled returns the processes' memory when it has not fallen by more than 1 %
// for settledFor, or at the latest after the time given; meanwhile it lets them
// collect garbage every second, because what Go has freed goes back to the system
// in the background, after the next collections.
func (m *meter) settled(ctx context.Context, within time.Duration) ([]int64, error) {
	if len(m.processes) == 0 {
		return nil, nil
	}
	lowest, err := m.memory()
	if err != nil {
		return nil, err
	}
	since := time.Now()
	for begin := since; time.Since(begin) < within && time.Since(since) < settledFor; {
		for _, url := range m.gc {
			if err := m.get(ctx, url); err != nil {
				return nil, err
			}
		}
		if err := wait(ctx, time.Second); err != nil {
			return nil, err
		}
		now, err := m.memory()
		if err != nil {
			return nil, err
		}
		if sum(now) < sum(lowest)-sum(lowest)/100 {
			since = time.Now()
		}
		if sum(now) < sum(lowest) {
			lowest = now
		}
	}
	return lowest, nil
}

// get gets a URL and nothing of its content.
func (m *meter) get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	response, err := m.client.Do(request)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return fmt.Errorf("load: %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("load: %s: %q", url, response.Status)
	}
	return nil
}

// begin, connected and left fill in the memory before anybody is connected, with
// all connected, and when all have left. Without begin there is no memory of a
// connection.
func (m *meter) begin(ctx context.Context, settle time.Duration, into *[]Memory) error {
	sizes, err := m.settled(ctx, settle)
	for i, size := range sizes {
		*into = append(*into, Memory{Process: m.processes[i].Name, Before: size})
	}
	return err
}

func (m *meter) connected(ctx context.Context, connections int, settle time.Duration, into *[]Memory) error {
	sizes, err := m.settled(ctx, settle)
	for i, size := range sizes {
		if len(*into) <= i {
			*into = append(*into, Memory{Process: m.processes[i].Name, Connected: size})
			continue
		}
		memory := &(*into)[i]
		memory.Connected = size
		memory.PerConnection = float64(size-memory.Before) / float64(max(connections, 1))
	}
	return err
}

func (m *meter) left(ctx context.Context, settle time.Duration, into *[]Memory) error {
	sizes, err := m.settled(ctx, settle)
	for i, size := range sizes {
		(*into)[i].Left = size
	}
	return err
}

func sum(sizes []int64) (total int64) {
	for _, size := range sizes {
		total += size
	}
	return total
}
