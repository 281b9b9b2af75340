// Package web holds what browsers are given: the page at the mount point, the
// client, and the element that puts a room on any page. The sources are embedded
// as they stand in this directory and put together when the first of them is
// asked for; nothing has to be built before Caddy is.
//
// Below the mount point there are:
//
//	/                      the page
//	/client.js, /embed.js  modules at stable names, for other pages to import
//	/assets/<hash>/<name>  what these refer to, under a hash over all of it
//
// URLs are relative, so that all of it works wherever it is mounted. What stands
// at stable names is small and asked for again each time; what it refers to is
// kept by browsers for a year. An asset is answered under any hash: while nodes
// or tabs of different versions meet, a page of one version may ask for the assets
// of another, and what is there is better than nothing.
package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed *.html *.js *.css
var source embed.FS

const (
	indexName = "index.html"

	// These stand in index.html: where the URL of the assets goes, with the slash
	// at its end, and where the settings go, as attributes of the element.
	placeholder         = "{{assets}}"
	settingsPlaceholder = "{{settings}}"

	// hashLength is in hexadecimal digits: 64 bits tell versions apart.
	hashLength = 16
)

// entries are the modules that browsers are given, with all that they import, and
// whether they have a name of their own below the mount.
var entries = map[string]bool{"page.js": false, "client.js": true, "embed.js": true}

// mediaTypes are those of the assets, by the extension of their names.
var mediaTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
}

// site is everything that is served.
type site struct {
	hash   string           // of all assets
	index  string           // the page, but for its settings
	top    map[string]*File // by path below the mount
	assets map[string]*File // by name
}

// load compresses everything when the first of it is asked for, rather than
// whenever a Caddy is started.
var load = sync.OnceValue(func() site {
	s := site{top: make(map[string]*File), assets: make(map[string]*File)}
	all := sha256.New()
	modules := make(map[string]*module) // most belong to more than one entry
	parsed := func(name string) (*module, error) {
		if modules[name] == nil {
			source, err := read(name)
			if err != nil {
				return nil, err
			}
			if modules[name], err = parse(source); err != nil {
				return nil, err
			}
		}
		return modules[name], nil
	}
	for _, name := range names() {
		content, ok := assetOf(name, parsed)
		if !ok {
			continue
		}
		all.Write(fmt.Appendf(nil, "%s %d\n%s", name, len(content), content))
		s.assets[name] = newAsset(name, []byte(content))
	}
	s.hash = hex.EncodeToString(all.Sum(nil))[:hashLength]

	base := "assets/" + s.hash + "/"
	s.index = strings.ReplaceAll(must(read(indexName)), placeholder, base)
	s.top["/"] = s.page(Settings{})
	for name, stable := range entries {
		if stable && s.assets[name] != nil {
			s.top["/"+name] = newStable(name, fmt.Appendf(nil, "export * from './%s%s';\n", base, name))
		}
	}
	return s
})

// names are those of the sources, sorted.
func names() []string {
	files, err := source.ReadDir(".")
	names := make([]string, 0, len(files))
	for _, file := range must(files, err) {
		names = append(names, file.Name())
	}
	return names
}

// assetOf returns what browsers are given of a source, if it is for them by
// itself.
func assetOf(name string, parsed func(name string) (*module, error)) (string, bool) {
	switch path.Ext(name) {
	case ".css":
		return strings.Join(withoutComments(must(read(name))), "\n") + "\n", true
	case ".js":
		if _, ok := entries[name]; ok {
			return must(bundle(name, parsed)), true
		}
	}
	return "", false
}

func read(name string) (string, error) {
	content, err := source.ReadFile(name)
	return string(content), err
}

// must is for what was embedded: it either is as it has to be, or the tests have
// failed.
func must[T any](value T, err error) T {
	if err != nil {
		panic("web: " + err.Error())
	}
	return value
}

// Settings are what the page is told of the chat that it belongs to.
type Settings struct {
	// How long a room lives unless its creator says otherwise, and at most. In
	// whole seconds; 0 leaves it to the page, which may offer what is refused.
	TTL, MaxTTL time.Duration

	// Whether the site knows who users are, so that they need not be asked.
	Named bool
}

// Page returns the page at the mount point of a chat.
func Page(settings Settings) *File {
	s := load()
	return s.page(settings)
}

func (s *site) page(settings Settings) *File {
	var attributes strings.Builder
	if settings.TTL > 0 {
		fmt.Fprintf(&attributes, ` ttl="%d"`, settings.TTL/time.Second)
	}
	if settings.MaxTTL > 0 {
		fmt.Fprintf(&attributes, ` max-ttl="%d"`, settings.MaxTTL/time.Second)
	}
	if settings.Named {
		attributes.WriteString(" named")
	}
	return newPage([]byte(strings.ReplaceAll(s.index, settingsPlaceholder, attributes.String())))
}

// Find returns what is served under a path below the mount point, which begins
// with a slash.
func Find(urlPath string) (*File, bool) {
	s := load()
	if file, ok := s.top[urlPath]; ok {
		return file, true
	}
	rest, ok := strings.CutPrefix(urlPath, "/assets/")
	if !ok {
		return nil, false
	}
	hash, name := path.Split(rest)
	file, ok := s.assets[name]
	if !ok || !isHash(strings.TrimSuffix(hash, "/")) {
		return nil, false
	}
	if hash != s.hash+"/" {
		file = file.changing()
	}
	return file, true
}

func isHash(text string) bool {
	return len(text) == hashLength && strings.Trim(text, "0123456789abcdef") == ""
}
