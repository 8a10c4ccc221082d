package signaling

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"smalltalk/store"
)

func TestFold(t *testing.T) {
	tests := map[string]struct {
		words string
		want  store.Category // empty: no topic
	}{
		"plain":              {"chess", "chess"},
		"capitals":           {"CHESS", "chess"},
		"spaces":             {"  board \t\n games ", "board games"},
		"other spaces":       {"board\u00a0\u2003games\u3000", "board games"},
		"sharp s":            {"Straße", "strasse"},
		"capital sharp s":    {"STRAẞE", "strasse"},
		"final sigma":        {"ΧΑΟΣ", "χαοσ"},
		"final sigma, small": {"χαος", "χαοσ"},
		"dotted I":           {"İ", "i\u0307"},
		"composed":           {"café", "café"},
		"decomposed":         {"cafe\u0301", "café"},
		"ligature":           {"\ufb01sh", "fish"},
		"full width":         {"ＣＨＥＳＳ", "chess"},
		"half width":         {"ﾁｪｽ", "チェス"},
		"circled":            {"①", "1"},
		"Cherokee":           {"\uab70", "\u13a0"},
		"Cherokee, capital":  {"\u13a0", "\u13a0"},
		"iota below":         {"\u1f80", "\u1f00\u03b9"},
		"emoji":              {"🎲", "🎲"},
		"heart in colour":    {"❤\ufe0f", "❤"},
		"Chinese":            {"国际象棋", "国际象棋"},
		"Arabic":             {"شطرنج", "شطرنج"},
		"marks":              {"हिन्दी", "हिन्दी"},
		"signs":              {"c++ & <b>", "c++ & <b>"},
		"longest":            {strings.Repeat("x", 64), store.Category(strings.Repeat("x", 64))},
		"longest, trimmed":   {" " + strings.Repeat("x", 64) + " ", store.Category(strings.Repeat("x", 64))},
		"nothing":            {"", ""},
		"only spaces":        {" \u00a0\t", ""},
		"too long":           {strings.Repeat("x", 65), ""},
		"too long in bytes":  {strings.Repeat("ä", 33), ""},
		"too long as a form": {strings.Repeat("\ufdfa", 4), ""},
		"control":            {"a\u0000b", ""},
		"escape":             {"\u001b[31mred", ""},
		"delete":             {"a\u007fb", ""},
		"C1":                 {"a\u009bb", ""},
		"bidi override":      {"a\u202eb", ""},
		"bidi isolate":       {"a\u2066b\u2069", ""},
		"bidi mark":          {"a\u200fb", ""},
		"Arabic letter mark": {"a\u061cb", ""},
		"zero width space":   {"a\u200bb", ""},
		"zero width joiner":  {"a\u200db", ""},
		"byte order mark":    {"\ufeffa", ""},
		"soft hyphen":        {"a\u00adb", ""},
		"tag":                {"a\U000e0061", ""},
		"private use":        {"\ue000", ""},
		"not a character":    {"a\uffff", ""},
		"unassigned":         {"a\U000e1234", ""},
		"replacement":        {"a\ufffd", ""},
		"broken":             {"a\xff", ""},
		"surrogate":          {"a\xed\xa0\x80", ""},
		"Hangul filler":      {"\u3164", ""},
		"blank Braille":      {"\u2800", ""},
		"only an accent":     {"\u0301", ""},
	}
	for name, tc := range tests {
		got, ok := fold(tc.words)
		if got, want := got, tc.want; ok != (want != "") || ok && got != want {
			t.Errorf("%s: %+q, %v, want %+q", name, got, ok, want)
		}
	}
}

func TestVocabulary(t *testing.T) {
	listed := []Topic{{ID: "gaming", Name: "Gaming"}, {ID: "movies-tv", Name: "Movies & TV"}, {ID: "Old"}}
	tests := map[string]struct {
		words  string
		closed store.Category // without free topics
		free   store.Category
	}{
		"ID":              {"gaming", "gaming", "gaming"},
		"ID in capitals":  {"GAMING", "gaming", "gaming"},
		"name":            {" movies  &  tv", "movies-tv", "movies-tv"},
		"ID with capital": {"Old", "Old", "Old"},
		"its form":        {"old", "Old", "Old"},
		"another":         {"Chess", "", "chess"},
		"any":             {"Any", "", ""},
		"none":            {"\u200b", "", ""},
	}
	for name, tc := range tests {
		for free, want := range map[bool]store.Category{false: tc.closed, true: tc.free} {
			got, ok := newVocabulary(listed, free).topic(tc.words)
			if ok != (want != "") || ok && got != want {
				t.Errorf("%s, free %v: %q %v, want %q", name, free, got, ok, want)
			}
		}
	}
}

// TestFoldEveryCharacter has one form for each character that shows: that of its own form, and of its capital and small one.
func TestFoldEveryCharacter(t *testing.T) {
	for r := rune(' '); r <= unicode.MaxRune; r++ {
		form, ok := fold(string(r))
		if !ok {
			if unicode.IsLetter(r) && !unicode.In(r, invisible...) && strings.ContainsFunc(norm.NFKC.String(string(r)), showsByItself) {
				t.Errorf("%U %q has no form", r, r)
			}
			continue
		}
		if again, ok := fold(string(form)); !ok || again != form {
			t.Errorf("%U %q has the form %+q, and that %+q", r, r, form, again)
		}
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if its, _ := fold(string(other)); its != form {
				t.Errorf("%U %q has the form %+q, its %U %q %+q", r, r, form, other, other, its)
			}
		}
	}
}

// FuzzFold throws words of strangers at the folding. Whatever comes out keeps the rules, and says the same again.
func FuzzFold(f *testing.F) {
	for _, words := range []string{
		"chess", "  Board  Games ", "Straße", "İstanbul", "\u0345\u0301", "\u1fb3\u0313", "ﬃ", "\ufdfa", "ǆ", "ΐ", "a\u202eb", "❤\ufe0f",
		"\u1e9e\u0323", "\u3131\u1161", "\u0f73\u0f71", "\U0001d400", "\ufe0e", "\u00b4", "\u2126", "ㅤ", "\xff",
	} {
		f.Add(words)
	}
	f.Fuzz(func(t *testing.T, words string) {
		form, ok := fold(words)
		if !ok {
			return
		}
		text := string(form)
		if len(text) < 1 || len(text) > maxTopic || !utf8.ValidString(text) || text != strings.TrimSpace(text) || strings.Contains(text, "  ") {
			t.Errorf("%+q became %+q", words, text)
		}
		if strings.ContainsFunc(text, func(r rune) bool {
			return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs, unicode.Bidi_Control, unicode.Variation_Selector)
		}) {
			t.Errorf("%+q became %+q", words, text)
		}
		if again, ok := fold(text); !ok || again != form {
			t.Errorf("%+q became %+q, and that %+q %v", words, text, again, ok)
		}
		// No byte of it may make it look like anything but text in JSON, or a token longer than a client may send back.
		if b, err := encodeClaims(form); err != nil || len(b) > 2*len(text)+2 {
			t.Errorf("%+q is written %s (%v)", text, b, err)
		}
	})
}

// TestRounded shows of few people only that there are some.
func TestRounded(t *testing.T) {
	for people, want := range map[int]int{0: 0, 1: 4, 2: 4, 3: 4, 4: 4, 5: 5, 6: 6, 1000: 1000} {
		if got := rounded(people); got != want {
			t.Errorf("%d people are shown as %d, want %d", people, got, want)
		}
	}
}
