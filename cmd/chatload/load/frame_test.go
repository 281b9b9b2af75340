package load_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"
)

// serverFrame returns an unmasked frame, made from that of a client.
func serverFrame(opcode byte, payload []byte) []byte {
	masked := load.AppendFrame(nil, opcode, 0, payload) // a key of zeros changes nothing
	head := len(masked) - len(payload)
	masked[1] &^= 0x80
	return append(masked[:head-4:head-4], payload...)
}

func TestParseFrame(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 70000} {
		payload := bytes.Repeat([]byte{'a'}, size)
		whole := serverFrame(load.OpText, payload)
		f, n, err := load.ParseFrame(append(bytes.Clone(whole), "next"...))
		if err != nil || n != len(whole) {
			t.Fatalf("%d bytes: parsed %d of %d: %v", size, n, len(whole), err)
		}
		if !f.Final() || f.Opcode() != load.OpText || !bytes.Equal(f.Payload(), payload) {
			t.Errorf("%d bytes: got another frame", size)
		}
		// No part of it is a frame.
		for _, part := range []int{0, 1, 2, 3, 9, 10, len(whole) - 1} {
			if part >= len(whole) {
				continue
			}
			_, n, err := load.ParseFrame(whole[:part])
			if err != nil || n != 0 && n <= part {
				t.Errorf("%d bytes: the first %d were taken for a frame of %d: %v", size, part, n, err)
			}
		}
	}
}

func TestParseFrameRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"masked":             "8185",
		"reserved bits":      "c105",
		"larger than 16 MiB": "817f0000000001000001",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := load.ParseFrame(b); err == nil {
			t.Errorf("%s: was accepted", name)
		}
	}
}

// TestAppendFrame checks the example of RFC 6455, section 5.7.
func TestAppendFrame(t *testing.T) {
	t.Parallel()
	got := load.AppendFrame(nil, load.OpText, 0x3d21fa37, []byte("He"), []byte("llo"))
	if want := "818537fa213d7f9f4d5158"; hex.EncodeToString(got) != want {
		t.Errorf("got %x, want %s", got, want)
	}
	for _, size := range []int{125, 126, 65535, 65536} {
		payload := bytes.Repeat([]byte("abcde"), size/5+1)[:size]
		got := load.AppendFrame([]byte("before"), load.OpText, 0xdeadbeef, payload)
		head := len(got) - size
		for i, c := range got[head:] {
			if want := payload[i] ^ got[head-4+i%4]; c != want {
				t.Fatalf("%d bytes: byte %d is %x, want %x", size, i, c, want)
			}
		}
	}
}

// FuzzRead parses any bytes from a server as a connection does.
func FuzzRead(f *testing.F) {
	f.Add(serverFrame(load.OpText, []byte(`{"type":"message","seq":12,"message":"~1.2~"}`)))
	f.Add(serverFrame(load.OpText, []byte(`{"type":"welcome","seq":0}`)))
	f.Add(serverFrame(load.OpClose, bytes.Repeat([]byte{1}, 300)))
	f.Add([]byte{0x81, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, size, err := load.ParseFrame(b)
		if err != nil || size == 0 || size > len(b) {
			if frame.Payload() != nil {
				t.Error("a payload was returned without a frame")
			}
			return
		}
		if again := serverFrame(frame.Opcode(), frame.Payload()); len(again) > size {
			t.Errorf("a frame of %d bytes would have %d", size, len(again))
		}
		e, rest := load.EphemeralChat{}.Next(frame.Payload())
		if len(rest) > 0 {
			t.Errorf("%d bytes are left over", len(rest))
		}
		if slot, sent, ok := load.ParseText(e.Text); ok && !bytes.ContainsRune(e.Text, '~') {
			t.Errorf("a text without ~ has slot %d and time %d", slot, sent)
		}
	})
}
