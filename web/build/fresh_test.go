package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

const toFix = "run `go generate ./web` and commit the result"

// TestBundlesAreFresh checks that web/dist is what esbuild makes of the sources.
func TestBundlesAreFresh(t *testing.T) {
	t.Parallel()
	want, err := bundle("..")
	if err != nil {
		t.Fatal(err)
	}
	dist := os.DirFS("../dist")
	committed, err := fs.ReadDir(dist, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range committed {
		if _, ok := want[file.Name()]; !ok {
			t.Errorf("web/dist/%s is not made any more: %s", file.Name(), toFix)
		}
	}
	for name, content := range want {
		got, err := fs.ReadFile(dist, name)
		if err != nil {
			t.Errorf("%v: %s", err, toFix)
		} else if !bytes.Equal(got, content) {
			t.Errorf("web/dist/%s is not made of the present sources: %s", name, toFix)
		}
	}
}

// TestLibraryIsPinned checks that the vendored library is the version of the lock
// file and, where `npm ci` has been run, that its code is the package's.
func TestLibraryIsPinned(t *testing.T) {
	t.Parallel()
	web, err := os.OpenRoot("..")
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	pin, err := readLock(web)
	if err != nil {
		t.Fatal(err)
	}
	got, err := web.ReadFile(libraryFile)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(got), header(pin)) {
		t.Errorf("web/%s is not %s %s: %s", libraryFile, library, pin.Version, toFix)
	}
	want, err := vendor(web)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("npm ci has not been run")
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("web/%s is not what the package holds: %s", libraryFile, toFix)
	}
}

// TestBundleFails checks that a source that esbuild warns of makes no bundle.
func TestBundleFails(t *testing.T) {
	t.Parallel()
	web, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	for _, entry := range entries {
		content := ""
		if entry.InputPath == "page.js" {
			content = "import { nothing } from './missing.js'\n"
		}
		if err := write(web, entry.InputPath, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := bundle(web.Name()); err == nil || !strings.Contains(err.Error(), "page.js:1: ") {
		t.Errorf("error %v, want one that names page.js:1", err)
	}
}
