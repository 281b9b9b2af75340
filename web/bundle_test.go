package web_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/web"
)

// bundle puts sources together, of which one is called main.js.
func bundle(sources map[string]string) (string, error) {
	return web.Bundle("main.js", func(file string) (string, error) {
		source, ok := sources[file]
		if !ok {
			return "", fmt.Errorf("no %s", file)
		}
		return source, nil
	})
}

func TestBundle(t *testing.T) {
	got, err := bundle(map[string]string{
		"main.js": `// What this is.
import { a, b as c } from './left.js'
import './right.js'
import {
  d,
} from './left.js';

/**
 * A comment.
 */
export function main() {
  // Another one.
  return a + c + d // kept
}
export { d as e }
export { f } from './right.js'
`,
		"left.js":  "import { f } from './right.js'\nexport const a = /** @type {import('./x.js').X} */ (f), g = 1\nexport class b {}\nexport async function d() {}\n",
		"right.js": "const /* here */ f = 2\nexport { f }\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `const $right_js=(()=>{
const /* here */ f = 2
return{f:f,}})();
const $left_js=(()=>{const{f:f}=$right_js;
const a = (f), g = 1
class b {}
async function d() {}
return{a:a,b:b,d:d,}})();
const $main_js=(()=>{const{a:a,b:c}=$left_js;const{d:d}=$left_js;
function main() {
  return a + c + d // kept
}
return{f:$right_js.f,main:main,e:d,}})();
const{main:main,e:e,f:f}=$main_js;
export{main,e,f};
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestNotBundled is of what the forms that are known do not cover: it must be
// refused rather than come out wrong.
func TestNotBundled(t *testing.T) {
	for name, test := range map[string]struct{ source, want string }{
		"default export":   {"export default 1\n", "cannot be bundled: export default 1"},
		"variable":         {"export let a = 1\n", "cannot be bundled: export let a"},
		"pattern":          {"export const { a } = b\n", "cannot be bundled: export const { a }"},
		"everything":       {"export * from './a.js'\n", "cannot be bundled: export * from"},
		"namespace":        {"import * as a from './a.js'\n", "cannot be bundled: import * as"},
		"default import":   {"import a from './a.js'\n", "cannot be bundled: import a"},
		"string name":      {"import { 'a b' as c } from './a.js'\n", "cannot be bundled: \"'a b' as c\""},
		"dynamic":          {"async function a() { await import('./a.js') }\n", "cannot be bundled: import("},
		"other directory":  {"import { a } from '../a.js'\n", "cannot be bundled: import { a }"},
		"other site":       {"import { a } from 'https://example.com/a.js'\n", "cannot be bundled: import { a }"},
		"name of a module": {"const $a_js = 1\n", "cannot be bundled: $a_js"},
		"missing":          {"import { b } from './b.js'\n", "no b.js"},
		"cycle":            {"import { a } from './a.js'\n", "a.js and main.js import each other"},
		"itself":           {"import { a } from './main.js'\n", "main.js and main.js import each other"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := bundle(map[string]string{"main.js": test.source, "a.js": "import { x } from './main.js'\nexport const a = x\n"})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q; bundle:\n%s", err, test.want, got)
			}
		})
	}
}

// TestSources bundles every source by itself, so that one that is not imported
// yet is found fault with as well.
func TestSources(t *testing.T) {
	files, err := filepath.Glob("*.js")
	if err != nil || len(files) == 0 {
		t.Fatal("no sources", err)
	}
	for _, file := range files {
		if _, err := web.Bundle(file, func(file string) (string, error) {
			content, err := os.ReadFile(file)
			return string(content), err
		}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
