package matchmaker

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/store"
)

// with changes a ticket.
func with(t Ticket, change func(*Ticket)) Ticket {
	change(&t)
	return t
}

func strict(t *Ticket) { t.Strict = true }

func widenAfter(d time.Duration) func(*Ticket) {
	return func(t *Ticket) { t.WidenAfter = d }
}

func widened(w Widening) func(*Ticket) { return func(t *Ticket) { t.Widened = w } }

// meetings lets people come one after the other, a second apart, and says a minute after the last one who talks to whom.
func meetings(t *testing.T, m *Matcher, people ...Ticket) string {
	t.Helper()
	var finds []*finding
	for _, p := range people {
		finds = append(finds, find(t, m, p))
		sleep(time.Second)
	}
	sleep(time.Minute)
	var out []string
	for _, f := range finds {
		partner := f.partner()
		if partner == "" {
			partner = "-"
		}
		out = append(out, partner)
		f.cancel()
	}
	return strings.Join(out, " ")
}

func TestStrictAndWidened(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b Ticket
		want string
	}{
		{"strict with the same topic", with(ticket("a", "x"), strict), ticket("b", "x y"), "b a"},
		{"both strict", with(ticket("a", "x"), strict), with(ticket("b", "x y"), strict), "b a"},
		{"strict and any", with(ticket("a", "x"), strict), ticket("b", "any"), "- -"},
		{"any and strict", ticket("a", "any"), with(ticket("b", "x"), strict), "- -"},
		{"strict and widened", with(ticket("a", "x"), strict), with(ticket("b", "y"), widened(WidenTopics)), "- -"},
		{"strict and widened with the same topic", with(ticket("a", "x"), strict), with(ticket("b", "x"), widened(WidenTopics)), "b a"},
		{"strict and any: only the language is", with(ticket("a", "any/de"), strict), ticket("b", "x/de"), "b a"},
		{"strict language and widened one", with(ticket("a", "x/de"), strict), with(ticket("b", "x/en"), widened(WidenLangs)), "- -"},
		{"widened language and strict one", with(ticket("a", "x/de"), widened(WidenLangs)), with(ticket("b", "x/en"), strict), "- -"},
		{"strict language and none named", with(ticket("a", "x/de"), strict), ticket("b", "x"), "b a"},
		{"strict but asked to widen", with(with(ticket("a", "x"), strict), widened(WidenTopics)), ticket("b", "y"), "b a"},
		{"widened", ticket("a", "x"), with(ticket("b", "y"), widened(WidenTopics)), "b a"},
		{"widened, other language", ticket("a", "x/de"), with(ticket("b", "y/en"), widened(WidenTopics)), "- -"},
		{"widened language, other topic", ticket("a", "x/de"), with(ticket("b", "y/en"), widened(WidenLangs)), "- -"},
		{"widened language", ticket("a", "x/de"), with(ticket("b", "x/en"), widened(WidenLangs)), "b a"},
		{"widened both", ticket("a", "x/de"), with(ticket("b", "y/en"), widened(WidenLangs|WidenTopics)), "b a"},
		{"widens in time", ticket("a", "x"), with(ticket("b", "y"), widenAfter(time.Minute)), "b a"},
		{"not yet", ticket("a", "x"), with(ticket("b", "y"), widenAfter(62*time.Second)), "- -"},
		{"widens, other language", ticket("a", "x/de"), with(ticket("b", "y/en"), widenAfter(31*time.Second)), "- -"},
		{"widens language in time", ticket("a", "x/de"), with(ticket("b", "y/en"), widenAfter(30*time.Second)), "b a"},
		{"strict does not widen", ticket("a", "x"), with(with(ticket("b", "y"), strict), widenAfter(time.Second)), "- -"},
		{"widened before it came", ticket("a", "x"), with(ticket("b", "y"), func(t *Ticket) {
			t.Since, t.WidenAfter = time.Now().Add(-time.Hour), 59*time.Minute
		}), "b a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if strings.Contains(c.name, "before it came") {
					c.b.Since = time.Now().Add(-time.Hour) // of the bubble's clock
				}
				if got := meetings(t, open(t, Config{}), c.a, c.b); got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
			})
		})
	}
}

func TestWidenedAt(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		t    Ticket
		want Widening
	}{
		{Ticket{}, 0},
		{Ticket{WidenAfter: time.Second}, 0},
		{Ticket{WidenAfter: time.Second, Since: now}, 0},
		{Ticket{WidenAfter: time.Second, Since: now.Add(-time.Second)}, WidenTopics},
		{Ticket{WidenAfter: time.Second, Since: now.Add(1 - 2*time.Second)}, WidenTopics},
		{Ticket{WidenAfter: time.Second, Since: now.Add(-2 * time.Second)}, WidenTopics | WidenLangs},
		{Ticket{WidenAfter: 1 << 62, Since: now.Add(-2 * time.Second)}, 0},
		{Ticket{WidenAfter: time.Second, Since: now.Add(-time.Hour), Strict: true}, 0},
		{Ticket{Since: now.Add(-time.Hour)}, 0},
		{Ticket{Widened: WidenLangs, Strict: true}, WidenLangs},
		{Ticket{Widened: WidenLangs, WidenAfter: time.Second, Since: now.Add(-time.Second)}, WidenTopics | WidenLangs},
	} {
		if got := c.t.WidenedAt(now); got != c.want {
			t.Errorf("%+v: got %b, want %b", c.t, got, c.want)
		}
	}
}

// Cancelling and asking again with the same Since, as a client does who widens, keeps the place.
func TestWideningOnRequestKeepsThePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{Topics: []store.Category{"x", "y"}})
		tk := ticket("a", "x/de")
		tk.Since = time.Now()
		a := find(t, m, tk)
		sleep(time.Minute)
		b := find(t, m, ticket("b", "y/en"))
		sleep(time.Minute)
		a.cancel()
		synctest.Wait()
		tk.Widened = WidenTopics
		a = find(t, m, tk)
		if got := a.partner(); got != "" {
			t.Fatalf("a met %q", got)
		}
		c := find(t, m, ticket("c", "y"))
		if a.partner() != "c" || b.partner() != "" {
			t.Fatalf("a met %q, b met %q", a.partner(), b.partner())
		}
		if got := fmt.Sprint(c.room.Topics()); got != "[y]" {
			t.Errorf("they share %s", got)
		}
		b.cancel()
	})
}

func TestBlocked(t *testing.T) {
	block := func(names ...store.UserID) func(*Ticket) {
		return func(t *Ticket) { t.Blocks = names }
	}
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			people []Ticket
			want   string
		}{
			{[]Ticket{with(ticket("a", "x"), block("u-c", "u-b")), ticket("b", "x")}, "- -"},
			{[]Ticket{ticket("a", "x"), with(ticket("b", "x"), block("u-z", "u-a"))}, "- -"},
			{[]Ticket{with(ticket("a", "x"), block("u-b")), ticket("b", "x"), ticket("c", "x")}, "c - a"},
			{[]Ticket{with(ticket("a", "any"), block("u-b")), with(ticket("b", "any"), widenAfter(time.Second))}, "- -"},
			{[]Ticket{
				with(ticket("a", "x"), func(t *Ticket) { t.Blocks, t.Partner = []store.UserID{"u-b"}, "u-b" }),
				with(ticket("b", "x"), func(t *Ticket) { t.Partner = "u-a" }),
			}, "- -"},
		} {
			if got := meetings(t, open(t, Config{}), c.people...); got != c.want {
				t.Errorf("%+v: got %s, want %s", c.people, got, c.want)
			}
		}
	})
}

func TestTicketLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := open(t, Config{Topics: []store.Category{"x"}, FreeTopics: true})
		listed := open(t, Config{Topics: []store.Category{"x"}})
		many := func(n int) (out []store.UserID) {
			for i := range n {
				out = append(out, store.UserID(fmt.Sprint(i)))
			}
			return out
		}
		for name, change := range map[string]func(*Ticket){
			"nine topics":       func(t *Ticket) { t.Topics = []store.Category{"1", "2", "3", "4", "5", "6", "7", "8", "9"} },
			"an empty topic":    func(t *Ticket) { t.Topics = []store.Category{""} },
			"a long topic":      func(t *Ticket) { t.Topics = []store.Category{store.Category(strings.Repeat("x", 65))} },
			"four languages":    func(t *Ticket) { t.Langs = []string{"a", "b", "c", "d"} },
			"an empty language": func(t *Ticket) { t.Langs = []string{""} },
			"a long language":   func(t *Ticket) { t.Langs = []string{strings.Repeat("x", 65)} },
			"too many blocks":   func(t *Ticket) { t.Blocks = many(MaxBlocks + 1) },
			"a negative time":   func(t *Ticket) { t.WidenAfter = -1 },
			"a very long time":  func(t *Ticket) { t.WidenAfter = 25 * time.Hour },
			"private for none":  func(t *Ticket) { t.Private = true },
			"for himself":       func(t *Ticket) { t.Partner = "u-a" },
		} {
			if _, err := free.Find(t.Context(), with(ticket("a", "x"), change)); err == nil {
				t.Errorf("%s is taken", name)
			}
		}
		most := with(ticket("a", "x"), func(t *Ticket) {
			t.Topics = []store.Category{"1", "2", "3", "4", "5", "6", "7", store.Category(strings.Repeat("x", 64))}
			t.Langs, t.Blocks, t.WidenAfter = []string{"a", "b", "c"}, many(MaxBlocks), 24*time.Hour
		})
		if got := find(t, free, most).partner(); got != "" {
			t.Errorf("at all limits: %q", got)
		}
		if _, err := listed.Find(t.Context(), ticket("a", "x y")); !errors.Is(err, ErrUnknownTopic) {
			t.Errorf("a topic that is not on the list: %v", err)
		}
		if got, want := free.Count("7"), (Count{"7", 1, 1}); got != want || len(free.Counts()) != 1 {
			t.Errorf("counts %v and %v", got, free.Counts())
		}
	})
}
