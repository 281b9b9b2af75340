package name_test

import (
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/room/name"
)

// TestSkeleton checks which names are confusable.
func TestSkeleton(t *testing.T) {
	for _, names := range [][]string{
		{"anna", "Anna", "ANNA", "\u0430nna", "\uff41nna", "\u1d00\u0274\u0274\u1d00", "𝓪𝓷𝓷𝓪", "an\u200dna", "ann\u03b1"},
		{"paypal", "PayPaI", "paypa1", "\u0440\u0430\u0443\u0440\u0430\u04cf", "PAYPAL", "paypa|"},
		{"Hans", "\u041d\u0430ns", "\u0397ans"}, // en of Cyrillic, eta of Greek
		{"bob", "b0b", "\u0412ob", "BOB"},
		{"modern", "rnodern", "MODERN", "m\u043edern"},
		{"vivian", "\u03bdivian", "vivlan"},
		{"will", "vvi11"},
		{"anna-b", "anna\u2010b", "anna\u2013b", "anna\u2014b"},
		{"Вера", "вера", "Bepa"},
		{"می\u200cخواهم", "میخواهم"},
		{"한", "\u1112\u1161\u11ab"},
	} {
		for _, other := range names[1:] {
			if name.Skeleton(other) != name.Skeleton(names[0]) {
				t.Errorf("the skeleton of %q is %q, that of %q is %q", other, name.Skeleton(other), names[0], name.Skeleton(names[0]))
			}
		}
	}
	distinct := []string{
		"anna", "ann", "annä", "hanna", "anna b", "anna2", "bob", "bobby", "René", "Rene", "Вера", "Иван", "Νίκος", "田中", "田", "한", "ann-a", "", "🦊", "🐺",
	}
	for i, a := range distinct {
		for _, b := range distinct[:i] {
			if name.Skeleton(a) == name.Skeleton(b) {
				t.Errorf("%q and %q look alike", a, b)
			}
		}
	}
}

// TestSignedIn checks that a site's name for a user is kept byte for byte, but for
// spaces around it, or refused: a changed name could be another user's.
func TestSignedIn(t *testing.T) {
	for input, want := range map[string]string{
		"anna": "anna", "Admin": "Admin", " anna@example.com ": "anna@example.com", "Rene\u0301": "Rene\u0301", "Ren\u00e9": "Ren\u00e9", "\u212belvin": "\u212belvin",
		"an\u200bna": "", "anna\u202e": "", "anna  b": "", "anna\u00a0b": "", "\u3164": "", "a\nb": "", "": "",
	} {
		got, err := name.SignedIn(input)
		if want == "" && err == nil || want != "" && (err != nil || got != want) {
			t.Errorf("%q became %q, %v; want %q", input, got, err, want)
		}
	}
}
