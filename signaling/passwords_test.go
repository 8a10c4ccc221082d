package signaling

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPasswords(t *testing.T) {
	for _, good := range []string{
		"correct horse battery staple", "xkcd-936!", "пароль-который-длинный", "anna und otto", strings.Repeat("ab7!", 32), "🦊🐢🦉🐟🦊🐢🦉🐟", "Tr0ub4dor&3",
	} {
		if got, fail := newPassword(good, "anna"); fail != nil || got != good {
			t.Errorf("%q: %q %v", good, got, fail)
		}
	}
	for _, bad := range []string{
		"", "short", "1234567", strings.Repeat("x7!q", 33), strings.Repeat("x", 10<<20),
		"password", "PASSWORD", "Password1", "iloveyou", "qwertyuiop", "letmein1", "ｐａｓｓｗｏｒｄ",
		"aaaaaaaa", "abababababab", "abcabcabcabc", "12345678", "23456789", "7890123456", "87654321", "abcdefgh", "hgfedcba",
		"annabella", "Annabella", "annabella1", "annabella2024", "1annabella!", "annabellaannabella",
		"tab\tinside", "nul\x00inside", "line\ninside", "bad\xffutf8 bytes", "password\npassword",
	} {
		if got, fail := newPassword(bad, "annabella", "An"); fail == nil || fail.Code != codeBadPassword || got != "" {
			t.Errorf("%.40q was accepted as %q", bad, got)
		}
	}
}

// TestPasswordForms: what is the same to the person is the same password.
func TestPasswordForms(t *testing.T) {
	a, okA := preparePassword("p\u00e4ssword with spaces")
	b, okB := preparePassword("pa\u0308ssword\u00a0with\u2003spaces")
	if !okA || !okB || a != b {
		t.Errorf("%q %v and %q %v", a, okA, b, okB)
	}
}

func TestCommonPasswordList(t *testing.T) {
	list := strings.Split(strings.TrimSuffix(commonPasswords, "\n"), "\n")
	if len(list) != 8000 || !slices.IsSorted(list) {
		t.Errorf("%d passwords, sorted: %v", len(list), slices.IsSorted(list))
	}
	for _, p := range list {
		if utf8.RuneCountInString(p) < minPassword || strings.ToLower(p) != p {
			t.Errorf("%q can never be found", p)
		}
	}
}

// quick is the least that a hash may cost.
var quick = Hashing{MemoryKiB: 1, Passes: 1}.withDefaults()

func TestHash(t *testing.T) {
	text := quick.hash("correct horse")
	if again := quick.hash("correct horse"); again == text {
		t.Error("the salt is the same twice")
	}
	p, ok := parsePHC(text)
	if !ok || p.String() != text || p.Hashing != quick {
		t.Fatalf("%q became %+v, %v", text, p, ok)
	}
	if !p.matches("correct horse") || p.matches("correct horsf") || p.matches("") {
		t.Error("matches the wrong one, or not the right one")
	}
	if !strings.HasPrefix(text, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %q", text)
	}
}

func TestHashCost(t *testing.T) {
	for _, tc := range []struct{ given, want Hashing }{
		{Hashing{}, Hashing{46 << 10, 1}},
		{Hashing{MemoryKiB: 1}, Hashing{19 << 10, 2}},
		{Hashing{Passes: 5}, Hashing{19 << 10, 5}},
		{Hashing{MemoryKiB: 32 << 10, Passes: 1}, Hashing{32 << 10, 2}},
		{Hashing{MemoryKiB: 64 << 10}, Hashing{64 << 10, 1}},
		{Hashing{MemoryKiB: 1 << 31, Passes: 1 << 31}, Hashing{1 << 20, 64}},
	} {
		if got := tc.given.withDefaults(); got != tc.want {
			t.Errorf("%+v became %+v, want %+v", tc.given, got, tc.want)
		}
	}
}

func TestBadPHC(t *testing.T) {
	good := phc{Hashing: quick, salt: make([]byte, saltSize), key: make([]byte, keySize)}.String()
	if _, ok := parsePHC(good); !ok {
		t.Fatalf("%q is good", good)
	}
	for name, bad := range map[string]string{
		"empty":         "",
		"other kind":    strings.Replace(good, "argon2id", "argon2i", 1),
		"other version": strings.Replace(good, "v=19", "v=16", 1),
		"no memory":     strings.Replace(good, "m=19456", "m=0", 1),
		"all memory":    strings.Replace(good, "m=19456", "m=4294967295", 1),
		"more":          strings.Replace(good, "m=19456", "m=99999999999", 1),
		"negative":      strings.Replace(good, "m=19456", "m=-19456", 1),
		"leading zero":  strings.Replace(good, "m=19456", "m=019456", 1),
		"for ever":      strings.Replace(good, "t=2", "t=4294967295", 1),
		"threads":       strings.Replace(good, "p=1", "p=64", 1),
		"parameters":    strings.Replace(good, ",p=1", "", 1),
		"short key":     good[:len(good)-4],
		"padding":       good + "=",
		"more parts":    good + "$x",
	} {
		if _, ok := parsePHC(bad); ok {
			t.Errorf("%s: %q was accepted", name, bad)
		}
	}
}

func FuzzPHC(f *testing.F) {
	f.Add(phc{Hashing: quick, salt: make([]byte, saltSize), key: make([]byte, keySize)}.String())
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := parsePHC(text)
		if !ok {
			return
		}
		if p.String() != text {
			t.Errorf("%q is written as %q", text, p.String())
		}
		if p.MemoryKiB > maxHashMemory || p.Passes > maxHashPasses || p.Passes == 0 || p.MemoryKiB == 0 {
			t.Errorf("%q costs %+v", text, p.Hashing)
		}
	})
}

func FuzzPassword(f *testing.F) {
	for _, seed := range []string{"password", "correct horse battery", "ｐａｓｓ ｗｏｒｄ", "\u202epassword", "é", "e\u0301e\u0301e\u0301"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, given string) {
		got, fail := newPassword(given, "annabella")
		if fail != nil {
			return
		}
		if n := utf8.RuneCountInString(got); n < minPassword || n > maxPassword || !utf8.ValidString(got) {
			t.Errorf("%q became %q", given, got)
		}
		// Whoever types it again gets in.
		for _, form := range []string{given, got} {
			if again, ok := preparePassword(form); !ok || again != got {
				t.Errorf("%q: %q becomes %q, want %q", given, form, again, got)
			}
		}
	})
}
