package browser_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// TestPageEmbed embeds a chat in the page of a careful site: of the same origin, and of
// another one that lists the site.
func TestPageEmbed(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"same origin", "other origin"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			shop, chat := harness.FreeAddress(t), ""
			base := "http://" + shop + "/chat"
			if where == "other origin" {
				base = browser.ChatSite(t, "origins http://"+shop).Base(0)
				chat = base
			}
			// Without a room, visitors can create one.
			page := browser.EmbeddingPage(t, shop, chat, `<ephemeral-chat share></ephemeral-chat>`)
			anna := browser.NewUser(t, browser.Device{}).Open(t, page, browser.OriginOf(base))
			link := anna.CreateRoom()
			if !strings.HasPrefix(link, base+"/#") {
				t.Errorf("the link is %s", link)
			}
			ben := browser.Invite(t, browser.Device{}, link, "Ben")
			ben.Publish("hello shop")
			anna.AwaitMessage("Ben", "hello shop")
			anna.Publish("hello Ben")
			ben.AwaitMessage("Anna", "hello Ben")
		})
	}
}

// TestPageRightToLeft embeds a chat in a page that runs from right to left. The sides of
// messages are swapped, and nothing reaches out of the page.
func TestPageRightToLeft(t *testing.T) {
	t.Parallel()
	shop := harness.FreeAddress(t)
	base := browser.ChatSite(t, "origins http://"+shop).Base(0)
	page := browser.EmbeddingPage(t, shop, base, `<div dir="rtl"><ephemeral-chat share></ephemeral-chat></div>`)
	anna := browser.NewUser(t, browser.Device{Phone: true}).Open(t, page, base)
	anna.Find("button", "Create room")
	anna.Inspect("right-to-left-start")
	ben := browser.Invite(t, browser.Device{}, anna.CreateRoom(), "Ben")
	ben.Publish("שלום")
	anna.AwaitMessage("Ben", "שלום")
	anna.Publish("I would like some tea")
	anna.AwaitMessage("Anna", "I would like some tea")
	anna.Inspect("right-to-left")
	const onTheRight = `[...document.querySelector('ephemeral-chat').shadowRoot.querySelectorAll('[data-seq]')].map(row => {
		const { left, right } = row.querySelector('.bubble').getBoundingClientRect(), box = row.getBoundingClientRect()
		return left - box.left > box.right - right
	})`
	var sides []bool
	if !harness.Poll(harness.WaitTime, func() bool {
		sides = browser.Eval[[]bool](anna, onTheRight)
		return slices.Equal(sides, []bool{true, false})
	}) {
		t.Errorf("on the right: %v", sides)
	}
}

// TestPageNotListed embeds a chat that does not list the page's origin.
func TestPageNotListed(t *testing.T) {
	t.Parallel()
	s := browser.ChatSite(t, "origins http://127.0.0.1:1")
	page := browser.EmbeddingPage(t, harness.FreeAddress(t), s.Base(0), `<ephemeral-chat></ephemeral-chat>`)
	b := browser.NewUser(t, browser.Device{}).OpenBlank(t, browser.OriginOf(page), s.Base(0))
	b.Tolerate("blocked by CORS policy|net::ERR_FAILED|403")
	b.Visit(page)
	b.Click("button", "Create room")
	b.AwaitText("No connection to the server", "This site may not use this chat")
}

// TestPageBubble opens and closes a bubble in the corner of a page, which counts new
// messages.
func TestPageBubble(t *testing.T) {
	t.Parallel()
	for name, looks := range map[string]browser.Device{"broad": {}, "phone": {Phone: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, looks)
		})
	}
}

func bubble(t *testing.T, looks browser.Device) {
	t.Helper()
	shop := harness.FreeAddress(t)
	base := browser.ChatSite(t, "origins http://"+shop+"\n\t\troom support \"Tea talk\"").Base(0)
	page := browser.EmbeddingPage(t, shop, base, `<ephemeral-chat room="support" mode="bubble" name="Visitor"></ephemeral-chat>`)
	ben := browser.Invite(t, browser.Device{}, base+"/#support", "Ben")
	visitor := browser.NewUser(t, looks).Open(t, page, base)
	visitor.Find("button", "Open chat")
	if visitor.Lookup("textbox", "Message") != nil {
		t.Error("the bubble is open before a click")
	}
	visitor.Inspect("bubble-closed")
	visitor.Click("button", "Open chat")
	visitor.Publish("Do you have a light oolong?") // joined by the name in the attribute
	ben.AwaitMessage("Visitor", "Do you have a light oolong?")
	visitor.Click("button", "Close")
	visitor.AwaitGone("textbox", "Message")
	for i, text := range []string{"We do: spring oolong, from Nantou 🍃", "Come by and smell it"} {
		ben.Publish(text)
		visitor.Find("button", "Open chat, "+[]string{"1 new message", "2 new messages"}[i])
	}
	visitor.Inspect("bubble-unread")
	visitor.Click("button", "Open chat*")
	visitor.AwaitMessage("Ben", "Come by and smell it")
	visitor.AwaitText("New")
	visitor.Inspect("bubble-open")
	visitor.Press(kb.Escape) // closes it, and the focus returns to the button
	visitor.AwaitGone("textbox", "Message")
	if e := visitor.Find("button", "Open chat"); e.States["focused"] != "true" {
		t.Errorf("the focus is elsewhere: %v", e.States)
	}
}

// TestPageDeclaredRoom joins the next instance of a declared room when the first has
// expired.
func TestPageDeclaredRoom(t *testing.T) {
	t.Parallel()
	s := browser.ChatSite(t, "room lounge \"The Lounge\" {\n\t\t\tttl 6s\n\t\t}")
	anna := browser.Invite(t, browser.Device{}, s.Base(0)+"/#lounge", "Anna")
	ben := browser.Invite(t, browser.Device{}, s.Base(0)+"/#lounge", "Ben")
	anna.Publish("first instance")
	ben.AwaitMessage("Anna", "first instance")
	for _, b := range []*browser.Tab{anna, ben} {
		b.Find("heading", "This room is gone")
		b.ExpectNothingStored()
	}
	ben.Click("button", "Join again")
	ben.Join("Anna") // the name is free again
	ben.Find("heading", "The Lounge")
	if strings.Contains(ben.Text(), "first instance") {
		t.Error("a message of the first instance is in the second")
	}
	anna.Reload()
	anna.Join("Anna")
	ben.Publish("second instance")
	anna.AwaitMessage("Anna", "second instance")
}
