package e2e_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
)

// firstLoad is how many bytes, headers and all, may be transferred until a new room
// can be created.
const firstLoad = 60_000

// whenUsable notes the time, in milliseconds since the navigation began, at which a
// room can be created.
const whenUsable = `
	const look = () => {
		const button = document.querySelector('ephemeral-chat')?.shadowRoot?.querySelector('form button.primary')
		if (button) window.usable = performance.now()
		else requestAnimationFrame(look)
	}
	look()`

// TestPageFirstLoad measures what a clean browser is sent, and how soon it can be
// used; and what it is sent when it comes again.
func TestPageFirstLoad(t *testing.T) {
	s := chatSite(t, "")
	s.api(0).do(t, http.MethodGet, "/", nil, http.NoBody) // the node puts the page together once
	b := newPerson(t, look{}).openBlank(t, s.base(0))
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: whenUsable})
	b.visit(s.base(0) + "/")
	b.find("button", "Create room")
	first := b.transferred()
	t.Logf("usable %.0f ms after the navigation began", eval[float64](b, "window.usable"))
	if first > firstLoad {
		t.Errorf("%.0f bytes are transferred, which may be %d", first, firstLoad)
	}
	b.reload()
	b.find("button", "Create room")
	again := b.transferred()
	t.Logf("usable %.0f ms after the navigation began", eval[float64](b, "window.usable"))
	if again > 1000 {
		t.Errorf("%.0f bytes are transferred again", again)
	}
}

// transferred returns how many bytes have been since the last time that it was
// called, and logs what they were.
func (b *tab) transferred() float64 {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := 0.0
	for id, l := range b.loads {
		if !l.done {
			continue
		}
		url := l.url
		if strings.HasPrefix(url, "data:") {
			url = "data:"
		}
		b.t.Logf("%7.0f bytes %s", l.bytes, url)
		sum += l.bytes
		delete(b.loads, id)
	}
	b.t.Logf("%7.0f bytes in all", sum)
	return sum
}

// TestPageLanguages goes to the page with browsers of several languages, and looks
// for words of others.
func TestPageLanguages(t *testing.T) {
	t.Parallel()
	s := chatSite(t, "")
	for accepted, want := range map[string]struct{ language, create, name, say, send, gone string }{
		"de-AT,de,en":          {"de", "Raum eröffnen", "Dein Name", "Nachricht", "Senden", "Dieser Raum ist weg"},
		"fr-CA,fr":             {"fr", "Créer le salon", "Votre nom", "Message", "Envoyer", "Ce salon a disparu"},
		"es":                   {"es", "Crear sala", "Tu nombre", "Mensaje", "Enviar", "Esta sala ya no existe"},
		"pt-BR,pt,es-MX,en-US": {"es", "Crear sala", "Tu nombre", "Mensaje", "Enviar", "Esta sala ya no existe"},
		"sv,fi":                {"en", "Create room", "Your name", "Message", "Send", "This room is gone"},
	} {
		t.Run(accepted, func(t *testing.T) {
			t.Parallel()
			b := newPerson(t, look{languages: accepted}).open(t, s.base(0)+"/")
			b.fill(want.name, "Anna")
			if got := eval[string](b, "document.documentElement.lang"); got != want.language {
				t.Errorf("the language of the page is %q", got)
			}
			b.expectOnly(want.language)
			b.click("button", want.create)
			b.find("textbox", want.say)
			b.expectOnly(want.language)
			b.fill(want.say, "1")
			b.click("button", want.send)
			b.hears("Anna", "1")
			b.expectOnly(want.language)
			stored := eval[string](b, "Object.values(localStorage)[0]")
			credentials := regexp.MustCompile(`"sessionId":"([^"]+)"`).FindStringSubmatch(stored)
			room := eval[string](b, "location.hash.slice(1)")
			s.api(0).succeed(t, "/deleteRoom", fields{"roomId": room, "userId": "Anna", "sessionId": credentials[1]})
			b.find("heading", want.gone)
			b.expectOnly(want.language)
		})
	}
}

// telling are words that the page has in one language only.
var telling = map[string][]string{
	"en": {"room", "the", "here", "link", "Time", "Leave"},
	"de": {"Raum", "der", "und", "hier", "Restzeit", "Verlassen"},
	"fr": {"salon", "le", "ici", "lien", "Temps", "Quitter"},
	"es": {"sala", "el", "aquí", "enlace", "Tiempo", "Salir"},
}

// expectOnly fails the test when words of another language are in the page, to be
// read or to be heard.
func (b *tab) expectOnly(language string) {
	b.t.Helper()
	spoken := b.text()
	for _, role := range []string{"button", "textbox", "switch", "dialog", "log", "list", "complementary", "image"} {
		for _, e := range b.all(role) {
			spoken += " " + e.name + " " + e.description
		}
	}
	words := strings.FieldsFunc(spoken, func(r rune) bool { return strings.ContainsRune(" .,:;!?…·()’'", r) })
	own := 0
	for other, marks := range telling {
		for _, mark := range marks {
			switch {
			case !slices.Contains(words, mark):
			case other == language:
				own++
			default:
				b.t.Errorf("%q, which is of %s, is in the page that should be of %s: %s", mark, other, language, spoken)
			}
		}
	}
	if own == 0 {
		b.t.Errorf("nothing in the page is of %s: %s", language, spoken)
	}
}
