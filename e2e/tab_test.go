package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"
)

// tab is a page that a person looks at. What the browser complains of while it is
// open fails the test: errors and warnings in the console, exceptions, violations
// of the Content-Security-Policy, and requests to origins that it has no business
// with.
type tab struct {
	t       *testing.T
	context context.Context //nolint:containedctx // chromedp keeps the tab in a context
	person  *person

	clicks, fields int // how often it was clicked at, and something filled in

	mu        sync.Mutex
	origins   []string // that it may talk to
	tolerated []*regexp.Regexp
	faults    []string
	loads     map[network.RequestID]*load
}

// load is something that was transferred.
type load struct {
	url   string
	bytes float64 // with the header
	done  bool
}

// open opens an address in a new tab, which may talk to the origin of that and to
// the others given.
func (p *person) open(t *testing.T, url string, origins ...string) *tab {
	t.Helper()
	return p.openBlank(t, append(origins, originOf(url))...).visit(url)
}

// openBlank opens an empty tab.
func (p *person) openBlank(t *testing.T, origins ...string) *tab {
	t.Helper()
	b := &tab{t: t, person: p, origins: origins, loads: make(map[network.RequestID]*load)}
	var cancel func()
	options := []chromedp.ContextOption{chromedp.WithListener(b.hear)}
	if p.id != "" {
		options = append(options, chromedp.WithExistingBrowserContext(p.id))
	}
	b.context, cancel = chromedp.NewContext(p.browser, options...)
	t.Cleanup(func() {
		cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, fault := range b.faults {
			t.Errorf("in the browser: %s", fault)
		}
	})
	if err := chromedp.Do(b.context); err != nil {
		t.Fatal(err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `addEventListener('securitypolicyviolation', e => console.error('CSP:', e.violatedDirective, e.blockedURI))`,
	})
	b.dress(p.look)
	return b
}

// dress makes the browser what a person's is like.
func (b *tab) dress(looks look) {
	b.t.Helper()
	scheme := "light"
	if looks.dark {
		scheme = "dark"
	}
	hover, pointer := "hover", "fine"
	if looks.phone {
		hover, pointer = "none", "coarse"
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-reduced-motion", Value: "reduce"}, // nothing moves while one aims at it
		{Name: "hover", Value: hover},
		{Name: "pointer", Value: pointer},
	}})
	metrics := emulation.SetDeviceMetricsOverrideParams{Width: 1200, Height: 800, DeviceScaleFactor: 1}
	if looks.phone {
		metrics = emulation.SetDeviceMetricsOverrideParams{Width: 360, Height: 740, DeviceScaleFactor: 2, Mobile: true}
		call(b, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true})
	}
	if looks.width > 0 {
		metrics.Width, metrics.Height = int64(looks.width), int64(looks.height)
	}
	call(b, emulation.SetDeviceMetricsOverride, metrics)
	if looks.languages != "" {
		agent := eval[string](b, "navigator.userAgent")
		call(b, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: looks.languages})
	}
	if looks.trusting {
		call(b, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
	}
}

// visit goes to an address and waits until it is loaded.
func (b *tab) visit(url string) *tab {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.context, slow)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		b.t.Fatalf("going to %s: %v", url, err)
	}
	return b
}

// reload loads the page again.
func (b *tab) reload() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.context, slow)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Reload()); err != nil {
		b.t.Fatalf("reloading: %v", err)
	}
}

// close closes the tab.
func (b *tab) close() {
	b.t.Helper()
	call(b, page.Close, cdp.Empty{})
}

// call runs a command of the browser's protocol in the tab.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	result, err := try(b, command, params)
	if err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

func try[P, R any](b *tab, command cdp.Command[P, R], params P) (R, error) {
	ctx, cancel := context.WithTimeout(b.context, slow)
	defer cancel()
	return chromedp.Call(ctx, command, params)
}

// eval returns the value of a JavaScript expression, of a promise when it is kept.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	yes := true
	got := call(b, runtime.Evaluate, runtime.EvaluateParams{Expression: expression, ReturnByValue: &yes, AwaitPromise: &yes, UserGesture: &yes})
	if got.ExceptionDetails != nil {
		b.t.Fatalf("%.200s: %s", expression, explain(got.ExceptionDetails))
	}
	var value T
	if len(got.Result.Value) == 0 { // undefined
		return value
	}
	if err := json.Unmarshal(got.Result.Value, &value); err != nil {
		b.t.Fatalf("%.200s is %s: %v", expression, got.Result.Value, err)
	}
	return value
}

func explain(details *runtime.ExceptionDetails) string {
	text := details.Text
	if details.Exception != nil {
		text += " " + details.Exception.Description
	}
	return fmt.Sprintf("%s (%s:%d:%d)", text, details.URL, details.LineNumber+1, details.ColumnNumber+1)
}

// tolerate says that a complaint of the browser is what the test is about.
func (b *tab) tolerate(pattern string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tolerated = append(b.tolerated, regexp.MustCompile(pattern))
}

// hear takes an event of the tab.
func (b *tab) hear(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.complain("exception: %s", explain(e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		switch e.Type {
		case runtime.ConsoleAPICalledTypeError, runtime.ConsoleAPICalledTypeWarning, runtime.ConsoleAPICalledTypeAssert:
			var text strings.Builder
			for _, arg := range e.Args {
				fmt.Fprintf(&text, "%s%s ", arg.Value, arg.Description)
			}
			b.complain("console.%s: %s", e.Type, text.String())
		default:
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.complain("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *network.EventWebSocketCreated:
		b.checkOrigin(e.URL)
	case *network.EventRequestWillBeSent:
		b.checkOrigin(e.Request.URL)
		b.mu.Lock()
		b.loads[e.RequestID] = &load{url: e.Request.URL}
		b.mu.Unlock()
	case *network.EventLoadingFinished:
		b.mu.Lock()
		if l := b.loads[e.RequestID]; l != nil {
			l.bytes, l.done = e.EncodedDataLength, true
		}
		b.mu.Unlock()
	}
}

func (b *tab) checkOrigin(url string) {
	for _, scheme := range []string{"data:", "blob:", "about:", "chrome:"} {
		if strings.HasPrefix(url, scheme) {
			return
		}
	}
	b.mu.Lock()
	origins := b.origins
	b.mu.Unlock()
	for _, origin := range origins {
		if originOf(url) == origin {
			return
		}
	}
	b.complain("a request to %s", url)
}

func (b *tab) complain(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, pattern := range b.tolerated {
		if pattern.MatchString(text) {
			return
		}
	}
	b.faults = append(b.faults, text)
}

// originOf returns scheme, host and port, a WebSocket's being those of the page
// that may open it.
func originOf(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return strings.Replace(scheme, "ws", "http", 1) + "://" + host
}
