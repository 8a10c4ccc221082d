package signaling_test

import (
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// timed is how long a log-in takes that fails.
func (e *env) timed(from int, username, path string) time.Duration {
	p := &person{t: e.t, e: e, from: fmt.Sprintf("10.%d.%d.%d", from>>16&255, from>>8&255, from&255)}
	began := time.Now()
	p.refused(http.StatusUnauthorized, "wrong_login", http.MethodPost, path, message{"username": username, "password": "wrong password", "code": "aaaa-bbbb"})
	return time.Since(began)
}

// slower is how often the first of two kinds of requests took longer than the second. They take turns in who is first, so
// that what else the machine does meets both alike.
func slower(rounds int, first, second func(round int) time.Duration) float64 {
	n := 0
	for i := range rounds {
		var a, b time.Duration
		if i%2 == 0 {
			a, b = first(2*i), second(2*i+1)
		} else {
			b, a = second(2*i), first(2*i+1)
		}
		if a > b {
			n++
		}
	}
	return float64(n) / float64(rounds)
}

// TestNoEnumerationByTime: a wrong password takes as long as an unknown name. Of 80 pairs each kind is the slower one in
// about half; by chance alone it is outside of 30 to 70 in one of 3000 runs, which then gets another two.
func TestNoEnumerationByTime(t *testing.T) {
	if testing.Short() {
		t.Skip("takes several seconds")
	}
	e := start(t, options{config: quickHash})
	e.signUp("anna")
	from := 0
	known := func(i int) time.Duration { return e.timed(from+i, "anna", "/sessions") }
	unknown := func(i int) time.Duration { return e.timed(from+i, fmt.Sprint("unknown", from+i), "/sessions") }
	for attempt := 1; ; attempt++ {
		share := slower(80, known, unknown)
		from += 1000
		t.Logf("a known name took longer in %.0f %% of the pairs", 100*share)
		if share >= 0.3 && share <= 0.7 {
			break
		}
		if attempt == 3 {
			t.Fatal("the time tells whether there is such an account")
		}
	}
	// The comparison sees a difference where there is one: what makes no hash is quicker.
	unhashed := func(i int) time.Duration { return e.timed(from+i, "anna", "/sessions/recovery") }
	if share := slower(20, known, unhashed); share < 0.9 {
		t.Errorf("a hash took longer than none in %.0f %% of the pairs only", 100*share)
	}
}

// TestLogInFlood: forty addresses log in at once, eight times each, at full cost. The memory stays that of a hash for
// each core, and somebody else logs in meanwhile.
func TestLogInFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("takes several seconds")
	}
	e := start(t, options{})
	e.signUp("anna")
	var alone time.Duration
	for range 3 {
		alone = max(alone, e.logIn())
	}
	// On a machine that does much else the measure is what a log-in takes there alone.
	limit := max(2*time.Second, 50*alone)
	for attempt := 1; ; attempt++ {
		took := e.flood(40, 8)
		t.Logf("a log-in alone took %v at most, in the flood %v", alone, took)
		switch {
		case took <= limit:
			return
		case attempt == 3:
			t.Fatalf("a log-in took %v in the flood, the bound is %v", took, limit)
		}
		time.Sleep(2 * time.Second) // what else the machine does may be over then
	}
}

// logIn is how long it takes somebody to log in.
func (e *env) logIn() time.Duration {
	e.t.Helper()
	began := time.Now()
	person := &person{t: e.t, e: e, from: "192.0.2.1"}
	person.want(http.StatusOK, http.MethodPost, "/sessions", message{"username": "anna", "password": goodPassword})
	return time.Since(began)
}

// flood logs in from so many addresses so many times each, all at once, and returns how long somebody else's log-in takes then.
func (e *env) flood(addresses, times int) time.Duration {
	e.t.Helper()
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var flood, watching sync.WaitGroup
	var answered, turnedAway atomic.Int32
	for i := range addresses * times {
		flood.Go(func() {
			p := &person{t: e.t, e: e, from: fmt.Sprint("10.0.0.", i%addresses)}
			status, m, _ := p.do(http.MethodPost, "/sessions", message{"username": fmt.Sprint("unknown", i), "password": goodPassword})
			switch {
			case status == http.StatusUnauthorized:
				answered.Add(1)
			case m.str("code") == "busy" && m.num("retry_after_ms") > 0, m.str("code") == "rate_limited":
				turnedAway.Add(1)
			default:
				e.t.Errorf("%d %v", status, m)
			}
		})
	}
	var most uint64
	done := make(chan struct{})
	watching.Go(func() {
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	time.Sleep(200 * time.Millisecond)
	took := e.logIn()
	flood.Wait()
	close(done)
	watching.Wait()
	e.t.Logf("%d answered, %d turned away; heap %d MiB, before %d MiB", answered.Load(), turnedAway.Load(), most>>20, before.HeapAlloc>>20)
	// What nobody uses any more is collected when the heap has doubled. Without a bound it would be 14 GiB.
	if bound := before.HeapAlloc + 4*uint64(runtime.GOMAXPROCS(0))*46<<20 + 64<<20; most > bound {
		e.t.Errorf("the heap grew to %d MiB, the bound is %d MiB", most>>20, bound>>20)
	}
	if turnedAway.Load() == 0 {
		e.t.Error("the flood was none: nobody was turned away")
	}
	return took
}
