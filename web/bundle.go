package web

import (
	"fmt"
	"regexp"
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
	imports []binding // in their order
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
	importForm   = regexp.MustCompile(`^import (?:\{([^}]*)\} from )?'\./([a-z0-9-]+\.js)';?$`)
	passForm     = regexp.MustCompile(`^export \{([^}]*)\} from '\./([a-z0-9-]+\.js)';?$`)
	exportForm   = regexp.MustCompile(`^export \{([^}]*)\};?$`)
	declaredForm = regexp.MustCompile(`^export ((?:const|class|function|async function)\*? (\w+)\b.*)$`)
	nameForm     = regexp.MustCompile(`^(\w+)(?: as (\w+))?$`)

	// A line within code that would mean something else in a bundle.
	strangeForm = regexp.MustCompile(`\bimport\(.*|\$[a-z0-9]+_js\b.*`)
)

// bundle puts an entry and everything that it imports into one module, which
// exports what the entry exports.
func bundle(entry string, parsed func(file string) (*module, error)) (string, error) {
	b := bundler{parsed: parsed, state: make(map[string]bool)}
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
	parsed func(file string) (*module, error)
	state  map[string]bool // of a file: false while its imports are being added
	text   strings.Builder
}

// add writes a module behind those that it imports.
func (b *bundler) add(file string) (*module, error) {
	b.state[file] = false
	m, err := b.parsed(file)
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

// parse reads a module and takes its imports, exports and comments away. What is
// imported and exported stands at the beginning of a line.
func parse(source string) (*module, error) {
	m := new(module)
	var body strings.Builder
	lines := withoutComments(source)
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if !strings.HasPrefix(line, "import") && !strings.HasPrefix(line, "export") {
			if strings.Contains(line, "import(") || strings.Contains(line, "_js") {
				if strange := strangeForm.FindString(line); strange != "" {
					return nil, fmt.Errorf("cannot be bundled: %s", strange)
				}
			}
			body.WriteString(line + "\n")
			continue
		}
		// A list of names may take several lines.
		for strings.HasSuffix(line, "{") && strings.Count(line, " ") == 1 && i+1 < len(lines) {
			i++
			line += lines[i]
			for !strings.Contains(lines[i], "}") && i+1 < len(lines) {
				i++
				line += lines[i]
			}
		}
		declared, err := m.statement(line)
		if err != nil {
			return nil, err
		}
		if declared != "" {
			body.WriteString(declared + "\n")
		}
	}
	m.body = body.String()
	return m, nil
}

// statement takes an import or export, and returns what is left of it: a
// declaration, or nothing.
func (m *module) statement(line string) (string, error) {
	var err error
	if found := importForm.FindStringSubmatch(line); found != nil {
		imported := binding{from: found[2]}
		imported.names, err = parseNames(found[1])
		m.imports = append(m.imports, imported)
		return "", err
	}
	if found := passForm.FindStringSubmatch(line); found != nil {
		imported := binding{from: found[2], passed: true}
		imported.names, err = parseNames(found[1])
		m.imports = append(m.imports, imported)
		return "", err
	}
	if found := exportForm.FindStringSubmatch(line); found != nil {
		exported, err := parseNames(found[1])
		m.exports = append(m.exports, exported...)
		return "", err
	}
	if found := declaredForm.FindStringSubmatch(line); found != nil {
		m.exports = append(m.exports, name{found[2], found[2]})
		return found[1], nil
	}
	return "", fmt.Errorf("cannot be bundled: %s", line)
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

// withoutComments returns the lines of a source, but for those that are nothing but
// comment or empty, and without comments with types within a line. It knows no
// strings, so none may have a line that looks like a comment; in style sheets,
// comments look the same and may go too.
func withoutComments(source string) []string {
	var kept []string
	within := false
	for line := range strings.Lines(source) {
		line = strings.TrimRight(line, "\r\n")
		for {
			before, rest, ok := strings.Cut(line, "/** @")
			_, after, closed := strings.Cut(rest, "*/")
			if !ok || !closed {
				break
			}
			line = before + strings.TrimPrefix(after, " ")
		}
		code := strings.TrimSpace(line)
		switch {
		case within:
			within = !strings.HasSuffix(code, "*/")
		case code == "" || strings.HasPrefix(code, "//"):
		case strings.HasPrefix(code, "/*"):
			within = !strings.HasSuffix(code, "*/")
		default:
			kept = append(kept, line)
		}
	}
	return kept
}
