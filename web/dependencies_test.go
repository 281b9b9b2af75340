package web_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// importedFrom matches the module that an import names, except in the lines of a
// comment.
var importedFrom = regexp.MustCompile(`(?m)^[^*/\n]*\b(?:from|import|import\()\s*['"]([^'"]+)['"]`)

// sources returns the text of every module of browsers by its path.
func sources(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	web := os.DirFS(".")
	err := fs.WalkDir(web, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if file == "build" || file == "dist" {
				return fs.SkipDir
			}
			return nil
		}
		if ext := path.Ext(file); ext != ".js" && ext != ".mjs" {
			return nil
		}
		content, err := fs.ReadFile(web, file)
		found[file] = string(content)
		return err
	})
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	return found
}

// readManifest returns the fields of a package.json or a lock file.
func readManifest(t *testing.T, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatal(err)
	}
}

// TestOneDependency checks that browsers load code of this folder only, with one
// exception: lean-qr, vendored by the build, which share.js imports.
func TestOneDependency(t *testing.T) {
	t.Parallel()
	var manifest map[string]json.RawMessage
	readManifest(t, "package.json", &manifest)
	for field := range manifest {
		if strings.Contains(strings.ToLower(field), "dependencies") || field == "scripts" {
			t.Errorf("package.json has %s", field)
		}
	}
	for _, name := range []string{"node_modules", "package-lock.json", "yarn.lock", "pnpm-lock.yaml"} {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("web has %s", name)
		}
	}
	var lock struct {
		Packages map[string]struct {
			License          string
			Integrity        string
			Resolved         string // the registry, which each developer chooses
			HasInstallScript bool
		}
	}
	readManifest(t, "build/package-lock.json", &lock)
	delete(lock.Packages, "") // the build itself
	if got := lock.Packages["node_modules/lean-qr"]; len(lock.Packages) != 1 || got.License != "MIT" ||
		!strings.HasPrefix(got.Integrity, "sha512-") || got.Resolved != "" || got.HasInstallScript {
		t.Errorf("the build depends on %v, not only on lean-qr, by its hash, under the MIT license, without scripts", lock.Packages)
	}
	if vendored, err := filepath.Glob("vendor/*"); err != nil || !slices.Equal(vendored, []string{"vendor/lean-qr.d.ts", "vendor/lean-qr.js"}) {
		t.Errorf("vendored are %v (%v)", vendored, err)
	}

	var importers []string
	imports := 0
	modules := sources(t)
	for _, file := range slices.Sorted(maps.Keys(modules)) {
		for _, found := range importedFrom.FindAllStringSubmatch(modules[file], -1) {
			imports++
			imported := path.Join(path.Dir(file), found[1])
			if _, ok := modules[imported]; !ok || !strings.HasPrefix(found[1], ".") {
				t.Errorf("%s imports %q", file, found[1])
			}
			if strings.HasPrefix(imported, "vendor/") {
				importers = append(importers, file)
			}
			if path.Dir(file) == "client" && path.Dir(imported) != "client" {
				t.Errorf("%s imports %q: the client runs without the interface", file, found[1])
			}
		}
	}
	if !slices.Equal(importers, []string{"ui/share.js"}) {
		t.Errorf("the library is imported by %v", importers)
	}
	if imports < len(modules) {
		t.Errorf("%d imports in %d files: they are not read rightly", imports, len(modules))
	}
}

// TestLicense checks that a bundle keeps the license of the code that it contains.
func TestLicense(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"page.js", "embed.js", "client.js"} {
		content, err := os.ReadFile("dist/" + name)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Contains(string(content), "Copyright (c) 2021-2025 David Evans") &&
			strings.Contains(string(content), "Permission is hereby granted")
		if want := name != "client.js"; got != want {
			t.Errorf("%s has the license of lean-qr: %t, want %t", name, got, want)
		}
	}
}
