package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// chromiumNames are what the program is called in different distributions.
var chromiumNames = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// chromium is the one browser of all tests. The first test that needs it starts
// it; stopChromium ends it.
var chromium struct {
	start   sync.Once
	running *runningChromium
	err     error
}

// runningChromium is a browser that has started.
type runningChromium struct {
	context context.Context //nolint:containedctx // chromedp keeps the browser in a context
	end     func()          // ends the browser and waits for its end
}

// browser returns the chromedp context of the browser.
func browser(t *testing.T) context.Context {
	t.Helper()
	chromium.start.Do(func() { chromium.running, chromium.err = startChromium() })
	if chromium.err != nil {
		t.Fatalf("starting Chromium: %v", chromium.err)
	}
	return chromium.running.context
}

// startChromium starts a browser with more options than those that all have.
func startChromium(more ...chromedp.ExecAllocatorOption) (*runningChromium, error) {
	path, err := findChromium()
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.Flag("lang", "en-US"),
		// Nothing but what the pages do themselves.
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-pings", true),
		chromedp.DisableGPU)
	if os.Geteuid() == 0 { // where Chromium's sandbox does not work
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	ctx, cancel := chromedp.NewContext(allocator)
	end := func() {
		_ = chromedp.Cancel(ctx) // whatever it says, stop waits for the end
		cancel()
		stop()
	}
	if err := chromedp.Do(ctx); err != nil {
		end()
		return nil, err
	}
	return &runningChromium{ctx, end}, nil
}

func findChromium() (string, error) {
	for _, name := range chromiumNames {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("none of %q is installed; `make packages` does that", chromiumNames)
}

// stopChromium ends the browser, if it was started, and waits for that.
func stopChromium() {
	if chromium.running != nil {
		chromium.running.end()
	}
}

// person is somebody with a browser of his own: what one stores is hidden from
// others.
type person struct {
	look
	browser context.Context      //nolint:containedctx // chromedp keeps the browser in a context
	id      cdp.BrowserContextID // empty for the one who has the browser alone
}

// look is what a person's browser is like.
type look struct {
	languages string // as in Accept-Language; English if empty
	dark      bool
	phone     bool
	trusting  bool // of any certificate
	width     int  // of the window, in CSS pixels; 0 for the default
	height    int
}

// newPerson returns somebody with a clean browser.
func newPerson(t *testing.T, looks look) *person {
	t.Helper()
	ctx := browser(t)
	made, err := chromedp.CallBrowser(ctx, target.CreateBrowserContext, target.CreateBrowserContextParams{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The browser may be busy with its other pages.
		ctx, cancel := context.WithTimeout(ctx, waitTime)
		defer cancel()
		if _, err := chromedp.CallBrowser(ctx, target.DisposeBrowserContext, target.DisposeBrowserContextParams(made)); err != nil {
			t.Errorf("closing a browser: %v", err)
		}
	})
	return &person{look: looks, browser: ctx, id: made.BrowserContextID}
}

// slow is how long a command to the browser may take on a busy machine.
const slow = 30 * time.Second
