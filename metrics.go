package ephemeralchat

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// collector shows what the open chats have counted, as metrics. It holds nothing
// itself, so that one serves the registries of all configurations, and nothing
// starts anew with a reload. The values of a label are those of a fixed list, or
// names of stores of the configuration.
type collector struct{}

const metricsPrefix = "caddy_ephemeral_chat_"

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(metricsPrefix+name, help, append([]string{"store"}, labels...), nil)
}

// statMetrics are those with one value for each store.
var statMetrics = []struct {
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

// linkMetrics are those of stores that hear of events over a connection.
var linkMetrics = []struct {
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
	callDesc    = describe("store_call_seconds", "How long calls of the store took.", "operation")
	errorDesc   = describe("store_errors_total", "Calls of the store that failed.", "operation")
	droppedDesc = describe("events_dropped_total", "Events that were dropped because their handlers are too slow.")
)

// Describe implements prometheus.Collector.
func (collector) Describe(descs chan<- *prometheus.Desc) {
	for _, m := range statMetrics {
		descs <- m.desc
	}
	for _, m := range linkMetrics {
		descs <- m.desc
	}
	for _, desc := range []*prometheus.Desc{closedDesc, refusalDesc, callDesc, errorDesc, droppedDesc} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (collector) Collect(metrics chan<- prometheus.Metric) {
	for _, c := range openChats.all() {
		c.collect(metrics)
	}
}

func (c *chat) collect(metrics chan<- prometheus.Metric) {
	send := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, kind, value, append([]string{c.name}, labels...)...)
	}
	stats := c.hub.Stats()
	for _, m := range statMetrics {
		send(m.desc, m.kind, m.value(stats))
	}
	for reason, count := range stats.Closed {
		send(closedDesc, prometheus.CounterValue, float64(count), reason)
	}
	for code, count := range stats.Refused {
		send(refusalDesc, prometheus.CounterValue, float64(count), "websocket", code)
	}
	for code, count := range c.refused.Counts() {
		send(refusalDesc, prometheus.CounterValue, float64(count), "http", code)
	}
	for op, name := range operationNames {
		state := c.meter[op].state()
		metrics <- state.metric(c.name, name)
		send(errorDesc, prometheus.CounterValue, float64(state.failed), name)
	}
	if c.link != nil {
		link := c.link.PubSubStats()
		for _, m := range linkMetrics {
			send(m.desc, m.kind, m.value(link))
		}
	}
	send(droppedDesc, prometheus.CounterValue, float64(c.herald.dropped.Load()))
}

func (s timingState) metric(store, operation string) prometheus.Metric {
	buckets := make(map[float64]uint64, len(timingBounds))
	for i, bound := range timingBounds {
		buckets[bound.Seconds()] = s.cumulative[i]
	}
	return prometheus.MustNewConstHistogram(callDesc, s.count, s.total.Seconds(), buckets, store, operation)
}

// registerMetrics makes the metrics part of a configuration's registry. The first
// handler of a configuration does it for all.
func registerMetrics(ctx caddy.Context) error {
	registry := ctx.GetMetricsRegistry()
	if registry == nil {
		return nil
	}
	err := registry.Register(collector{})
	if _, already := errors.AsType[prometheus.AlreadyRegisteredError](err); already {
		return nil
	}
	return err
}

// Interface guards
var _ prometheus.Collector = collector{}
