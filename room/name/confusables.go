package name

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// confusables are letters that are drawn, or nearly, like the one in front of them:
// what an attacker replaces in a name. They are a selection of Unicode's
// confusables (UTS #39), of the scripts that people have keyboards for and of the
// letters that phoneticians have added to Latin.
var confusables = func() map[rune]string {
	table := make(map[rune]string)
	for _, row := range []struct{ letter, alike string }{
		{"a", "аαɑᴀꭺ"},
		{"b", "вьβʙᏼ"},
		{"c", "сϲᴄꮯ"},
		{"d", "ԁᴅꭰ"},
		{"e", "еεᴇꭼ"},
		{"f", "ғϝꜰ"},
		{"g", "ɡցԍɢꮐ"},
		{"h", "нһհʜꮋ"},
		{"j", "јϳյᴊꭻ"},
		{"k", "кκĸᴋꮶ"},
		{"l", "i1|ıіιӏɩɪʟꭵꮮǀ"},
		{"n", "пηոɴ"},
		{"o", "0оοσօᴏ"},
		{"p", "рρᴘꮲ"},
		{"q", "ԛզ"},
		{"r", "гʀꮢ"},
		{"rn", "mмᴍꮇ"},
		{"s", "ѕꜱꮪ"},
		{"t", "тτᴛꭲ"},
		{"u", "υսʋᴜ"},
		{"v", "νѵᴠꮩ"},
		{"vv", "wԝωѡᴡꮃ"},
		{"x", "хχ"},
		{"y", "уүγʏ"},
		{"z", "ζᴢꮓ"},
		{"3", "зʒӡ"},
		{"6", "б"},
		{"-", "‐‑‒–—―−˗"},
		{"'", "’‘ʼʹ′`´"},
		// Greek capitals that are drawn like another letter than their small ones.
		{"h", "Η"},
		{"n", "Ν"},
		{"y", "Υ"},
		{"rn", "Μ"},
	} {
		for _, r := range row.alike {
			table[r] = row.letter
		}
	}
	return table
}()

// reserved are the looks of names that speak for the room or its server, without all
// but their letters and digits.
var reserved = func() map[string]bool {
	looks := make(map[string]bool)
	for _, name := range []string{"admin", "administrator", "moderator", "server", "system"} {
		looks[Skeleton(name)] = true
	}
	return looks
}()

// IsReserved reports whether a name claims what only an admin may: to speak for the
// room.
func IsReserved(name string) bool {
	return reserved[strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, Skeleton(name))]
}

// Skeleton returns what is the same for names that cannot be told apart at a glance:
// such as differ in case, in characters that are not seen, in the form of their
// characters (compatibility equivalence, Unicode Standard Annex #15), or in letters
// that are drawn alike. A look is for comparison only, and is its own look.
func Skeleton(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(name) {
		if isInvisible(r) {
			continue
		}
		if alike, ok := confusables[r]; ok {
			b.WriteString(alike)
			continue
		}
		r = unicode.ToLower(r)
		if alike, ok := confusables[r]; ok {
			b.WriteString(alike)
		} else {
			b.WriteRune(r)
		}
	}
	// Lower case may be written by several characters again.
	return norm.NFKD.String(b.String())
}
