package matchmaker

import (
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/store"
)

func wants(partner string, private bool, left time.Duration) func(*Ticket) {
	return func(t *Ticket) {
		t.Partner, t.Private = store.UserID("u-"+partner), private
		if left > 0 {
			t.PartnerUntil = time.Now().Add(left)
		}
	}
}

// Two who have just left each other and ask each other back meet at once, whatever else they want.
func TestTwoWhoWantEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		ra, _ := meet(t, m, ticket("a", "x y/de"), ticket("b", "x z/de"))
		ra.Leave("next")
		a := find(t, m, with(ticket("a", "y/de"), wants("b", false, 10*time.Second)))
		sleep(5 * time.Second)
		b := find(t, m, with(with(ticket("b", "z/en"), strict), wants("a", true, 5*time.Second)))
		if a.partner() != "b" || b.partner() != "a" {
			t.Errorf("a met %q, b met %q", a.partner(), b.partner())
		}
		if s := m.Stats(); s.Again != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWishEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		a := find(t, m, with(ticket("a", "x"), wants("b", false, 10*time.Second)))
		private := find(t, m, with(ticket("c", "x"), wants("d", true, 10*time.Second)))
		patient := find(t, m, with(ticket("e", "any"), wants("f", true, 0)))
		sleep(10*time.Second - 1)
		if got := private.partner(); got != "" {
			t.Fatalf("too soon: %q", got)
		}
		sleep(1)
		if got := private.partner(); got != ErrExpired.Error() {
			t.Errorf("a private ticket ends with %q", got)
		}
		b := find(t, m, with(ticket("b", "y"), wants("a", false, 0)))
		if a.partner() != "" || b.partner() != "" {
			t.Errorf("a's wish has ended, yet a met %q, b met %q", a.partner(), b.partner())
		}
		if got := find(t, m, ticket("g", "x")).partner(); got != "a" {
			t.Errorf("a waits for anybody, but g met %q", got)
		}
		sleep(24 * time.Hour)
		if got := find(t, m, with(ticket("f", "x"), wants("e", true, 0))).partner(); got != "e" || patient.partner() != "f" {
			t.Errorf("f met %q, e met %q", got, patient.partner())
		}
		if s := m.Stats(); s.Expired != 1 || s.Waiting != 1 {
			t.Errorf("%+v", s)
		}
		b.cancel()
	})
}

func TestPrivateMeetsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		a := find(t, m, with(ticket("a", "any"), wants("b", true, 0)))
		one := find(t, m, ticket("c", "x"))
		synctest.Wait()
		if got := m.Count("x"); got != (Count{"x", 1, 1}) {
			t.Errorf("counts %v", got)
		}
		b := find(t, m, ticket("b", "any")) // does not want a in particular
		if a.partner() != "" || one.partner() != "b" || b.partner() != "c" {
			t.Errorf("a met %q, c met %q, b met %q", a.partner(), one.partner(), b.partner())
		}
		a.cancel()
	})
}

// Who skips more than twenty people in a minute waits for it, and nobody else does.
func TestEndlessSkipper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		names := func(i int) string { return "p" + string(rune('0'+i/10)) + string(rune('0'+i%10)) }
		for i := range 60 {
			want := time.Duration(min(max(0, i-20), 30)) * time.Second
			f := find(t, m, ticket(names(i), "x"))
			skipper := find(t, m, ticket("skipper", "x"))
			if want > 0 {
				sleep(want - 1)
				if got := skipper.partner(); got != "" {
					t.Fatalf("after %d skips: met %q too soon", i, got)
				}
				sleep(1)
			}
			if got := skipper.partner(); got != names(i) {
				t.Fatalf("after %d skips: met %q in %v", i, got, want)
			}
			skipper.room.Leave("next")
			<-f.room.Done()
			if i >= 24 { // from here on the penalty alone makes the minute pass
				return
			}
		}
	})
}

// The one who was skipped has kept the place, and is the next to be met.
func TestSkippedIsNotPunished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		since := time.Now()
		a := with(ticket("a", "x"), func(t *Ticket) { t.Since = since })
		ra, _ := meet(t, m, a, ticket("b", "x"))
		sleep(time.Second)
		younger := find(t, m, ticket("c", "y"))
		sleep(time.Minute)
		ra.Leave("left")
		f := find(t, m, a)
		sleep(time.Second)
		d := find(t, m, ticket("d", "x y"))
		if d.partner() != "a" || f.partner() != "d" || younger.partner() != "" {
			t.Errorf("d met %q", d.partner())
		}
		younger.cancel()
	})
}
