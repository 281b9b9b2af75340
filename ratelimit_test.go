package ephemeralchat_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// from says which address a request comes from, to a site that believes it.
func from(address string) func(*http.Request) { return header("X-Forwarded-For", address) }

func TestCreateRate(t *testing.T) {
	s := serve(t, "ephemeral_chat {\ncreate_rate 2 1h\n}")
	body := object(t, "roomName", "x")
	s.post(t, "/createRoom", "{}").refused(t, 400, "invalid_request") // not charged
	s.create(t)
	s.create(t)
	limited := s.post(t, "/createRoom", body)
	limited.refused(t, 429, "rate_limited")
	if seconds, err := strconv.Atoi(limited.header.Get("Retry-After")); err != nil || seconds < 1700 || seconds > 1800 {
		t.Errorf("Retry-After %q, want half an hour", limited.header.Get("Retry-After"))
	}
}

func TestRateRefills(t *testing.T) {
	s := serve(t, "ephemeral_chat {\ncreate_rate 3 600ms\n}")
	for range 3 {
		s.create(t)
	}
	limited := time.Now()
	s.post(t, "/createRoom", object(t, "roomName", "x")).refused(t, 429, "rate_limited")
	again := waitUntil(t, func() bool { return s.post(t, "/createRoom", object(t, "roomName", "x")).status == 200 })
	if waited := again.Sub(limited); waited > 400*time.Millisecond {
		t.Errorf("a third of the window took %s", waited)
	}
}

func TestJoinRate(t *testing.T) {
	s := serve(t, "ephemeral_chat {\njoin_rate 3 1h\n}")
	admin := s.create(t)
	s.join(t, admin.room)
	s.post(t, "/joinRoom", admin.as(t)).ok(t)
	s.post(t, "/joinRoom", object(t, "roomId", "none")).refused(t, 404, "room_not_found")
	s.post(t, "/joinRoom", object(t, "roomId", admin.room)).refused(t, 429, "rate_limited")
	s.post(t, "/joinRoom", admin.as(t)).refused(t, 429, "rate_limited")
	s.post(t, "/roomInfo", object(t, "roomId", admin.room)).ok(t)
}

func TestPasswordRate(t *testing.T) {
	s := serve(t, "ephemeral_chat {\npassword_rate 2 1h\n}")
	first, second := s.create(t, "password", "tea"), s.create(t, "password", "tea")
	good := object(t, "roomId", first.room, "password", "tea")
	bad := object(t, "roomId", first.room, "password", "coffee")
	for range 3 { // right ones cost nothing
		s.post(t, "/joinRoom", good).ok(t)
	}
	s.post(t, "/joinRoom", bad).refused(t, 403, "wrong_password")
	s.post(t, "/joinRoom", good).ok(t)
	s.post(t, "/joinRoom", bad).refused(t, 403, "wrong_password")
	s.post(t, "/joinRoom", bad).refused(t, 429, "rate_limited")
	s.post(t, "/joinRoom", good).refused(t, 429, "rate_limited")
	s.post(t, "/joinRoom", first.as(t)).ok(t)
	s.post(t, "/joinRoom", object(t, "roomId", second.room, "password", "tea")).ok(t)
}

// TestPasswordRateInParallel checks that attempts count before their outcome is
// known.
func TestPasswordRateInParallel(t *testing.T) {
	s := serve(t, "ephemeral_chat {\npassword_rate 3 1h\n}")
	room := s.create(t, "password", "tea").room
	codes := make(chan int)
	for range 12 {
		go func() { // ends with its request
			codes <- s.post(t, "/joinRoom", object(t, "roomId", room, "password", "coffee")).status
		}()
	}
	got := make(map[int]int)
	for range 12 {
		got[<-codes]++
	}
	if got[403] != 3 || got[429] != 9 {
		t.Errorf("answers %v, want 3 of 403 and 9 of 429", got)
	}
}

// TestRoomPasswordRate guesses from many addresses, each of which has attempts left.
func TestRoomPasswordRate(t *testing.T) {
	s := newSite(t)
	loadWith(t, "servers {\n\ttrusted_proxies static 127.0.0.0/8\n}",
		s.block("ephemeral_chat {\npassword_rate 2 1h\nroom_password_rate 4 1h\n}"))
	first, second := s.create(t, "password", "tea"), s.create(t, "password", "tea")
	attempt := func(room, password string, address int) reply {
		return s.post(t, "/joinRoom", object(t, "roomId", room, "password", password), from(fmt.Sprintf("192.0.2.%d", address)))
	}
	for n := range 5 { // right ones cost nothing
		attempt(first.room, "tea", n).ok(t)
	}
	attempt(first.room, "coffee", 0).refused(t, 403, "wrong_password")
	attempt(first.room, "coffee", 0).refused(t, 403, "wrong_password")
	for range 5 { // nor do those of somebody who has none left
		attempt(first.room, "coffee", 0).refused(t, 429, "rate_limited")
	}
	attempt(first.room, "coffee", 1).refused(t, 403, "wrong_password")
	attempt(first.room, "coffee", 2).refused(t, 403, "wrong_password")
	attempt(first.room, "coffee", 3).refused(t, 429, "rate_limited")
	attempt(first.room, "tea", 4).refused(t, 429, "rate_limited")
	s.post(t, "/joinRoom", first.as(t)).ok(t) // a member needs none
	attempt(second.room, "tea", 3).ok(t)
	attempt(second.room, "coffee", 3).refused(t, 403, "wrong_password")
}

func TestRateOff(t *testing.T) {
	s := serve(t, "ephemeral_chat {\ncreate_rate off\njoin_rate off\npassword_rate off\nroom_password_rate off\n}")
	room := s.create(t, "password", "tea").room
	for range 30 {
		s.create(t)
	}
	for range 12 {
		s.post(t, "/joinRoom", object(t, "roomId", room, "password", "coffee")).refused(t, 403, "wrong_password")
	}
}

// TestClientAddress checks who counts as one client.
func TestClientAddress(t *testing.T) {
	s := newSite(t)
	for name, test := range map[string]struct {
		first, second string
		same          bool
	}{
		"one IPv4 address":     {"192.0.2.1", "192.0.2.1", true},
		"two IPv4 addresses":   {"192.0.2.1", "192.0.2.2", false},
		"mapped into IPv6":     {"192.0.2.1", "::ffff:192.0.2.1", true},
		"one IPv6 network":     {"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
		"two IPv6 networks":    {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		"IPv4 is not IPv6":     {"192.0.2.1", "::c000:201", false},
		"one name in zones":    {"fe80::1", "fe80::2", true},
		"forwarded many times": {"192.0.2.7", "203.0.113.9, 192.0.2.7", false},
	} {
		t.Run(name, func(t *testing.T) {
			loadWith(t, "servers {\n\ttrusted_proxies static 127.0.0.0/8\n}", s.block("ephemeral_chat {\ncreate_rate 1 1h\n}"))
			body := object(t, "roomName", "x")
			s.post(t, "/createRoom", body, from(test.first)).ok(t)
			second := s.post(t, "/createRoom", body, from(test.second))
			if test.same {
				second.refused(t, 429, "rate_limited")
			} else {
				second.ok(t)
			}
		})
	}
}
