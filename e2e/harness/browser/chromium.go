// Package browser drives Chromium, in which tests use the page as people do: by the
// roles and names of the accessibility tree.
package browser

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

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// commandTime bounds one command to the browser on a busy machine.
const commandTime = 30 * time.Second

// chromiumNames are the names of the program in different distributions.
var chromiumNames = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// chromium is the browser that the tests of a package share. The first test that
// needs it starts it; Stop ends it.
var chromium struct {
	start   sync.Once
	running *instance
	err     error
}

// instance is a running browser.
type instance struct {
	context context.Context //nolint:containedctx // chromedp keeps the browser in a context
	end     func()          // ends the browser and waits for its end
}

func shared(t *testing.T) context.Context {
	t.Helper()
	chromium.start.Do(func() { chromium.running, chromium.err = start() })
	if chromium.err != nil {
		t.Fatalf("starting Chromium: %v", chromium.err)
	}
	return chromium.running.context
}

// start starts a browser with additional options.
func start(more ...chromedp.ExecAllocatorOption) (*instance, error) {
	path, err := find()
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.Flag("lang", "en-US"),
		// No requests but those of the pages.
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-pings", true),
		chromedp.DisableGPU)
	if os.Geteuid() == 0 { // for root, Chromium's sandbox does not work
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	ctx, cancel := chromedp.NewContext(allocator)
	end := func() {
		_ = chromedp.Cancel(ctx) // stop waits for the end, whatever the result
		cancel()
		stop()
	}
	if err := chromedp.Do(ctx); err != nil {
		end()
		return nil, err
	}
	return &instance{ctx, end}, nil
}

func find() (string, error) {
	for _, name := range chromiumNames {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("none of %q is installed; run `make packages`", chromiumNames)
}

// Stop ends the shared browser, if it was started, and waits for its end.
func Stop() {
	if chromium.running != nil {
		chromium.running.end()
	}
}

// Device describes a user's browser.
type Device struct {
	Languages string // as in Accept-Language; English if empty
	Dark      bool   // prefers a dark color scheme
	Phone     bool   // a small screen, touched
	TrustAll  bool   // accepts any certificate
}

// User has a browser in which other users' storage is hidden.
type User struct {
	Device
	browser context.Context      //nolint:containedctx // chromedp keeps the browser in a context
	id      cdp.BrowserContextID // empty if the user has the browser alone
}

// NewUser returns a user with an empty storage in the shared browser.
func NewUser(t *testing.T, device Device) *User {
	t.Helper()
	ctx := shared(t)
	created, err := chromedp.CallBrowser(ctx, target.CreateBrowserContext, target.CreateBrowserContextParams{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The browser may be busy with its other pages.
		ctx, cancel := context.WithTimeout(ctx, harness.WaitTime)
		defer cancel()
		if _, err := chromedp.CallBrowser(ctx, target.DisposeBrowserContext, target.DisposeBrowserContextParams(created)); err != nil {
			t.Errorf("closing a browser: %v", err)
		}
	})
	return &User{Device: device, browser: ctx, id: created.BrowserContextID}
}

// Profile is a user with a browser process and a profile folder of their own. The
// other users' storage is never written to disk.
type Profile struct {
	*User
	Dir string
	End func() // ends the browser and waits for its end
}

// NewProfile starts a browser with additional options. It ends with the test.
func NewProfile(t *testing.T, more ...chromedp.ExecAllocatorOption) *Profile {
	t.Helper()
	dir := t.TempDir()
	running, err := start(append(more, chromedp.UserDataDir(dir))...)
	if err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	end := sync.OnceFunc(running.end)
	t.Cleanup(end)
	return &Profile{User: &User{browser: running.context}, Dir: dir, End: end}
}
