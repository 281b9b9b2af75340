package suite

import (
	"reflect"
	"slices"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"
)

// Metrics are the numbers of a run, or their medians.
type Metrics struct {
	Delivery   float64 `json:"delivery"`            // µs of server CPU
	Post       float64 `json:"post"`                // µs of server CPU
	RedisPost  float64 `json:"redisPost,omitempty"` // µs of Redis CPU
	Deliveries float64 `json:"deliveries"`          // a second
	P50        float64 `json:"p50"`                 // ms, as the next two
	P99        float64 `json:"p99"`
	Max        float64 `json:"max"`
	PerRead    float64 `json:"perRead"`              // messages
	Connection float64 `json:"connection,omitempty"` // KiB of server memory
	Left       float64 `json:"left,omitempty"`       // KiB per connection after all have disconnected
	Faults     float64 `json:"faults"`
	// Signs of disturbance.
	Late   float64 `json:"late"`   // ms of delay in sending, p99
	Client float64 `json:"client"` // µs of the clients' CPU per delivery
	Others float64 `json:"others"` // fraction of the machine that other processes used
}

func metricsOf(r *load.Result) Metrics {
	m := Metrics{
		Deliveries: r.DeliveriesSec,
		P50:        r.Latency.P50,
		P99:        r.Latency.P99,
		Max:        r.Latency.Max,
		PerRead:    r.MessagesPerRead,
		Late:       r.Late.P99,
		Client:     r.Client.MicrosDelivery,
		Others:     r.Others,
		Faults:     float64(r.Lost+r.Duplicated+r.Reordered+r.Refused) + float64(r.Disconnected),
	}
	for _, c := range r.CPU {
		if c.Process == redisName {
			m.RedisPost += c.MicrosPost
			continue
		}
		m.Delivery += c.MicrosDelivery
		m.Post += c.MicrosPost
	}
	for _, size := range r.Memory {
		if size.Process != redisName && size.Left > 0 {
			m.Connection += size.PerConnection / 1024
			m.Left += float64(size.Left-size.Before) / 1024 / float64(r.Connections)
		}
	}
	return m
}

// medianOf returns the median of each number, and the most faults.
func medianOf(list []Metrics) Metrics {
	var result Metrics
	for i, field := range reflect.ValueOf(&result).Elem().Fields() {
		var all []float64
		for _, m := range list {
			all = append(all, reflect.ValueOf(m).FieldByIndex(i.Index).Float())
		}
		field.SetFloat(median(all))
	}
	for i := range list {
		result.Faults = max(result.Faults, list[i].Faults)
	}
	return result
}

// median returns 0 for no values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}
