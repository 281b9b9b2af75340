package web_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// importedFrom matches where modules are imported from, but not in the lines of a
// comment.
var importedFrom = regexp.MustCompile(`(?m)^[^*/\n]*\b(?:from|import|import\()\s*['"]([^'"]+)['"]`)

// TestNoDependencies checks that what browsers are given is in this directory, all of
// it: there is no package of others, and nothing to be fetched from elsewhere.
func TestNoDependencies(t *testing.T) {
	t.Parallel()
	var manifest map[string]json.RawMessage
	content, err := os.ReadFile("package.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &manifest); err != nil {
		t.Fatal(err)
	}
	for field := range manifest {
		if strings.Contains(strings.ToLower(field), "dependencies") || field == "scripts" {
			t.Errorf("package.json has %s", field)
		}
	}
	for _, name := range []string{"node_modules", "package-lock.json", "yarn.lock", "pnpm-lock.yaml"} {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("there is %s", name)
		}
	}
	sources, err := filepath.Glob("*.js")
	if err != nil || len(sources) == 0 {
		t.Fatal(sources, err)
	}
	imports := 0
	for _, source := range sources {
		content, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range importedFrom.FindAllStringSubmatch(string(content), -1) {
			imports++
			if _, err := os.Stat(found[1]); err != nil || !strings.HasPrefix(found[1], "./") {
				t.Errorf("%s imports %q", source, found[1])
			}
		}
	}
	if imports < len(sources) {
		t.Errorf("%d imports in %d files: they are not read rightly", imports, len(sources))
	}
}
