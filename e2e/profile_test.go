package e2e_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// profile is a browser of its own, which keeps what it has to keep in a directory,
// as that of a user does. Everybody else is somebody of whom nothing is written down.
type profile struct {
	*person
	dir string
	end func() // ends the browser and waits for that
}

func newProfile(t *testing.T) *profile {
	t.Helper()
	dir := t.TempDir()
	running, err := startChromium(chromedp.UserDataDir(dir))
	if err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	end := sync.OnceFunc(running.end)
	t.Cleanup(end)
	return &profile{person: &person{browser: running.context}, dir: dir, end: end}
}

// search looks for markers in all files of the profile, and in their names.
func (p *profile) search(t *testing.T, markers []*marker, tell func(what, file string)) traces {
	t.Helper()
	found, read := make(traces), 0
	err := filepath.WalkDir(p.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path) //nolint:gosec // G122: nobody else is in the directory of the test
		if err != nil {
			return err
		}
		read++
		found.search(append(content, path...), markers, func(m *marker, f *form, _ int) {
			tell(m.what+", "+f.name, path)
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read < 10 {
		t.Errorf("the profile has %d files only", read)
	}
	return found
}

// storedLive is everything that scripts of a page can find again in the browser.
const storedLive = `(async () => {
	const all = [JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage }), document.cookie]
	for (const { name } of await indexedDB.databases()) all.push('IndexedDB ' + name)
	for (const name of await caches.keys()) {
		all.push('CacheStorage ' + name)
		for (const request of await (await caches.open(name)).keys()) all.push(request.url)
	}
	for (const worker of await navigator.serviceWorker?.getRegistrations() ?? []) all.push('service worker ' + worker.scope)
	return all.join('\n')
})()`
