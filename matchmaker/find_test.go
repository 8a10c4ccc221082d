package matchmaker

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/store"
)

func TestWhoMeetsWhom(t *testing.T) {
	for _, c := range []struct {
		name   string
		people []string // "name: wants", in the order in which they come, a second apart; "+20s" comes that much later
		want   string   // who talks to whom, "-" for those who wait
	}{
		{"same topic", []string{"a: news", "b: news"}, "a=b b=a"},
		{"other topic", []string{"a: news", "b: sports"}, "a=- b=-"},
		{"alone", []string{"a: news"}, "a=-"},
		{"one shared of several", []string{"a: news sports", "b: gaming sports"}, "a=b b=a"},
		{"any takes a topic", []string{"a: news", "b: any"}, "a=b b=a"},
		{"a topic takes any", []string{"a: any", "b: news"}, "a=b b=a"},
		{"any and any", []string{"a: any", "b: any"}, "a=b b=a"},
		{"the longest wait", []string{"a: news", "b: sports", "c: news sports"}, "a=c b=- c=a"},
		{"the longest wait, other order of topics", []string{"a: sports", "b: news", "c: news sports"}, "a=c b=- c=a"},
		{"any takes the longest wait", []string{"a: sports", "b: news", "c: any"}, "a=c b=- c=a"},
		{"who takes any may have waited longest", []string{"a: any/de", "b: news/en +4s", "c: news"}, "a=c b=- c=a"},
		{"a shared topic is worth three seconds", []string{"a: any/de", "b: news/en", "c: news"}, "a=- b=c c=b"},
		{"and another one three more", []string{"a: x", "b: y z +1s", "c: x y z"}, "a=- b=c c=b"},
		{"but not more", []string{"a: x", "b: y z +4s", "c: x y z"}, "a=c b=- c=a"},
		{"a shared language is worth two seconds", []string{"a: x", "b: y/en", "c: x y/en"}, "a=- b=c c=b"},
		{"but not three", []string{"a: x", "b: y/en +3s", "c: x y/en"}, "a=c b=- c=a"},
		{"the longest wait that fits", []string{"a: news/de", "b: news/en", "c: news/en"}, "a=- b=c c=b"},
		{"no shared language", []string{"a: news/de fr", "b: news/en es"}, "a=- b=-"},
		{"a shared language", []string{"a: news/de en", "b: news/en es"}, "a=b b=a"},
		{"no language named", []string{"a: news", "b: news/en"}, "a=b b=a"},
		{"languages bind those who take any", []string{"a: any/de", "b: any/en"}, "a=- b=-"},
		{"topics named twice", []string{"a: news news", "b: news news"}, "a=b b=a"},
		{"two pairs", []string{"a: x", "b: y", "c: y", "d: x"}, "a=d b=c c=b d=a"},
		{"a third waits", []string{"a: x", "b: x", "c: x"}, "a=b b=a c=-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := open(t, Config{})
				var finds []*finding
				for _, p := range c.people {
					p, pause, _ := strings.Cut(p, " +")
					if later, err := time.ParseDuration(pause); err == nil {
						sleep(later)
					}
					name, wants, _ := strings.Cut(p, ": ")
					finds = append(finds, find(t, m, ticket(name, wants)))
					sleep(time.Second)
				}
				var got []string
				for _, f := range finds {
					partner := f.partner()
					if partner == "" {
						partner = "-"
					}
					got = append(got, strings.TrimPrefix(string(f.ticket.Session), "s-")+"="+partner)
					f.cancel()
				}
				if got := strings.Join(got, " "); got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
			})
		})
	}
}

func TestPlaceInLine(t *testing.T) {
	for _, c := range []struct {
		name   string
		sinceA time.Duration // before a's arrival; b comes 10 s after a
		sinceB time.Duration // before b's arrival
		want   string        // whom c meets
	}{
		{"by arrival", 0, 0, "a"},
		{"b has kept a younger place", 0, 5 * time.Second, "a"},
		{"b has kept an older place", 0, 15 * time.Second, "b"},
		{"both have", 20 * time.Second, 15 * time.Second, "a"},
		{"years ago", 0, 1e6 * time.Hour, "b"},
		{"the future is now, for a", -time.Hour, 5 * time.Second, "a"},
		{"the future is now, for b", 0, -time.Hour, "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := open(t, Config{})
				enter := func(name, wants string, since time.Duration) *finding {
					tk := ticket(name, wants)
					if since != 0 {
						tk.Since = time.Now().Add(-since).Round(0) // as it comes out of a signed ticket
					}
					defer synctest.Wait()
					return find(t, m, tk)
				}
				a := enter("a", "news/de", c.sinceA)
				sleep(10 * time.Second)
				b := enter("b", "news/en", c.sinceB)
				sleep(10 * time.Second)
				third := enter("c", "news", 0)
				if got := third.partner(); got != c.want {
					t.Errorf("met %s, want %s", got, c.want)
				}
				a.cancel()
				b.cancel()
			})
		})
	}
}

func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{Node: "n1"})
		ra, rb := meet(t, m, ticket("a", "x sports news/fr en de"), ticket("b", "sports y news/de fr"))
		wantA := store.Member{Session: "s-a", User: "u-a", Node: "n1"}
		wantB := store.Member{Session: "s-b", User: "u-b", Node: "n1"}
		if ra.Self() != wantA || ra.Partner() != wantB || rb.Self() != wantB || rb.Partner() != wantA {
			t.Errorf("a: %v with %v, b: %v with %v", ra.Self(), ra.Partner(), rb.Self(), rb.Partner())
		}
		for _, r := range []*Room{ra, rb} {
			if want := []store.Category{"news", "sports"}; !slices.Equal(r.Topics(), want) {
				t.Errorf("topics %v, want %v", r.Topics(), want)
			}
			if want := []string{"de", "fr"}; !slices.Equal(r.Langs(), want) {
				t.Errorf("languages %v, want %v", r.Langs(), want)
			}
			if ended(r) || r.Reason() != "" || r.EndedBy() != "" {
				t.Errorf("ended before the end: %q by %q", r.Reason(), r.EndedBy())
			}
		}
		ra.Topics()[0] = "spoilt"
		if rb.Topics()[0] != "news" {
			t.Error("one member can write into the other's room")
		}
		rb.Leave("next")
		ra.Leave("too late")
		rb.Leave("later still")
		for _, r := range []*Room{ra, rb} {
			if !ended(r) || r.Reason() != "next" || r.EndedBy() != "s-b" {
				t.Errorf("ended %v, %q by %q", ended(r), r.Reason(), r.EndedBy())
			}
		}
	})
}

func TestSharedTopicsWithAny(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{Topics: []store.Category{"x", "y"}, FreeTopics: true})
		ra, _ := meet(t, m, ticket("a", "any/en"), ticket("b", "y x mine"))
		if want := []store.Category{"x", "y"}; !slices.Equal(ra.Topics(), want) || len(ra.Langs()) != 0 {
			t.Errorf("topics %v, languages %v, want %v and none", ra.Topics(), ra.Langs(), want)
		}
		if ra, _ = meet(t, m, ticket("e", "mine x"), ticket("f", "mine")); !slices.Equal(ra.Topics(), []store.Category{"mine"}) {
			t.Errorf("topics %v of two who said the same", ra.Topics())
		}
		ra, _ = meet(t, m, ticket("c", "any"), ticket("d", "any"))
		if len(ra.Topics()) != 0 {
			t.Errorf("topics %v of two who take any", ra.Topics())
		}
	})
}

func TestFindErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{Topics: []store.Category{"sports", "news"}})
		waiting := find(t, m, ticket("w", "sports/xx"))
		ra, _ := meet(t, m, ticket("a", "news"), ticket("b", "news"))
		over, cancel := context.WithCancel(t.Context())
		cancel()
		with := func(tk Ticket, s, u string) Ticket {
			tk.Session, tk.User = store.SessionID(s), store.UserID(u)
			return tk
		}
		for _, c := range []struct {
			name string
			ctx  context.Context
			t    Ticket
			want error
		}{
			{"same session twice", t.Context(), ticket("w", "news"), ErrAlreadyWaiting},
			{"same user twice", t.Context(), with(ticket("w", "sports"), "s-other", "u-w"), ErrAlreadyWaiting},
			{"same session, other user", t.Context(), with(ticket("w", "sports"), "s-w", "u-other"), ErrAlreadyWaiting},
			{"session in a room", t.Context(), ticket("a", "news"), ErrInRoom},
			{"user in a room", t.Context(), with(ticket("b", "news"), "s-other", "u-b"), ErrInRoom},
			{"session in a room, other user", t.Context(), with(ticket("b", "news"), "s-b", "u-other"), ErrInRoom},
			{"unknown topic", t.Context(), ticket("c", "news gossip"), ErrUnknownTopic},
			{"over before it began", over, ticket("c", "news"), context.Canceled},
			{"no session", t.Context(), with(ticket("c", "news"), "", "u-c"), nil},
			{"no user", t.Context(), with(ticket("c", "news"), "s-c", ""), nil},
		} {
			room, err := m.Find(c.ctx, c.t)
			if room != nil || err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, %v, want %v", c.name, room, err, c.want)
			}
		}
		if m.Waiting() != 1 || ended(ra) {
			t.Errorf("%d wait, room ended %v", m.Waiting(), ended(ra))
		}
		waiting.cancel()
		if got := waiting.partner(); got != context.Canceled.Error() {
			t.Errorf("cancelled: %s", got)
		}
		ra.Leave("next")
		if got := find(t, m, ticket("w", "news")).partner(); got != "" {
			t.Errorf("again: %s", got)
		}
	})
}

func TestCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := open(t, Config{Topics: []store.Category{"x", "y", "empty", "x"}})
		free := open(t, Config{})
		check := func(m *Matcher, waiting, rooms int, want ...Count) {
			t.Helper()
			sleep(writeGap)
			if got := m.Counts(); len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if s := m.Stats(); m.Waiting() != waiting || s.Waiting != waiting || s.Rooms != rooms || s.Unwritten != 0 || s.LastWriteError != nil {
				t.Errorf("got %d waiting and %+v, want %d waiting, %d rooms", m.Waiting(), s, waiting, rooms)
			}
		}
		check(free, 0, 0)
		check(known, 0, 0, Count{"empty", 0, 0}, Count{"x", 0, 0}, Count{"y", 0, 0})
		for _, m := range []*Matcher{known, free} {
			meet(t, m, ticket("a", "x y"), ticket("b", "any"))     // talk in x and y
			r, _ := meet(t, m, ticket("c", "x"), ticket("d", "x")) // and in x, and then not
			meet(t, m, ticket("e", "any"), ticket("f", "any"))     // in none
			r.Leave("next")
			find(t, m, ticket("g", "y/de"))
			find(t, m, ticket("h", "any/en"))
			find(t, m, ticket("i", "y/fr")).cancel()
		}
		check(known, 2, 2, Count{"empty", 1, 1}, Count{"x", 3, 1}, Count{"y", 4, 2})
		check(free, 2, 2, Count{"y", 2, 2}) // what only one of two said is not what they talk about
		if s := free.Stats(); s.Matches != 3 || s.Cancelled > 1 {
			t.Errorf("%+v", s)
		}
	})
}
