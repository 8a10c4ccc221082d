package signaling

import (
	_ "embed" // the table of look-alikes
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

// Runes of a user name.
const (
	minUsername = 3
	maxUsername = 20
)

// separators are the only characters of a user name beside letters, marks and digits.
const separators = "._-"

// username is a user name in the three forms in which it is kept.
type username struct {
	typed    string // as its owner writes it
	folded   string // what makes it unique, and what logging in goes by
	skeleton string // the same for all names that look alike
}

// parseUsername checks a user name for signing up: 3 to 20 letters and digits of one script, with single separators
// between them (RFC 8265 section 3.3 for what a letter is and how case is folded).
func parseUsername(given string) (username, *failure) {
	given = strings.Trim(given, " ")            // which keyboards add
	if len(given) > 4*utf8.UTFMax*maxUsername { // nothing so long folds to 20
		return username{}, badUsername("A user name has 3 to 20 characters.")
	}
	typed, err := precis.UsernameCasePreserved.String(given)
	if err != nil {
		return username{}, badUsername("A user name has only letters, digits, dots, dashes and underscores.")
	}
	folded, err := precis.UsernameCaseMapped.String(given)
	if err != nil {
		return username{}, badUsername("A user name has only letters, digits, dots, dashes and underscores.")
	}
	if n := utf8.RuneCountInString(folded); n < minUsername || n > maxUsername || !short(typed, maxUsername) {
		return username{}, badUsername("A user name has 3 to 20 characters.")
	}
	if fail := checkShape(folded); fail != nil {
		return username{}, fail
	}
	if !oneScript(folded) {
		return username{}, badUsername("A user name cannot mix letters of several alphabets.")
	}
	name := username{typed: typed, folded: folded, skeleton: skeleton(typed)}
	if reserved()[bare(name.skeleton)] || reserved()[bare(skeleton(folded))] {
		return username{}, badUsername("This user name is not to be had.")
	}
	return name, nil
}

// FoldUsername is a user name as logging in looks for it, whatever its case and width, or "" for what can be nobody's.
func FoldUsername(given string) string {
	if len(given) > 4*utf8.UTFMax*maxUsername {
		return ""
	}
	folded, err := precis.UsernameCaseMapped.String(strings.Trim(given, " "))
	if err != nil || !short(folded, maxUsername) {
		return ""
	}
	return folded
}

// checkShape lets letters and digits through, marks that belong to a letter, and single separators inside.
func checkShape(folded string) *failure {
	last, marks, letters := '-', 0, 0
	for _, r := range folded {
		switch {
		case unicode.IsLetter(r):
			letters, marks = letters+1, 0
		case unicode.IsDigit(r):
			marks = 0
		case unicode.IsMark(r) && last != '-' && marks < 2: // more are towers of accents
			marks++
		case strings.ContainsRune(separators, r) && last != '-':
			last = '-'
			continue
		case strings.ContainsRune(separators, r):
			return badUsername("A user name cannot begin with a dot, dash or underscore, nor have two in a row.")
		default:
			return badUsername("A user name has only letters, digits, dots, dashes and underscores.")
		}
		last = r
	}
	switch {
	case last == '-':
		return badUsername("A user name cannot end with a dot, dash or underscore.")
	case letters == 0:
		return badUsername("A user name has a letter in it.")
	}
	return nil
}

// scriptSets are the scripts that one language writes together (UTS #39 section 5.1).
var scriptSets = map[string]string{
	"Hiragana": "Han", "Katakana": "Han", "Bopomofo": "Han", "Hangul": "Han",
}

// oneScript says if all letters are of one script, or of those that are written together with Han: kana among
// themselves, but not kana and Hangul.
func oneScript(name string) bool {
	has := map[string]bool{}
	for _, r := range name {
		if script := scriptOf(r); script != "" {
			has[script] = true
		}
	}
	if len(has) < 2 {
		return true
	}
	kana := has["Hiragana"] || has["Katakana"]
	others := 0
	for script := range has {
		if scriptSets[script] == "" && script != "Han" {
			return false
		}
		if script == "Bopomofo" || script == "Hangul" {
			others++
		}
	}
	return others == 0 || others == 1 && !kana
}

// scriptOf names the script of a character, or "" for one that all scripts share.
func scriptOf(r rune) string {
	switch {
	case r < utf8.RuneSelf && unicode.IsLetter(r):
		return "Latin"
	case r < utf8.RuneSelf, unicode.In(r, unicode.Common, unicode.Inherited):
		return ""
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return "unknown"
}

//go:embed confusables.txt
var confusablesText string

// lookAlikes says how to read each character that looks like another.
var lookAlikes = sync.OnceValue(func() map[rune]string {
	table := map[rune]string{'w': "vv"} // not in Unicode's, since it does not look at runs of characters
	for line := range strings.Lines(confusablesText) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(line, "#") {
			continue
		}
		var read strings.Builder
		for code := range strings.SplitSeq(fields[0], "+") {
			read.WriteRune(codePoint(code))
		}
		for _, code := range fields[1:] {
			table[codePoint(code)] = read.String()
		}
	}
	return table
})

// codePoint reads a hexadecimal one of the embedded table, which a test has checked.
func codePoint(code string) rune {
	n, err := strconv.ParseUint(code, 16, 21)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}

// skeleton is the same for all names that look alike, as in UTS #39 section 4, with case folded and the separators read
// as one. It is for comparing and not for showing.
func skeleton(name string) string {
	for range 4 { // lower case may look like something else in turn; twice is enough for all there are
		next := strings.Map(func(r rune) rune {
			if strings.ContainsRune(separators, r) {
				return '-'
			}
			return unicode.ToLower(r)
		}, readAlike(norm.NFD.String(name)))
		if next = norm.NFD.String(next); next == name {
			break
		}
		name = next
	}
	return name
}

func readAlike(name string) string {
	var b strings.Builder
	for _, r := range name {
		if read, ok := lookAlikes()[r]; ok {
			b.WriteString(read)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// bare is a skeleton without its separators.
func bare(skeleton string) string { return strings.ReplaceAll(skeleton, "-", "") }

// reservedNames would be taken for the people who run the server, or for a part of the program.
const reservedNames = `
abuse account accounts admin administrator admins all anonymous api bot everybody everyone friend friends guest guests
help helpdesk here host hostmaster info mail me mod moderation moderator moderators mods myself nobody noreply null
official operator owner partner postmaster privacy root security server service session sessions smalltalk somebody
staff stranger superuser support sysadmin system team undefined unknown user username users webmaster www you yourself`

// reserved holds the skeletons of the reserved names, in lower and in upper case.
var reserved = sync.OnceValue(func() map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(reservedNames) {
		set[skeleton(name)] = true
		set[skeleton(strings.ToUpper(name))] = true
	}
	return set
})
