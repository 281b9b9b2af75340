package redisstore_test

import (
	"fmt"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
)

const benchText = "a message of about the length that people write when they chat: some sixty to a hundred characters"

func benchSetup(b *testing.B) *setup {
	b.Helper()
	s := &setup{server: redistest.Start(b, redistest.Options{})}
	s.nodes = openNodes(b, s.server, 1)
	s.room = createRoom(b, s.nodes[0], time.Hour, time.Hour)
	return s
}

func (s *setup) benchPost(session string, id uint64) room.Post {
	return room.Post{
		UserID: admin, Session: session, ID: id, History: 1000,
		Body: room.EncodeBody(benchText, s.nodes[0].Now(), admin, id, session),
	}
}

// reportServer reports the time that Redis spent on each script.
func (s *setup) reportServer(b *testing.B) {
	b.Helper()
	stats, err := s.server.Client().Info(b.Context(), "commandstats").Result()
	if err != nil {
		b.Fatal(err)
	}
	found := regexp.MustCompile(`cmdstat_evalsha:.*usec_per_call=([0-9.]+)`).FindStringSubmatch(stats)
	if found == nil {
		b.Fatal("the server ran no script")
	}
	usec, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(usec, "redis-µs/op")
}

func BenchmarkPost(b *testing.B) {
	s := benchSetup(b)
	b.ReportAllocs()
	id := uint64(0)
	for b.Loop() {
		id++
		if _, err := s.nodes[0].Post(b.Context(), s.room.ID, s.benchPost("session", id)); err != nil {
			b.Fatal(err)
		}
	}
	s.reportServer(b)
}

// BenchmarkPostSenders posts on behalf of many sessions in turn.
func BenchmarkPostSenders(b *testing.B) {
	for _, senders := range []uint64{1, 100, 500, 1000} {
		b.Run(fmt.Sprint(senders), func(b *testing.B) {
			s := benchSetup(b)
			n := uint64(0)
			post := func() {
				n++
				if _, err := s.nodes[0].Post(b.Context(), s.room.ID, s.benchPost(fmt.Sprintf("session-%04d", n%senders), n)); err != nil {
					b.Fatal(err)
				}
			}
			for range senders {
				post()
			}
			s.raw(b, "config", "resetstat")
			for b.Loop() {
				post()
			}
			s.reportServer(b)
		})
	}
}

func BenchmarkPostParallel(b *testing.B) {
	s := benchSetup(b)
	b.ReportAllocs()
	b.SetParallelism(64)
	var sessions atomic.Uint64
	b.RunParallel(func(p *testing.PB) {
		session, id := fmt.Sprint("session-", sessions.Add(1)), uint64(0)
		for p.Next() {
			id++
			if _, err := s.nodes[0].Post(b.Context(), s.room.ID, s.benchPost(session, id)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	s.reportServer(b)
}

// BenchmarkDelivery measures one message from its post to a watcher.
func BenchmarkDelivery(b *testing.B) {
	s := benchSetup(b)
	arrived := make(chan struct{}, 1)
	_, feed, err := s.nodes[0].Watch(b.Context(), s.room.ID, func(e room.Event) {
		if e.Kind == room.EventMessage {
			arrived <- struct{}{}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	defer feed.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.nodes[0].Post(b.Context(), s.room.ID, s.benchPost("", 0)); err != nil {
			b.Fatal(err)
		}
		<-arrived
	}
}
