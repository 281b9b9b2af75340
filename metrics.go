package ephemeralchat

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ephemeralchat/caddy-ephemeral-chat/internal/instrument"
)

// collector collects the statistics of all open stores as metrics. It has no state: one
// serves the registries of all configurations, and values survive reloads. The values
// of labels are from fixed lists, or names of stores.
type collector struct{}

// descs are those of all metrics below.
var descs []*prometheus.Desc

func describe(name, help string, labels ...string) *prometheus.Desc {
	desc := prometheus.NewDesc("caddy_ephemeral_chat_"+name, help, append([]string{"store"}, labels...), nil)
	descs = append(descs, desc)
	return desc
}

var (
	connectionsDesc = describe("connections", "Open WebSocket connections.")
	roomsDesc       = describe("rooms", "Rooms with connections on this node.")
	openedDesc      = describe("connections_opened_total", "WebSocket connections that were opened.")
	closedDesc      = describe("connections_closed_total", "WebSocket connections that have ended, by reason.", "reason")
	messagesDesc    = describe("messages_total", "Messages of this node's connections that were stored.")
	deliveriesDesc  = describe("deliveries_total", "Messages times the connections that each was sent to.")
	sentDesc        = describe("sent_bytes_total", "Bytes written to WebSocket connections, before encryption.")
	refusalDesc     = describe("refusals_total", "Requests and WebSocket frames that were refused, by code.", "via", "code")
	droppedDesc     = describe("events_dropped_total", "Events that were dropped because their handlers are too slow.")

	// Of stores that receive events over a pub/sub connection.
	linkUpDesc     = describe("link_up", "Whether the store's connection for events is there, or not needed.")
	linkLossesDesc = describe("link_losses_total", "Losses of the store's connection for events.")
	resyncsDesc    = describe("resyncs_total", "Rooms that were compared with the store after events may have been missed.")
	gapsDesc       = describe("gaps_total", "Rooms in which messages were found to be lost or no longer kept.")
)

// Describe implements prometheus.Collector.
func (collector) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range descs {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (collector) Collect(metrics chan<- prometheus.Metric) {
	for _, s := range openStores.all() {
		send := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
			metrics <- prometheus.MustNewConstMetric(desc, kind, value, append([]string{s.name}, labels...)...)
		}
		count := func(desc *prometheus.Desc, value uint64, labels ...string) {
			send(desc, prometheus.CounterValue, float64(value), labels...)
		}
		stats := s.hub.Stats()
		send(connectionsDesc, prometheus.GaugeValue, float64(stats.Connections))
		send(roomsDesc, prometheus.GaugeValue, float64(stats.Rooms))
		count(openedDesc, stats.Opened)
		count(messagesDesc, stats.Messages)
		count(deliveriesDesc, stats.Deliveries)
		count(sentDesc, stats.Bytes)
		for reason, n := range stats.Closed {
			count(closedDesc, n, reason)
		}
		for code, n := range stats.Refused {
			count(refusalDesc, n, "websocket", code)
		}
		for code, n := range s.refusals.Counts() {
			count(refusalDesc, n, "http", code)
		}
		count(droppedDesc, s.events.dropped.Load())
		if s.pubsub != nil {
			stats := s.pubsub.PubSubStats()
			up := 0.0
			if stats.Up {
				up = 1
			}
			send(linkUpDesc, prometheus.GaugeValue, up)
			count(linkLossesDesc, stats.Lost)
			count(resyncsDesc, stats.Syncs)
			count(gapsDesc, stats.Gaps)
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
