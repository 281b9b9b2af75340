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
)

// TestExamples adapts and provisions every Caddyfile that people may copy.
func TestExamples(t *testing.T) {
	t.Setenv("REDIS_URL", "redis://localhost:6379")
	t.Setenv("REDIS_PASSWORD", "tea")
	t.Setenv("ANNAS_PASSWORD_HASH", "$2a$04$qXhVYe3eUNMFMzGbW4ruIOFXDd1zqBUCkAQwG8AgjSZ3gYwFfF2Sa")
	t.Setenv("SUPPORT_PASSWORD", "rye")
	t.Setenv("SUPPORT_ADMIN_PASSWORD", "barley")
	files, err := filepath.Glob("docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal("no documents", err)
	}
	fence := regexp.MustCompile("(?ms)^```caddyfile\n(.*?)^```$")
	for _, file := range append(files, "README.md") {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		blocks := fence.FindAllStringSubmatch(string(content), -1)
		if file == "README.md" && len(blocks) == 0 {
			t.Error("the README shows no Caddyfile")
		}
		for i, block := range blocks {
			t.Run(fmt.Sprintf("%s %d", file, i+1), func(t *testing.T) { checkExample(t, block[1]) })
		}
	}
	t.Run("Caddyfile.example", func(t *testing.T) {
		checkExample(t, readExample(t))
		if formatted := caddyfile.Format([]byte(readExample(t))); string(formatted) != readExample(t) {
			t.Error("it is not formatted, of which Caddy warns")
		}
	})
	t.Run("Caddyfile.example, uncommented", func(t *testing.T) {
		_, commented, ok := strings.Cut(readExample(t), "# chat.example.com {\n")
		if !ok {
			t.Fatal("it has no commented site")
		}
		checkExample(t, "chat.example.com {\n"+regexp.MustCompile(`(?m)^# ?`).ReplaceAllString(commented, ""))
	})
}

func readExample(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// checkExample wants a Caddyfile, or directives of a site, to be loadable and to
// be about the chat.
func checkExample(t *testing.T, text string) {
	t.Helper()
	first, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	if slices.Contains([]string{"ephemeral_chat", "handle_path", "redir", "route", "handle", "log"}, first) {
		text = "example.com {\n\t" + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n\t") + "\n}\n"
	}
	config, warnings, err := adapt(text)
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
