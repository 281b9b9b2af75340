package ephemeralchat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	ephemeralchat "github.com/ephemeralchat/caddy-ephemeral-chat"
)

const configureDocument = "docs/configure.md"

// documented is a row of a table of options in docs/configure.md.
type documented struct {
	option   string
	defaults string // in the syntax of the Caddyfile, empty if there is none
	values   string // the range
	reload   string
	fields   []string // in JSON
}

// sections splits a document at its headings of levels 2 and 3.
func sections(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	title := ""
	for line := range strings.Lines(string(text)) {
		if match := regexp.MustCompile(`^##+ (.+)`).FindStringSubmatch(line); match != nil {
			title = match[1]
		}
		all[title] += line
	}
	return all
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

// optionsOf returns the rows of the table of options in a section.
func optionsOf(t *testing.T, section string) []documented {
	t.Helper()
	const head = "| option | default | range | reload | JSON | meaning |\n|---|---|---|---|---|---|\n"
	_, table, ok := strings.Cut(section, head)
	if !ok {
		t.Fatalf("no table of options in %q", section[:min(80, len(section))])
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var rows []documented
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 6 {
			t.Fatalf("%d cells, want 6: %s", len(cells), line)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		row := documented{option: strings.Trim(cells[0], "`"), values: cells[2], reload: cells[3]}
		if span := codeSpan.FindStringSubmatch(cells[1]); span != nil && strings.HasPrefix(cells[1], "`") {
			row.defaults = span[1]
		}
		for _, span := range codeSpan.FindAllStringSubmatch(cells[4], -1) {
			row.fields = append(row.fields, span[1])
		}
		if !regexp.MustCompile(`^(request|room|connection|store)$`).MatchString(row.reload) {
			t.Errorf("%s: reload is %q", row.option, row.reload)
		}
		rows = append(rows, row)
	}
	return rows
}

// jsonFields returns the names in JSON of the fields of a struct, with their indexes.
func jsonFields(structure reflect.Type) map[string]int {
	for structure.Kind() != reflect.Struct {
		structure = structure.Elem()
	}
	fields := make(map[string]int)
	for i := range structure.NumField() {
		if name, _, _ := strings.Cut(structure.Field(i).Tag.Get("json"), ","); name != "" {
			fields[name] = i
		}
	}
	return fields
}

// grammar returns the options of a block in the comment that shows the Caddyfile: the
// first words of the lines between the line that begins with the block's name and its
// closing brace.
func grammar(t *testing.T, block string) []string {
	t.Helper()
	source, err := os.ReadFile("caddyfile.go")
	if err != nil {
		t.Fatal(err)
	}
	redis, err := os.ReadFile("redis_caddyfile.go")
	if err != nil {
		t.Fatal(err)
	}
	begin := regexp.MustCompile(`(?m)^//(\s+)` + regexp.QuoteMeta(block) + `\b.*\{$`)
	text := string(source) + string(redis)
	found := begin.FindAllStringSubmatchIndex(text, -1)
	if found == nil {
		t.Fatalf("no grammar of %s", block)
	}
	at := found[len(found)-1] // redis is shown in brief in caddyfile.go
	indent := text[at[2]:at[3]]
	body, _, ok := strings.Cut(text[at[1]:], "\n//"+indent+"}")
	if !ok {
		t.Fatalf("the grammar of %s has no end", block)
	}
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^//`+indent+`    (\w+)`).FindAllStringSubmatch(body, -1) {
		names = append(names, match[1])
	}
	return names
}

// TestReference compares the tables of docs/configure.md with the grammar of the
// Caddyfile, the fields in JSON, the defaults, and the ranges.
func TestReference(t *testing.T) {
	document := sections(t, configureDocument)
	handler, redis := reflect.TypeFor[ephemeralchat.Handler](), reflect.TypeFor[ephemeralchat.RedisStore]()
	field := func(structure reflect.Type, name string) reflect.Type {
		return structure.Field(jsonFields(structure)[name]).Type
	}
	for _, block := range []struct {
		title, name string
		structure   reflect.Type
		arguments   []string // documented as options
		elsewhere   []string // fields that the text names
	}{
		{"Options", "ephemeral_chat", handler, nil, []string{"path_prefix"}},
		{"The `room` block", "room", field(handler, "rooms"), []string{"<id>", "<name>"}, nil},
		{"Where rooms are stored", "", reflect.TypeFor[ephemeralchat.MemoryStore](), []string{"<name>"}, nil},
		{"The `redis` block", "redis", redis, []string{"<address>"}, nil},
		{"The `sentinel` block", "sentinel", field(redis, "sentinel"), []string{"<master>"}, nil},
		{"The `tls` block", "tls", field(redis, "tls"), nil, nil},
	} {
		t.Run(block.title, func(t *testing.T) {
			section := document[block.title]
			rows := optionsOf(t, section)
			var options, fields []string
			for _, row := range rows {
				options, fields = append(options, row.option), append(fields, row.fields...)
			}
			want := slices.Clone(block.arguments)
			if block.name != "" {
				want = append(want, grammar(t, block.name)...)
			}
			compareNames(t, "options", options, want)
			for _, name := range block.elsewhere {
				if !strings.Contains(section, "`"+name+"`") {
					t.Errorf("%s is not named", name)
				}
				fields = append(fields, name)
			}
			var inCode []string
			for name := range jsonFields(block.structure) {
				inCode = append(inCode, name)
			}
			compareNames(t, "fields", fields, inCode)
		})
	}
}

func compareNames(t *testing.T, what string, documented, inCode []string) {
	t.Helper()
	slices.Sort(documented)
	slices.Sort(inCode)
	if documented, inCode = slices.Compact(documented), slices.Compact(inCode); !slices.Equal(documented, inCode) {
		t.Errorf("the document has the %s\n%q, the code has\n%q", what, documented, inCode)
	}
}

// TestReferenceDefaults parses each documented default and compares it with the value
// that the code fills in.
func TestReferenceDefaults(t *testing.T) {
	defaults := ephemeralchat.WithDefaults()
	fields := jsonFields(reflect.TypeFor[ephemeralchat.Handler]())
	compared := 0
	for _, row := range optionsOf(t, sections(t, configureDocument)["Options"]) {
		if row.option == "store" {
			continue // memory is no value of a field: StoreRaw stays empty
		}
		index := fields[row.fields[0]]
		want := reflect.ValueOf(defaults).Elem().Field(index)
		if row.defaults == "" {
			if !want.IsZero() {
				t.Errorf("%s has the default %v, which is not documented", row.option, want)
			}
			continue
		}
		parsed, err := parseOption("ephemeral_chat", row.option+" "+row.defaults)
		if err != nil {
			t.Errorf("%s %s: %v", row.option, row.defaults, err)
			continue
		}
		if got := reflect.ValueOf(parsed).Elem().Field(index); !reflect.DeepEqual(got.Interface(), want.Interface()) {
			t.Errorf("%s: the documented default %s is %v, the code has %v", row.option, row.defaults, got, want)
		}
		compared++
	}
	if compared < 15 {
		t.Errorf("only %d defaults were compared", compared)
	}
}

// parseOption parses a block that has this line.
func parseOption(block, line string) (*ephemeralchat.Handler, error) {
	h := new(ephemeralchat.Handler)
	return h, h.UnmarshalCaddyfile(caddyfile.NewTestDispenser(block + " {\n" + line + "\n}\n"))
}

// bounds are a documented range: two values of an option, and two values beyond them.
type bounds struct{ low, high, below, above string }

var rangePattern = regexp.MustCompile(`^(\S+) – (\S+?)(?:,? .*)?$`)

// boundsOf reads a range such as "1 – 1000", "1s – 1h" or "1B – 1MiB".
func boundsOf(t *testing.T, text string) bounds {
	t.Helper()
	match := rangePattern.FindStringSubmatch(text)
	if match == nil {
		t.Fatalf("%q is no range", text)
	}
	low, high := match[1], strings.TrimSuffix(match[2], ",")
	if from, err := strconv.Atoi(low); err == nil {
		to, err := strconv.Atoi(high)
		if err != nil {
			t.Fatal(err)
		}
		return bounds{low, high, strconv.Itoa(from - 1), strconv.Itoa(to + 1)}
	}
	if from, err := humanize.ParseBytes(low); err == nil {
		to, err := humanize.ParseBytes(high)
		if err != nil {
			t.Fatal(err)
		}
		return bounds{low, high, fmt.Sprint(from - 1), fmt.Sprint(to + 1)}
	}
	from, err := caddy.ParseDuration(low)
	if err != nil {
		t.Fatal(err)
	}
	to, err := caddy.ParseDuration(high)
	if err != nil {
		t.Fatal(err)
	}
	unit := time.Microsecond
	if strings.Contains(text, "whole seconds") {
		unit = time.Second
	}
	return bounds{low, high, (from - unit).String(), (to + unit).String()}
}

// TestReferenceRanges gives each option the first and the last value of its documented
// range, and one beyond either.
func TestReferenceRanges(t *testing.T) {
	document := sections(t, configureDocument)
	try := func(t *testing.T, line string, valid bool) {
		t.Helper()
		if _, err := parseOption("ephemeral_chat", line); (err == nil) != valid {
			t.Errorf("%q: %v, want it to be valid: %t", line, err, valid)
		}
	}
	check := func(t *testing.T, text string, line func(value string) string) {
		t.Helper()
		b := boundsOf(t, text)
		try(t, line(b.low), true)
		try(t, line(b.high), true)
		try(t, line(b.below), false)
		try(t, line(b.above), false)
	}
	tried := 0
	for _, row := range optionsOf(t, document["Options"]) {
		if !strings.Contains(row.values, "–") {
			continue
		}
		tried++
		t.Run(row.option, func(t *testing.T) {
			counts, windows, isRate := strings.Cut(row.values, " in ")
			switch {
			case isRate:
				check(t, counts, func(value string) string { return row.option + " " + value + " 1s" })
				check(t, windows, func(value string) string { return row.option + " 1 " + value })
			case row.option == "ttl":
				check(t, row.values, func(value string) string { return "max_ttl 87600h\nttl " + value })
			default:
				check(t, row.values, func(value string) string { return row.option + " " + value })
			}
			off := strings.HasSuffix(row.values, ", or off")
			try(t, row.option+" off", off)
			if strings.HasSuffix(row.values, "whole seconds") {
				try(t, "max_ttl 87600h\n"+row.option+" 1500ms", false)
			}
		})
	}
	if tried < 15 {
		t.Errorf("only %d ranges were tried", tried)
	}
	for _, row := range optionsOf(t, document["The `room` block"]) {
		t.Run("room "+row.option, func(t *testing.T) {
			switch row.option {
			case "ttl":
				check(t, row.values, func(value string) string {
					return "max_ttl 87600h\nroom a A {\nttl " + value + "\n}"
				})
				return
			case "<id>", "<name>", "password", "admin_password":
			default:
				t.Fatal("its range is not tried")
			}
			check(t, row.values, func(value string) string {
				count, err := strconv.Atoi(value)
				if err != nil {
					t.Fatal(err)
				}
				text := `"` + strings.Repeat("x", count) + `"`
				switch row.option {
				case "<id>":
					return "room " + text + " Name"
				case "<name>":
					return "room id " + text
				default:
					return "room id Name {\n" + row.option + " " + text + "\n}"
				}
			})
		})
	}
}

// TestJSONExample compares the JSON of docs/configure.md with its Caddyfile. With
// -update it is written.
func TestJSONExample(t *testing.T) {
	section := sections(t, configureDocument)["JSON"]
	_, example, found := strings.Cut(section, "```caddyfile\n")
	example, rest, closed := strings.Cut(example, "```")
	_, want, hasJSON := strings.Cut(rest, "```json\n")
	want, _, ended := strings.Cut(want, "```")
	if !found || !closed || !hasJSON || !ended {
		t.Fatal("no Caddyfile with JSON")
	}
	config, _, err := adapt(example)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, config, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	if got.String() == want {
		return
	}
	if !*update {
		t.Fatalf("the Caddyfile stands for\n%s; go test -run TestJSONExample -update . writes it", got.String())
	}
	text, err := os.ReadFile(configureDocument)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("```json\n"+want+"```"), []byte("```json\n"+got.String()+"```"), 1)
	if err := os.WriteFile(configureDocument, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
