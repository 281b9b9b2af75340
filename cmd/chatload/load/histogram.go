package load

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// subBits is the precision of a histogram: each power of two is divided into
// 2^subBits buckets, so that the error of a value is at most 1/64, about 1.6 %.
const subBits = 6

// histogramBuckets hold every duration up to 2^42 ns, about 73 minutes.
const histogramBuckets = (42 - subBits + 1) << subBits

// Histogram counts durations. It is safe for concurrent use, and recording does
// not allocate. The zero value is empty.
type Histogram struct {
	counts [histogramBuckets]atomic.Uint64
	max    atomic.Int64
}

// bucketOf returns the bucket of a duration.
func bucketOf(d time.Duration) int {
	if d < 1<<subBits {
		return int(d)
	}
	shift := bits.Len64(uint64(d)) - subBits - 1
	return min((shift+1)<<subBits+int(d>>shift)&(1<<subBits-1), histogramBuckets-1)
}

// middle returns the duration in the middle of a bucket.
func middle(bucket int) time.Duration {
	if bucket < 1<<subBits {
		return time.Duration(bucket)
	}
	shift := bucket>>subBits - 1
	lowest := time.Duration(1<<subBits+bucket&(1<<subBits-1)) << shift
	return lowest + 1<<shift/2
}

// Record counts a duration; a negative one counts as 0.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(d)].Add(1)
	for {
		highest := h.max.Load()
		if int64(d) <= highest || h.max.CompareAndSwap(highest, int64(d)) {
			return
		}
	}
}

// Add adds the counts of another histogram.
func (h *Histogram) Add(other *Histogram) {
	for i := range other.counts {
		if n := other.counts[i].Load(); n > 0 {
			h.counts[i].Add(n)
		}
	}
	h.max.Store(max(h.max.Load(), other.max.Load()))
}

// Count returns how many durations were recorded.
func (h *Histogram) Count() uint64 {
	var n uint64
	for i := range h.counts {
		n += h.counts[i].Load()
	}
	return n
}

// Max returns the longest duration, exactly.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max.Load()) }

// Quantile returns the longest duration of the shortest fraction q of all durations,
// within the width of a bucket; 0 if none was recorded.
func (h *Histogram) Quantile(q float64) time.Duration {
	total := h.Count()
	if total == 0 {
		return 0
	}
	rank := uint64(q * float64(total))
	var seen uint64
	for i := range h.counts {
		seen += h.counts[i].Load()
		if seen > rank || seen == total {
			return min(middle(i), h.Max())
		}
	}
	return h.Max()
}
