package ws_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room"
	"github.com/ephemeralchat/caddy-ephemeral-chat/ws"
)

// audience joins n connections to a room, and counts and discards their frames. wait
// waits until that many frames have arrived in total since the join.
func audience(b *testing.B, s *site, in room.Admission, n int) (wait func(frames int64)) {
	b.Helper()
	var frames, wanted atomic.Int64
	reached := make(chan struct{}, 1)
	var reading sync.WaitGroup
	for range n {
		socket := s.open(b, joinQuery(s.rejoin(b, in)))
		if _, _, err := socket.ReadMessage(); err != nil { // the welcome
			b.Fatal(err)
		}
		// It ends when the clean-up closes the connection.
		reading.Go(func() {
			// Without gorilla/websocket, which allocates for each frame.
			r := bufio.NewReader(socket.NetConn())
			for discardFrame(r) == nil {
				if frames.Add(1) == wanted.Load() {
					reached <- struct{}{}
				}
			}
		})
		b.Cleanup(func() { _ = socket.Close() })
	}
	b.Cleanup(func() {
		s.hub.Close()
		reading.Wait()
	})
	return func(n int64) {
		wanted.Store(n)
		if frames.Load() < n {
			<-reached
		}
	}
}

// discardFrame reads a server's frame of less than 64 KiB.
func discardFrame(r *bufio.Reader) error {
	header, err := r.Peek(2)
	if err != nil {
		return err
	}
	size := int(header[1])
	if size == 126 {
		if header, err = r.Peek(4); err != nil {
			return err
		}
		size = 2 + int(binary.BigEndian.Uint16(header[2:]))
	}
	_, err = r.Discard(2 + size)
	return err
}

// BenchmarkBroadcast posts one message at a time to rooms of different sizes and waits
// until every client has it. It measures server and clients together.
func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("connections=%d", n), func(b *testing.B) {
			s := newSite(b)
			admin := s.create(b)
			s.post(b, admin, "it has started")
			wait := audience(b, s, admin, n)
			text := strings.Repeat("all work and no play ", 8)
			b.ReportAllocs()
			total := int64(0)
			for b.Loop() {
				s.post(b, admin, text)
				total += int64(n)
				wait(total)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(total), "ns/delivery")
		})
	}
}

// BenchmarkBusyRoom posts as fast as the connections take it, in bursts, so that
// several messages leave in one system call.
func BenchmarkBusyRoom(b *testing.B) {
	const n, burst = 100, 50
	s := newSite(b)
	admin := s.create(b)
	s.post(b, admin, "it has started")
	wait := audience(b, s, admin, n)
	text := strings.Repeat("all work and no play ", 8)
	b.ReportAllocs()
	total := int64(0)
	for b.Loop() {
		for range burst {
			s.post(b, admin, text)
		}
		total += n * burst
		wait(total)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(total), "ns/delivery")
}

// BenchmarkJoin opens connections to a room with a history and reads their
// welcomes.
func BenchmarkJoin(b *testing.B) {
	s := newSite(b)
	admin := s.create(b)
	s.post(b, admin, numbered("message ", 100)...)
	open := s.open(b, joinQuery(s.rejoin(b, admin))) // the room stays open
	defer open.Close()
	b.ReportAllocs()
	for b.Loop() {
		socket := s.open(b, joinQuery(admin))
		_, r, err := socket.NextReader()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
		if err := socket.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "")); err != nil {
			b.Fatal(err)
		}
		_ = socket.Close()
	}
}

// BenchmarkSay sends a message and reads its echo, without allocations of the client:
// it measures the server's cost of one message.
func BenchmarkSay(b *testing.B) {
	s := newSite(b, settings(func(s *ws.Settings) { s.MessageRate = rate.Inf }))
	admin := s.create(b)
	s.post(b, admin, "it has started")
	socket := s.open(b, joinQuery(s.rejoin(b, admin)))
	b.Cleanup(func() {
		_ = socket.Close()
		s.hub.Close()
	})
	if _, _, err := socket.ReadMessage(); err != nil { // the welcome
		b.Fatal(err)
	}
	// A frame masked with zeros (RFC 6455, section 5.3).
	payload := `{"type":"message","message":"` + strings.Repeat("all work and no play ", 4) + `"}`
	message := append([]byte{0x81, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
	conn := socket.NetConn()
	r := bufio.NewReader(conn)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(message); err != nil {
			b.Fatal(err)
		}
		if err := discardFrame(r); err != nil {
			b.Fatal(err)
		}
	}
}
