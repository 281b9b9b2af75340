package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// progressInterval is how often there is a line of progress at most.
const progressInterval = 5 * time.Second

// Main is the command line, and returns the exit status.
func Main(name string, args []string, dialect Dialect, stdout, stderr io.Writer) int {
	stdout, stderr = terminal{stdout}, terminal{stderr}
	o, err := ParseOptions(name, args, stderr)
	if errors.Is(err, errHelp) {
		return 0
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	result, err := Run(ctx, o, dialect, NewProgress(stderr))
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
	if o.JSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(result)
	} else {
		_, err = io.WriteString(stdout, result.String())
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
	if !result.Faultless() {
		return 1
	}
	return 0
}

// Progress writes a line now and then. It is safe for concurrent use.
type Progress struct {
	mu   sync.Mutex
	to   io.Writer
	last time.Time
}

// NewProgress writes to a writer.
func NewProgress(to io.Writer) *Progress { return &Progress{to: to, last: time.Now()} }

// Line writes a line, unless the last one, or the start, was a moment ago.
func (p *Progress) Line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// A little less than the interval, so that a ticker's ticks all count.
	if now := time.Now(); now.Sub(p.last) >= progressInterval-progressInterval/10 {
		p.last = now
		_, _ = fmt.Fprintf(p.to, "… "+format+"\n", args...)
	}
}
