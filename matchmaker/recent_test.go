package matchmaker

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/store"
)

// again has two people meet and part, and both look for somebody, the second one after a pause.
func again(t *testing.T, m *Matcher, pause time.Duration) (a, b *finding) {
	t.Helper()
	ra, _ := meet(t, m, ticket("a", "x"), ticket("b", "x"))
	ra.Leave("next")
	a = find(t, m, ticket("a", "x"))
	sleep(pause)
	return a, find(t, m, ticket("b", "x"))
}

func TestPartnersMeetAgainWhenNobodyElseComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{}) // 15 s
		a, b := again(t, m, 3*time.Second)
		sleep(15*time.Second - 1)
		if a.partner() != "" || b.partner() != "" {
			t.Fatalf("too soon: a met %q, b met %q", a.partner(), b.partner())
		}
		sleep(1)
		if a.partner() != "b" || b.partner() != "a" {
			t.Fatalf("a met %q, b met %q", a.partner(), b.partner())
		}
	})
}

func TestSomebodyElseComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{RecentAfter: time.Minute})
		a, b := again(t, m, 0)
		sleep(59 * time.Second)
		c := find(t, m, ticket("c", "x"))
		if a.partner() != "c" || c.partner() != "a" {
			t.Fatalf("a met %q, c met %q", a.partner(), c.partner())
		}
		sleep(time.Hour)
		if b.partner() != "" {
			t.Fatalf("b met %q", b.partner())
		}
		// a's last partner is c now, but b's is still a.
		c.room.Leave("next")
		a2 := find(t, m, ticket("a", "x"))
		if a2.partner() != "b" {
			t.Fatalf("an hour later a met %q", a2.partner())
		}
		a2.room.Leave("next")
		b2 := find(t, m, ticket("b", "x"))
		c2 := find(t, m, ticket("c", "x"))
		if b2.partner() != "c" || c2.partner() != "b" {
			t.Fatalf("b met %q, c met %q", b2.partner(), c2.partner())
		}
	})
}

func TestCancelledWaitMeetsNobodyAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		a, b := again(t, m, 0)
		sleep(5 * time.Second)
		b.cancel()
		sleep(time.Second)
		b = find(t, m, ticket("b", "x")) // its time begins anew
		sleep(15*time.Second - 1)
		if a.partner() != "" {
			t.Fatalf("too soon: a met %q", a.partner())
		}
		sleep(1)
		if a.partner() != "b" || b.partner() != "a" {
			t.Fatalf("a met %q, b met %q", a.partner(), b.partner())
		}
	})
}

// A kept place in line is no reason to meet the same person sooner.
func TestKeptPlaceDoesNotShortenTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		ra, _ := meet(t, m, ticket("a", "x"), ticket("b", "x"))
		ra.Leave("next")
		find(t, m, ticket("a", "x"))
		tk := ticket("b", "x")
		tk.Since = time.Now().Add(-time.Hour)
		b := find(t, m, tk)
		sleep(14 * time.Second)
		if b.partner() != "" {
			t.Fatalf("too soon: b met %q", b.partner())
		}
		sleep(time.Second)
		if b.partner() != "a" {
			t.Fatalf("b met %q", b.partner())
		}
	})
}

func TestPartingIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{RecentAfter: time.Minute})
		ra, _ := meet(t, m, ticket("a", "x"), ticket("b", "x"))
		ra.Leave("next")
		sleep(recentKept)
		meet(t, m, ticket("a", "x"), ticket("b", "x"))
	})
}

func TestMemoryOfPeopleIsBounded(t *testing.T) {
	const limit = 10
	l := newLine(15*time.Second, 0)
	l.people.max = limit
	user := func(i int) store.UserID { return store.UserID(fmt.Sprint(i)) }
	met := func(now time.Duration, a, b store.UserID) bool {
		p := l.people.byPrint.get(fingerprint(a))
		return p != 0 && l.people.all.at(p).until(fingerprint(b)) > now
	}
	l.join(0, ask(ticket("waits", "x"), time.Time{})) // somebody in line is no reason to remember him
	l.parted(0, "u-waits", "y", "")
	for i := range 1000 {
		now := time.Duration(i)
		l.parted(now, user(2*i), user(2*i+1), "")
		l.parted(now, "busy", user(2*i), "busy") // one person is in it once, however often he parts
		if n := l.people.all.used(); n > limit {
			t.Fatalf("after %d: %d people", i, n)
		}
		if !met(now, "busy", user(2*i)) || !met(now, user(2*i), "busy") || i >= 5 && met(now, "busy", user(2*i-10)) {
			t.Fatalf("after %d: not the last five are remembered", i)
		}
		l.sound(t)
	}
	if n := len(l.people.all.at(l.people.byPrint.get(fingerprint("busy"))).skips); n > 50 {
		t.Errorf("%d skips are remembered", n)
	}
	l.parted(1000+10*time.Minute, "x", "y", "")
	if n := l.people.all.used(); n != 2 {
		t.Errorf("%d people are remembered after ten minutes", n)
	}
}

// Where many wait who have all met somebody, he waits for others, and meets one of them again when they are few, or when the first is
// forgotten.
func TestRecentPartnersInACrowd(t *testing.T) {
	crowd := func(t *testing.T, n int) (x *finding, others []*finding, first time.Time) {
		m := open(t, Config{})
		name := func(i int) string { return fmt.Sprint("p", i) }
		for i := range n {
			r, _ := meet(t, m, ticket("x", "any"), ticket(name(i), name(i)))
			r.Leave("left")
			if i == 0 {
				first = time.Now()
			}
			sleep(1100 * time.Millisecond)
		}
		for i := range n {
			others = append(others, find(t, m, ticket(name(i), name(i))))
			sleep(time.Second)
		}
		return find(t, m, ticket("x", "any")), others, first
	}
	expect := func(t *testing.T, x *finding, want string) {
		t.Helper()
		if got := x.partner(); got != want {
			t.Fatalf("met %q, want %q", got, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		x, _, _ := crowd(t, 7)
		sleep(15*time.Second - 1)
		expect(t, x, "")
		sleep(1)
		expect(t, x, "p0")
	})
	synctest.Test(t, func(t *testing.T) {
		x, others, _ := crowd(t, 8)
		sleep(17 * time.Second)
		others[0].cancel()
		sleep(3*time.Second - 1)
		expect(t, x, "")
		sleep(1)
		expect(t, x, "p1")
	})
	synctest.Test(t, func(t *testing.T) {
		x, _, first := crowd(t, 8)
		sleep(time.Until(first.Add(10*time.Minute - 1)))
		expect(t, x, "")
		sleep(1)
		expect(t, x, "p0")
	})
}

// Five other partners make two people forget each other.
func TestFiveOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		for i := range 6 { // a's and b's
			ra, _ := meet(t, m, ticket("a", "x"), ticket(fmt.Sprint("c", i), "x"))
			rb, _ := meet(t, m, ticket("b", "x"), ticket(fmt.Sprint("d", i), "x"))
			if i == 0 {
				ra.Leave("left")
				rb.Leave("left")
				rab, _ := meet(t, m, ticket("a", "x"), ticket("b", "x"))
				rab.Leave("left")
				continue
			}
			ra.Leave("left")
			rb.Leave("left")
			if i < 5 {
				a, b := find(t, m, ticket("a", "x")), find(t, m, ticket("b", "x"))
				if a.partner() != "" || b.partner() != "" {
					t.Fatalf("after %d others a meets %q", i, a.partner())
				}
				a.cancel()
				b.cancel()
				synctest.Wait()
			}
		}
		meet(t, m, ticket("a", "x"), ticket("b", "x"))
	})
}
