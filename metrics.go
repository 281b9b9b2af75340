package ephemeralchat

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/instrument"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// collector collects the statistics of all open stores as metrics. It has no state: one
// serves the registries of all configurations, and values survive reloads. The values
// of labels are from fixed lists, or names of stores.
type collector struct{}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("caddy_ephemeral_chat_"+name, help, append([]string{"store"}, labels...), nil)
}

// metric is a metric with one value for each store, read from S.
type metric[S any] struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(S) float64
}

func gauge[S any](name, help string, value func(S) float64) metric[S] {
	return metric[S]{describe(name, help), prometheus.GaugeValue, value}
}

func counter[S any](name, help string, value func(S) float64) metric[S] {
	return metric[S]{describe(name, help), prometheus.CounterValue, value}
}

var hubMetrics = []metric[ws.Stats]{
	gauge("connections", "Open WebSocket connections.", func(s ws.Stats) float64 { return float64(s.Connections) }),
	gauge("rooms", "Rooms with connections on this node.", func(s ws.Stats) float64 { return float64(s.Rooms) }),
	counter("connections_opened_total", "WebSocket connections that were opened.", func(s ws.Stats) float64 { return float64(s.Opened) }),
	counter("messages_total", "Messages of this node's connections that were stored.", func(s ws.Stats) float64 { return float64(s.Messages) }),
	counter("deliveries_total", "Messages times the connections that each was sent to.", func(s ws.Stats) float64 { return float64(s.Deliveries) }),
	counter("sent_bytes_total", "Bytes written to WebSocket connections, before encryption.", func(s ws.Stats) float64 { return float64(s.Bytes) }),
}

// pubsubMetrics are those of stores that receive events over a pub/sub connection.
var pubsubMetrics = []metric[room.PubSubStats]{
	gauge("link_up", "Whether the store's connection for events is there, or not needed.", func(s room.PubSubStats) float64 {
		if s.Up {
			return 1
		}
		return 0
	}),
	counter("link_losses_total", "Losses of the store's connection for events.", func(s room.PubSubStats) float64 { return float64(s.Lost) }),
	counter("resyncs_total", "Rooms that were compared with the store after events may have been missed.", func(s room.PubSubStats) float64 { return float64(s.Syncs) }),
	counter("gaps_total", "Rooms in which messages were found to be lost or no longer kept.", func(s room.PubSubStats) float64 { return float64(s.Gaps) }),
}

var (
	closedDesc  = describe("connections_closed_total", "WebSocket connections that have ended, by reason.", "reason")
	refusalDesc = describe("refusals_total", "Requests and WebSocket frames that were refused, by code.", "via", "code")
	droppedDesc = describe("events_dropped_total", "Events that were dropped because their handlers are too slow.")
)

// Describe implements prometheus.Collector.
func (collector) Describe(descs chan<- *prometheus.Desc) {
	for _, m := range hubMetrics {
		descs <- m.desc
	}
	for _, m := range pubsubMetrics {
		descs <- m.desc
	}
	for _, desc := range []*prometheus.Desc{closedDesc, refusalDesc, droppedDesc} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (collector) Collect(metrics chan<- prometheus.Metric) {
	for _, s := range openStores.all() {
		send := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
			metrics <- prometheus.MustNewConstMetric(desc, kind, value, append([]string{s.name}, labels...)...)
		}
		stats := s.hub.Stats()
		for _, m := range hubMetrics {
			send(m.desc, m.kind, m.value(stats))
		}
		for reason, count := range stats.Closed {
			send(closedDesc, prometheus.CounterValue, float64(count), reason)
		}
		for code, count := range stats.Refused {
			send(refusalDesc, prometheus.CounterValue, float64(count), "websocket", code)
		}
		for code, count := range s.refusals.Counts() {
			send(refusalDesc, prometheus.CounterValue, float64(count), "http", code)
		}
		send(droppedDesc, prometheus.CounterValue, float64(s.events.dropped.Load()))
		if s.pubsub != nil {
			stats := s.pubsub.PubSubStats()
			for _, m := range pubsubMetrics {
				send(m.desc, m.kind, m.value(stats))
			}
		}
	}
}

// registerMetrics adds the metrics to the registry of a configuration. The first handler
// of a configuration does it for all.
func registerMetrics(ctx caddy.Context) error {
	registry := ctx.GetMetricsRegistry()
	if registry == nil {
		return nil
	}
	for _, c := range append(instrument.Collectors(), collector{}) {
		err := registry.Register(c)
		if _, already := errors.AsType[prometheus.AlreadyRegisteredError](err); err != nil && !already {
			return err
		}
	}
	return nil
}

// Interface guards
var _ prometheus.Collector = collector{}
