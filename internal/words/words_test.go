// Package words checks the English of comments and documents: sentences name
// their actor and use the terms of docs/glossary.md.
package words

import (
	"bufio"
	"flag"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	below = flag.String("below", "", "check only what lies below this path of the repository")
	limit = flag.Int("limit", 200, "how many findings to print")
)

// hiding are words that hide the actor of a sentence, and verbs with too many
// meanings. The glossary has the terms to use instead.
var hiding = []*regexp.Regexp{
	word(`who(ever|m|mever)?`),
	word(`(some|no|any|every)body`),
	word(`of which`),
	word(`likewise`),
	word(`what (is|was|has|had|were|are|comes|came|may|can|cannot)`),
	word(`(tell|tells|told|telling)`),
	word(`(hear|hears|heard|hearing)`),
	word(`(settle|settles|settled|settling)`),
	word(`(owe|owes|owed|owing)`),
	word(`(say|says|said|saying)`),
	word(`(look|looks|looked|looking) (at|for|like|around|up)`),
	regexp.MustCompile(`(^|[.;:] )There (is|are|was|were)\b`),
}

// oldNames are identifiers that were replaced by the term of the glossary.
var oldNames = regexp.MustCompile(`\b(heart|heartbeatLife|beatLife|errDeaf|pulse|lanes|posting|election|crowd|census|` +
	`lookAround|drawnAlike|isUnseen|isMeaningless|lifeID|LifeID|StandingRoom|Standing|conjure|Newcomer|Stranger|` +
	`Refusal|RefusalOf|Tally|NewSocketID|herald|voice|admitOrigin|giveUpBody|inbox|patience|liveRoom|talker|grave|happening)\b`)

// exceptions are findings that are right as they are, each with its reason.
var exceptions = []struct{ path, text, reason string }{}

func word(pattern string) *regexp.Regexp { return regexp.MustCompile(`(?i)\b` + pattern + `\b`) }

// line is a line of prose or of code.
type line struct {
	path   string
	number int
	text   string
}

func TestWords(t *testing.T) {
	prose, code := read(t)
	if len(prose) == 0 {
		t.Fatal("no prose was found: the check would pass on anything")
	}
	used := make([]bool, len(exceptions))
	found := 0
	report := func(l line, match string) {
		for i, e := range exceptions {
			if e.path == l.path && strings.Contains(l.text, e.text) {
				used[i] = true
				return
			}
		}
		if found++; found <= *limit {
			t.Errorf("%s:%d: %q in: %s", l.path, l.number, match, strings.TrimSpace(l.text))
		}
	}
	for _, l := range prose {
		for _, pattern := range hiding {
			if match := pattern.FindString(l.text); match != "" {
				report(l, match)
			}
		}
	}
	for _, l := range code {
		if match := oldNames.FindString(l.text); match != "" && match == l.text {
			report(l, match)
		}
	}
	if found > *limit {
		t.Errorf("%d findings", found)
	}
	for i, e := range exceptions {
		if *below == "" && !used[i] {
			t.Errorf("the exception %q in %s is not needed", e.text, e.path)
		}
	}
}

// read returns the lines of comments and documents, and the identifiers of Go.
func read(t *testing.T) (prose, identifiers []line) {
	repository := os.DirFS(filepath.Join("..", ".."))
	err := fs.WalkDir(repository, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if entry.Name() == "testdata" || entry.Name() == "node_modules" || name == "bin" || name == ".git" || name == "internal/words" || name == "web/dist" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasPrefix(name, *below) {
			return nil
		}
		source, err := fs.ReadFile(repository, name)
		if err != nil {
			return err
		}
		switch filepath.Ext(name) {
		case ".go":
			p, i := readGo(name, source)
			prose, identifiers = append(prose, p...), append(identifiers, i...)
		case ".md":
			prose = append(prose, readMarkdown(name, string(source))...)
		case ".js", ".mjs", ".css":
			prose = append(prose, readComments(name, string(source), `^\s*(//|/?\*+)|\s//\s|/\*`)...)
		case ".lua":
			prose = append(prose, readComments(name, string(source), `--`)...)
		case ".yml", ".sh", "":
			if entry.Name() != "LICENSE" && entry.Type().IsRegular() {
				prose = append(prose, readComments(name, string(source), `(^|\s)#+\s`)...)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return prose, identifiers
}

// readGo returns the comments and the identifiers of a Go file.
func readGo(name string, source []byte) (comments, identifiers []line) {
	files := token.NewFileSet()
	file := files.AddFile(name, -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, scanner.ScanComments)
	for {
		pos, tok, text := s.Scan()
		number := file.Line(pos)
		switch tok {
		case token.EOF:
			return comments, identifiers
		case token.COMMENT:
			for i, l := range strings.Split(text, "\n") {
				comments = append(comments, line{name, number + i, strings.TrimLeft(l, "/ ")})
			}
		case token.IDENT:
			identifiers = append(identifiers, line{name, number, text})
		default:
		}
	}
}

var inlineCode = regexp.MustCompile("`[^`]*`")

// readMarkdown returns the lines that are not code.
func readMarkdown(name, source string) (prose []line) {
	fenced := false
	for i, text := range strings.Split(source, "\n") {
		if strings.HasPrefix(strings.TrimSpace(text), "```") {
			fenced = !fenced
		} else if !fenced {
			prose = append(prose, line{name, i + 1, inlineCode.ReplaceAllString(text, "`…`")})
		}
	}
	return prose
}

// readComments returns what follows the first match of the pattern in each line.
func readComments(name, source, pattern string) (comments []line) {
	begin := regexp.MustCompile(pattern)
	s := bufio.NewScanner(strings.NewReader(source))
	for number := 1; s.Scan(); number++ {
		if at := begin.FindStringIndex(s.Text()); at != nil {
			comments = append(comments, line{name, number, s.Text()[at[1]:]})
		}
	}
	return comments
}
