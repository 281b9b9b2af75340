package browser_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// hostile are texts that attack a page that treats them as more than text.
var hostile = map[string]string{
	"markup":       `<img src=x onerror="window.owned=1"><b>bold</b><style>*{display:none}</style>`,
	"script":       `<script>window.owned = 1</script></li></ol></div><h1>Owned</h1>`,
	"link":         `[x](javascript:window.owned=1) javascript:window.owned=1 data:text/html,<script>window.owned=1</script>`,
	"template":     "${window.owned = 1} {{constructor.constructor('window.owned=1')()}}",
	"bidi":         "safe\u202egnihtemos\u2066\u2067\u2068 \u202d\u202e\u202e evil.exe",
	"unclosed":     strings.Repeat("\u2067", 500) + "then",
	"marks":        "a" + strings.Repeat("\u0301\u0489\u0362", 680), // 4 KB of combining marks
	"long word":    strings.Repeat("W", 4000),
	"lines":        strings.Repeat("\n|", 1500),
	"wide":         strings.Repeat("\ufdfd", 300),
	"zero width":   strings.Repeat("\u200b\u200d\ufeff", 400) + "end",
	"link to self": "https://example.com/" + strings.Repeat("%22%3E%3Cb%3E", 200),
}

// TestPageHostile publishes hostile texts. The page must show them as text, within their
// own box, and execute nothing.
func TestPageHostile(t *testing.T) {
	t.Parallel()
	s := browser.ChatSite(t, "")
	anna := browser.NewUser(t, browser.Device{}).Open(t, s.Base(0)+"/")
	link := anna.CreateRoom()
	phone := browser.Invite(t, browser.Device{Phone: true}, link, "Phone")
	a := harness.NewAPI(t, s.Base(0))
	mallory := a.JoinRoom(t, harness.Fields{"roomId": link[strings.Index(link, "#")+1:], "username": `<i>M</i>"'` + "\u202e"})
	k, _ := harness.Join(t, s.Base(0), &mallory)
	for name, text := range hostile {
		k.Publish(t, text)
		anna.AwaitMessage(mallory.UserID, text)
		phone.AwaitMessage(mallory.UserID, text)
		for device, b := range map[string]*browser.Tab{"broad": anna, "phone": phone} {
			if overflow := browser.Eval[string](b, boxed); overflow != "" {
				t.Errorf("%s, %s: %s", name, device, overflow)
			}
		}
	}
	k.Publish(t, "the end")
	for _, b := range []*browser.Tab{anna, phone} {
		b.AwaitMessage(mallory.UserID, "the end")
		if browser.Eval[bool](b, "window.owned !== undefined || document.querySelector('ephemeral-chat').shadowRoot.querySelector('.rows img, .rows b, .rows script, .rows h1, .rows i:not([class])') !== null") {
			t.Error("a message has become more than text")
		}
		for _, href := range browser.Eval[[]string](b, "[...document.querySelector('ephemeral-chat').shadowRoot.querySelectorAll('.rows a')].map(a => a.href + ' ' + a.rel + ' ' + a.target)") {
			if !strings.HasPrefix(href, "https://example.com/") || !strings.Contains(href, "noopener") || !strings.Contains(href, "noreferrer") {
				t.Errorf("a link: %s", href)
			}
		}
		if width := browser.Eval[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); width > 0 {
			t.Errorf("the page scrolls %d pixels aside", width)
		}
	}
	// A typed text arrives unchanged.
	typed := fmt.Sprint(hostile["markup"], "\nsecond line ", hostile["bidi"])
	phone.Publish(typed)
	anna.AwaitMessage("Phone", typed)
	phone.AwaitMessage("Phone", typed)
}

// boxed returns the messages that reach out of their bubble or of the list, or paint
// over adjacent elements.
const boxed = `(() => {
	const root = document.querySelector('ephemeral-chat').shadowRoot
	const list = root.querySelector('[role=log]').getBoundingClientRect()
	const faults = []
	for (const row of root.querySelectorAll('[data-seq]')) {
		const bubble = row.querySelector('.bubble')
		const box = bubble.getBoundingClientRect()
		if (box.left < list.left - 1 || box.right > list.right + 1) faults.push(row.dataset.seq + ' is wider than the list')
		const style = getComputedStyle(bubble)
		if (bubble.scrollWidth > bubble.clientWidth + 1 && style.overflowX === 'visible') faults.push(row.dataset.seq + ' flows over aside')
		if (!['clip', 'hidden'].includes(style.overflowY) && !bubble.classList.contains('emoji')) faults.push(row.dataset.seq + ' paints outside of its box')
		if (style.unicodeBidi !== 'plaintext' && style.unicodeBidi !== 'isolate') faults.push(row.dataset.seq + ' turns what is around it')
		const who = row.querySelector('.who')
		if (who && !who.matches('bdi') && !who.querySelector('bdi') && getComputedStyle(who).unicodeBidi === 'normal') faults.push('a name turns what is around it')
	}
	return faults.join('; ')
})()`
