// Package instrument wraps a room.Store with metrics of its calls.
package instrument

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/apierror"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

// operations are the methods of stores and feeds that may take time.
var operations = []string{
	"create", "open", "load", "member", "join", "start", "set_locked", "remove", "delete",
	"post", "retract", "before", "after", "watch", "enter", "exit", "typing",
}

var labels = []string{"store", "operation"}

// The metrics are shared by all stores of the process, so that their values survive
// reloads.
var (
	callSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "caddy_ephemeral_chat_store_call_seconds",
		Help: "How long calls of the store took.",
		// The memory store is below the first bound. Calls above the last have run into
		// a time-out, which is 5 s at most.
		Buckets: []float64{0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5},
	}, labels)
	callErrors = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_ephemeral_chat_store_errors_total",
		Help: "Calls of the store that failed.",
	}, labels)
)

// registry has the metrics for Stats.
var registry = prometheus.NewRegistry()

func init() { registry.MustRegister(Collectors()...) }

// Collectors returns the metrics, to be registered with each registry that shows them.
func Collectors() []prometheus.Collector { return []prometheus.Collector{callSeconds, callErrors} }

// Calls has the metrics of the calls of one store. It is safe for concurrent use.
type Calls struct {
	// Fixed.
	store   string
	seconds map[string]prometheus.Observer // by operation, as errors
	errors  map[string]prometheus.Counter
}

// Wrap returns a store whose calls are counted, and their metrics, which begin at zero.
// The name is the value of the label "store"; it must be unique until Forget is called.
func Wrap(s room.Store, name string) (room.Store, *Calls) {
	c := &Calls{name, make(map[string]prometheus.Observer), make(map[string]prometheus.Counter)}
	for _, op := range operations {
		c.seconds[op] = callSeconds.WithLabelValues(name, op)
		c.errors[op] = callErrors.WithLabelValues(name, op)
	}
	return &store{s, c}, c
}

// Forget removes the metrics. Later calls are counted nowhere.
func (c *Calls) Forget() {
	callSeconds.DeletePartialMatch(prometheus.Labels{"store": c.store})
	callErrors.DeletePartialMatch(prometheus.Labels{"store": c.store})
}

// observe counts a call that ends now, and its error if that is the store's failure.
func (c *Calls) observe(op string, began time.Time, err *error) {
	c.seconds[op].Observe(time.Since(began).Seconds())
	if *err != nil && isFailure(*err) {
		c.errors[op].Inc()
	}
}

// isFailure reports whether an error is the store's: not a mistake of a client, nor
// the end of its request.
func isFailure(err error) bool {
	if errors.Is(err, room.ErrUnavailable) {
		return !errors.Is(err, context.Canceled)
	}
	return apierror.Of(err) == apierror.Of(room.ErrInternal)
}

// Stats sums up the calls of an operation.
type Stats struct {
	Count   uint64  `json:"count"`
	Errors  uint64  `json:"errors"`
	Seconds float64 `json:"seconds"`
}

// Stats returns the statistics of each operation since Wrap.
func (c *Calls) Stats() (map[string]Stats, error) {
	families, err := registry.Gather()
	if err != nil {
		return nil, err
	}
	stats := make(map[string]Stats, len(operations))
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			operation, store := metric.GetLabel()[0], metric.GetLabel()[1] // sorted by name
			if store.GetValue() != c.store {
				continue
			}
			// One of the two is nil, and counts as zero.
			histogram, counter := metric.GetHistogram(), metric.GetCounter()
			sum := stats[operation.GetValue()]
			sum.Count += histogram.GetSampleCount()
			sum.Seconds += histogram.GetSampleSum()
			sum.Errors += uint64(counter.GetValue())
			stats[operation.GetValue()] = sum
		}
	}
	return stats, nil
}
