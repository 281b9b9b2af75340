package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// frameCase is what a client sends once it has joined, and what it hears.
type frameCase struct {
	section string // of RFC 6455
	name    string
	in      []byte
	// want are messages, pongs and errors, and at the end, where the server is to end
	// the connection, "close" with a code.
	want []string
	// deviation says why the server does other than the RFC would have it; mostly that
	// a client that does this is treated better than it has to be.
	deviation string
}

// textFrame is a whole message.
func textFrame(payload string) []byte { return rawFrame(final|opText, payload) }

// saying is the text of a frame that says something.
func saying(message string) string { return `{"type":"message","message":"` + message + `"}` }

// padded is the same with spaces around it, in so many bytes.
func padded(message string, size int) string {
	return strings.Repeat(" ", size-len(saying(message))) + saying(message)
}

// length64 writes a length in eight bytes.
func length64(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{127}, n) }

func frameCases() []frameCase {
	fails := func(code int) []string { return []string{fmt.Sprint("close ", code)} }
	hears := func(messages ...string) []string {
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

	add("5.1", "text without a mask", []byte{final | opText, 2, '{', '}'}, fails(1002))
	add("5.1", "ping without a mask", []byte{final | opPing, 0}, fails(1002))
	add("5.1", "close without a mask", []byte{final | opClose, 2, 0x03, 0xe8}, fails(1002))

	for bit := byte(0x40); bit >= 0x10; bit >>= 1 {
		add("5.2", fmt.Sprintf("reserved bit %#x of text", bit), rawFrame(final|bit|opText, saying("x")), fails(1002))
		add("5.2", fmt.Sprintf("reserved bit %#x of a ping", bit), rawFrame(final|bit|opPing, ""), fails(1002))
		add("5.2", fmt.Sprintf("reserved bit %#x of a continuation", bit),
			slices.Concat(rawFrame(opText, "{"), rawFrame(final|bit|opContinuation, "}")), fails(1002))
	}
	for _, opcode := range []byte{0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf} {
		add("5.2", fmt.Sprintf("reserved opcode %#x", opcode), rawFrame(final|opcode, saying("x")), fails(1002))
	}
	for _, size := range []int{125, 126, 127, 65535, 65536} {
		add("5.2", fmt.Sprint("text of ", size, " bytes"), textFrame(padded("sized", size)), hears("sized"))
	}
	add("5.2", "text of 65537 bytes, above the limit", textFrame(padded("sized", 65537)), fails(1009))
	add("5.2", "a length of 2^62", rawFrameOf(final|opText, length64(1<<62), "{"), fails(1009))
	add("5.2", "a length of 2^63-1", rawFrameOf(final|opText, length64(1<<63-1), "{"), fails(1009))
	add("5.2", "a length with the highest bit", rawFrameOf(final|opText, length64(1<<63), "{"), fails(1009))
	add("5.2", "a length of 2^64-1", rawFrameOf(final|opText, length64(1<<64-1), "{"), fails(1009))
	const lenient = "what is meant is clear, and the limit applies to the length"
	deviates("5.2", "a short length in two bytes", rawFrameOf(final|opText, []byte{126, 0, byte(len(saying("x")))}, saying("x")), hears("x"), lenient)
	deviates("5.2", "a short length in eight bytes", rawFrameOf(final|opText, length64(uint64(len(saying("x")))), saying("x")), hears("x"), lenient)
	add("5.2", "a ping whose short length is in two bytes", rawFrameOf(final|opPing, []byte{126, 0, 4}, "ping"), fails(1002))
	add("5.3", "a mask of zeros", append([]byte{final | opText, masked | byte(len(saying("x"))), 0, 0, 0, 0}, saying("x")...), hears("x"))
	add("5.6", "binary", rawFrame(final|opBinary, saying("x")), fails(4400))
	add("5.6", "text without content", textFrame(""), fails(4400))

	parts := func(opcode byte, payloads ...string) []byte {
		var all []byte
		for i, payload := range payloads {
			first := byte(opContinuation)
			if i == 0 {
				first = opcode
			}
			if i == len(payloads)-1 {
				first |= final
			}
			all = append(all, rawFrame(first, payload)...)
		}
		return all
	}
	add("5.4", "two fragments", parts(opText, saying("x")[:5], saying("x")[5:]), hears("x"))
	add("5.4", "a fragment for each byte", parts(opText, strings.Split(saying("bytes"), "")...), hears("bytes"))
	add("5.4", "fragments without content", parts(opText, "", saying("x")[:5], "", "", saying("x")[5:], ""), hears("x"))
	add("5.4", "nothing in fragments", parts(opText, "", ""), fails(4400))
	add("5.4", "pings between fragments", slices.Concat(rawFrame(opText, saying("x")[:5]), rawFrame(final|opPing, "one"),
		rawFrame(opContinuation, saying("x")[5:9]), rawFrame(final|opPing, "two"), rawFrame(final|opPong, ""), rawFrame(final|opContinuation, saying("x")[9:])),
		[]string{"pong one", "pong two", "message x"})
	add("5.4", "a close between fragments", slices.Concat(rawFrame(opText, "{"), rawFrame(final|opClose, closePayload(1000, ""))), fails(1000))
	add("5.4", "text between fragments", slices.Concat(rawFrame(opText, "{"), textFrame("{}")), fails(1002))
	add("5.4", "text that begins between fragments", slices.Concat(rawFrame(opText, "{"), rawFrame(opText, "{}")), fails(1002))
	add("5.4", "binary between fragments", slices.Concat(rawFrame(opText, "{"), rawFrame(final|opBinary, "")), fails(1002))
	add("5.4", "a continuation of nothing", rawFrame(final|opContinuation, saying("x")), fails(1002))
	add("5.4", "a continuation that goes on, of nothing", rawFrame(opContinuation, saying("x")), fails(1002))
	add("5.4", "a continuation of what is complete", slices.Concat(textFrame(`{"type":"ping"}`), rawFrame(final|opContinuation, "")), []string{"pong", "close 1002"})
	add("5.4", "fragments above the limit together", parts(opText, strings.Repeat(" ", 40_000), strings.Repeat(" ", 40_000), "{}"), fails(1009))
	add("5.4", "fragments beyond 63 bits together", slices.Concat(rawFrame(opText, "{"), rawFrameOf(opContinuation, length64(1<<63-1), "")), fails(1009))
	add("5.4", "binary in fragments", parts(opBinary, "{", "}"), fails(4400))

	for _, control := range []struct {
		name   string
		opcode byte
	}{{"close", opClose}, {"ping", opPing}, {"pong", opPong}} {
		add("5.5", "a "+control.name+" of 126 bytes", rawFrame(final|control.opcode, longest+"p"), fails(1002))
		add("5.5", "a "+control.name+" in fragments", slices.Concat(rawFrame(control.opcode, ""), rawFrame(final|opContinuation, "")), fails(1002))
		add("5.5", "a "+control.name+" with a length of eight bytes", rawFrameOf(final|control.opcode, length64(2), "\x03\xe8"), fails(1002))
	}
	for _, payload := range []string{"", "x", "\x00\xff\xfe binary", longest} {
		add("5.5.2", fmt.Sprintf("a ping of %d bytes", len(payload)), rawFrame(final|opPing, payload), []string{"pong " + payload})
	}
	var pings []byte
	var pongs []string
	for i := range 20 {
		pings, pongs = append(pings, rawFrame(final|opPing, fmt.Sprint(i))...), append(pongs, fmt.Sprint("pong ", i))
	}
	add("5.5.2", "twenty pings at once", pings, pongs)
	add("5.5.3", "pongs that nobody has asked for", slices.Concat(rawFrame(final|opPong, ""), rawFrame(final|opPong, longest)), nil)

	for _, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		add("7.4", fmt.Sprint("closed with ", code), rawFrame(final|opClose, closePayload(code, "")), fails(int(code)))
	}
	for _, code := range []uint16{1012, 1013} { // registered later
		add("7.4", fmt.Sprint("closed with ", code), rawFrame(final|opClose, closePayload(code, "")), fails(int(code)))
	}
	deviates("7.4", "closed with 1014", rawFrame(final|opClose, closePayload(1014, "")), fails(1002),
		"registered later, for gateways, which clients are not")
	for _, code := range []uint16{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		add("7.4", fmt.Sprint("closed with ", code, ", which must not be sent"), rawFrame(final|opClose, closePayload(code, "")), fails(1002))
	}
	add("5.5.1", "closed without a code", rawFrame(final|opClose, ""), fails(1000))
	deviates("5.5.1", "closed with half a code", rawFrame(final|opClose, "\x03"), fails(1000),
		"gorilla/websocket takes it for none; the connection ends all the same")
	add("5.5.1", "closed with the longest reason", rawFrame(final|opClose, closePayload(1000, strings.Repeat("é", 61)+"x")), fails(1000))
	add("5.5.1", "closed with a reason that is not UTF-8", rawFrame(final|opClose, closePayload(1000, "\xff")), fails(1002))
	add("5.5.1", "text after a close", slices.Concat(rawFrame(final|opClose, closePayload(1000, "")), textFrame(saying("unheard"))), fails(1000))
	add("5.5.1", "a ping after a close", slices.Concat(rawFrame(final|opClose, closePayload(1000, "")), rawFrame(final|opPing, "unheard")), fails(1000))
	add("5.5.1", "a second close", slices.Concat(rawFrame(final|opClose, closePayload(1000, "")), rawFrame(final|opClose, closePayload(1001, ""))), fails(1000))

	for name, bytes := range map[string]string{
		"a byte that goes on nothing": "\x80", "two bytes cut off": "\xc3", "three bytes cut off": "\xe2\x82", "four bytes cut off": "\xf0\x9f\x98",
		"a wrong second byte": "\xc3\x28", "an overlong slash": "\xc0\xaf", "a longer slash": "\xe0\x80\xaf", "the longest slash": "\xf0\x80\x80\xaf",
		"half of a surrogate pair": "\xed\xa0\x80", "a surrogate pair": "\xed\xa0\xbd\xed\xb8\x80", "beyond U+10FFFF": "\xf4\x90\x80\x80",
		"five bytes": "\xf8\x88\x80\x80\x80", "six bytes": "\xfc\x84\x80\x80\x80\x80", "0xfe": "\xfe", "0xff": "\xff",
	} {
		add("8.1", name, textFrame(saying(bytes)), fails(1007))
		whole := saying(bytes)
		middle := strings.Index(whole, bytes) + (len(bytes)+1)/2
		add("8.1", name+" in fragments", parts(opText, whole[:middle], whole[middle:]), fails(1007))
	}
	for name, letter := range map[string]string{
		"two bytes": "é", "three bytes": "€", "four bytes": "😀", "the highest": "\U0010ffff", "no character": "\ufffe",
	} {
		add("8.1", "a letter of "+name, textFrame(saying(letter)), hears(letter))
		whole := saying(letter)
		at := strings.Index(whole, letter)
		pieces := []string{whole[:at]}
		for i := range len(letter) {
			pieces = append(pieces, letter[i:i+1])
		}
		add("8.1", "a letter of "+name+" in fragments", parts(opText, append(pieces, whole[at+len(letter):])...), hears(letter))
	}
	add("8.1", "U+0000 within JSON", textFrame(saying("\x00")), fails(4400))
	add("8.1", "a byte order mark", textFrame("\ufeff"+saying("x")), fails(4400))

	add("5", "frames gathered in one write", slices.Concat(textFrame(saying("one")), rawFrame(final|opPing, "two"), textFrame(`{"type":"shout"}`), textFrame(saying("three"))), []string{"message one", "pong two", "error unknown_type", "message three"})
	return cases
}

// rfcSite is a Caddy with one chat, over TCP, TLS and streams of HTTP/2.
type rfcSite struct {
	*site
	plain, secure string // host and port
	trust         *tls.Config
}

func newRFCSite(t *testing.T) *rfcSite {
	t.Helper()
	address := freeAddress(t)
	r := &rfcSite{site: new(site), plain: freeAddress(t), secure: "localhost:" + portOf(t, address)}
	chat := "ephemeral_chat {\n\t\textended_connect on\n" + unlimited + "\n\t}"
	// Without this, the server of HTTP/2 does not offer streams for WebSockets.
	n := &node{binary: caddyBinary, dir: t.TempDir(), admin: freeAddress(t), extra: []string{"GODEBUG=http2xconnect=1"}}
	n.start(t, fmt.Sprintf("\thttps_port %s\n\tauto_https disable_redirects", portOf(t, address)),
		fmt.Sprintf("http://%s {\n\t%s\n}\nhttps://%s {\n\ttls internal\n\t%s\n}\n", r.plain, chat, r.secure, chat), r.plain, address)
	r.add(t, n, "http://"+r.plain)
	file := filepath.Join(n.dir, "data", "caddy", "pki", "authorities", "local", "root.crt")
	pool := x509.NewCertPool()
	until(t, startTime, "the root certificate is there", func() bool {
		root, err := os.ReadFile(file)
		return err == nil && pool.AppendCertsFromPEM(root)
	})
	r.trust = &tls.Config{RootCAs: pool, ServerName: "localhost"}
	until(t, startTime, "the site has its certificate", func() bool {
		conn, err := (&tls.Dialer{Config: r.trust}).DialContext(t.Context(), "tcp", r.secure)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return r
}

// transports are the ways to open a WebSocket.
func (r *rfcSite) transports() map[string]func(t *testing.T) *rawSocket {
	return map[string]func(t *testing.T) *rawSocket{
		"TCP":    func(t *testing.T) *rawSocket { return rawUpgrade(t, r.plain, nil) },
		"TLS":    func(t *testing.T) *rawSocket { return rawUpgrade(t, r.secure, r.trust) },
		"stream": func(t *testing.T) *rawSocket { return rawStream(t, r.secure, r.trust) },
	}
}

// joined opens a WebSocket that has joined a room of its own.
func (r *rfcSite) joined(t *testing.T, open func(t *testing.T) *rawSocket) (*rawSocket, member) {
	t.Helper()
	m := r.api(0).create(t, 600)
	s := open(t)
	s.say(t, m.credentials("type", "join"))
	s.expects(t, "welcome")
	return s, m
}

// TestFrames sends frames as RFC 6455 has them, and otherwise: in one write, and in
// one for each byte.
func TestFrames(t *testing.T) {
	t.Parallel()
	r := newRFCSite(t)
	passed, deviations := make(map[string]int), 0
	for transport, open := range r.transports() {
		for _, slowly := range []bool{false, true} {
			for _, c := range frameCases() {
				if slowly && (len(c.in) > 400 || transport == "stream") {
					continue // a byte at a time, there is little more to see of these
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
	r.noErrors(t)
}

func (r *rfcSite) tryFrames(t *testing.T, c *frameCase, open func(t *testing.T) *rawSocket, slowly bool) {
	t.Helper()
	s, m := r.joined(t, open)
	defer s.close()
	if slowly {
		for i := range c.in {
			if _, err := s.writer.Write(c.in[i : i+1]); err != nil {
				break // the server has seen enough
			}
		}
	} else {
		s.write(t, c.in)
	}
	got := s.hears(t, func(told []string) bool { return len(told) == len(c.want) })
	if !slices.Equal(byKind(got), byKind(c.want)) {
		t.Errorf("the client hears %q, want %q", got, c.want)
	}
	if n := len(c.want); n == 0 || !strings.HasPrefix(c.want[n-1], "close ") {
		s.write(t, rawFrame(final|opPing, "over"))
		s.expects(t, "pong over")
	} else {
		// The answer to the close frame, if it was not one itself. Until nothing more
		// can come, the server reads on, so that nobody's words are cut off.
		_, _ = s.writer.Write(rawFrame(final|opClose, closePayload(1000, "")))
		_ = s.closeWrite()
		s.expects(t, "end")
	}
	r.expectSaid(t, &m, c.want)
}

// byKind sorts what a client hears, but leaves in their order messages, and what is
// no message: the two may overtake each other.
func byKind(told []string) []string {
	isMessage := func(what string) int {
		if strings.HasPrefix(what, "message ") {
			return 0
		}
		return 1
	}
	return slices.SortedStableFunc(slices.Values(told), func(a, b string) int { return isMessage(a) - isMessage(b) })
}

// expectSaid fails the test unless the room keeps what was heard, and nothing else.
func (r *rfcSite) expectSaid(t *testing.T, m *member, heard []string) {
	t.Helper()
	k, welcome := enter(t, r.base(0), m)
	defer k.close()
	var kept []string
	for _, e := range welcome.Messages {
		kept = append(kept, "message "+e.Message)
	}
	var want []string
	for _, told := range heard {
		if strings.HasPrefix(told, "message ") {
			want = append(want, told)
		}
	}
	if !slices.Equal(kept, want) {
		t.Errorf("the room keeps %q, want %q", kept, want)
	}
}

// TestPingWithinMessage has a ping answered while a message is only half there (RFC
// 6455, section 5.4).
func TestPingWithinMessage(t *testing.T) {
	t.Parallel()
	r := newRFCSite(t)
	for name, open := range r.transports() {
		t.Run(name, func(t *testing.T) {
			s, _ := r.joined(t, open)
			s.write(t, rawFrame(opText, saying("x")[:9]))
			s.write(t, rawFrame(final|opPing, "now"))
			s.expects(t, "pong now")
			s.write(t, rawFrame(final|opContinuation, saying("x")[9:]))
			s.expects(t, "message x")
		})
	}
}

// TestEndsOfConnections ends connections in every way but the right one (RFC 6455,
// section 7). However it is, the server hangs up, and the others hear that the user
// has left.
func TestEndsOfConnections(t *testing.T) {
	t.Parallel()
	r := newRFCSite(t)
	for name, open := range r.transports() {
		for how, end := range map[string]func(t *testing.T, s *rawSocket){
			"closes its half": func(t *testing.T, s *rawSocket) {
				_ = s.closeWrite()
				s.expects(t, "end")
			},
			"closes its half within a frame": func(t *testing.T, s *rawSocket) {
				s.write(t, textFrame(saying("unheard"))[:20])
				_ = s.closeWrite()
				s.expects(t, "end")
			},
			"closes its half within a message": func(t *testing.T, s *rawSocket) {
				s.write(t, rawFrame(opText, saying("unheard")))
				_ = s.closeWrite()
				s.expects(t, "end")
			},
			"says what it has to, and is gone": func(t *testing.T, s *rawSocket) {
				s.write(t, textFrame(saying("last words")))
				s.expects(t, "message last words")
				s.close()
			},
			"resets": func(t *testing.T, s *rawSocket) {
				if tcp, ok := s.net.(*net.TCPConn); ok {
					if err := tcp.SetLinger(0); err != nil {
						t.Fatal(err)
					}
				}
				s.close()
			},
			"does not answer a close frame": func(t *testing.T, s *rawSocket) {
				s.write(t, rawFrame(final|opBinary, ""))
				s.expects(t, "close 4400")
				start := time.Now()
				s.expects(t, "end")
				t.Logf("the server hangs up after %s", time.Since(start).Round(time.Millisecond))
			},
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				t.Parallel()
				s, m := r.joined(t, open)
				other := r.api(0).join(t, m.RoomID, "other")
				k, _ := enter(t, r.base(0), &other)
				end(t, s)
				if left := k.await(t, "left"); left.UserID != m.UserID {
					t.Errorf("%s has left", left.UserID)
				}
			})
		}
	}
}
