package signaling_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// last returns the last message of a type that has come, or nil.
func (c *client) last(typ string) (last message) {
	c.t.Helper()
	synctest.Wait()
	for len(c.in) > 0 {
		if m := <-c.in; m.str("type") == typ {
			last = m
		}
	}
	return last
}

// proves resumes the session and shows the token of its call.
func (c *client) proves() *client {
	c.t.Helper()
	next := c.again()
	next.hello(message{"resume": c.resume, "pair": c.pair})
	return next
}

// TestKeptPlaceWidensInTime: who kept the place over a call has his languages widened as late as his topics were to
// be, twice, and not by the length of the call later.
func TestKeptPlaceWidensInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		q := a.waits([]string{"gaming"}, message{"langs": []string{"en"}, "widen_after_ms": 10_000})
		b.waits([]string{"gaming"}, message{"langs": []string{"en"}})
		a.met()
		b.met()
		time.Sleep(10 * time.Minute)
		b.send(message{"type": "call.leave", "call": b.call})
		b.want("call.end")
		a.want("call.end")
		a.waits([]string{"gaming"}, message{"langs": []string{"en"}, "widen_after_ms": 10_000, "ticket": q.str("ticket")})
		c := e.join("c")
		c.waits([]string{"music"}, message{"langs": []string{"de"}})
		time.Sleep(15 * time.Second)
		if m := a.last("match"); m != nil {
			t.Errorf("too soon: %v", m)
		}
		time.Sleep(10 * time.Second)
		if a.last("match") == nil {
			t.Error("not widened to languages")
		}
	})
}

// TestSkipperIsLastInANewSession: the place that Next gave up does not come back by an old ticket in a new session.
func TestSkipperIsLastInANewSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		q := a.waits([]string{"gaming"}, nil)
		time.Sleep(time.Minute)
		b.waits([]string{"gaming"}, nil)
		a.met()
		b.met()
		a.send(message{"type": "call.next", "call": a.call})
		a.want("call.end")
		b.want("call.end")
		a.want("queue.state")
		a = a.again()
		a.hello(nil)
		a.send(message{"type": "queue.join", "topics": []string{"gaming"}, "ticket": q.str("ticket")})
		if m := a.want("notice"); m.str("code") != "ticket_expired" {
			t.Errorf("%v", m)
		}
		if since := a.want("queue.state").num("since"); since <= q.num("since") {
			t.Errorf("the place is that of %d again", since)
		}
	})
}

// TestAskedBackOnce: the partner hears once that he is wanted back, however often that is taken back.
func TestAskedBackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		a.send(message{"type": "call.leave", "call": a.call})
		a.want("call.end")
		b.want("call.end")
		for range 10 {
			a.send(message{"type": "call.undo", "call": a.call})
			a.send(message{"type": "queue.leave"})
			time.Sleep(500 * time.Millisecond)
		}
		synctest.Wait()
		times := 0
		for len(b.in) > 0 {
			if m := <-b.in; m.str("type") == "call.undo" {
				times++
			}
		}
		if times != 1 {
			t.Errorf("asked %d times", times)
		}
	})
}

// TestOwnWordsStay: what somebody typed is told to nobody who did not type it too.
func TestOwnWordsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, free: true})
		for _, widened := range []bool{false, true} {
			a, b := e.join("a"), e.join("b")
			b.waits([]string{"my very private words", "gaming"}, nil)
			if widened {
				a.waits([]string{"music"}, nil)
				a.send(message{"type": "queue.widen", "topics": true})
			} else {
				a.waits("any", nil)
			}
			if got := a.met().list("topics"); got != `["gaming"]` {
				t.Errorf("told of %s", got)
			}
			b.met()
			a.leave()
			b.want("call.end")
			b.leave()
		}
	})
}

// TestSettingsAfterCrashInCall: the search of somebody whose server died in a call goes on as it was, and so does the place.
func TestSettingsAfterCrashInCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := start(t, options{pipes: true})
		a, b := first.join("a"), first.join("b")
		wish := message{"strict": true, "langs": []string{"en", "de"}, "widen_after_ms": 20_000}
		q := a.waits([]string{"gaming", "music"}, wish)
		time.Sleep(time.Minute)
		b.waits("any", nil)
		c := first.join("c")
		c.waits([]string{"gaming"}, message{"langs": []string{"en"}})
		a.met()
		c.met()
		second := start(t, options{pipes: true, path: first.crash(nil)})
		a.e, c.e = second, second
		a2, c2 := a.proves(), c.proves()
		ticket := a2.welcome.sub("state").str("ticket")
		a2.offer("")
		c2.leave()
		a2.want("call.end")
		wish["ticket"] = ticket
		kept := a2.waits([]string{"gaming", "music"}, wish)
		if kept.num("since") != q.num("since") || kept["strict"] != true {
			t.Errorf("waits with %v", kept)
		}
		d := second.join("d")
		d.find("any")
		time.Sleep(10 * time.Second)
		if m := a2.last("match"); m != nil {
			t.Errorf("a strict search met somebody who takes any: %v", m)
		}
	})
}

// TestAnyAfterCrashInCall: who takes anything still does.
func TestAnyAfterCrashInCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := start(t, options{pipes: true, free: true})
		a, b := first.join("a"), first.join("b")
		a.waits("any", nil)
		b.waits([]string{"knitting of hats"}, nil)
		a.met()
		b.met()
		second := start(t, options{pipes: true, free: true, path: first.crash(nil)})
		a.e, b.e = second, second
		a2, _ := a.proves(), b.proves()
		a2.offer("")
		a2.send(message{"type": "call.next", "call": a.call})
		a2.want("call.end")
		if q := a2.want("queue.state"); q.list("topics") != `"any"` {
			t.Errorf("waits for %s", q.list("topics"))
		}
	})
}

// TestHoldWaitsForMedia: who has waited longest and is back first is met first, although its media takes a while.
func TestHoldWaitsForMedia(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := start(t, options{pipes: true})
		a, b := first.join("a"), first.join("b")
		a.waits([]string{"gaming"}, message{"langs": []string{"de"}})
		time.Sleep(time.Minute)
		b.waits([]string{"gaming"}, message{"langs": []string{"en"}})
		second := start(t, options{pipes: true, path: first.crash(nil)})
		a.e, b.e = second, second
		second.media.block(true)
		a2 := a.resumes()
		a2.want("queue.state")
		a2.send(message{"type": "rtc.offer", "sdp": "offer a", "gen": 1})
		b2 := b.resumes()
		b2.want("queue.state")
		synctest.Wait()
		c := second.dial("c")
		c.hello(nil)
		c.waits([]string{"gaming"}, nil)
		time.Sleep(500 * time.Millisecond)
		second.media.block(false)
		second.media.setState("a", "connected")
		time.Sleep(5 * time.Second)
		if a2.last("match") == nil {
			t.Errorf("passed over; b met %v", b2.last("match"))
		}
	})
}

// TestWaitingIsRounded: nobody sees one person come, and of words of one's own no number is told.
func TestWaitingIsRounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, free: true})
		spy := e.join("spy")
		if q := spy.waits([]string{"gaming"}, message{"strict": true, "langs": []string{"zu"}}); q.num("waiting") != 1 {
			t.Errorf("alone: %v", q)
		}
		e.join("a").waits([]string{"gaming"}, message{"langs": []string{"de"}})
		time.Sleep(3 * time.Second)
		if q := spy.last("queue.state"); q.num("waiting") != 4 {
			t.Errorf("beside one: %v", q)
		}
		if q := e.join("b").waits([]string{"knitting"}, nil); q["waiting"] != nil {
			t.Errorf("with words of one's own: %v", q)
		}
	})
}
