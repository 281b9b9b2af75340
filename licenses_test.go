package ephemeralchat_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// licenses are recognized by words of their texts, with single spaces and in lower case.
// A permissive license only requires that its notice is passed on with the program.
var licenses = []struct {
	name, words string
	permissive  bool
}{
	{"Apache-2.0", "apache license version 2.0", true},
	{"Apache-2.0", "apache license, version 2.0", true},
	{"Apache-2.0", "apache license 2.0", true},
	{"BSD", "redistribution and use in source and binary forms", true},
	{"CC0-1.0", "cc0 1.0", true},
	{"ISC", "permission to use, copy, modify, and/or distribute", true},
	{"MIT", "permission is hereby granted, free of charge", true},
	{"MPL-2.0", "mozilla public license", false},
	{"GPL", "gnu general public license", false},
	{"LGPL", "gnu lesser general public license", false},
	{"AGPL", "gnu affero general public license", false},
}

// licensesAccepted are modules with other licenses, each with the reason why it is
// acceptable. Caddy has them all, with or without this module.
var licensesAccepted = map[string]string{
	"github.com/go-sql-driver/mysql": "MPL-2.0 covers its own files, which are not changed here; it names the GPL for changed ones",
}

var licenseName = regexp.MustCompile(`(?i)^(licen[cs]e|copying)(\.|-|$)`)

// TestLicenses reads the licenses of all modules that are compiled into Caddy with
// this one.
func TestLicenses(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}{{end}}{{end}}", "./cmd/caddy")
	list.Stderr = os.Stderr
	output, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	dirs := make(map[string]string)
	for line := range strings.Lines(string(output)) {
		if module, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			dirs[module] = dir
		}
	}
	if len(dirs) < 50 {
		t.Fatalf("%d modules: the list is not what it should be", len(dirs))
	}
	count := make(map[string]int)
	accepted := maps.Clone(licensesAccepted)
	for _, module := range slices.Sorted(maps.Keys(dirs)) {
		names, permissive := licensesIn(t, dirs[module])
		t.Logf("%s: %s", module, strings.Join(names, ", "))
		for _, name := range names {
			count[name]++
		}
		if _, ok := accepted[module]; ok {
			delete(accepted, module)
		} else if !permissive {
			t.Errorf("%s has the licenses %v", module, names)
		}
	}
	for module := range accepted {
		t.Errorf("%s is accepted, and is not there", module)
	}
	t.Logf("%d modules, some under more than one license: %v", len(dirs), count)
}

// licensesIn returns the licenses in a directory, and whether there is one and all are
// permissive.
func licensesIn(t *testing.T, dir string) (names []string, permissive bool) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	permissive = true
	for _, file := range files {
		if file.IsDir() || !licenseName.MatchString(file.Name()) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ToLower(strings.Join(strings.Fields(string(content)), " "))
		for _, l := range licenses {
			if strings.Contains(text, l.words) && !slices.Contains(names, l.name) {
				names = append(names, l.name)
				permissive = permissive && l.permissive
			}
		}
	}
	return names, permissive && len(names) > 0
}
