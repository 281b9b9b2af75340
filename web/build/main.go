package main

import (
	"fmt"
	"os"
	"path"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run writes the vendored library and then the bundles, and removes bundles that
// are no longer made.
func run() error {
	web, err := os.OpenRoot("..")
	if err != nil {
		return err
	}
	defer func() { _ = web.Close() }()
	code, err := vendor(web)
	if err != nil {
		return err
	}
	if err := write(web, libraryFile, code); err != nil {
		return err
	}
	files, err := bundle(web.Name())
	if err != nil {
		return err
	}
	if err := web.RemoveAll("dist"); err != nil {
		return err
	}
	for name, content := range files {
		if err := write(web, "dist/"+name, content); err != nil {
			return err
		}
	}
	return nil
}

func write(root *os.Root, name string, content []byte) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	return root.WriteFile(name, content, 0o644)
}
