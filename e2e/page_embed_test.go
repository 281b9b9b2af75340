package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// strictPolicy is that of a careful site, which has a style sheet and allows the
// chat and nothing more.
const strictPolicy = "default-src 'none'; script-src 'self' %[1]s; style-src 'self'; img-src data:; connect-src 'self' %[1]s %[2]s; " +
	"base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// embedding starts a site with a page that holds the chat of another, or its own if
// chat is empty, and returns the address of the page.
func embedding(t *testing.T, address, chat, element string) string {
	t.Helper()
	script, socket, own := "/chat/embed.js", "", "ephemeral_chat /chat/* {\n"+unlimited+"\n}"
	if chat != "" {
		script, socket, own = chat+"/embed.js", strings.Replace(chat, "http", "ws", 1), ""
	}
	dir := t.TempDir()
	blanks := strings.NewReplacer("{{embed.js}}", script, "{{element}}", element)
	for _, name := range []string{"shop.html", "shop.css"} {
		content, err := os.ReadFile(filepath.Join("testdata", "shop", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(blanks.Replace(string(content))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	policy := fmt.Sprintf(strictPolicy, chat, socket)
	startNode(t, "", fmt.Sprintf("http://%s {\n\theader /shop.html Content-Security-Policy %q\n\t%s\n\troot %s\n\tfile_server\n}", address, policy, own, dir), address)
	return "http://" + address + "/shop.html"
}

// TestPageEmbed puts a room on the page of a careful site: of the same origin, and
// of another that is listed.
func TestPageEmbed(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"same origin", "other origin"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			shop, chat := freeAddress(t), ""
			base := "http://" + shop + "/chat"
			if where == "other origin" {
				base = chatSite(t, "origins http://"+shop).base(0)
				chat = base
			}
			// Without a room, visitors can create one.
			page := embedding(t, shop, chat, `<ephemeral-chat share></ephemeral-chat>`)
			anna := newPerson(t, look{}).open(t, page, originOf(base))
			link := anna.create()
			if !strings.HasPrefix(link, base+"/#") {
				t.Errorf("the link is %s", link)
			}
			ben := invite(t, look{}, link, "Ben")
			ben.say("hello shop")
			anna.hears("Ben", "hello shop")
			anna.say("hello Ben")
			ben.hears("Anna", "hello Ben")
		})
	}
}

// TestPageRightToLeft is of a page that runs from right to left, where the sides of
// people are swapped and everything stays within the page.
func TestPageRightToLeft(t *testing.T) {
	t.Parallel()
	prepare(t)
	shop := freeAddress(t)
	base := chatSite(t, "origins http://"+shop).base(0)
	page := embedding(t, shop, base, `<div dir="rtl"><ephemeral-chat share></ephemeral-chat></div>`)
	anna := newPerson(t, look{phone: true}).open(t, page, base)
	anna.find("button", "Create room")
	anna.inspect("right-to-left-start")
	ben := invite(t, look{}, anna.create(), "Ben")
	ben.say("שלום")
	anna.hears("Ben", "שלום")
	anna.say("I would like some tea")
	anna.hears("Anna", "I would like some tea")
	anna.inspect("right-to-left")
	const onTheRight = `[...document.querySelector('ephemeral-chat').shadowRoot.querySelectorAll('[data-seq]')].map(row => {
		const { left, right } = row.querySelector('.bubble').getBoundingClientRect(), box = row.getBoundingClientRect()
		return left - box.left > box.right - right
	})`
	var sides []bool
	if !poll(waitTime, func() bool { sides = eval[[]bool](anna, onTheRight); return slices.Equal(sides, []bool{true, false}) }) {
		t.Errorf("on the right: %v", sides)
	}
}

// TestPageNotListed is of a page whose origin the chat does not know.
func TestPageNotListed(t *testing.T) {
	t.Parallel()
	s := chatSite(t, "origins http://127.0.0.1:1")
	page := embedding(t, freeAddress(t), s.base(0), `<ephemeral-chat></ephemeral-chat>`)
	b := newPerson(t, look{}).openBlank(t, originOf(page), s.base(0))
	b.tolerate("blocked by CORS policy|net::ERR_FAILED|403")
	b.visit(page)
	b.click("button", "Create room")
	b.awaitAny("No connection to the server", "This site may not use this chat")
}

// TestPageBubble is of a bubble in the corner of a page: it tells how much is new,
// and opens and closes.
func TestPageBubble(t *testing.T) {
	t.Parallel()
	prepare(t)
	for name, looks := range map[string]look{"broad": {}, "phone": {phone: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, looks)
		})
	}
}

func bubble(t *testing.T, looks look) {
	t.Helper()
	shop := freeAddress(t)
	base := chatSite(t, "origins http://"+shop+"\n\t\troom support \"Tea talk\"").base(0)
	page := embedding(t, shop, base, `<ephemeral-chat room="support" mode="bubble" name="Visitor"></ephemeral-chat>`)
	ben := invite(t, look{}, base+"/#support", "Ben")
	visitor := newPerson(t, looks).open(t, page, base)
	visitor.find("button", "Open chat")
	if visitor.look("textbox", "Message") != nil {
		t.Error("the bubble is open without having been asked for")
	}
	visitor.inspect("bubble-closed")
	visitor.click("button", "Open chat")
	visitor.say("Do you have a light oolong?") // known by name, and in without a question
	ben.hears("Visitor", "Do you have a light oolong?")
	visitor.click("button", "Close")
	visitor.gone("textbox", "Message")
	for i, text := range []string{"We do: spring oolong, from Nantou 🍃", "Come by and smell it"} {
		ben.say(text)
		visitor.find("button", "Open chat, "+[]string{"1 new message", "2 new messages"}[i])
	}
	visitor.inspect("bubble-unread")
	visitor.click("button", "Open chat*")
	visitor.hears("Ben", "Come by and smell it")
	visitor.awaitText("New")
	visitor.inspect("bubble-open")
	visitor.press(kb.Escape) // which closes it, and the focus is back where it was
	visitor.gone("textbox", "Message")
	if e := visitor.find("button", "Open chat"); e.states["focused"] != "true" {
		t.Errorf("the focus is elsewhere: %v", e.states)
	}
}

// TestPageStanding is of a room that is always there: it begins again when its time
// is up.
func TestPageStanding(t *testing.T) {
	t.Parallel()
	s := chatSite(t, "room lounge \"The Lounge\" {\n\t\t\tttl 6s\n\t\t}")
	anna := invite(t, look{}, s.base(0)+"/#lounge", "Anna")
	ben := invite(t, look{}, s.base(0)+"/#lounge", "Ben")
	anna.say("first life")
	ben.hears("Anna", "first life")
	for _, b := range []*tab{anna, ben} {
		b.find("heading", "This room is gone")
		b.leftovers()
	}
	ben.click("button", "Join again")
	ben.join("Anna") // the name is free again
	ben.find("heading", "The Lounge")
	if strings.Contains(ben.text(), "first life") {
		t.Error("what was said in the first life is there in the second")
	}
	anna.reload()
	anna.join("Anna")
	ben.say("second life")
	anna.hears("Anna", "second life")
}
