package redisstore_test

import (
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/room/message"
)

const benchText = "a message of about the length that people write when they chat: some sixty to a hundred characters"

func benchSetup(b *testing.B) *setup {
	b.Helper()
	s := &setup{server: redistest.Start(b, redistest.Options{})}
	s.nodes = openNodes(b, optionsOf(s.server), 1)
	s.room = createRoom(b, s.nodes[0], time.Hour, time.Hour)
	return s
}

func (s *setup) benchPost(session string, id uint64) room.Post {
	return room.Post{
		UserID: admin, Session: session, ID: id, History: 1000,
		Body: message.EncodeBody(benchText, s.nodes[0].Now(), admin, id, session),
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

// processorTime is the CPU time of this process so far, without that of Redis.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// postAll posts b.N messages: from posters goroutines, each one after the other, with so
// many senders in each room. It reports the CPU time here and in Redis.
func (s *setup) postAll(b *testing.B, posters, senders int) {
	b.Helper()
	type sender struct {
		roomID, session string
		posted          uint64
	}
	var roomID string
	all := make([]*sender, max(posters, senders))
	for i := range all {
		if i%senders == 0 {
			roomID = createRoom(b, s.nodes[0], time.Hour, time.Hour).ID
		}
		all[i] = &sender{roomID: roomID, session: fmt.Sprintf("session-%04d", i)}
	}
	var counter atomic.Int64
	run := func(n int) {
		counter.Store(int64(n))
		var work sync.WaitGroup
		for i := range posters {
			// Ends when n messages are posted; awaited below.
			work.Go(func() {
				for at := i; counter.Add(-1) >= 0; at += posters {
					if at >= len(all) {
						at = i
					}
					one := all[at]
					one.posted++
					if _, err := s.nodes[0].Post(b.Context(), one.roomID, s.benchPost(one.session, one.posted)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		work.Wait()
	}
	run(2 * len(all)) // each sender has posted before, and the script is loaded
	s.do(b, "config", "resetstat")
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime(b)
	run(b.N)
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N)/1000, "client-µs/op")
	s.reportServer(b)
}

// BenchmarkPost posts from so many goroutines at once.
func BenchmarkPost(b *testing.B) {
	for _, posters := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("posters=%d", posters), func(b *testing.B) {
			benchSetup(b).postAll(b, posters, posters)
		})
	}
}

// BenchmarkPostSenders posts from 64 goroutines with so many sessions in a room.
func BenchmarkPostSenders(b *testing.B) {
	for _, senders := range []int{1, 100, 500, 1000} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			benchSetup(b).postAll(b, 64, senders)
		})
	}
}

// BenchmarkDelivery measures one message from its post to its watcher.
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
