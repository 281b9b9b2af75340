package ephemeralchat_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/ephemeralchat/caddy-ephemeral-chat/redisstore/redistest"
)

// example is a Caddyfile, or directives of a site, in a document.
type example struct {
	file   string
	number int // within the file, from 1
	text   string
}

func (e example) name() string { return fmt.Sprintf("%s, %d", e.file, e.number) }

// site returns the example as a whole Caddyfile.
func (e example) site() string {
	first, _, _ := strings.Cut(strings.TrimSpace(e.text), " ")
	if slices.Contains([]string{"ephemeral_chat", "handle_path", "redir", "route", "handle", "log"}, first) {
		return "example.com {\n\t" + strings.ReplaceAll(strings.TrimSpace(e.text), "\n", "\n\t") + "\n}\n"
	}
	return e.text
}

var (
	fence         = regexp.MustCompile("(?ms)^```caddyfile\n(.*?)^```$")
	commentedSite = regexp.MustCompile(`(?ms)^# chat\.example\.com \{\n.*?^# \}\n`)
)

// examples returns the Caddyfiles of all documents and of Caddyfile.example.
func examples(t *testing.T) []example {
	t.Helper()
	files, err := filepath.Glob("docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal("no documents", err)
	}
	var all []example
	for _, file := range append([]string{"README.md"}, files...) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range fence.FindAllStringSubmatch(string(content), -1) {
			all = append(all, example{file, i + 1, block[1]})
		}
	}
	if len(all) == 0 || all[0].file != "README.md" {
		t.Error("the README shows no Caddyfile")
	}
	content, err := os.ReadFile("Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	commented := commentedSite.FindString(string(content))
	if commented == "" {
		t.Fatal("Caddyfile.example has no commented site")
	}
	return append(all, example{"Caddyfile.example", 1, string(content)},
		example{"Caddyfile.example", 2, regexp.MustCompile(`(?m)^# ?`).ReplaceAllString(commented, "")})
}

// TestExamples adapts and provisions every Caddyfile of the documents.
func TestExamples(t *testing.T) {
	t.Setenv("REDIS_URL", "redis://localhost:6379")
	t.Setenv("REDIS_PASSWORD", "tea")
	t.Setenv("SENTINEL_PASSWORD", "milk")
	t.Setenv("ANNAS_PASSWORD_HASH", "$2a$04$qXhVYe3eUNMFMzGbW4ruIOFXDd1zqBUCkAQwG8AgjSZ3gYwFfF2Sa")
	t.Setenv("SUPPORT_PASSWORD", "rye")
	t.Setenv("SUPPORT_ADMIN_PASSWORD", "barley")
	for _, e := range examples(t) {
		t.Run(e.name(), func(t *testing.T) { checkExample(t, e.site()) })
		if formatted := caddyfile.Format([]byte(e.text)); e.name() == "Caddyfile.example, 1" && string(formatted) != e.text {
			t.Error("it is not formatted; Caddy warns of that")
		}
	}
}

// checkExample checks that a Caddyfile can be loaded and has a chat.
func checkExample(t *testing.T, text string) {
	t.Helper()
	config, warnings, err := adapt(withCertificates(redistest.NewCertificates(t), text))
	if err != nil {
		t.Fatalf("adapting: %v\n%s", err, text)
	}
	for _, warning := range warnings {
		// In a document, options may stand in columns.
		if !strings.Contains(warning.Message, "not formatted") {
			t.Errorf("line %d: %s", warning.Line, warning.Message)
		}
	}
	if !bytes.Contains(config, []byte(`"handler":"ephemeral_chat"`)) {
		t.Error("it has no chat")
	}
	if err := provision(config); err != nil {
		t.Errorf("provisioning: %v", err)
	}
}

// withCertificates replaces the names of certificate files in examples with those of
// real files.
func withCertificates(c *redistest.Certificates, text string) string {
	return strings.NewReplacer(
		"/etc/caddy/redis-ca.pem", c.CA, "/etc/caddy/redis-client.pem", c.Certificate, "/etc/caddy/redis-client.key", c.Key,
	).Replace(text)
}
