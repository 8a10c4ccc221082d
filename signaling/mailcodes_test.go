package signaling

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestParseEmail(t *testing.T) {
	for given, want := range map[string]string{
		"anna@example.org":                       "anna@example.org",
		" Anna.B+talk@Example.ORG. ":             "anna.b+talk@example.org",
		"o'neil@uni.example":                     "o'neil@uni.example",
		"a@bücher.example":                       "a@xn--bcher-kva.example",
		strings.Repeat("a", 64) + "@example.org": strings.Repeat("a", 64) + "@example.org",
		"":                                       "",
		"anna":                                   "",
		"@example.org":                           "",
		"anna@":                                  "",
		"anna@localhost":                         "",
		"anna@192.0.2.1":                         "",
		"anna@[192.0.2.1]":                       "",
		"anna@example..org":                      "",
		"anna@-.org":                             "",
		"anna@my_host.example.org":               "",
		".anna@example.org":                      "",
		"anna.@example.org":                      "",
		"an..na@example.org":                     "",
		"an na@example.org":                      "",
		"anna@example.org, bert@example.org":     "",
		"anna@example.org@example.com":           "",
		`"anna"@example.org`:                     "",
		"Anna <anna@example.org>":                "",
		"änna@example.org":                       "",
		"anna@example.org\r\nBcc: bert@uni.example":     "",
		"an\nna@example.org":                            "",
		"an\x00na@example.org":                          "",
		"anna@exam\u202eple.org":                        "",
		strings.Repeat("a", 65) + "@example.org":        "",
		"a@" + strings.Repeat("abcdefghi.", 26) + "org": "",
	} {
		email, domain, fail := parseEmail(given)
		if email != want || (fail != nil) != (want == "") || fail != nil && fail.Code != codeBadEmail {
			t.Errorf("%q became %q, %v; want %q", given, email, fail, want)
		}
		if want != "" && email != strings.Split(email, "@")[0]+"@"+domain {
			t.Errorf("%q has the domain %q", given, domain)
		}
	}
}

func TestMailCodes(t *testing.T) {
	c, now := newMailCodes(), time.UnixMilli(1_000_000)
	code := c.create("a", now)
	if !regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$`).MatchString(code) {
		t.Fatalf("code %q", code)
	}
	if again := newMailCodes().create("a", now); again == code {
		t.Error("another server makes the same code")
	}
	typed := " " + strings.NewReplacer("-", " ", "0", "o", "1", "l").Replace(strings.ToLower(code))
	for _, right := range []string{code, typed} {
		if !c.check("a", right, now) {
			t.Errorf("%q is not %q", right, code)
		}
	}
	other := c.create("b", now)
	for name, ok := range map[string]bool{
		"another key": c.check("b", code, now), "no key": c.check("c", code, now), "nothing": c.check("a", "", now),
		"another code": c.check("a", other, now), "long": c.check("a", code+strings.Repeat(" ", maxID), now),
	} {
		if ok {
			t.Error(name, "is right")
		}
	}
	if giveBack, ok := c.use("a", other, now); ok {
		t.Error("a wrong one was used")
	} else if giveBack(); !c.check("a", code, now) {
		t.Error("giving back a wrong one has done away with the right one")
	}
	giveBack, ok := c.use("a", code, now)
	if _, again := c.use("a", code, now); !ok || again {
		t.Errorf("used: %v, and again: %v", ok, again)
	}
	giveBack()
	if !c.check("a", code, now.Add(mailCodeTime-1)) {
		t.Error("it did not come back")
	}
	if c.check("a", code, now.Add(mailCodeTime)) || len(c.byKey) != 1 {
		t.Error("it is good for too long")
	}
	giveBack()
	if c.check("a", code, now.Add(mailCodeTime)) {
		t.Error("giving back has made it good for longer")
	}
	newer := c.create("a", now)
	giveBack()
	if c.check("a", code, now) || !c.check("a", newer, now) {
		t.Error("the older one has come back in the place of the newer")
	}
}

// TestMailCodeGuesses: few tries are free, those that are right count for nothing, and the next mail begins anew.
func TestMailCodeGuesses(t *testing.T) {
	c, now := newMailCodes(), time.UnixMilli(1_000_000)
	code := c.create("a", now)
	for range mailCodeTries - 1 {
		c.check("a", "AAAA-AAAA", now)
		if !c.check("a", code, now) {
			t.Fatal("too few tries")
		}
	}
	c.check("a", "AAAA-AAAA", now)
	if c.check("a", code, now) {
		t.Error("too many tries")
	}
	if code = c.create("a", now); !c.check("a", code, now) {
		t.Error("the next is no better")
	}
}

func TestMailCodesAreBounded(t *testing.T) {
	c, now := newMailCodes(), time.UnixMilli(1_000_000)
	c.limit = 3
	var codes []string
	for i := range 5 {
		codes = append(codes, c.create(fmt.Sprint(i), now.Add(time.Duration(i)*time.Second)))
	}
	for i, code := range codes {
		if got, want := c.check(fmt.Sprint(i), code, now.Add(time.Minute)), i >= 2; got != want {
			t.Errorf("code %d is good: %v", i, got)
		}
	}
	c.create("4", now.Add(time.Minute)) // in the place of its older one
	if len(c.byKey) != 3 {
		t.Errorf("%d codes", len(c.byKey))
	}
	c.create("5", now.Add(time.Hour))
	if len(c.byKey) != 1 {
		t.Errorf("%d codes, of which one is good", len(c.byKey))
	}
}

// TestHourly asks as often as it can: in no hour are there more than allowed.
func TestHourly(t *testing.T) {
	for _, n := range []int{2, 3, 10, 300, 301} {
		l := newLimiter[string](Hourly(n))
		now := time.UnixMilli(1_000_000)
		var at []time.Time
		for range 3 * 3600 {
			for l.take("", now) == nil {
				at = append(at, now)
			}
			now = now.Add(time.Second)
		}
		first := 0
		for i := range at {
			for at[i].Sub(at[first]) >= time.Hour {
				first++
			}
			if i-first+1 > n {
				t.Fatalf("%d in an hour, want at most %d", i-first+1, n)
			}
		}
		if len(at) < n {
			t.Errorf("%d in three hours, and %d are allowed in one", len(at), n)
		}
	}
}

func TestListed(t *testing.T) {
	for want, list := range map[string][]string{
		"": nil, "a": {"a"}, "a and b": {"a", "b"}, "a, b, c, d and e": {"a", "b", "c", "d", "e"},
		"a, b, c, d, e and 2 more domains": {"a", "b", "c", "d", "e", "f", "g"},
	} {
		if got := listed(list); got != want {
			t.Errorf("%v: %q, want %q", list, got, want)
		}
	}
}

// TestLetters holds all letters to their form: short lines of ASCII, where they come from and what to do if it was not the reader.
func TestLetters(t *testing.T) {
	w := scribe{place: "chat.example.org"}
	const to, code, name = "anna@example.org", "ABCD-EFGH", "anna"
	for kind, m := range map[string]Mail{
		"sign up": w.signUpCode(to, code), "exists": w.accountExists(to, name), "account": w.accountCode(to, code, name),
		"wanted": w.addressWanted(to, name), "reset": w.resetCode(to, code, name), "password": w.passwordChanged(to, name), "address": w.addressChanged(to, name),
	} {
		if m.To != to || !strings.Contains(m.Subject, w.place) || len(m.Subject) > 70 || strings.ContainsAny(m.Subject, "\r\n") {
			t.Errorf("%s: to %q, subject %q", kind, m.To, m.Subject)
		}
		if !strings.Contains(m.Text, w.place) || !strings.Contains(m.Text, "Was it not you?") || strings.Contains(m.Text, "%") {
			t.Errorf("%s: %s", kind, m.Text)
		}
		if hasCode := kind == "sign up" || kind == "account" || kind == "reset"; strings.Contains(m.Text, code) != hasCode || strings.Contains(m.Subject, code) {
			t.Errorf("%s: %s", kind, m.Text)
		}
		if strings.Contains(m.Text, name) != (kind != "sign up") {
			t.Errorf("%s: the user name: %s", kind, m.Text)
		}
		for line := range strings.Lines(m.Text) {
			if len(line) > 80 {
				t.Errorf("%s: a line of %d: %s", kind, len(line), line)
			}
		}
	}
}
