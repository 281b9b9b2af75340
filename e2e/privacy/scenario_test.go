package privacy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// scenario is a room with three clients: a page, an element on the page of a shop, and
// a client in Go. The room is in Redis, on two nodes, or in the memory of one.
type scenario struct {
	*harness.Site
	redisDir string
	end      string // of the room: deletion, expiry or lobby
	profile  *browser.Profile
	shop     string // the address of the shop

	shopProfile *browser.Profile // the profile of the shop's visitor

	admin         harness.Member
	adminAPI      *harness.API
	goClient      *harness.Socket
	page, shopTab *browser.Tab

	markers []*marker

	message, umlauts, fromPage, fromShop, long, refused, retracted, draft *marker
	password, wrong, roomName, adminName, pageName, shopName              *marker
}

// mark returns a new marker, for which the test searches.
func (s *scenario) mark(kind, word string) *marker {
	m := newMarker(kind, word)
	s.markers = append(s.markers, m)
	return m
}

// start starts Redis and the nodes. With clobberfree, Go's garbage collector overwrites
// the memory that it frees.
func (s *scenario) start(t *testing.T, binary, store, memory string) {
	t.Helper()
	addresses := []string{"store memory"}
	s.Site = new(harness.Site)
	if store == "redis" {
		// Without compression, strings in the dump can be found.
		s.Redis = harness.StartRedisWith(t, harness.RedisOptions{Dir: s.redisDir, Args: []string{"--rdbcompression", "no"}})
		addresses = []string{"redis " + s.Redis.Addr(), "redis " + s.Redis.Addr()}
	}
	shop := harness.FreeAddress(t)
	for _, store := range addresses {
		listen := harness.FreeAddress(t)
		n := &harness.Node{Binary: binary, Dir: t.TempDir(), Admin: harness.FreeAddress(t)}
		if memory == "clobberfree" {
			n.Env = []string{"GODEBUG=clobberfree=1"}
		}
		n.Start(t, "\tdebug\n\tmetrics", fmt.Sprintf(`
http://%s {
	log {
		output file access.log
		format json
	}
	ephemeral_chat {
		%s
		ttl %s
		lobby %s
		origins http://%s
	}
}`, listen, store, s.time("expiry"), s.time("lobby"), shop), listen)
		s.Add(t, n, "http://"+listen)
	}
	s.shop = shop
}

// time returns the time until the room ends in a way: short if it is to end that way.
func (s *scenario) time(end string) string {
	if s.end == end {
		return "60s" // enough for all messages on a busy machine
	}
	return "10m"
}

// fill lets the clients join, exchange messages, and fail.
func (s *scenario) fill(t *testing.T) {
	t.Helper()
	s.password, s.wrong = s.mark("password", "pass"), s.mark("wrong password", "wrong")
	s.roomName = s.mark("room name", "plans")
	s.adminName, s.pageName, s.shopName = s.mark("user name", "anna"), s.mark("user name", "ben"), s.mark("user name", "carl")

	s.adminAPI = s.API(0)
	s.adminAPI.Succeed(t, "/createRoom", harness.Fields{"roomName": s.roomName.text, "username": s.adminName.text, "password": s.password.text}).Decode(t, &s.admin)
	s.markers = append(s.markers, markerOf("room id", "__"+s.admin.RoomID+"__"), markerOf("session", s.admin.SessionID))
	harness.ExpectProblem(t, s.API(1).Call(t, "/joinRoom", harness.Fields{"roomId": s.admin.RoomID, "password": s.wrong.text}), 403, "wrong_password")
	s.goClient, _ = harness.Join(t, s.Base(0), &s.admin)

	s.page = s.profile.OpenBlank(t, s.Base(1))
	s.page.Tolerate("network error.*403.*joinRoom")
	s.page.Visit(s.Base(1) + "/#" + s.admin.RoomID)
	s.page.Fill("Your name", s.pageName.text)
	s.page.Fill("Password", s.wrong.text)
	s.page.Click("button", "Join")
	s.page.AwaitText("not the password")
	s.page.Fill("Password", s.password.text)
	s.page.Click("button", "Join")
	s.page.Find("textbox", "Message")

	shop := browser.EmbeddingPage(t, s.shop, s.Base(0), fmt.Sprintf(`<ephemeral-chat room="%s"></ephemeral-chat>`, s.admin.RoomID))
	s.shopTab = s.shopProfile.Open(t, shop, s.Base(0))
	s.shopTab.Fill("Your name", s.shopName.text)
	s.shopTab.Fill("Password", s.password.text)
	s.shopTab.Click("button", "Join")
	s.shopTab.Find("textbox", "Message")

	s.draft = s.mark("draft", "draft")
	if s.end == "lobby" { // the first message would start the room
		s.page.Fill("Message", s.draft.text)
		s.goClient.Await(t, "typing")
		return
	}
	s.exchange(t)
	s.page.Fill("Message", s.draft.text)
}

// exchange publishes messages of all kinds.
func (s *scenario) exchange(t *testing.T) {
	s.message, s.umlauts, s.long = s.mark("message", "hello"), s.mark("message", "grüße \"an\" alle: "), s.mark("message", strings.Repeat("very ", 700))
	s.fromPage, s.fromShop = s.mark("message", "page"), s.mark("message", "shop")
	s.refused, s.retracted = s.mark("refused message", strings.Repeat("too long ", 1000)), s.mark("retracted message", "oops")
	for _, m := range []*marker{s.message, s.umlauts, s.long} {
		s.goClient.Publish(t, m.text)
		s.goClient.AwaitText(t, m.text)
	}
	s.goClient.Publish(t, s.refused.text)
	s.goClient.Await(t, "error")
	s.page.Publish(s.fromPage.text)
	s.shopTab.AwaitMessage(s.pageName.text, s.fromPage.text)
	s.shopTab.Publish(s.fromShop.text)
	s.page.AwaitMessage(s.shopName.text, s.fromShop.text)
	s.page.Publish(s.retracted.text)
	oops := s.goClient.AwaitText(t, s.retracted.text)
	s.goClient.Send(t, harness.Fields{"type": "retract", "seq": oops.Seq})
	s.goClient.Await(t, "retracted")
	// A client that rejoins receives all messages, and requests them again.
	again, _ := harness.Join(t, s.Base(1), &s.admin)
	again.Send(t, harness.Fields{"type": "history", "limit": 200})
	again.Await(t, "history")
	s.goClient = again
}

// awaitEnd waits for the end of the room, and until all clients are notified.
func (s *scenario) awaitEnd(t *testing.T) {
	t.Helper()
	if s.end == "deletion" {
		s.adminAPI.Succeed(t, "/deleteRoom", s.admin.Credentials())
	}
	if _, ok := s.goClient.Wait(3*forgetTime, func(f *harness.Frame) bool { return f.Type == "ended" }); !ok {
		t.Fatal("the room has not ended")
	}
	s.goClient.AwaitClose(t, 4410)
	for _, b := range []*browser.Tab{s.page, s.shopTab} {
		b.Find("heading", "This room is gone")
	}
	for _, a := range s.APIs {
		a.Client.CloseIdleConnections()
	}
}
