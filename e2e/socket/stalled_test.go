package socket_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// queueSize is the number of bytes that Caddy queues for a connection.
const queueSize = 4 << 20

// sendBuffer returns the number of bytes that the kernel holds, at most, for a
// connection whose peer does not read.
func sendBuffer(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_wmem")
	if err != nil {
		t.Fatal(err)
	}
	var least, usual, most int
	if _, err := fmt.Sscan(string(text), &least, &usual, &most); err != nil {
		t.Fatal(err)
	}
	return most
}

// TestStalledReader has members that do not read. They must not delay the others, nor
// make a node grow; the server closes their connections.
func TestStalledReader(t *testing.T) {
	t.Parallel() // mostly waits
	const (
		stalled = 6
		size    = 4000 // of a message
		window  = 64   // messages in flight
		bound   = 200 << 20
		longest = 2 * time.Second
	)
	// More messages than Caddy and the kernel hold for a connection.
	overflow := (queueSize + sendBuffer(t) + 1<<20) / size
	harness.OnBothStores(t, "message_rate off\nhistory 100", func(t *testing.T, s *harness.Site) {
		admin := s.API(0).Create(t, 600)
		listener := s.API(0).Join(t, admin.RoomID, "listener")
		var blind []*websocket.Conn
		for i := range stalled {
			m := s.API(i).Join(t, admin.RoomID, fmt.Sprint("stalled", i))
			conn := harness.OpenUnread(t, s.Base(i))
			if err := conn.WriteJSON(m.Credentials("type", "join")); err != nil {
				t.Fatal(err)
			}
			blind = append(blind, conn)
		}
		sender, _ := harness.Join(t, s.Base(0), &admin)
		online := func() int {
			k, welcome := harness.Join(t, s.Base(1), &listener)
			k.Close()
			return welcome.OnlineCount
		}
		harness.Until(t, harness.WaitTime, "all are online", func() bool { return online() == stalled+2 })
		reader, _ := harness.Join(t, s.Base(1), &listener)
		for _, conn := range blind {
			if !servedFrom(t, conn.LocalAddr()) {
				t.Fatal("a socket that is open is not found")
			}
		}

		before := make([]int, len(s.Nodes))
		for i, n := range s.Nodes {
			before[i] = n.Memory(t)
		}
		var delays []time.Duration
		var reading sync.WaitGroup
		filler := strings.Repeat("x", size)
		sent := make(map[uint64]time.Time)
		messages := uint64(2 * overflow)
		for n := uint64(1); n <= messages+window; n++ {
			if n <= messages {
				sent[n] = time.Now()
				sender.Send(t, harness.Fields{"type": "message", "message": filler, "id": n})
			}
			if n <= window {
				continue
			}
			f := reader.Await(t, "message")
			delays = append(delays, f.At.Sub(sent[f.ID]))
			if f.Seq == uint64(overflow) {
				// Half of the stalled ones begin to read.
				for _, conn := range blind[:stalled/2] {
					reading.Go(func() {
						if code := drain(t, conn); code != 4503 {
							t.Errorf("a stalled reader is closed with %d", code)
						}
					})
				}
			}
		}
		reading.Wait()
		t.Logf("delays of messages with %d stalled readers: %s", stalled, harness.Summary(delays))
		if most := slices.Max(delays); most > longest {
			t.Errorf("a message took %s", most)
		}
		for i, n := range s.Nodes {
			grown := n.Memory(t) - before[i]
			t.Logf("node %d has grown by %d MiB", i, grown>>20)
			if grown > bound {
				t.Errorf("node %d has grown by %d MiB", i, grown>>20)
			}
		}

		// The others never read. The server evicts them and closes their sockets, and
		// leaves the bytes in the kernel to the kernel.
		harness.Until(t, 30*time.Second, "the stalled ones are gone", func() bool { return online() == 2 })
		for _, conn := range blind[stalled/2:] {
			harness.Until(t, harness.WaitTime, "the socket of a member that never reads is closed", func() bool { return !servedFrom(t, conn.LocalAddr()) })
		}
		s.ExpectNoErrors(t)
	})
}

// drain reads until the connection ends, and returns the close code; 1006 without a
// close frame.
func drain(t *testing.T, conn *websocket.Conn) int {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(harness.WaitTime)); err != nil {
		t.Error(err)
	}
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			if e, ok := err.(*websocket.CloseError); ok { //nolint:errorlint // it is not wrapped
				return e.Code
			}
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // it is not wrapped
				t.Errorf("the connection from %s goes on", conn.LocalAddr())
			}
			return websocket.CloseAbnormalClosure
		}
	}
}

// servedFrom reports whether a process holds the other end of a connection from an
// address of this machine. In /proc/net/tcp a socket without a process has the inode 0.
func servedFrom(t *testing.T, client net.Addr) bool {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	remote := fmt.Sprintf(":%04X", netip.MustParseAddrPort(client.String()).Port())
	for line := range strings.Lines(string(table)) {
		columns := strings.Fields(line)
		if len(columns) > 9 && strings.HasSuffix(columns[2], remote) && columns[9] != "0" {
			return true
		}
	}
	return false
}
