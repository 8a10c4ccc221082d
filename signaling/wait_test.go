package signaling_test

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/matchmaker"
	"smalltalk/signaling"
)

// waits joins the line and returns the first queue.state.
func (c *client) waits(topics any, more message) message {
	c.t.Helper()
	m := message{"type": "queue.join", "id": "j", "topics": topics}
	for k, v := range more {
		m[k] = v
	}
	c.send(m)
	return c.want("queue.state")
}

// list is a field of strings as text.
func (m message) list(key string) string {
	b, _ := json.Marshal(m[key]) // of what was JSON before
	return string(b)
}

func TestWidenNow(t *testing.T) {
	tests := map[string]struct {
		a, b  message
		widen message
		shown string
	}{
		"topics": {message{"topics": []string{"gaming"}}, message{"topics": []string{"music"}}, message{"topics": true}, `["topics"]`},
		"langs": {
			message{"topics": []string{"gaming"}, "langs": []string{"en"}}, message{"topics": "any", "langs": []string{"de"}},
			message{"langs": true}, `["langs"]`,
		},
		"both": {
			message{"topics": []string{"gaming"}, "langs": []string{"en"}}, message{"topics": []string{"music"}, "langs": []string{"de"}},
			message{"topics": true, "langs": true}, `["topics","langs"]`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := start(t, options{pipes: true})
				a, b := e.join("a"), e.join("b")
				q := a.waits("any", tc.a)
				if _, ok := q["widened"]; ok {
					t.Errorf("queue.state %v", q)
				}
				b.waits("any", tc.b)
				time.Sleep(time.Minute)
				synctest.Wait()
				a.silent("match", "error")
				m := message{"type": "queue.widen", "id": "w"}
				for k, v := range tc.widen {
					m[k] = v
				}
				a.send(m)
				w := a.want("queue.state")
				if w.str("re") != "w" || w.list("widened") != tc.shown || w.num("since") != q.num("since") || w.list("topics") != q.list("topics") {
					t.Errorf("queue.state %v", w)
				}
				a.met()
				b.met()
			})
		})
	}
}

// TestWidenInSteps widens one after the other, and the ticket keeps it until the wait is over.
func TestWidenInSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a := e.join("a")
		settings := message{"langs": []string{"en"}}
		since := a.waits([]string{"gaming"}, settings).num("since")
		time.Sleep(time.Second)
		for range 2 { // again is no mistake
			a.send(message{"type": "queue.widen", "langs": true, "id": "w"})
			if w := a.want("queue.state"); w.list("widened") != `["langs"]` {
				t.Errorf("queue.state %v", w)
			}
		}
		a.send(message{"type": "queue.widen", "topics": true, "id": "w"})
		w := a.want("queue.state")
		if w.list("widened") != `["topics","langs"]` || w.num("since") != since {
			t.Errorf("queue.state %v", w)
		}
		// Another session of the same person takes the place with all that belongs to it.
		a2 := a.again()
		a2.hello(nil)
		settings["ticket"] = w.str("ticket")
		if w := a2.waits([]string{"gaming"}, settings); w.list("widened") != `["topics","langs"]` || w.num("since") != since {
			t.Errorf("queue.state %v", w)
		}
		// After Next it is another wait.
		b := e.join("b")
		b.find([]string{"music"})
		a2.met()
		b.met()
		a2.send(message{"type": "call.next", "call": a2.call})
		a2.want("call.end")
		if w := a2.want("queue.state"); w["widened"] != nil || w.num("since") == since {
			t.Errorf("queue.state %v", w)
		}
	})
}

// TestWidenByTime is told when it happens, and meets whom it may then.
func TestWidenByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a := e.join("a")
		a.waits([]string{"gaming"}, message{"langs": []string{"en"}, "widen_after_ms": 5000})
		from := time.Now()
		for _, step := range []struct {
			after time.Duration
			shown string
		}{{5 * time.Second, `["topics"]`}, {10 * time.Second, `["topics","langs"]`}} {
			q := a.want("queue.state")
			took := time.Since(from)
			if q.list("widened") != step.shown || took < step.after || took > step.after+1100*time.Millisecond {
				t.Errorf("after %v: queue.state %v", took, q)
			}
		}
		b := e.join("b")
		b.waits([]string{"music"}, message{"langs": []string{"de"}})
		a.met()
		b.met()
	})
}

// TestWidenMeetsWhoWaits matches at the moment of widening, with nobody coming.
func TestWidenMeetsWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		from := time.Now()
		a.waits([]string{"gaming"}, message{"widen_after_ms": 5000})
		b.waits([]string{"music"}, nil)
		a.met()
		b.met()
		if took := time.Since(from); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("after %v", took)
		}
	})
}

// TestWidenCountsTheWait: a call is no waiting, although the place in line is from before it.
func TestWidenCountsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b, c := e.join("a"), e.join("b"), e.join("c")
		settings := message{"widen_after_ms": 5000}
		q := a.waits([]string{"gaming"}, settings)
		b.find([]string{"gaming"})
		a.met()
		b.met()
		time.Sleep(time.Minute)
		b.leave()
		a.want("call.end")
		c.waits([]string{"music"}, nil)
		settings["ticket"] = q.str("ticket")
		from := time.Now()
		if w := a.waits([]string{"gaming"}, settings); w["widened"] != nil || w.num("since") != q.num("since") {
			t.Errorf("queue.state %v", w)
		}
		a.met()
		c.met()
		if took := time.Since(from); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("after %v", took)
		}
	})
}

// TestTicketOfOtherSettings costs the place.
func TestTicketOfOtherSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a := e.join("a")
		q := a.waits([]string{"gaming"}, message{"widen_after_ms": 5000})
		for _, other := range []message{{}, {"widen_after_ms": 6000}, {"widen_after_ms": 5000, "strict": true}, {"widen_after_ms": 5000, "langs": []string{"en"}}} {
			a2 := a.again()
			a2.hello(nil)
			other["ticket"] = q.str("ticket")
			other["topics"] = []string{"gaming"}
			other["type"] = "queue.join"
			a2.send(other)
			if n := a2.want("notice"); n.str("code") != "ticket_expired" {
				t.Errorf("notice %v", n)
			}
		}
	})
}

func TestStrict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b, c := e.join("a"), e.join("b"), e.join("c")
		q := a.waits([]string{"gaming"}, message{"strict": true, "widen_after_ms": 1000, "langs": []string{"en-GB"}})
		if q["strict"] != true || q.list("langs") != `["en"]` || q.list("topics") != `["gaming"]` {
			t.Errorf("queue.state %v", q)
		}
		if q := b.waits("any", nil); q["strict"] != nil || q.str("topics") != "any" || q.list("langs") != `[]` {
			t.Errorf("queue.state %v", q)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		a.silent("match")
		b.silent("match")
		c.find([]string{"gaming"}) // names it, and may meet both: b waits as long, a shares the topic
		a.met()
		c.met()
		a.send(message{"type": "call.next", "call": a.call})
		a.want("call.end")
		if q := a.want("queue.state"); q["strict"] != true {
			t.Errorf("queue.state %v", q)
		}
	})
}

// knows is a matcher that has seen enough to say how long a wait lasts.
type knows struct {
	signaling.Matcher
	wait *atomic.Int64 // a time.Duration; negative: not enough
}

func (k knows) Estimate(matchmaker.Ticket) (time.Duration, bool) {
	wait := k.wait.Load()
	return time.Duration(wait), wait >= 0
}

// TestEstimate is shown only when there is one, and when it changes.
func TestEstimate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wait atomic.Int64
		wait.Store(-1)
		e := start(t, options{pipes: true, config: func(c *signaling.Config) { c.Matcher = knows{c.Matcher, &wait} }})
		a := e.join("a")
		if q := a.waits([]string{"gaming"}, nil); q["eta_ms"] != nil {
			t.Errorf("queue.state %v", q)
		}
		for _, step := range []struct {
			wait time.Duration
			want int64 // 0: nothing is sent
		}{
			{0, 1000}, {time.Millisecond, 0}, {7400 * time.Millisecond, 8000}, {8 * time.Second, 0}, {12 * time.Second, 15_000},
			{95 * time.Second, 120_000}, {11 * time.Minute, 660_000}, {661 * time.Second, 720_000},
		} {
			synctest.Wait()
			wait.Store(int64(step.wait))
			if step.want == 0 {
				time.Sleep(3 * time.Second)
				synctest.Wait()
				a.silent("queue.state")
				continue
			}
			if q := a.want("queue.state"); q.num("eta_ms") != step.want {
				t.Errorf("for %v: queue.state %v", step.wait, q)
			}
		}
		synctest.Wait()
		wait.Store(-1)
		if q := a.want("queue.state"); q["eta_ms"] != nil {
			t.Errorf("queue.state %v", q)
		}
	})
}

func TestFreeTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, free: true})
		a, b := e.join("a"), e.join("b")
		if a.welcome["free_topics"] != true {
			t.Errorf("welcome %v", a.welcome)
		}
		if q := a.waits([]string{"  Straße &\tBahn ", "MUSIC"}, nil); q.list("topics") != `["music","strasse \u0026 bahn"]` {
			t.Errorf("queue.state %v", q)
		}
		list := message{"t": e.topics()}.list("t")
		if strings.Contains(list, "strasse") {
			t.Errorf("everybody is told of %s", list)
		}
		b.find([]string{"STRASSE & bahn"})
		for _, m := range []message{a.met(), b.met()} {
			if m.list("topics") != `["strasse \u0026 bahn"]` {
				t.Errorf("match %v", m)
			}
		}
		c, d := e.join("c"), e.join("d")
		c.find([]string{"gaming"})
		d.find([]string{"Gaming"}) // the name of a listed topic means that one
		if m := c.met(); m.list("topics") != `["gaming"]` {
			t.Errorf("match %v", m)
		}
	})
}

// topics is what everybody may know.
func (e *env) topics() any {
	_, m, _ := e.do("GET", "/api/v1/topics", "")
	return m["topics"]
}

func TestNoFreeTopics(t *testing.T) {
	e := start(t, options{})
	a := e.join("a")
	if a.welcome["free_topics"] != false {
		t.Errorf("welcome %v", a.welcome)
	}
	a.send(message{"type": "queue.join", "topics": []string{"knitting"}})
	a.wantError("unknown_topic")
	if q := a.waits([]string{"GAMING"}, nil); q.list("topics") != `["gaming"]` {
		t.Errorf("queue.state %v", q)
	}
}

// TestBadTopics are no topics, over a real connection, however free one is.
func TestBadTopics(t *testing.T) {
	e := start(t, options{free: true, config: func(c *signaling.Config) { c.Limits = unlimited }})
	c := e.join("x")
	for name, topic := range map[string]string{
		"spaces": " \t ", "control": "a\u0000", "escape": "\u001b[2J", "override": "a\u202eb", "isolate": "\u2066a", "zero width": "a\u200bb",
		"byte order mark": "\ufeff", "private": "\ue000", "only marks": "\u0301", "filler": "\u3164", "too long": strings.Repeat("ä", 33),
		"too long unfolded": strings.Repeat("\ufdfa", 4), "any": "Any", "replacement": "\ufffd",
	} {
		c.send(message{"type": "queue.join", "topics": []string{"gaming", topic}})
		if err := c.wantError("unknown_topic"); err.str("retry") != "never" {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.send(message{"type": "queue.join", "topics": []string{strings.Repeat("x", 65)}})
	c.wantError("bad_message")
	if q := c.waits([]string{strings.Repeat("x", 64)}, nil); q.list("topics") != `["`+strings.Repeat("x", 64)+`"]` {
		t.Errorf("queue.state %v", q)
	}
}

// TestFreeTopicNobodySees: those who wait on it count for nobody else.
func TestFreeTopicNobodySees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, free: true})
		a, b := e.join("a"), e.join("b")
		a.waits([]string{"knitting"}, message{"langs": []string{"en"}})
		time.Sleep(2 * time.Second)
		if q := b.waits([]string{"knitting"}, message{"langs": []string{"de"}}); q["waiting"] != nil {
			t.Errorf("queue.state %v", q)
		}
	})
}
