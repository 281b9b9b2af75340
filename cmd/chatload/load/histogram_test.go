package load_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"
)

// TestHistogramQuantiles compares with the sorted values.
func TestHistogramQuantiles(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var h load.Histogram
	values := make([]time.Duration, 20000)
	for i := range values {
		// From nanoseconds to minutes, each magnitude equally likely.
		values[i] = time.Duration(math.Exp(random.Float64() * math.Log(float64(5*time.Minute))))
		h.Record(values[i])
	}
	slices.Sort(values)
	if h.Count() != uint64(len(values)) || h.Max() != values[len(values)-1] {
		t.Errorf("%d values up to %s; want %d up to %s", h.Count(), h.Max(), len(values), values[len(values)-1])
	}
	for _, q := range []float64{0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1} {
		want := values[min(int(q*float64(len(values))), len(values)-1)]
		if got := h.Quantile(q); math.Abs(float64(got-want)) > float64(want)/64+1 {
			t.Errorf("quantile %v is %s, want %s", q, got, want)
		}
	}
}

func TestHistogramEnds(t *testing.T) {
	t.Parallel()
	var h load.Histogram
	if h.Quantile(0.5) != 0 || h.Max() != 0 {
		t.Error("an empty histogram is not 0")
	}
	h.Record(-time.Second)
	if h.Count() != 1 || h.Quantile(1) != 0 {
		t.Errorf("less than nothing counts as %s", h.Quantile(1))
	}
	h.Record(time.Duration(math.MaxInt64))
	if h.Count() != 2 || h.Max() != math.MaxInt64 {
		t.Error("the longest duration is not counted")
	}
}

func TestHistogramAdd(t *testing.T) {
	t.Parallel()
	parts := make([]load.Histogram, 4)
	var writers sync.WaitGroup
	for i := range 8 { // two for each
		writers.Go(func() {
			for n := range 1000 {
				parts[i%4].Record(time.Duration(n) * time.Microsecond)
			}
		})
	}
	writers.Wait()
	var total load.Histogram
	for i := range parts {
		total.Add(&parts[i])
	}
	if total.Count() != 8000 || total.Max() != 999*time.Microsecond {
		t.Errorf("%d values up to %s, want 8000 up to 999µs", total.Count(), total.Max())
	}
}

func BenchmarkHistogram(b *testing.B) {
	var h load.Histogram
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		h.Record(time.Duration(i))
	}
}
