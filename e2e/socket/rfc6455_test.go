package socket_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/rawws"
)

// frameCase is a sequence of bytes that a client sends after its join, and the expected
// frames of the server.
type frameCase struct {
	section string // of RFC 6455
	name    string
	in      []byte
	// want are messages, pongs and errors and, if the server closes the connection,
	// "close" with a code at the end.
	want []string
	// deviation is the reason why the server does not follow the RFC. Mostly it is
	// more lenient than it has to be.
	deviation string
}

// messageJSON is the payload of a frame that publishes a message.
func messageJSON(message string) string { return `{"type":"message","message":"` + message + `"}` }

// padded is the same payload, filled up with spaces to a size in bytes.
func padded(message string, size int) string {
	return strings.Repeat(" ", size-len(messageJSON(message))) + messageJSON(message)
}

func frameCases() []frameCase {
	fails := func(code int) []string { return []string{fmt.Sprint("close ", code)} }
	receives := func(messages ...string) []string {
		for i := range messages {
			messages[i] = "message " + messages[i]
		}
		return messages
	}
	longest := strings.Repeat("p", 125)
	var cases []frameCase
	add := func(section, name string, in []byte, want []string) {
		cases = append(cases, frameCase{section: section, name: name, in: in, want: want})
	}
	deviates := func(section, name string, in []byte, want []string, why string) {
		cases = append(cases, frameCase{section, name, in, want, why})
	}

	add("5.1", "text without a mask", []byte{rawws.Final | rawws.Text, 2, '{', '}'}, fails(1002))
	add("5.1", "ping without a mask", []byte{rawws.Final | rawws.Ping, 0}, fails(1002))
	add("5.1", "close without a mask", []byte{rawws.Final | rawws.Close, 2, 0x03, 0xe8}, fails(1002))

	for bit := byte(0x40); bit >= 0x10; bit >>= 1 {
		add("5.2", fmt.Sprintf("reserved bit %#x of text", bit), rawws.Frame(rawws.Final|bit|rawws.Text, messageJSON("x")), fails(1002))
		add("5.2", fmt.Sprintf("reserved bit %#x of a ping", bit), rawws.Frame(rawws.Final|bit|rawws.Ping, ""), fails(1002))
		add("5.2", fmt.Sprintf("reserved bit %#x of a continuation", bit),
			slices.Concat(rawws.Frame(rawws.Text, "{"), rawws.Frame(rawws.Final|bit|rawws.Continuation, "}")), fails(1002))
	}
	for _, opcode := range []byte{0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf} {
		add("5.2", fmt.Sprintf("reserved opcode %#x", opcode), rawws.Frame(rawws.Final|opcode, messageJSON("x")), fails(1002))
	}
	for _, size := range []int{125, 126, 127, 65535, 65536} {
		add("5.2", fmt.Sprint("text of ", size, " bytes"), rawws.TextFrame(padded("sized", size)), receives("sized"))
	}
	add("5.2", "text of 65537 bytes, above the limit", rawws.TextFrame(padded("sized", 65537)), fails(1009))
	add("5.2", "a length of 2^62", rawws.FrameWithLength(rawws.Final|rawws.Text, rawws.Length64(1<<62), "{"), fails(1009))
	add("5.2", "a length of 2^63-1", rawws.FrameWithLength(rawws.Final|rawws.Text, rawws.Length64(1<<63-1), "{"), fails(1009))
	add("5.2", "a length with the highest bit", rawws.FrameWithLength(rawws.Final|rawws.Text, rawws.Length64(1<<63), "{"), fails(1009))
	add("5.2", "a length of 2^64-1", rawws.FrameWithLength(rawws.Final|rawws.Text, rawws.Length64(1<<64-1), "{"), fails(1009))
	const lenient = "the meaning is clear, and the limit applies to the length"
	deviates("5.2", "a short length in two bytes", rawws.FrameWithLength(rawws.Final|rawws.Text, []byte{126, 0, byte(len(messageJSON("x")))}, messageJSON("x")), receives("x"), lenient)
	deviates("5.2", "a short length in eight bytes", rawws.FrameWithLength(rawws.Final|rawws.Text, rawws.Length64(uint64(len(messageJSON("x")))), messageJSON("x")), receives("x"), lenient)
	add("5.2", "a ping whose short length is in two bytes", rawws.FrameWithLength(rawws.Final|rawws.Ping, []byte{126, 0, 4}, "ping"), fails(1002))
	add("5.3", "a mask of zeros", append([]byte{rawws.Final | rawws.Text, rawws.Mask | byte(len(messageJSON("x"))), 0, 0, 0, 0}, messageJSON("x")...), receives("x"))
	add("5.6", "binary", rawws.Frame(rawws.Final|rawws.Binary, messageJSON("x")), fails(4400))
	add("5.6", "text without content", rawws.TextFrame(""), fails(4400))

	parts := func(opcode byte, payloads ...string) []byte {
		var all []byte
		for i, payload := range payloads {
			first := byte(rawws.Continuation)
			if i == 0 {
				first = opcode
			}
			if i == len(payloads)-1 {
				first |= rawws.Final
			}
			all = append(all, rawws.Frame(first, payload)...)
		}
		return all
	}
	add("5.4", "two fragments", parts(rawws.Text, messageJSON("x")[:5], messageJSON("x")[5:]), receives("x"))
	add("5.4", "a fragment for each byte", parts(rawws.Text, strings.Split(messageJSON("bytes"), "")...), receives("bytes"))
	add("5.4", "fragments without content", parts(rawws.Text, "", messageJSON("x")[:5], "", "", messageJSON("x")[5:], ""), receives("x"))
	add("5.4", "nothing in fragments", parts(rawws.Text, "", ""), fails(4400))
	add("5.4", "pings between fragments", slices.Concat(rawws.Frame(rawws.Text, messageJSON("x")[:5]), rawws.Frame(rawws.Final|rawws.Ping, "one"),
		rawws.Frame(rawws.Continuation, messageJSON("x")[5:9]), rawws.Frame(rawws.Final|rawws.Ping, "two"), rawws.Frame(rawws.Final|rawws.Pong, ""), rawws.Frame(rawws.Final|rawws.Continuation, messageJSON("x")[9:])),
		[]string{"pong one", "pong two", "message x"})
	add("5.4", "a close frame between fragments", slices.Concat(rawws.Frame(rawws.Text, "{"), rawws.Frame(rawws.Final|rawws.Close, rawws.ClosePayload(1000, ""))), fails(1000))
	add("5.4", "text between fragments", slices.Concat(rawws.Frame(rawws.Text, "{"), rawws.TextFrame("{}")), fails(1002))
	add("5.4", "text that begins between fragments", slices.Concat(rawws.Frame(rawws.Text, "{"), rawws.Frame(rawws.Text, "{}")), fails(1002))
	add("5.4", "binary between fragments", slices.Concat(rawws.Frame(rawws.Text, "{"), rawws.Frame(rawws.Final|rawws.Binary, "")), fails(1002))
	add("5.4", "a continuation of nothing", rawws.Frame(rawws.Final|rawws.Continuation, messageJSON("x")), fails(1002))
	add("5.4", "a continuation that goes on, of nothing", rawws.Frame(rawws.Continuation, messageJSON("x")), fails(1002))
	add("5.4", "a continuation of a complete message", slices.Concat(rawws.TextFrame(`{"type":"ping"}`), rawws.Frame(rawws.Final|rawws.Continuation, "")), []string{"pong", "close 1002"})
	add("5.4", "fragments above the limit together", parts(rawws.Text, strings.Repeat(" ", 40_000), strings.Repeat(" ", 40_000), "{}"), fails(1009))
	add("5.4", "fragments beyond 63 bits together", slices.Concat(rawws.Frame(rawws.Text, "{"), rawws.FrameWithLength(rawws.Continuation, rawws.Length64(1<<63-1), "")), fails(1009))
	add("5.4", "binary in fragments", parts(rawws.Binary, "{", "}"), fails(4400))

	for _, control := range []struct {
		name   string
		opcode byte
	}{{"close", rawws.Close}, {"ping", rawws.Ping}, {"pong", rawws.Pong}} {
		add("5.5", "a "+control.name+" of 126 bytes", rawws.Frame(rawws.Final|control.opcode, longest+"p"), fails(1002))
		add("5.5", "a "+control.name+" in fragments", slices.Concat(rawws.Frame(control.opcode, ""), rawws.Frame(rawws.Final|rawws.Continuation, "")), fails(1002))
		add("5.5", "a "+control.name+" with a length of eight bytes", rawws.FrameWithLength(rawws.Final|control.opcode, rawws.Length64(2), "\x03\xe8"), fails(1002))
	}
	for _, payload := range []string{"", "x", "\x00\xff\xfe binary", longest} {
		add("5.5.2", fmt.Sprintf("a ping of %d bytes", len(payload)), rawws.Frame(rawws.Final|rawws.Ping, payload), []string{"pong " + payload})
	}
	var pings []byte
	var pongs []string
	for i := range 20 {
		pings, pongs = append(pings, rawws.Frame(rawws.Final|rawws.Ping, fmt.Sprint(i))...), append(pongs, fmt.Sprint("pong ", i))
	}
	add("5.5.2", "twenty pings at once", pings, pongs)
	add("5.5.3", "unsolicited pongs", slices.Concat(rawws.Frame(rawws.Final|rawws.Pong, ""), rawws.Frame(rawws.Final|rawws.Pong, longest)), nil)

	for _, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		add("7.4", fmt.Sprint("closed with ", code), rawws.Frame(rawws.Final|rawws.Close, rawws.ClosePayload(code, "")), fails(int(code)))
	}
	for _, code := range []uint16{1012, 1013} { // registered later
		add("7.4", fmt.Sprint("closed with ", code), rawws.Frame(rawws.Final|rawws.Close, rawws.ClosePayload(code, "")), fails(int(code)))
	}
	deviates("7.4", "closed with 1014", rawws.Frame(rawws.Final|rawws.Close, rawws.ClosePayload(1014, "")), fails(1002),
		"registered later, for gateways only")
	for _, code := range []uint16{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		add("7.4", fmt.Sprint("closed with ", code, ", which must not be sent"), rawws.Frame(rawws.Final|rawws.Close, rawws.ClosePayload(code, "")), fails(1002))
	}
	add("5.5.1", "closed without a code", rawws.Frame(rawws.Final|rawws.Close, ""), fails(1000))
	deviates("5.5.1", "closed with half a code", rawws.Frame(rawws.Final|rawws.Close, "\x03"), fails(1000),
		"gorilla/websocket takes it for no code; the connection ends all the same")
	add("5.5.1", "closed with the longest reason", rawws.Frame(rawws.Final|rawws.Close, rawws.ClosePayload(1000, strings.Repeat("é", 61)+"x")), fails(1000))
	add("5.5.1", "closed with a reason that is not UTF-8", rawws.Frame(rawws.Final|rawws.Close, rawws.ClosePayload(1000, "\xff")), fails(1002))
	add("5.5.1", "text after a close", slices.Concat(rawws.Frame(rawws.Final|rawws.Close, rawws.ClosePayload(1000, "")), rawws.TextFrame(messageJSON("ignored"))), fails(1000))
	add("5.5.1", "a ping after a close", slices.Concat(rawws.Frame(rawws.Final|rawws.Close, rawws.ClosePayload(1000, "")), rawws.Frame(rawws.Final|rawws.Ping, "ignored")), fails(1000))
	add("5.5.1", "a second close", slices.Concat(rawws.Frame(rawws.Final|rawws.Close, rawws.ClosePayload(1000, "")), rawws.Frame(rawws.Final|rawws.Close, rawws.ClosePayload(1001, ""))), fails(1000))

	for name, bytes := range map[string]string{
		"a byte that goes on nothing": "\x80", "two bytes cut off": "\xc3", "three bytes cut off": "\xe2\x82", "four bytes cut off": "\xf0\x9f\x98",
		"a wrong second byte": "\xc3\x28", "an overlong slash": "\xc0\xaf", "a longer slash": "\xe0\x80\xaf", "the longest slash": "\xf0\x80\x80\xaf",
		"half of a surrogate pair": "\xed\xa0\x80", "a surrogate pair": "\xed\xa0\xbd\xed\xb8\x80", "beyond U+10FFFF": "\xf4\x90\x80\x80",
		"five bytes": "\xf8\x88\x80\x80\x80", "six bytes": "\xfc\x84\x80\x80\x80\x80", "0xfe": "\xfe", "0xff": "\xff",
	} {
		add("8.1", name, rawws.TextFrame(messageJSON(bytes)), fails(1007))
		whole := messageJSON(bytes)
		middle := strings.Index(whole, bytes) + (len(bytes)+1)/2
		add("8.1", name+" in fragments", parts(rawws.Text, whole[:middle], whole[middle:]), fails(1007))
	}
	for name, letter := range map[string]string{
		"two bytes": "é", "three bytes": "€", "four bytes": "😀", "the highest": "\U0010ffff", "no character": "\ufffe",
	} {
		add("8.1", "a letter of "+name, rawws.TextFrame(messageJSON(letter)), receives(letter))
		whole := messageJSON(letter)
		at := strings.Index(whole, letter)
		pieces := []string{whole[:at]}
		for i := range len(letter) {
			pieces = append(pieces, letter[i:i+1])
		}
		add("8.1", "a letter of "+name+" in fragments", parts(rawws.Text, append(pieces, whole[at+len(letter):])...), receives(letter))
	}
	add("8.1", "U+0000 within JSON", rawws.TextFrame(messageJSON("\x00")), fails(4400))
	add("8.1", "a byte order mark", rawws.TextFrame("\ufeff"+messageJSON("x")), fails(4400))

	add("5", "frames gathered in one write", slices.Concat(rawws.TextFrame(messageJSON("one")), rawws.Frame(rawws.Final|rawws.Ping, "two"), rawws.TextFrame(`{"type":"shout"}`), rawws.TextFrame(messageJSON("three"))), []string{"message one", "pong two", "error unknown_type", "message three"})
	return cases
}

// rfcSite is a node that serves WebSockets over TCP, TLS and streams of HTTP/2.
type rfcSite struct {
	*harness.Site
	plain, secure string // host and port
	trust         *tls.Config
}

func newRFCSite(t *testing.T) *rfcSite {
	t.Helper()
	address := harness.FreeAddress(t)
	r := &rfcSite{Site: new(harness.Site), plain: harness.FreeAddress(t), secure: "localhost:" + harness.PortOf(t, address)}
	chat := "ephemeral_chat {\n\t\textended_connect on\n" + harness.Unlimited + "\n\t}"
	n := harness.NewNode(t)
	// Without this, Go's HTTP/2 server does not offer streams for WebSockets.
	n.Env = []string{"GODEBUG=http2xconnect=1"}
	n.Start(t, harness.HTTPSOptions(t, address),
		fmt.Sprintf("http://%s {\n\t%s\n}\nhttps://%s {\n\ttls internal\n\t%s\n}\n", r.plain, chat, r.secure, chat), r.plain, address)
	r.Add(t, n, "http://"+r.plain)
	r.trust = harness.Trust(t, n.RootFile(t))
	harness.Until(t, harness.StartTime, "the site has its certificate", func() bool {
		conn, err := (&tls.Dialer{Config: r.trust}).DialContext(t.Context(), "tcp", r.secure)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return r
}

// transports returns the ways to open a WebSocket.
func (r *rfcSite) transports() map[string]func(t *testing.T) *rawws.Socket {
	return map[string]func(t *testing.T) *rawws.Socket{
		"TCP":    func(t *testing.T) *rawws.Socket { return rawws.Upgrade(t, r.plain, nil) },
		"TLS":    func(t *testing.T) *rawws.Socket { return rawws.Upgrade(t, r.secure, r.trust) },
		"stream": func(t *testing.T) *rawws.Socket { return rawws.OpenStream(t, r.secure, r.trust) },
	}
}

// joined opens a WebSocket and joins a new room.
func (r *rfcSite) joined(t *testing.T, open func(t *testing.T) *rawws.Socket) (*rawws.Socket, harness.Member) {
	t.Helper()
	m := r.API(0).Create(t, 600)
	s := open(t)
	s.SendJSON(t, m.Credentials("type", "join"))
	s.Expect(t, "welcome")
	return s, m
}

// TestFrames sends valid and invalid frames of RFC 6455, in one write and in one write
// for each byte.
func TestFrames(t *testing.T) {
	t.Parallel()
	r := newRFCSite(t)
	passed, deviations := make(map[string]int), 0
	for transport, open := range r.transports() {
		for _, slowly := range []bool{false, true} {
			for _, c := range frameCases() {
				if slowly && (len(c.in) > 400 || transport == "stream") {
					continue // which would take long and test little more
				}
				name := fmt.Sprintf("%s/%s/%s", transport, c.section, c.name)
				if slowly {
					name += "/slowly"
				}
				if t.Run(name, func(t *testing.T) { r.tryFrames(t, &c, open, slowly) }) {
					passed[c.section]++
				}
				if c.deviation != "" && transport == "TCP" && !slowly {
					deviations++
					t.Logf("deviation in %s, %s: %s", c.section, c.name, c.deviation)
				}
			}
		}
	}
	all := 0
	for _, n := range passed {
		all += n
	}
	t.Logf("%d cases in %d runs passed, %d of them deviations; runs by section: %v", len(frameCases()), all, deviations, passed)
	r.ExpectNoErrors(t)
}

func (r *rfcSite) tryFrames(t *testing.T, c *frameCase, open func(t *testing.T) *rawws.Socket, slowly bool) {
	t.Helper()
	s, m := r.joined(t, open)
	defer s.Close()
	if slowly {
		for i := range c.in {
			if _, err := s.Write(c.in[i : i+1]); err != nil {
				break // the server has closed the connection
			}
		}
	} else {
		s.Send(t, c.in)
	}
	got := s.ReadUntil(t, func(received []string) bool { return len(received) == len(c.want) })
	if !slices.Equal(byKind(got), byKind(c.want)) {
		t.Errorf("the client receives %q, want %q", got, c.want)
	}
	if n := len(c.want); n == 0 || !strings.HasPrefix(c.want[n-1], "close ") {
		s.Send(t, rawws.Frame(rawws.Final|rawws.Ping, "over"))
		s.Expect(t, "pong over")
	} else {
		// The answer to the server's close frame, or a second close frame. The server
		// reads until the client's half is closed, so that its close frame is not lost
		// by a reset.
		_, _ = s.Write(rawws.Frame(rawws.Final|rawws.Close, rawws.ClosePayload(1000, "")))
		_ = s.CloseWrite()
		s.Expect(t, "end")
	}
	r.expectStored(t, &m, c.want)
}

// byKind sorts messages before other frames, which may overtake each other. The order
// within each of the two stays.
func byKind(received []string) []string {
	isMessage := func(words string) int {
		if strings.HasPrefix(words, "message ") {
			return 0
		}
		return 1
	}
	return slices.SortedStableFunc(slices.Values(received), func(a, b string) int { return isMessage(a) - isMessage(b) })
}

// expectStored fails the test unless the room keeps exactly the messages that were
// received.
func (r *rfcSite) expectStored(t *testing.T, m *harness.Member, received []string) {
	t.Helper()
	k, welcome := harness.Join(t, r.Base(0), m)
	defer k.Close()
	var kept []string
	for _, e := range welcome.Messages {
		kept = append(kept, "message "+e.Message)
	}
	var want []string
	for _, words := range received {
		if strings.HasPrefix(words, "message ") {
			want = append(want, words)
		}
	}
	if !slices.Equal(kept, want) {
		t.Errorf("the room keeps %q, want %q", kept, want)
	}
}

// TestPingWithinMessage checks that a ping is answered between the fragments of a
// message (RFC 6455, section 5.4).
func TestPingWithinMessage(t *testing.T) {
	t.Parallel()
	r := newRFCSite(t)
	for name, open := range r.transports() {
		t.Run(name, func(t *testing.T) {
			s, _ := r.joined(t, open)
			s.Send(t, rawws.Frame(rawws.Text, messageJSON("x")[:9]))
			s.Send(t, rawws.Frame(rawws.Final|rawws.Ping, "now"))
			s.Expect(t, "pong now")
			s.Send(t, rawws.Frame(rawws.Final|rawws.Continuation, messageJSON("x")[9:]))
			s.Expect(t, "message x")
		})
	}
}

// TestEndsOfConnections ends connections in every way but by a closing handshake (RFC
// 6455, section 7). In each case the server closes its side, and the other member is
// notified that the user has left.
func TestEndsOfConnections(t *testing.T) {
	t.Parallel()
	r := newRFCSite(t)
	for name, open := range r.transports() {
		for how, end := range map[string]func(t *testing.T, s *rawws.Socket){
			"closes its half": func(t *testing.T, s *rawws.Socket) {
				_ = s.CloseWrite()
				s.Expect(t, "end")
			},
			"closes its half within a frame": func(t *testing.T, s *rawws.Socket) {
				s.Send(t, rawws.TextFrame(messageJSON("ignored"))[:20])
				_ = s.CloseWrite()
				s.Expect(t, "end")
			},
			"closes its half within a message": func(t *testing.T, s *rawws.Socket) {
				s.Send(t, rawws.Frame(rawws.Text, messageJSON("ignored")))
				_ = s.CloseWrite()
				s.Expect(t, "end")
			},
			"publishes, and closes": func(t *testing.T, s *rawws.Socket) {
				s.Send(t, rawws.TextFrame(messageJSON("last words")))
				s.Expect(t, "message last words")
				s.Close()
			},
			"resets": func(t *testing.T, s *rawws.Socket) {
				if tcp, ok := s.Conn.(*net.TCPConn); ok {
					if err := tcp.SetLinger(0); err != nil {
						t.Fatal(err)
					}
				}
				s.Close()
			},
			"does not answer a close frame": func(t *testing.T, s *rawws.Socket) {
				s.Send(t, rawws.Frame(rawws.Final|rawws.Binary, ""))
				s.Expect(t, "close 4400")
				start := time.Now()
				s.Expect(t, "end")
				t.Logf("the server closes the connection after %s", time.Since(start).Round(time.Millisecond))
			},
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				t.Parallel()
				s, m := r.joined(t, open)
				other := r.API(0).Join(t, m.RoomID, "other")
				k, _ := harness.Join(t, r.Base(0), &other)
				end(t, s)
				if left := k.Await(t, "left"); left.UserID != m.UserID {
					t.Errorf("%s has left", left.UserID)
				}
			})
		}
	}
}
