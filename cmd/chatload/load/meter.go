package load

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// Memory that has not fallen for stableFor is stable; every checkInterval the meter
// collects garbage and reads it.
const (
	stableFor     = 3 * time.Second
	checkInterval = time.Second
)

// Process is a process of the server.
type Process struct {
	Name string
	PID  int
}

// readAll reads a quantity of each process.
func readAll[T any](processes []Process, read func(pid int) (T, error)) ([]T, error) {
	values := make([]T, len(processes))
	for i, p := range processes {
		var err error
		if values[i], err = read(p.PID); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// cpuOf returns the CPU time of a process, in user and system mode, with a resolution
// of 10 ms.
func cpuOf(pid int) (time.Duration, error) {
	process, err := procfs.NewProc(pid)
	if err != nil {
		return 0, fmt.Errorf("load: CPU time of a process: %w", err)
	}
	stat, err := process.Stat()
	if err != nil {
		return 0, fmt.Errorf("load: CPU time of a process: %w", err)
	}
	return inSeconds(stat.CPUTime()), nil
}

func inSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// machine returns the CPU time that this machine has spent since its start, and the
// most that it could have spent; 0 where that is unknown. Time that the host of a
// virtual machine takes away counts as spent.
func machine() (busy, all time.Duration) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, 0
	}
	stat, err := fs.Stat()
	if err != nil {
		return 0, 0
	}
	c := stat.CPUTotal // its User includes its Guest, and Nice includes GuestNice
	spent := c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ + c.Steal
	return inSeconds(spent), inSeconds(spent + c.Idle + c.Iowait)
}

// spent returns the CPU time of all processes together between two readings.
func spent(before, after []time.Duration) time.Duration {
	var total time.Duration
	for i := range before {
		total += after[i] - before[i]
	}
	return total
}

// stableSizes returns the processes' lowest sizes once they have not fallen by more
// than 1 % for stableFor, or after the longest time to wait. Meanwhile it lets them
// collect garbage, because Go returns freed memory to the system in the background,
// after the next collections. Without processes it does not wait.
func (r *run) stableSizes(ctx context.Context) ([]int64, error) {
	lowest, err := readAll(r.options.Processes, memoryOf)
	if err != nil || len(lowest) == 0 {
		return nil, err
	}
	since := time.Now()
	for begin := since; time.Since(begin) < r.options.MemoryWait && time.Since(since) < stableFor; {
		for _, url := range r.options.GC {
			if err := r.get(ctx, url); err != nil {
				return nil, err
			}
		}
		if err := wait(ctx, checkInterval); err != nil {
			return nil, err
		}
		now, err := readAll(r.options.Processes, memoryOf)
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

// memoryOf returns the proportional set size of a process, in bytes: its resident
// memory, with each shared page divided by the number of its processes.
func memoryOf(pid int) (int64, error) {
	path := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	text, err := os.ReadFile(path) //nolint:gosec // the user names the process
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

// get gets a URL and discards the content.
func (r *run) get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	response, err := r.client.Do(request)
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

func sum(sizes []int64) (total int64) {
	for _, size := range sizes {
		total += size
	}
	return total
}

// snapshot is the counters of a run at one time.
type snapshot struct {
	at                    int64 // nanoseconds since the start
	sent, received, reads uint64
	servers               []time.Duration // CPU time of each process of the server
	// CPU time of this process and of the whole machine, and the most that the
	// machine could have spent; 0 if unknown.
	client, busy, all time.Duration
}

func (r *run) snapshot() (*snapshot, error) {
	s := &snapshot{at: r.now(), received: r.received()}
	for _, room := range r.rooms {
		s.sent += room.sent.Load()
	}
	for _, c := range r.conns {
		s.reads += c.reads.Load()
	}
	s.client, _ = cpuOf(os.Getpid()) // unknown except on Linux
	s.busy, s.all = machine()
	var err error
	s.servers, err = readAll(r.options.Processes, cpuOf)
	return s, err
}
