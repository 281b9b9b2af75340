package room_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

// TestSecretsAreComparedInConstantTime reads the source: the time differences are
// too small for a test to measure, but not for a patient attacker.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	for _, secret := range []struct{ file, function, compare string }{
		{"session.go", "VerifySession", "hmac.Equal"},
		{"password.go", "checkPassword", "subtle.ConstantTimeCompare"},
	} {
		file, err := parser.ParseFile(token.NewFileSet(), secret.file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		var calls []string
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || function.Name.Name != secret.function {
				continue
			}
			ast.Inspect(function, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if selector, ok := call.Fun.(*ast.SelectorExpr); ok {
						if of, ok := selector.X.(*ast.Ident); ok {
							calls = append(calls, of.Name+"."+selector.Sel.Name)
						}
					}
				}
				return true
			})
		}
		if n := len(slices.DeleteFunc(slices.Clone(calls), func(call string) bool { return call != secret.compare })); n != 1 {
			t.Errorf("%s of %s calls %s %d times: %v", secret.function, secret.file, secret.compare, n, calls)
		}
	}
}
