package ephemeralchat_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// link is a Markdown link or image, or the source of an HTML image.
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)|<img src="([^"]+)"`)
	heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	code    = regexp.MustCompile("(?ms)^```.*?^```$|`[^`\n]*`")
)

// documents returns the Markdown files at the top of the repository and in docs.
func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal("no documents:", pattern, err)
		}
		all = append(all, files...)
	}
	return all
}

// anchorsOf returns the anchors that GitHub gives to the headings of a document.
func anchorsOf(text string) map[string]bool {
	anchors := make(map[string]bool)
	for _, match := range heading.FindAllStringSubmatch(regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(text, ""), -1) {
		kept := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(match[1]), "")
		anchors[strings.ReplaceAll(kept, " ", "-")] = true
	}
	return anchors
}

// TestLinks checks that every link between documents leads to a file, and to a heading
// of it.
func TestLinks(t *testing.T) {
	checked := 0
	for _, document := range documents(t) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), "`"), -1) {
			target := match[1] + match[2]
			if strings.Contains(target, "://") {
				continue
			}
			checked++
			name, anchor, _ := strings.Cut(target, "#")
			file := document
			if name != "" {
				file = filepath.Join(filepath.Dir(document), name)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s: %v", document, target, err)
				continue
			}
			if anchor == "" {
				continue
			}
			content, err := os.ReadFile(file)
			if err != nil || !anchorsOf(string(content))[anchor] {
				t.Errorf("%s links to %s: no such heading, %v", document, target, err)
			}
		}
	}
	if checked == 0 {
		t.Error("no link was found")
	}
}

// TestMapOfDocuments checks that the README and the index of docs name every document,
// and that the README stays short.
func TestMapOfDocuments(t *testing.T) {
	const maxLines = 150
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile("docs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range documents(t) {
		if filepath.Dir(document) == "docs" && filepath.Base(document) != "README.md" {
			if !strings.Contains(string(readme), "("+document+")") {
				t.Errorf("README.md does not link to %s", document)
			}
			if !strings.Contains(string(index), "("+filepath.Base(document)+")") {
				t.Errorf("docs/README.md does not link to %s", document)
			}
		}
	}
	if lines := strings.Count(string(readme), "\n"); lines > maxLines {
		t.Errorf("README.md has %d lines, want at most %d", lines, maxLines)
	}
	if !strings.Contains(string(readme), "make test") {
		t.Error("README.md does not name make test")
	}
}

// TestNamedTests checks that every test that a document names exists.
func TestNamedTests(t *testing.T) {
	existing, _ := declaredTests(t)
	for _, document := range documents(t) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)`").FindAllStringSubmatch(string(text), -1) {
			if !existing[match[1]] {
				t.Errorf("%s names %s, which does not exist", document, match[1])
			}
		}
	}
}

// TestNamedPaths checks that every file or folder of the repository that a document
// names exists.
func TestNamedPaths(t *testing.T) {
	path := regexp.MustCompile("`((?:(?:api|bench|cmd|docs|e2e|internal|redisstore|room|testdata|web|ws)/[\\w./*-]*|[a-z_]+\\.go))`")
	for _, document := range documents(t) {
		if document == "CHANGELOG.md" {
			continue // it names files that have gone
		}
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range path.FindAllStringSubmatch(string(text), -1) {
			if found, err := filepath.Glob(match[1]); err != nil || len(found) == 0 {
				t.Errorf("%s names %s, which does not exist (%v)", document, match[1], err)
			}
		}
	}
}

// TestNamedMessages checks that docs/troubleshoot.md explains messages that the module
// logs.
func TestNamedMessages(t *testing.T) {
	section := sections(t, "docs/troubleshoot.md")["Messages in the log"]
	var source strings.Builder
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(path) //nolint:gosec // G122: only the test walks the source
		source.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	messages := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1)
	if len(messages) == 0 {
		t.Error("no message is explained")
	}
	for _, match := range messages {
		if !strings.Contains(source.String(), `"`+match[1]+`"`) {
			t.Errorf("no code logs %q", match[1])
		}
	}
}
