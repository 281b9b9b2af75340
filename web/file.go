package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"path"
	"strconv"
	"strings"
)

const (
	// revalidate makes caches ask the server whether their copy is current.
	revalidate = "no-cache"

	// immutable lets caches keep a file for a year without asking (RFC 8246).
	immutable = "public, max-age=31536000, immutable"
)

// policy lets the page load its own modules and styles, and connect to its own site.
// No other site can frame it, injected markup has no effect, and where browsers
// support trusted types, no text becomes markup. Its icon is a data URL.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// mediaTypes are those of the files, by the extension of their names.
var mediaTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
}

// File is a file to serve. It does not change and is safe for concurrent use.
type File struct {
	mediaType    string
	cacheControl string
	isPage       bool
	plain        form
	compressed   form // its body is nil where compression gains nothing
}

// form is one of the representations of a file.
type form struct {
	body []byte
	// etag is strong, so each form has one of its own (RFC 9110, section 8.8.3.3).
	// Caddy's encode handler removes "-gzip" from those that clients send.
	etag string
}

func newFile(name, cacheControl string, content []byte) *File {
	sum := sha256.Sum256(content)
	tag := hex.EncodeToString(sum[:])[:hashLength]
	file := &File{
		mediaType:    mediaTypes[path.Ext(name)],
		cacheControl: cacheControl,
		plain:        form{content, `"` + tag + `"`},
	}
	if compressed := compress(content); len(compressed) < len(content) {
		file.compressed = form{compressed, `"` + tag + `.gz"`}
	}
	return file
}

func compress(content []byte) []byte {
	var buffer bytes.Buffer
	writer, err := gzip.NewWriterLevel(&buffer, gzip.BestCompression)
	if err != nil {
		panic("web: " + err.Error()) // the level exists
	}
	// A buffer takes everything.
	_, _ = writer.Write(content)
	_ = writer.Close()
	return buffer.Bytes()
}

// IsPage reports whether this is the page at the mount point.
func (f *File) IsPage() bool { return f.isPage }

// Serve answers a GET or HEAD request.
func (f *File) Serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.mediaType)
	header.Set("Cache-Control", f.cacheControl)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	if f.isPage {
		protect(header, r)
	} else {
		// Any page may import the modules. The endpoints check the origin of the
		// requests that they make.
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}

	chosen := f.plain
	if f.compressed.body != nil {
		header.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			chosen = f.compressed
			header.Set("Content-Encoding", "gzip")
		}
	}
	header.Set("ETag", chosen.etag)
	if matches(r.Header.Values("If-None-Match"), chosen.etag) {
		header.Del("Content-Type")
		header.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	// Not by http.ServeContent: a cache must get the same bytes whatever other headers
	// a request has, such as Range and If-Match.
	header.Set("Content-Length", strconv.Itoa(len(chosen.body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(chosen.body) // an error means that the client has disconnected
	}
}

// protect sets the headers that isolate the page from other sites.
func protect(header http.Header, r *http.Request) {
	header.Set("Content-Security-Policy", policy)
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.TLS != nil {
		// Over HTTP browsers ignore this header and log a warning.
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
}

// matches reports whether an If-None-Match header names an ETag. The comparison is
// weak (RFC 9110, section 13.1.2).
func matches(values []string, etag string) bool {
	for _, value := range values {
		for candidate := range strings.SplitSeq(value, ",") {
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" || strings.TrimPrefix(candidate, "W/") == etag {
				return true
			}
		}
	}
	return false
}

// acceptsGzip reports whether an Accept-Encoding header allows gzip, by its name
// or by an asterisk (RFC 9110, section 12.5.3).
func acceptsGzip(values []string) bool {
	anything := false
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			name, parameters, _ := strings.Cut(item, ";")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "gzip", "x-gzip":
				return hasWeight(parameters)
			case "*":
				anything = hasWeight(parameters)
			}
		}
	}
	return anything
}

// hasWeight reports whether the weight of a coding is above 0.
func hasWeight(parameters string) bool {
	name, value, ok := strings.Cut(parameters, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return true
	}
	weight, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return err != nil || weight > 0
}
