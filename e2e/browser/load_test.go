package browser_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// firstLoad bounds the bytes, with headers, that are transferred until a room can be
// created.
const firstLoad = 60_000

// whenUsable records the time, in milliseconds since the navigation began, at which a
// room can be created.
const whenUsable = `
	const check = () => {
		const button = document.querySelector('ephemeral-chat')?.shadowRoot?.querySelector('form button.primary')
		if (button) window.usable = performance.now()
		else requestAnimationFrame(check)
	}
	check()`

// TestPageFirstLoad measures the bytes that an empty browser is sent, and the time until
// the page is usable, on the first visit and on the second.
func TestPageFirstLoad(t *testing.T) {
	s := browser.ChatSite(t, "")
	s.API(0).Get(t, "/") // the node renders the page once
	b := browser.NewUser(t, browser.Device{}).OpenBlank(t, s.Base(0))
	b.RunOnLoad(whenUsable)
	b.Visit(s.Base(0) + "/")
	b.Find("button", "Create room")
	first := b.Transferred()
	t.Logf("usable %.0f ms after the navigation began", browser.Eval[float64](b, "window.usable"))
	if first > firstLoad {
		t.Errorf("%.0f bytes are transferred, which may be %d", first, firstLoad)
	}
	b.Reload()
	b.Find("button", "Create room")
	again := b.Transferred()
	t.Logf("usable %.0f ms after the navigation began", browser.Eval[float64](b, "window.usable"))
	if again > 1000 {
		t.Errorf("%.0f bytes are transferred again", again)
	}
}

// TestPageLanguages opens the page with browsers of several languages, and searches it
// for words of other languages.
func TestPageLanguages(t *testing.T) {
	t.Parallel()
	s := browser.ChatSite(t, "")
	for accepted, want := range map[string]struct{ language, create, name, say, send, gone string }{
		"de-AT,de,en":          {"de", "Raum eröffnen", "Dein Name", "Nachricht", "Senden", "Dieser Raum ist weg"},
		"fr-CA,fr":             {"fr", "Créer le salon", "Votre nom", "Message", "Envoyer", "Ce salon a disparu"},
		"es":                   {"es", "Crear sala", "Tu nombre", "Mensaje", "Enviar", "Esta sala ya no existe"},
		"pt-BR,pt,es-MX,en-US": {"es", "Crear sala", "Tu nombre", "Mensaje", "Enviar", "Esta sala ya no existe"},
		"sv,fi":                {"en", "Create room", "Your name", "Message", "Send", "This room is gone"},
	} {
		t.Run(accepted, func(t *testing.T) {
			t.Parallel()
			b := browser.NewUser(t, browser.Device{Languages: accepted}).Open(t, s.Base(0)+"/")
			b.Fill(want.name, "Anna")
			if got := browser.Eval[string](b, "document.documentElement.lang"); got != want.language {
				t.Errorf("the language of the page is %q", got)
			}
			expectOnly(t, b, want.language)
			b.Click("button", want.create)
			b.Find("textbox", want.say)
			expectOnly(t, b, want.language)
			b.Fill(want.say, "1")
			b.Click("button", want.send)
			b.AwaitMessage("Anna", "1")
			expectOnly(t, b, want.language)
			stored := browser.Eval[string](b, "Object.values(localStorage)[0]")
			credentials := regexp.MustCompile(`"sessionId":"([^"]+)"`).FindStringSubmatch(stored)
			room := browser.Eval[string](b, "location.hash.slice(1)")
			s.API(0).Succeed(t, "/deleteRoom", harness.Fields{"roomId": room, "userId": "Anna", "sessionId": credentials[1]})
			b.Find("heading", want.gone)
			expectOnly(t, b, want.language)
		})
	}
}

// distinctive are words that the page has in one language only.
var distinctive = map[string][]string{
	"en": {"room", "the", "here", "link", "Time", "Leave"},
	"de": {"Raum", "der", "und", "hier", "Restzeit", "Verlassen"},
	"fr": {"salon", "le", "ici", "lien", "Temps", "Quitter"},
	"es": {"sala", "el", "aquí", "enlace", "Tiempo", "Salir"},
}

// expectOnly fails the test if the page has words of another language, in its text or
// for screen readers.
func expectOnly(t *testing.T, b *browser.Tab, language string) {
	t.Helper()
	spoken := b.Text()
	for _, role := range []string{"button", "textbox", "switch", "dialog", "log", "list", "complementary", "image"} {
		for _, e := range b.All(role) {
			spoken += " " + e.Name + " " + e.Description
		}
	}
	words := strings.FieldsFunc(spoken, func(r rune) bool { return strings.ContainsRune(" .,:;!?…·()’'", r) })
	own := 0
	for other, marks := range distinctive {
		for _, mark := range marks {
			switch {
			case !slices.Contains(words, mark):
			case other == language:
				own++
			default:
				t.Errorf("%q, which is of %s, is in the page that should be of %s: %s", mark, other, language, spoken)
			}
		}
	}
	if own == 0 {
		t.Errorf("nothing in the page is of %s: %s", language, spoken)
	}
}
