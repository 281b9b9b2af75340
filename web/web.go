// Package web serves the page at the mount point, the client, and the element that
// puts a room on any page. The browser's modules are in client/ and ui/. What
// browsers load is bundled from them into dist/, which is committed and embedded, so
// a build of Caddy needs neither Node.js nor esbuild. After a change of the sources,
// run `go generate ./web`.
//
// Below the mount point are:
//
//	/                      the page
//	/client.js, /embed.js  modules at stable names, for other pages to import
//	/assets/<hash>/<name>  the bundles, under a hash over all of them
//
// URLs are relative, so that they work at any mount point. The modules at stable
// names are small, and browsers revalidate them each time. They import the bundles,
// which browsers keep for a year. An asset is served under any hash: while nodes or
// tabs of different versions coexist, a page of one version may request assets of
// another, and the present ones are better than none.
package web

//go:generate npm ci --prefix build
//go:generate go -C build run .

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

//go:embed index.html dist
var source embed.FS

const (
	// These stand in index.html: one for the URL of the assets, with the slash at
	// its end, the other for the settings, as attributes of the element.
	placeholder         = "{{assets}}"
	settingsPlaceholder = "{{settings}}"

	// hashLength is in hexadecimal digits: 64 bits distinguish versions.
	hashLength = 16
)

// site is everything that the package serves.
type site struct {
	hash   string           // of all assets
	index  string           // the page without its settings
	top    map[string]*File // by path below the mount
	assets map[string]*File // by name
}

// load compresses everything at the first request, so that the start of a Caddy
// does not pay for it.
var load = sync.OnceValue(func() site {
	s := site{top: make(map[string]*File), assets: make(map[string]*File)}
	all := sha256.New()
	files, err := source.ReadDir("dist") // sorted
	for _, file := range must(files, err) {
		name := file.Name()
		content := read("dist/" + name)
		all.Write(fmt.Appendf(nil, "%s %d\n%s", name, len(content), content))
		s.assets[name] = newFile(name, immutable, content)
	}
	s.hash = hex.EncodeToString(all.Sum(nil))[:hashLength]

	base := "assets/" + s.hash + "/"
	s.index = strings.ReplaceAll(string(read("index.html")), placeholder, base)
	s.top["/"] = s.page(Settings{})
	for _, name := range []string{"client.js", "embed.js"} {
		s.top["/"+name] = newFile(name, revalidate, fmt.Appendf(nil, "export * from './%s%s';\n", base, name))
	}
	return s
})

func read(name string) []byte {
	content, err := source.ReadFile(name)
	return must(content, err)
}

// must panics if an embedded file is missing, which the tests would have noticed.
func must[T any](value T, err error) T {
	if err != nil {
		panic("web: " + err.Error())
	}
	return value
}

// Settings are the properties of a chat that its page has to know.
type Settings struct {
	// TTL and MaxTTL are how long a room lives unless its creator chooses, and at
	// most, in whole seconds. 0 leaves the choice to the page, which may then offer a
	// time that the server refuses.
	TTL, MaxTTL time.Duration

	// Named is whether the site names its users, so that the page need not ask.
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
	page := newFile("index.html", revalidate, []byte(strings.ReplaceAll(s.index, settingsPlaceholder, attributes.String())))
	page.isPage = true
	return page
}

// Find returns the file at a path below the mount point. The path begins with a
// slash.
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
		// The URL names another version, whose content may differ.
		other := *file
		other.cacheControl = revalidate
		return &other, true
	}
	return file, true
}

func isHash(text string) bool {
	return len(text) == hashLength && strings.Trim(text, "0123456789abcdef") == ""
}
