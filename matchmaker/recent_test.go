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
		m := open(t, Config{}) // 10 s
		a, b := again(t, m, 3*time.Second)
		sleep(10*time.Second - 1)
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
		sleep(10*time.Second - 1)
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
		sleep(9 * time.Second)
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

func TestRecentsAreBounded(t *testing.T) {
	const limit = 10
	r := newRecents(time.Hour, limit)
	user := func(i int) store.UserID { return store.UserID(fmt.Sprint(i)) }
	for i := range 1000 {
		r.parted(time.Duration(i), user(2*i), user(2*i+1))
		r.parted(time.Duration(i), "busy", user(2*i)) // one person is in it once, however often he parts
		if len(r.last) > limit || len(r.last) != r.byAge.Len() {
			t.Fatalf("after %d: %d people, %d in the list", i, len(r.last), r.byAge.Len())
		}
		if !r.met(time.Duration(i), "busy", user(2*i)) || !r.met(time.Duration(i), user(2*i), "busy") {
			t.Fatalf("after %d: the last parting is forgotten", i)
		}
	}
	r.parted(time.Duration(1000)+time.Hour, "x", "y")
	if len(r.last) != 2 {
		t.Errorf("%d people are remembered after an hour", len(r.last))
	}
}
