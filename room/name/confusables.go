package name

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// confusables maps each letter to the one that it is drawn like, or nearly. The
// table is a selection of Unicode's confusables (UTS #39): the scripts with common
// keyboards, and the phonetic extensions of Latin. It has the Greek capitals that
// resemble another letter than their lower case does.
var confusables = func() map[rune]string {
	table := make(map[rune]string)
	for letter, likes := range map[string]string{
		"a":  "аαɑᴀꭺ",
		"b":  "вьβʙᏼ",
		"c":  "сϲᴄꮯ",
		"d":  "ԁᴅꭰ",
		"e":  "еεᴇꭼ",
		"f":  "ғϝꜰ",
		"g":  "ɡցԍɢꮐ",
		"h":  "нһհʜꮋΗ",
		"j":  "јϳյᴊꭻ",
		"k":  "кκĸᴋꮶ",
		"l":  "i1|ıіιӏɩɪʟꭵꮮǀ",
		"n":  "пηոɴΝ",
		"o":  "0оοσօᴏ",
		"p":  "рρᴘꮲ",
		"q":  "ԛզ",
		"r":  "гʀꮢ",
		"rn": "mмᴍꮇΜ",
		"s":  "ѕꜱꮪ",
		"t":  "тτᴛꭲ",
		"u":  "υսʋᴜ",
		"v":  "νѵᴠꮩ",
		"vv": "wԝωѡᴡꮃ",
		"x":  "хχ",
		"y":  "уүγʏΥ",
		"z":  "ζᴢꮓ",
		"3":  "зʒӡ",
		"6":  "б",
		"-":  "‐‑‒–—―−˗",
		"'":  "’‘ʼʹ′`´",
	} {
		for _, r := range likes {
			table[r] = letter
		}
	}
	return table
}()

// reserved has the skeletons of names that claim to speak for the room or its
// server, reduced to letters and digits.
var reserved = []string{
	Skeleton("admin"), Skeleton("administrator"), Skeleton("moderator"), Skeleton("server"), Skeleton("system"),
}

// IsReserved reports whether a name claims to speak for the room, which only an
// admin may.
func IsReserved(name string) bool {
	return slices.Contains(reserved, strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, Skeleton(name)))
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
