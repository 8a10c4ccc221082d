package signaling

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestUsernames(t *testing.T) {
	for _, tc := range []struct{ given, typed, folded string }{
		{"Anna", "Anna", "anna"},
		{" Anna ", "Anna", "anna"},
		{"anna.b-c_d", "anna.b-c_d", "anna.b-c_d"},
		{"ANDRÉ", "ANDRÉ", "andré"},
		{"ANDRE\u0301", "ANDRÉ", "andré"},
		{"Ａｎｎａ", "Anna", "anna"}, // full width
		{"Дмитрий", "Дмитрий", "дмитрий"},
		{"ひらがなカナ漢字", "ひらがなカナ漢字", "ひらがなカナ漢字"},
		{"नमस्ते", "नमस्ते", "नमस्ते"},
		{"שלום", "שלום", "שלום"},
		{"user4711", "user4711", "user4711"},
		{strings.Repeat("x", 19) + "y", strings.Repeat("x", 19) + "y", strings.Repeat("x", 19) + "y"},
	} {
		name, fail := parseUsername(tc.given)
		if fail != nil || name.typed != tc.typed || name.folded != tc.folded || name.skeleton == "" {
			t.Errorf("%q: %+v %v, want %q and %q", tc.given, name, fail, tc.typed, tc.folded)
		}
		if got := FoldUsername(tc.given); got != tc.folded {
			t.Errorf("%q is looked for as %q, want %q", tc.given, got, tc.folded)
		}
	}
}

func TestBadUsernames(t *testing.T) {
	for _, given := range []string{
		"", "  ", "ab", strings.Repeat("x", 21), strings.Repeat("x", 10<<20),
		"a b c", "anna\x00", "anna\n", "an\tna", "anna@home", "anna!", "<b>anna", "😀😀😀", "an/na", "an\u200bna", "an\u00adna",
		"\u202eanna", "anna\u2066", "\ufeffanna", "a\xffnna", "an\u115fna",
		".anna", "anna.", "-anna", "anna_", "an..na", "an._na",
		"123", "4711",
		"аnna", // Cyrillic a
		"annα", // Greek alpha
		"paypаl", "ηenа", "אbcd", "한글かな", "漢字Latin",
		"a\u0301\u0302\u0303\u0301bc", "zx\u0323\u0323\u0323\u0323",
		"admin", "Admin", "ADMIN", "adrnin", "ad.min", "a-d-m-i-n", "ADMlN", "АDМIN", "root", "r00t", "Smalltalk", "small_talk", "SUPPORT", "suppоrt",
		"שabc", "abcש",
	} {
		if name, fail := parseUsername(given); fail == nil || fail.Code != codeBadUsername || fail.Message == "" {
			t.Errorf("%.40q became %+v (%v)", given, name, fail)
		}
	}
}

// TestLookAlikes: each of a group is taken when one of them is.
func TestLookAlikes(t *testing.T) {
	for _, group := range [][]string{
		{"lollipop", "1ollipop", "IoIIipop", "LOLLIPOP", "l0llipop"},
		{"morning", "rnorning", "MORNING"},
		{"bob.jones", "bob-jones", "b0b_jones", "BOB.JONES"},
		{"vvinner", "winner"},
		{"соре", "cope"}, // Cyrillic throughout, which is one script
		{"ΑΒΕ", "ABE"},   // Greek throughout
		{"andré", "ANDRE\u0301"},
	} {
		first, fail := parseUsername(group[0])
		if fail != nil {
			t.Fatalf("%q: %v", group[0], fail)
		}
		for _, other := range group[1:] {
			name, fail := parseUsername(other)
			if fail != nil || name.skeleton != first.skeleton && name.folded != first.folded {
				t.Errorf("%q reads as %q, %q as %q (%v)", group[0], first.skeleton, other, name.skeleton, fail)
			}
		}
	}
	for _, pair := range [][2]string{{"anna", "hanna"}, {"lily", "lilly"}, {"tom", "tim"}, {"andré", "andre"}, {"max1", "max7"}} {
		a, _ := parseUsername(pair[0])
		b, _ := parseUsername(pair[1])
		if a.skeleton == b.skeleton {
			t.Errorf("%q and %q both read as %q", pair[0], pair[1], a.skeleton)
		}
	}
}

// TestLookAlikeTable: the embedded table parses, and reads every character as one that is read as itself.
func TestLookAlikeTable(t *testing.T) {
	if n := len(lookAlikes()); n < 1600 {
		t.Fatalf("%d characters in the table", n)
	}
	for r, read := range lookAlikes() {
		if r == utf8.RuneError || read == "" || strings.ContainsRune(read, utf8.RuneError) {
			t.Errorf("%U is read as %q", r, read)
		}
		once := skeleton(string(r))
		if again := skeleton(once); again != once {
			t.Errorf("%U reads as %q, which reads as %q", r, once, again)
		}
	}
}

func FuzzUsername(f *testing.F) {
	for _, seed := range []string{"Anna", "ANDRE\u0301", "\u202eanna", "a\u0301\u0302", "ＡＢＣ", "ﬁle", "İstanbul", "ẞtraße", "ǅungla"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, given string) {
		name, fail := parseUsername(given)
		if fail != nil {
			if fail.Code != codeBadUsername || name != (username{}) {
				t.Errorf("%q: %+v %v", given, name, fail)
			}
			return
		}
		if !utf8.ValidString(name.typed) || !utf8.ValidString(name.folded) || !utf8.ValidString(name.skeleton) || len(name.skeleton) > 512 {
			t.Errorf("%q became %+v", given, name)
		}
		if !norm.NFC.IsNormalString(name.folded) {
			t.Errorf("%q is folded to %q, which is not normal", given, name.folded)
		}
		// What is kept must find itself again, by either form.
		for _, form := range []string{name.typed, name.folded} {
			if got := FoldUsername(form); got != name.folded {
				t.Errorf("%q: %q is looked for as %q, want %q", given, form, got, name.folded)
			}
		}
		if strings.ContainsFunc(name.typed, func(r rune) bool { return r < ' ' || r == 0x202e || r == 0x200b }) {
			t.Errorf("%q kept %q", given, name.typed)
		}
	})
}
