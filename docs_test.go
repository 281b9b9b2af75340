package ephemeralchat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	ephemeralchat "github.com/ephemeralchat/caddy-ephemeral-chat"
)

// declaration is a struct as it is written.
type declaration struct {
	doc    string
	fields map[string]string // their comments
}

// declarations returns the structs of a package in a directory.
func declarations(t *testing.T, directory string) map[string]declaration {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]declaration)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			general, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				named, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				structure, ok := named.Type.(*ast.StructType)
				if !ok {
					continue
				}
				fields := make(map[string]string)
				for _, field := range structure.Fields.List {
					for _, ident := range field.Names {
						fields[ident.Name] = field.Doc.Text()
					}
				}
				all[named.Name.Name] = declaration{general.Doc.Text() + named.Doc.Text(), fields}
			}
		}
	}
	return all
}

// TestFieldsAreDocumented walks the structs of the configuration, of which Caddy's
// website makes the reference of the module: each module, and each field that can
// be set, must say what it is.
func TestFieldsAreDocumented(t *testing.T) {
	written := declarations(t, ".")
	root := reflect.TypeFor[ephemeralchat.Handler]().PkgPath()
	seen := make(map[reflect.Type]bool)
	fields := 0
	var walk func(what reflect.Type)
	walk = func(what reflect.Type) {
		for what.Kind() == reflect.Pointer || what.Kind() == reflect.Slice || what.Kind() == reflect.Map {
			what = what.Elem()
		}
		if what.Kind() != reflect.Struct || what.PkgPath() != root || seen[what] {
			return
		}
		seen[what] = true
		source := written[what.Name()]
		if !strings.HasPrefix(source.doc, what.Name()+" ") {
			t.Errorf("%s is not documented", what)
		}
		for field := range what.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			switch {
			case !field.IsExported() || name == "-":
				continue
			case name == "":
				t.Errorf("%s.%s has no name in JSON", what, field.Name)
			case !regexp.MustCompile(`^[A-Z][^\n]*(\n[^\n]+)*\.\n?`).MatchString(source.fields[field.Name]):
				t.Errorf("%s.%s is not documented by sentences: %q", what, field.Name, source.fields[field.Name])
			}
			fields++
			walk(field.Type)
		}
	}
	for _, id := range caddy.Modules() {
		module, err := caddy.GetModule(id)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(id, "ephemeral_chat") {
			walk(reflect.TypeOf(module.New()))
		}
	}
	for _, what := range []reflect.Type{
		reflect.TypeFor[ephemeralchat.Handler](), reflect.TypeFor[ephemeralchat.RedisStore](), reflect.TypeFor[ephemeralchat.MemoryStore](),
		reflect.TypeFor[ephemeralchat.AdminAPI](), reflect.TypeFor[ephemeralchat.RedisTLS](), reflect.TypeFor[ephemeralchat.Rate](),
		reflect.TypeFor[ephemeralchat.DeclaredRoom](),
	} {
		if !seen[what] {
			t.Errorf("%s is not part of the configuration", what)
		}
	}
	t.Logf("%d fields of %d types", fields, len(seen))
}

const jsonDocument = "docs/json.md"

// TestJSONExamples compares docs/json.md with what the Caddyfile examples stand for.
// With -update it is written.
func TestJSONExamples(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`# Examples in JSON

What each Caddyfile of the documents stands for, for those who configure Caddy by JSON: the output of ` + "`caddy adapt`" + `. The test that
reads this file compares the two; ` + "`go test -run TestJSONExamples -update .`" + ` writes it anew.

Durations are numbers of nanoseconds here; text such as ` + "`\"90m\"`" + ` will do as well.

Every field is described where it is declared: in the structs ` + "`Handler`, `DeclaredRoom`, `Rate`, `MemoryStore` and `RedisStore`" + ` of
the Go package, from which ` + "`caddy`'s" + ` website makes its reference.
`)
	for _, example := range examples(t) {
		config, _, err := adapt(example.site())
		if err != nil {
			t.Fatalf("%s: %v", example.name(), err)
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, config, "", "  "); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\n## %s\n\nThe Caddyfile:\n\n```\n%s\n```\n\nThe same in JSON:\n\n```json\n%s\n```\n",
			example.name(), strings.TrimRight(example.text, "\n"), indented.Bytes())
	}
	if *update {
		if err := os.WriteFile(jsonDocument, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	content, err := os.ReadFile(jsonDocument)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(content, b.Bytes()) {
		t.Errorf("%s is not what the examples stand for; go test -run TestJSONExamples -update . writes it anew", jsonDocument)
	}
}
