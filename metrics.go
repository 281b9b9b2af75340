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

const metricsPrefix = "caddy_ephemeral_chat_"

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(metricsPrefix+name, help, append([]string{"store"}, labels...), nil)
}

// hubMetrics have one value for each store.
var hubMetrics = []struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(ws.Stats) float64
}{
	{
		describe("connections", "Open WebSocket connections."), prometheus.GaugeValue,
		func(s ws.Stats) float64 { return float64(s.Connections) },
	},
	{
		describe("rooms", "Rooms with connections on this node."), prometheus.GaugeValue,
		func(s ws.Stats) float64 { return float64(s.Rooms) },
	},
	{
		describe("connections_opened_total", "WebSocket connections that were opened."), prometheus.CounterValue,
		func(s ws.Stats) float64 { return float64(s.Opened) },
	},
	{
		describe("messages_total", "Messages of this node's connections that were stored."), prometheus.CounterValue,
		func(s ws.Stats) float64 { return float64(s.Messages) },
	},
	{
		describe("deliveries_total", "Messages times the connections that each was sent to."), prometheus.CounterValue,
		func(s ws.Stats) float64 { return float64(s.Deliveries) },
	},
	{
		describe("sent_bytes_total", "Bytes written to WebSocket connections, before encryption."), prometheus.CounterValue,
		func(s ws.Stats) float64 { return float64(s.Bytes) },
	},
}

// pubsubMetrics have one value for each store with a pub/sub connection.
var pubsubMetrics = []struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(room.PubSubStats) float64
}{
	{
		describe("link_up", "Whether the store's connection for events is there, or not needed."), prometheus.GaugeValue,
		func(s room.PubSubStats) float64 {
			if s.Up {
				return 1
			}
			return 0
		},
	},
	{
		describe("link_losses_total", "Losses of the store's connection for events."), prometheus.CounterValue,
		func(s room.PubSubStats) float64 { return float64(s.Lost) },
	},
	{
		describe("resyncs_total", "Rooms that were compared with the store after events may have been missed."), prometheus.CounterValue,
		func(s room.PubSubStats) float64 { return float64(s.Syncs) },
	},
	{
		describe("gaps_total", "Rooms in which messages were found to be lost or no longer kept."), prometheus.CounterValue,
		func(s room.PubSubStats) float64 { return float64(s.Gaps) },
	},
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
		s.collect(metrics)
	}
}

func (s *sharedStore) collect(metrics chan<- prometheus.Metric) {
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
	if s.pubsub != nil {
		pubsub := s.pubsub.PubSubStats()
		for _, m := range pubsubMetrics {
			send(m.desc, m.kind, m.value(pubsub))
		}
	}
	send(droppedDesc, prometheus.CounterValue, float64(s.events.dropped.Load()))
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
