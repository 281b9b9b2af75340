package name

import (
	"fmt"
	"strings"
	"unicode"
)

const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
	textStyle          = '\ufe0e' // variation selectors: show a symbol as text,
	emojiStyle         = '\ufe0f' // or as an emoji
)

// invisible are the characters that render as nothing: those with the property
// Default_Ignorable_Code_Point (Unicode Standard, section 5.21), format characters
// among them, and two symbols without ink.
var invisible = []*unicode.RangeTable{
	unicode.Cf,
	unicode.Other_Default_Ignorable_Code_Point,
	unicode.Variation_Selector,
	{
		R16: []unicode.Range16{{Lo: 0x2800, Hi: 0x2800, Stride: 1}},   // Braille pattern blank
		R32: []unicode.Range32{{Lo: 0x1d159, Hi: 0x1d159, Stride: 1}}, // musical symbol null notehead
	},
}

// joining are the scripts in which joiners change the shape of letters.
var joining = []*unicode.RangeTable{
	unicode.Adlam, unicode.Arabic, unicode.Bengali, unicode.Devanagari, unicode.Gujarati, unicode.Gurmukhi,
	unicode.Hanifi_Rohingya, unicode.Kannada, unicode.Khmer, unicode.Malayalam, unicode.Mandaic, unicode.Mongolian,
	unicode.Myanmar, unicode.Nko, unicode.Oriya, unicode.Phags_Pa, unicode.Sinhala, unicode.Syriac, unicode.Tamil,
	unicode.Telugu, unicode.Tibetan,
}

// isInvisible reports whether a character renders as nothing, or only changes the
// shape or direction of others.
func isInvisible(r rune) bool { return unicode.In(r, invisible...) }

func isSpace(r rune) bool { return unicode.Is(unicode.Zs, r) }

// isDisallowed reports whether a character separates lines, is for private use, or
// is a noncharacter. Unassigned characters are allowed: next year's emoji.
func isDisallowed(r rune) bool {
	return unicode.In(r, unicode.Zl, unicode.Zp, unicode.Co) || unicode.Is(unicode.Noncharacter_Code_Point, r)
}

// withoutInvisible removes invisible characters, except joiners that a language or
// an emoji needs, and the style selectors of symbols.
func withoutInvisible(s string) string {
	if !strings.ContainsFunc(s, isInvisible) {
		return s
	}
	runes := []rune(s)
	kept := make([]rune, 0, len(runes))
	for i, r := range runes {
		if isInvisible(r) {
			var before, after rune
			if len(kept) > 0 {
				before = kept[len(kept)-1]
			}
			if i+1 < len(runes) {
				after = runes[i+1]
			}
			if !isVisibleBetween(before, r, after) {
				continue
			}
		}
		kept = append(kept, r)
	}
	return string(kept)
}

// isVisibleBetween reports whether an invisible character changes the meaning of
// its neighbors.
func isVisibleBetween(before, r, after rune) bool {
	switch r {
	case zeroWidthJoiner:
		return (isSymbol(before) || before == emojiStyle) && isSymbol(after) ||
			unicode.In(before, joining...) && (unicode.In(after, joining...) || after == 0)
	case zeroWidthNonJoiner:
		return unicode.In(before, joining...) && unicode.In(after, joining...)
	case textStyle, emojiStyle:
		const keycap = '\u20e3'
		return isSymbol(before) || after == keycap
	default:
		return false
	}
}

// isSymbol reports whether a character may be an emoji or a skin tone.
func isSymbol(r rune) bool { return unicode.In(r, unicode.So, unicode.Sk) && !isInvisible(r) }

// checkMarks fails if a name begins with a combining mark, which would attach to
// the text before the name, or has more than maxMarks in a row.
func checkMarks(field, s string) error {
	marks := maxMarks // none may come first
	for _, r := range s {
		if !unicode.In(r, unicode.Mn, unicode.Me) || isInvisible(r) {
			marks = 0
			continue
		}
		if marks++; marks > maxMarks {
			return fmt.Errorf("%s has too many marks on one character, or begins with one", field)
		}
	}
	return nil
}
