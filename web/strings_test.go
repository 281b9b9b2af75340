package web_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestStrings checks the table of what people read: every string is there in every
// language, with the same blanks, and what the sources ask for is in it.
func TestStrings(t *testing.T) {
	content, err := os.ReadFile("strings.js")
	if err != nil {
		t.Fatal(err)
	}
	table := string(content)
	const languages = 4
	text := `('(?:[^'\\]|\\.)+'|"(?:[^"\\]|\\.)+")`
	rows := regexp.MustCompile(`(?m)^  '([\w.]+)': \[`+strings.Repeat(text+", ", languages-1)+text+`\],$`).FindAllStringSubmatch(table, -1)
	if begun := regexp.MustCompile(`(?m)^  '[\w.]+': \[`).FindAllString(table, -1); len(begun) != len(rows) || len(rows) < 50 {
		t.Fatalf("%d rows, of which %d have %d strings each", len(begun), len(rows), languages)
	}
	keys := make(map[string]bool)
	blank := regexp.MustCompile(`\{\w+\}`)
	for _, row := range rows {
		if keys[row[1]] {
			t.Errorf("%s is there twice", row[1])
		}
		keys[row[1]] = true
		blanks := func(text string) []string {
			found := blank.FindAllString(text, -1)
			slices.Sort(found)
			return slices.Compact(found)
		}
		for i, text := range row[3:] {
			if !slices.Equal(blanks(text), blanks(row[2])) {
				t.Errorf("%s: %s and %s have other blanks", row[1], row[2], text)
			}
			if strings.TrimSpace(strings.Trim(text, `'"`)) == "" {
				t.Errorf("%s is empty in language %d", row[1], i+1)
			}
		}
	}

	files, err := filepath.Glob("*.js")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(map[string]bool)
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`\bt\(([^)]*)`).FindAllStringSubmatch(string(source), -1) {
			for _, key := range regexp.MustCompile(`'([a-z]+\.[\w.]+)'`).FindAllStringSubmatch(found[1], -1) {
				asked[key[1]] = true
				if !keys[key[1]] {
					t.Errorf("%s asks for %s, which is not in the table", file, key[1])
				}
			}
		}
		for _, found := range regexp.MustCompile(`\bcounted\('([\w.]+)'`).FindAllStringSubmatch(string(source), -1) {
			for _, form := range []string{".one", ".other"} {
				if !keys[found[1]+form] {
					t.Errorf("%s asks for %s%s, which is not in the table", file, found[1], form)
				}
			}
		}
	}
	if len(asked) < 50 {
		t.Errorf("only %d strings are asked for: the sources are not read", len(asked))
	}
}
