package main

import (
	"log"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	if err := run(".", ".."); err != nil {
		log.Fatal(err)
	}
}

// run writes the vendored library and then the bundles, and removes bundles that
// are no longer made.
func run(build, web string) error {
	code, err := vendor(build)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(web, libraryFile), code); err != nil {
		return err
	}
	files, err := bundle(web)
	if err != nil {
		return err
	}
	dist := filepath.Join(web, "dist")
	if err := os.RemoveAll(dist); err != nil {
		return err
	}
	for name, content := range files {
		if err := write(filepath.Join(dist, name), content); err != nil {
			return err
		}
	}
	return nil
}

func write(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
