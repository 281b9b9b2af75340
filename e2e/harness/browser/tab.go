package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	permissions "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"
)

// Tab is a tab of a user's browser. The test fails if the browser complains while
// the tab is open: errors and warnings in the console, exceptions, violations of the
// Content-Security-Policy, requests to other origins than expected.
type Tab struct {
	t       *testing.T
	context context.Context //nolint:containedctx // chromedp keeps the tab in a context
	user    *User

	Clicks, Fills int // number of clicks, and of texts filled in

	mu         sync.Mutex
	origins    []string // to which the tab may send requests
	tolerated  []*regexp.Regexp
	complaints []string
	transfers  map[network.RequestID]*transfer
}

// transfer is a response that was transferred.
type transfer struct {
	url   string
	bytes float64 // with the header
	done  bool
}

// Open opens a URL in a new tab, which may send requests to its origin and to the
// others given.
func (u *User) Open(t *testing.T, url string, origins ...string) *Tab {
	t.Helper()
	return u.OpenBlank(t, append(origins, OriginOf(url))...).Visit(url)
}

// OpenBlank opens an empty tab.
func (u *User) OpenBlank(t *testing.T, origins ...string) *Tab {
	t.Helper()
	b := &Tab{t: t, user: u, origins: origins, transfers: make(map[network.RequestID]*transfer)}
	var cancel func()
	options := []chromedp.ContextOption{chromedp.WithListener(b.receive)}
	if u.id != "" {
		options = append(options, chromedp.WithExistingBrowserContext(u.id))
	}
	b.context, cancel = chromedp.NewContext(u.browser, options...)
	t.Cleanup(func() {
		cancel()
		for _, complaint := range b.Complaints() {
			t.Errorf("in the browser: %s", complaint)
		}
	})
	if err := chromedp.Do(b.context); err != nil {
		t.Fatal(err)
	}
	Command(b, network.Enable, network.EnableParams{})
	Command(b, log.Enable, cdp.Empty{})
	b.RunOnLoad(`addEventListener('securitypolicyviolation', e => console.error('CSP:', e.violatedDirective, e.blockedURI))`)
	b.emulate(u.Device)
	return b
}

// RunOnLoad runs a script in each document before its own scripts.
func (b *Tab) RunOnLoad(script string) {
	b.t.Helper()
	Command(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
}

// emulate makes the tab appear as on a device.
func (b *Tab) emulate(device Device) {
	b.t.Helper()
	scheme := "light"
	if device.Dark {
		scheme = "dark"
	}
	hover, pointer := "hover", "fine"
	if device.Phone {
		hover, pointer = "none", "coarse"
	}
	Command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-reduced-motion", Value: "reduce"}, // elements stay where a click is aimed at
		{Name: "hover", Value: hover},
		{Name: "pointer", Value: pointer},
	}})
	metrics := emulation.SetDeviceMetricsOverrideParams{Width: 1200, Height: 800, DeviceScaleFactor: 1}
	if device.Phone {
		metrics = emulation.SetDeviceMetricsOverrideParams{Width: 360, Height: 740, DeviceScaleFactor: 2, Mobile: true}
		Command(b, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true})
	}
	Command(b, emulation.SetDeviceMetricsOverride, metrics)
	if device.Languages != "" {
		agent := Eval[string](b, "navigator.userAgent")
		Command(b, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: device.Languages})
	}
	if device.TrustAll {
		Command(b, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
	}
}

// Visit opens a URL and waits until it is loaded.
func (b *Tab) Visit(url string) *Tab {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.context, commandTime)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		b.t.Fatalf("opening %s: %v", url, err)
	}
	return b
}

// Reload loads the page again.
func (b *Tab) Reload() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.context, commandTime)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Reload()); err != nil {
		b.t.Fatalf("reloading: %v", err)
	}
}

// Close closes the tab.
func (b *Tab) Close() {
	b.t.Helper()
	Command(b, page.Close, cdp.Empty{})
}

// GrantClipboard allows the page to read and write the clipboard.
func (b *Tab) GrantClipboard() {
	b.t.Helper()
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		if _, err := chromedp.CallBrowser(b.context, permissions.SetPermission, permissions.SetPermissionParams{
			Permission:       &permissions.PermissionDescriptor{Name: name},
			Setting:          permissions.PermissionSettingGranted,
			BrowserContextID: b.user.id,
		}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// SetOffline makes the page believe that the browser has no network, or has one
// again. If the browser also acted on it, connections of other tabs would be cut.
func (b *Tab) SetOffline(offline bool) {
	b.t.Helper()
	Command(b, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1})
}

// Command runs a command of the DevTools protocol in the tab.
func Command[P, R any](b *Tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	result, err := try(b, command, params)
	if err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

func try[P, R any](b *Tab, command cdp.Command[P, R], params P) (R, error) {
	ctx, cancel := context.WithTimeout(b.context, commandTime)
	defer cancel()
	return chromedp.Call(ctx, command, params)
}

// Eval returns the value of a JavaScript expression; of a promise, once it resolves.
func Eval[T any](b *Tab, expression string) T {
	b.t.Helper()
	yes := true
	result := Command(b, runtime.Evaluate, runtime.EvaluateParams{Expression: expression, ReturnByValue: &yes, AwaitPromise: &yes, UserGesture: &yes})
	return decode[T](b, expression, result.Result, result.ExceptionDetails)
}

// decode returns the value of a result. The test fails if there was an exception.
func decode[T any](b *Tab, code string, result *runtime.RemoteObject, exception *runtime.ExceptionDetails) (value T) {
	b.t.Helper()
	if exception != nil {
		b.t.Fatalf("%.200s: %s", code, describe(exception))
	}
	if len(result.Value) == 0 { // undefined
		return value
	}
	if err := json.Unmarshal(result.Value, &value); err != nil {
		b.t.Fatalf("%.200s is %s: %v", code, result.Value, err)
	}
	return value
}

func describe(exception *runtime.ExceptionDetails) string {
	text := exception.Text
	if exception.Exception != nil {
		text += " " + exception.Exception.Description
	}
	return fmt.Sprintf("%s (%s:%d:%d)", text, exception.URL, exception.LineNumber+1, exception.ColumnNumber+1)
}

// Tolerate ignores future complaints that match a pattern, because the test causes
// them.
func (b *Tab) Tolerate(pattern string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tolerated = append(b.tolerated, regexp.MustCompile(pattern))
}

// ForgiveAll ignores all complaints, past and future.
func (b *Tab) ForgiveAll() {
	b.Tolerate(".*")
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = nil
}

// Complaints returns the complaints of the browser that are not tolerated.
func (b *Tab) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.complaints)
}

// Transferred returns the number of bytes that were transferred since the last call,
// and logs the responses.
func (b *Tab) Transferred() (sum float64) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, l := range b.transfers {
		if !l.done {
			continue
		}
		url := l.url
		if strings.HasPrefix(url, "data:") {
			url = "data:"
		}
		b.t.Logf("%7.0f bytes %s", l.bytes, url)
		sum += l.bytes
		delete(b.transfers, id)
	}
	b.t.Logf("%7.0f bytes in all", sum)
	return sum
}

// receive processes an event of the tab.
func (b *Tab) receive(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.complain("exception: %s", describe(e.ExceptionDetails))
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
		b.transfers[e.RequestID] = &transfer{url: e.Request.URL}
		b.mu.Unlock()
	case *network.EventLoadingFinished:
		b.mu.Lock()
		if l := b.transfers[e.RequestID]; l != nil {
			l.bytes, l.done = e.EncodedDataLength, true
		}
		b.mu.Unlock()
	}
}

func (b *Tab) checkOrigin(url string) {
	for _, scheme := range []string{"data:", "blob:", "about:", "chrome:"} {
		if strings.HasPrefix(url, scheme) {
			return
		}
	}
	if !slices.Contains(b.origins, OriginOf(url)) {
		b.complain("a request to %s", url)
	}
}

func (b *Tab) complain(format string, args ...any) {
	complaint := fmt.Sprintf(format, args...)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.ContainsFunc(b.tolerated, func(pattern *regexp.Regexp) bool { return pattern.MatchString(complaint) }) {
		b.complaints = append(b.complaints, complaint)
	}
}

// OriginOf returns scheme, host and port of a URL. The origin of a WebSocket is that
// of the page that may open it.
func OriginOf(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return strings.Replace(scheme, "ws", "http", 1) + "://" + host
}
