package web_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var blank = regexp.MustCompile(`\{\w+\}`)

// blanks returns the blanks of a string, sorted and each once.
func blanks(text string) []string {
	found := blank.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// readLocale returns the strings of a locale by key.
func readLocale(t *testing.T, language string) map[string]string {
	t.Helper()
	content, err := os.ReadFile("ui/locales/" + language + ".js")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^  '([\w.]+)': ('(?:[^'\\]|\\.)+'|"(?:[^"\\]|\\.)+"),$`).FindAllStringSubmatch(string(content), -1)
	if begun := regexp.MustCompile(`(?m)^ +\S`).FindAllString(string(content), -1); len(begun) != len(rows) || len(rows) < 50 {
		t.Fatalf("%s: %d of %d lines have a key and a string", language, len(rows), len(begun))
	}
	texts := make(map[string]string)
	for _, row := range rows {
		key, text := row[1], row[2]
		if _, ok := texts[key]; ok {
			t.Errorf("%s has %s twice", language, key)
		}
		if strings.TrimSpace(strings.Trim(text, `'"`)) == "" {
			t.Errorf("%s: %s is empty", language, key)
		}
		texts[key] = text
	}
	return texts
}

// TestStrings checks that every locale has the same keys with the same blanks, and
// every key that the sources ask for.
func TestStrings(t *testing.T) {
	english := readLocale(t, "en")
	for _, language := range []string{"de", "fr", "es"} {
		locale := readLocale(t, language)
		for key := range locale {
			if _, ok := english[key]; !ok {
				t.Errorf("%s has %s, which is not in English", language, key)
			}
		}
		for key, text := range english {
			if locale[key] == "" {
				t.Errorf("%s lacks %s", language, key)
			} else if !slices.Equal(blanks(text), blanks(locale[key])) {
				t.Errorf("%s: %s and %s have other blanks", key, text, locale[key])
			}
		}
	}
	if files, err := filepath.Glob("ui/locales/*"); err != nil || len(files) != 4 {
		t.Errorf("the locales are %v (%v): this test checks four", files, err)
	}

	asked := make(map[string]bool)
	for file, source := range sources(t) {
		for _, found := range regexp.MustCompile(`\bt\(([^)]*)`).FindAllStringSubmatch(source, -1) {
			for _, key := range regexp.MustCompile(`'([a-z]+\.[\w.]+)'`).FindAllStringSubmatch(found[1], -1) {
				asked[key[1]] = true
			}
		}
		for _, found := range regexp.MustCompile(`\bcounted\('([\w.]+)'`).FindAllStringSubmatch(source, -1) {
			asked[found[1]+".one"] = true
			asked[found[1]+".other"] = true
		}
		for key := range asked {
			if _, ok := english[key]; !ok {
				t.Errorf("%s asks for %s, which no locale has", file, key)
				delete(asked, key)
			}
		}
	}
	if len(asked) < 50 {
		t.Errorf("only %d strings are asked for: the sources are not read", len(asked))
	}
}
