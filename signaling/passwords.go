package signaling

import (
	_ "embed" // the list of common passwords
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

// Code points of a password.
const (
	minPassword = 8
	maxPassword = 128
	// fewRunes are too few different ones to be more than a pattern.
	fewRunes = 4
)

// commonPasswords are the 8000 most used ones of 8 characters and more, in lower case and sorted, one a line
// (counted in leaked lists by the zxcvbn project, MIT licence).
//
//go:embed common_passwords.txt
var commonPasswords string

// preparePassword brings a password into the form that is hashed (OpaqueString of RFC 8265 section 4.2), so that the
// same keys pressed on another system are the same password. It is false for what is none.
func preparePassword(given string) (string, bool) {
	if len(given) > maxPassword*utf8.UTFMax || !utf8.ValidString(given) {
		return "", false
	}
	prepared, err := precis.OpaqueString.String(given)
	if err != nil || !short(prepared, maxPassword) {
		return "", false
	}
	return prepared, true
}

// newPassword prepares a password that somebody chooses, and refuses one that is easily guessed. names are what it
// must not be: the user name and the name shown.
func newPassword(given string, names ...string) (string, *failure) {
	prepared, ok := preparePassword(given)
	if !ok || utf8.RuneCountInString(prepared) < minPassword {
		return "", badPassword(fmt.Sprintf("A password has %d to %d characters.", minPassword, maxPassword))
	}
	plain := strings.ToLower(norm.NFKC.String(prepared))
	switch {
	case isPattern(plain), strings.Contains("\n"+commonPasswords, "\n"+plain+"\n"):
		return "", badPassword("This password is among the first that anybody would try. Choose another.")
	case isName(plain, names):
		return "", badPassword("A password cannot be your name. Choose another.")
	}
	return prepared, nil
}

// isPattern says if a password is one run of neighbours ("abcdefgh", "98765432"), or of so few characters that it
// repeats itself.
func isPattern(plain string) bool {
	seen := map[rune]bool{}
	up, down := true, true
	var last rune = -1
	for _, r := range plain {
		seen[r] = true
		if last >= 0 {
			// A row of digits goes on after 9.
			up = up && (r == last+1 || last == '9' && r == '0')
			down = down && (r == last-1 || last == '0' && r == '9')
		}
		last = r
	}
	return len(seen) < fewRunes || up || down
}

// isName says if nothing is left of a password when names, and what people add to them, are taken away.
func isName(plain string, names []string) bool {
	for _, name := range names {
		name = strings.ToLower(norm.NFKC.String(name))
		if utf8.RuneCountInString(name) < minUsername {
			continue
		}
		rest := strings.ReplaceAll(plain, name, "")
		if rest != plain && strings.IndexFunc(rest, unicode.IsLetter) < 0 && utf8.RuneCountInString(rest) <= 4 {
			return true
		}
	}
	return false
}
