package web

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Browsers would fetch some fifty small modules one by one, and find out about
// each only from another. They are given one file for each entry instead, made
// of the modules that it imports, without comments. What is put together is
// JavaScript of a few forms only, which the sources keep to; anything else is an
// error, which a test finds before anybody else does.
//
// Every module becomes a function that is called once, after those of the modules
// that it imports, and returns what it exports:
//
//	const $clock=(()=>{const{duration,timeOfDay:time}=$format;
//	…
//	return{roomClock}})();

// module is a source that has been read.
type module struct {
	imports []binding
	exports []name
	body    string
}

// binding is an import, or an export of what another module exports.
type binding struct {
	from  string // the file that is imported
	names []name
	// passed says that the names are exported and not used.
	passed bool
}

// name is that of something where it is defined, and under which it is known
// elsewhere.
type name struct{ inner, outer string }

var (
	// A comment with a type, within a line of code.
	typeComment = regexp.MustCompile(`/\*\* @[^\n]*?\*/ ?`)

	importForm   = regexp.MustCompile(`(?m)^import (?:\{([^}]*)\} from )?'\./([a-z0-9-]+\.js)';?\n`)
	passForm     = regexp.MustCompile(`(?m)^export \{([^}]*)\} from '\./([a-z0-9-]+\.js)';?\n`)
	exportForm   = regexp.MustCompile(`(?m)^export \{([^}]*)\};?\n`)
	declaredForm = regexp.MustCompile(`(?m)^export ((?:const|class|function|async function)\*? (\w+))\b`)
	nameForm     = regexp.MustCompile(`^(\w+)(?: as (\w+))?$`)

	// What none of the forms above has taken.
	otherForm = regexp.MustCompile(`(?m)^(?:import|export)\b.*|.*\bimport\(.*|.*\$[a-z0-9]+_js\b.*`)
)

// bundle puts an entry and everything that it imports into one module, which
// exports what the entry exports.
func bundle(entry string, read func(file string) (string, error)) (string, error) {
	b := bundler{read: read, state: make(map[string]bool)}
	last, err := b.add(entry)
	if err != nil {
		return "", err
	}
	if exports := last.exported(); len(exports) > 0 {
		fmt.Fprintf(&b.text, "const{%s}=%s;\n", pattern(exports), variable(entry))
		outer := make([]string, 0, len(exports))
		for _, n := range exports {
			outer = append(outer, n.outer)
		}
		fmt.Fprintf(&b.text, "export{%s};\n", strings.Join(outer, ","))
	}
	return b.text.String(), nil
}

type bundler struct {
	read  func(file string) (string, error)
	state map[string]bool // of a file: false while its imports are being added
	text  strings.Builder
}

// add writes a module behind those that it imports.
func (b *bundler) add(file string) (*module, error) {
	b.state[file] = false
	source, err := b.read(file)
	if err != nil {
		return nil, err
	}
	m, err := parse(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, imported := range m.imports {
		switch done, known := b.state[imported.from]; {
		case !known:
			if _, err := b.add(imported.from); err != nil {
				return nil, err
			}
		case !done:
			return nil, fmt.Errorf("%s and %s import each other", file, imported.from)
		}
	}
	fmt.Fprintf(&b.text, "const %s=(()=>{", variable(file))
	for _, imported := range m.imports {
		if len(imported.names) > 0 && !imported.passed {
			fmt.Fprintf(&b.text, "const{%s}=%s;", pattern(imported.names), variable(imported.from))
		}
	}
	b.text.WriteByte('\n')
	b.text.WriteString(m.body)
	b.text.WriteString("return{")
	for _, imported := range m.imports {
		if imported.passed {
			for _, n := range imported.names {
				fmt.Fprintf(&b.text, "%s:%s.%s,", n.outer, variable(imported.from), n.inner)
			}
		}
	}
	for _, n := range m.exports {
		fmt.Fprintf(&b.text, "%s:%s,", n.outer, n.inner)
	}
	b.text.WriteString("}})();\n")
	b.state[file] = true
	return m, nil
}

// variable is what holds the exports of a module.
func variable(file string) string {
	return "$" + strings.NewReplacer("-", "", ".", "_").Replace(file)
}

// pattern destructures the exports of a module.
func pattern(names []name) string {
	parts := make([]string, 0, len(names))
	for _, n := range names {
		parts = append(parts, n.inner+":"+n.outer)
	}
	return strings.Join(parts, ",")
}

// exported are all names under which others know something of the module, each
// as it is called in what the module returns.
func (m *module) exported() []name {
	var names []name
	for _, n := range m.exports {
		names = append(names, name{n.outer, n.outer})
	}
	for _, imported := range m.imports {
		if imported.passed {
			for _, n := range imported.names {
				names = append(names, name{n.outer, n.outer})
			}
		}
	}
	return names
}

// parse reads a module and takes its imports, exports and comments away.
func parse(source string) (*module, error) {
	m := new(module)
	var failed error
	take := func(form *regexp.Regexp, handle func(groups []string) string) {
		m.body = form.ReplaceAllStringFunc(m.body, func(found string) string {
			return handle(form.FindStringSubmatch(found))
		})
	}
	names := func(list string) []name {
		parsed, err := parseNames(list)
		if err != nil && failed == nil {
			failed = err
		}
		return parsed
	}
	m.body = withoutComments(source)
	take(passForm, func(groups []string) string {
		m.imports = append(m.imports, binding{groups[2], names(groups[1]), true})
		return ""
	})
	take(importForm, func(groups []string) string {
		m.imports = append(m.imports, binding{groups[2], names(groups[1]), false})
		return ""
	})
	take(exportForm, func(groups []string) string {
		m.exports = append(m.exports, names(groups[1])...)
		return ""
	})
	take(declaredForm, func(groups []string) string {
		m.exports = append(m.exports, name{groups[2], groups[2]})
		return groups[1]
	})
	if other := otherForm.FindString(m.body); other != "" && failed == nil {
		failed = fmt.Errorf("cannot be bundled: %s", other)
	}
	return m, failed
}

// parseNames reads what stands between the braces of an import or export.
func parseNames(list string) ([]name, error) {
	var names []name
	for part := range strings.SplitSeq(list, ",") {
		part = strings.Join(strings.Fields(part), " ")
		if part == "" {
			continue
		}
		found := nameForm.FindStringSubmatch(part)
		if found == nil {
			return nil, fmt.Errorf("cannot be bundled: %q", part)
		}
		if found[2] == "" {
			found[2] = found[1]
		}
		names = append(names, name{found[1], found[2]})
	}
	return names, nil
}

// withoutComments takes away types and the lines that are nothing but comment
// or empty. It knows no strings, so none may have a line that looks like one;
// in the style sheets, comments look the same and may go too.
func withoutComments(source string) string {
	lines := slices.Collect(strings.Lines(typeComment.ReplaceAllString(source, "")))
	var kept strings.Builder
	for within, i := false, 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		switch {
		case within:
			within = !strings.HasSuffix(line, "*/")
		case line == "" || strings.HasPrefix(line, "//"):
		case strings.HasPrefix(line, "/*"):
			within = !strings.HasSuffix(line, "*/")
		default:
			kept.WriteString(strings.TrimRight(lines[i], "\n"))
			kept.WriteByte('\n')
		}
	}
	return kept.String()
}
