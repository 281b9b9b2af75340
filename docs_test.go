package ephemeralchat_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	ephemeralchat "github.com/ephemeralchat/caddy-ephemeral-chat"
)

// declaration is a struct in the source.
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

// TestFieldsAreDocumented walks the structs of the configuration, from which Caddy's
// website makes the reference of the module: each module, and each field that can
// be set, needs a comment of sentences.
func TestFieldsAreDocumented(t *testing.T) {
	written := declarations(t, ".")
	root := reflect.TypeFor[ephemeralchat.Handler]().PkgPath()
	seen := make(map[reflect.Type]bool)
	fields := 0
	var walk func(structure reflect.Type)
	walk = func(structure reflect.Type) {
		for structure.Kind() == reflect.Pointer || structure.Kind() == reflect.Slice || structure.Kind() == reflect.Map {
			structure = structure.Elem()
		}
		if structure.Kind() != reflect.Struct || structure.PkgPath() != root || seen[structure] {
			return
		}
		seen[structure] = true
		source := written[structure.Name()]
		if !strings.HasPrefix(source.doc, structure.Name()+" ") {
			t.Errorf("%s is not documented", structure)
		}
		for field := range structure.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			switch {
			case !field.IsExported() || name == "-":
				continue
			case name == "":
				t.Errorf("%s.%s has no name in JSON", structure, field.Name)
			case !regexp.MustCompile(`^[A-Z][^\n]*(\n[^\n]+)*\.\n?`).MatchString(source.fields[field.Name]):
				t.Errorf("%s.%s is not documented by sentences: %q", structure, field.Name, source.fields[field.Name])
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
