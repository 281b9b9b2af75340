package e2e_test

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
)

// queueSize is what may wait for a connection, in bytes.
const queueSize = 4 << 20

// sendBuffer returns how many bytes the kernel holds for a connection that
// doesn't read, at most.
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

// TestStalledReader has members that don't read what they are sent.
func TestStalledReader(t *testing.T) {
	t.Parallel() // it waits most of the time
	const (
		stalled = 6
		size    = 4000 // of a message
		window  = 64   // messages that are under way
		bound   = 200 << 20
		longest = 2 * time.Second
	)
	// More than is held for a connection, by Caddy and by the kernel.
	overflow := (queueSize + sendBuffer(t) + 1<<20) / size
	onBoth(t, "message_rate off\nhistory 100", func(t *testing.T, s *site) {
		admin := s.api(0).create(t, 600)
		listener := s.api(0).join(t, admin.RoomID, "listener")
		var blind []*websocket.Conn
		for i := range stalled {
			m := s.api(i).join(t, admin.RoomID, fmt.Sprint("stalled", i))
			conn := openRaw(t, s.base(i))
			if err := conn.WriteJSON(m.credentials("type", "join")); err != nil {
				t.Fatal(err)
			}
			blind = append(blind, conn)
		}
		speaker, _ := enter(t, s.base(0), &admin)
		online := func() int {
			k, welcome := enter(t, s.base(1), &listener)
			k.close()
			return welcome.OnlineCount
		}
		until(t, waitTime, "all are online", func() bool { return online() == stalled+2 })
		hearer, _ := enter(t, s.base(1), &listener)
		for _, conn := range blind {
			if !servedFrom(t, conn.LocalAddr()) {
				t.Fatal("a socket that is open is not found")
			}
		}

		before := make([]int, len(s.nodes))
		for i, n := range s.nodes {
			before[i] = n.memory(t)
		}
		var delays []time.Duration
		var reading sync.WaitGroup
		filler := strings.Repeat("x", size)
		sent := make(map[uint64]time.Time)
		messages := uint64(2 * overflow)
		for n := uint64(1); n <= messages+window; n++ {
			if n <= messages {
				sent[n] = time.Now()
				speaker.send(t, fields{"type": "message", "message": filler, "id": n})
			}
			if n <= window {
				continue
			}
			f := hearer.await(t, "message")
			delays = append(delays, f.at.Sub(sent[f.ID]))
			if f.Seq == uint64(overflow) {
				// Half of them read at last.
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
		slices.Sort(delays)
		t.Logf("delay of %d messages with %d stalled readers: median %s, 99%% %s, longest %s", len(delays), stalled,
			delays[len(delays)/2].Round(time.Millisecond), delays[len(delays)*99/100].Round(time.Millisecond),
			delays[len(delays)-1].Round(time.Millisecond))
		if most := delays[len(delays)-1]; most > longest {
			t.Errorf("a message took %s", most)
		}
		for i, n := range s.nodes {
			grown := n.memory(t) - before[i]
			t.Logf("node %d has grown by %d MiB", i, grown>>20)
			if grown > bound {
				t.Errorf("node %d has grown by %d MiB", i, grown>>20)
			}
		}

		// The others never do. They are given up, and their sockets closed; what is
		// in the kernel then is the kernel's affair.
		until(t, 30*time.Second, "the stalled ones are gone", func() bool { return online() == 2 })
		for _, conn := range blind[stalled/2:] {
			until(t, waitTime, "the socket of one that never reads is closed", func() bool { return !servedFrom(t, conn.LocalAddr()) })
		}
		s.noErrors(t)
	})
}

// drain reads until the connection ends, and returns by which close code; 1006
// if it was by none.
func drain(t *testing.T, conn *websocket.Conn) int {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(waitTime)); err != nil {
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

// servedFrom reports whether some process holds the other end of a connection
// from an address of this machine (proc_net_tcp of the kernel's documentation;
// a socket that nobody holds any more has the inode 0).
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
