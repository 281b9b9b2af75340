package ephemeralchat_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSecurityDocument compares docs/security.md with the tests in the repository: each
// test that it names exists, and it names every attack of the end-to-end tests.
func TestSecurityDocument(t *testing.T) {
	text, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)`").FindAllStringSubmatch(string(text), -1)
	if len(named) == 0 {
		t.Error("no test is named")
	}
	there, attacks := declaredTests(t)
	for _, name := range named {
		if !there[name[1]] {
			t.Errorf("there is no %s", name[1])
		}
	}
	for _, attack := range attacks {
		if !slices.ContainsFunc(named, func(name []string) bool { return name[1] == attack }) {
			t.Errorf("%s is not in the document", attack)
		}
	}
	t.Logf("%d tests named, %d attacks", len(named), len(attacks))
}

// declaredTests returns the names of all tests and fuzz targets, and those of the
// attacks: the tests in e2e/attack.
func declaredTests(t *testing.T) (all map[string]bool, attacks []string) {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(`)
	all = make(map[string]bool)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path) //nolint:gosec // G122: only the test walks the source
		if err != nil {
			return err
		}
		for _, match := range declared.FindAllSubmatch(source, -1) {
			name := string(match[1])
			all[name] = true
			if filepath.Dir(path) == filepath.Join("e2e", "attack") && name != "TestMain" {
				attacks = append(attacks, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, attacks
}
