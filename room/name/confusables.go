package name

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// confusables maps each letter to the one that it is drawn like, or nearly. The
// table is a selection of Unicode's confusables (UTS #39): the scripts with common
// keyboards, and the phonetic extensions of Latin.
var confusables = func() map[rune]string {
	table := make(map[rune]string)
	for _, row := range []struct{ letter, confusable string }{
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
		// Greek capitals that resemble another letter than their lower case does.
		{"h", "Η"},
		{"n", "Ν"},
		{"y", "Υ"},
		{"rn", "Μ"},
	} {
		for _, r := range row.confusable {
			table[r] = row.letter
		}
	}
	return table
}()

// reserved has the skeletons of names that claim to speak for the room or its
// server, reduced to letters and digits.
var reserved = func() map[string]bool {
	skeletons := make(map[string]bool)
	for _, name := range []string{"admin", "administrator", "moderator", "server", "system"} {
		skeletons[Skeleton(name)] = true
	}
	return skeletons
}()

// IsReserved reports whether a name claims to speak for the room, which only an
// admin may.
func IsReserved(name string) bool {
	return reserved[strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, Skeleton(name))]
}

// Skeleton returns the same string for names that people confuse at a glance (UTS
// #39): names that differ only in case, in invisible characters, in compatibility
// forms (UAX #15), or in confusable letters. A skeleton is for comparison only; the
// skeleton of a skeleton is itself.
func Skeleton(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(name) {
		if isInvisible(r) {
			continue
		}
		if letter, ok := confusables[r]; ok {
			b.WriteString(letter)
			continue
		}
		r = unicode.ToLower(r)
		if letter, ok := confusables[r]; ok {
			b.WriteString(letter)
		} else {
			b.WriteRune(r)
		}
	}
	// Lower-casing may produce decomposable characters again.
	return norm.NFKD.String(b.String())
}
