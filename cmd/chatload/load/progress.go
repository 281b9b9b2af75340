package load

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progressInterval is the shortest time between two lines of progress.
const progressInterval = 5 * time.Second

// progress writes a line now and then. It is safe for concurrent use.
type progress struct {
	to io.Writer

	mu   sync.Mutex
	last time.Time
}

// line writes a line, unless the run or the previous line has just begun.
func (p *progress) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// A little less than the interval, so that no tick of a ticker is skipped.
	if now := time.Now(); now.Sub(p.last) >= progressInterval-progressInterval/10 {
		p.last = now
		_, _ = fmt.Fprintf(p.to, "… "+format+"\n", args...)
	}
}
