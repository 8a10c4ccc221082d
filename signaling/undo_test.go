package signaling_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// undo asks for the partner of the client's last call.
func (c *client) undo() {
	c.t.Helper()
	c.send(message{"type": "call.undo", "id": "u", "call": c.call})
	if ok := c.want("ok"); ok.str("re") != "u" {
		c.t.Fatalf("%s: ok %v", c.name, ok)
	}
}

// tooLate asks in vain.
func (c *client) tooLate() {
	c.t.Helper()
	c.send(message{"type": "call.undo", "id": "late", "call": c.call})
	if err := c.wantError("not_in_call"); err.str("re") != "late" {
		c.t.Errorf("%s: error %v", c.name, err)
	}
}

// parts has a press Next in its call with b: a waits again then and b does not.
func (e *env) parts(a, b *client) {
	e.t.Helper()
	a.send(message{"type": "call.next", "call": a.call})
	for _, c := range []*client{a, b} {
		if end := c.want("call.end"); end.num("undo_ms") != 10_000 || end.str("call") != c.call {
			e.t.Errorf("call.end %v", end)
		}
	}
	a.want("queue.state")
}

// together sees that the two are in one call, another one than before, with media.
func (e *env) together(a, b *client) {
	e.t.Helper()
	old := a.call
	ma, mb := a.met(), b.met()
	if a.call != b.call || a.call == old || ma.sub("peer").str("name") != b.name || mb.sub("peer").str("name") != a.name {
		e.t.Fatalf("match %v and %v after %q", ma, mb, old)
	}
	synctest.Wait()
	if got := e.media.roomOf(a.name); got != a.call || e.media.roomOf(b.name) != got {
		e.t.Errorf("media of %s in %q and of %s in %q, want %q", a.name, got, b.name, e.media.roomOf(b.name), a.call)
	}
}

func TestUndoBoth(t *testing.T) {
	tests := map[string]func(e *env, a, b *client){
		"the skipped one first": func(_ *env, a, b *client) {
			b.undo()
			m := a.want("call.undo")
			if len(m) != 4 || m.str("call") != a.call || m.num("undo_ms") <= 0 || m.num("undo_ms") > 10_000 {
				t.Errorf("call.undo %v", m)
			}
			a.undo()
		},
		"the skipper first": func(_ *env, a, b *client) {
			a.undo()
			b.want("call.undo")
			b.undo()
		},
		"both at once": func(_ *env, a, b *client) {
			a.send(message{"type": "call.undo", "call": a.call})
			b.send(message{"type": "call.undo", "call": b.call})
		},
		"twice is once": func(_ *env, a, b *client) {
			a.undo()
			a.undo()
			b.want("call.undo")
			b.undo()
		},
		"both in line": func(e *env, a, b *client) {
			b.send(message{"type": "queue.join", "topics": []string{"music"}})
			b.want("queue.state")
			a.undo()
			b.undo()
		},
		"in line only after asking": func(e *env, a, b *client) {
			b.undo()
			b.send(message{"type": "queue.join", "topics": []string{"music"}})
			b.want("queue.state")
			a.undo()
		},
		"at the last moment": func(_ *env, a, b *client) {
			time.Sleep(9900 * time.Millisecond)
			b.undo()
			if m := a.want("call.undo"); m.num("undo_ms") != 100 {
				t.Errorf("call.undo %v", m)
			}
			a.undo()
		},
	}
	for name, ask := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := start(t, options{pipes: true})
				a, b := e.join("a"), e.join("b")
				e.pair(a, b)
				// Its settings keep a from meeting b in line.
				e.parts(a, b)
				ask(e, a, b)
				e.together(a, b)
				a.leave()
				b.want("call.end")
			})
		})
	}
}

// TestUndoAfterLeave asks back where neither waits.
func TestUndoAfterLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b, c := e.join("a"), e.join("b"), e.join("c")
		e.pair(a, b)
		a.send(message{"type": "call.leave", "call": a.call})
		for _, x := range []*client{a, b} {
			if end := x.want("call.end"); end.num("undo_ms") != 10_000 {
				t.Errorf("call.end %v", end)
			}
		}
		a.undo()
		// Who waits for one partner only is nobody else's.
		c.find("any")
		c.want("queue.state")
		time.Sleep(time.Second)
		synctest.Wait()
		a.silent("match")
		c.silent("match")
		b.want("call.undo")
		b.undo()
		e.together(a, b)
		if got := e.matcher.Waiting(); got != 1 {
			t.Errorf("%d wait", got)
		}
	})
}

// TestUndoAlone is asked by one only. Nothing has happened when the time is over.
func TestUndoAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		e.parts(a, b)
		b.undo()
		a.want("call.undo")
		time.Sleep(11 * time.Second)
		synctest.Wait()
		b.silent("match", "error", "call.end", "queue.state")
		a.silent("match", "error")
		b.tooLate()
		a.tooLate()
		if got := e.matcher.Waiting(); got != 1 {
			t.Errorf("%d wait", got)
		}
		c := e.join("c")
		c.find("any")
		c.met()
		a.met()
		b.find("any") // as ever
		b.want("queue.state")
	})
}

// TestUndoTooLate asks at the end of the time.
func TestUndoTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		e.parts(a, b)
		time.Sleep(10 * time.Second)
		b.tooLate()
		synctest.Wait()
		a.silent("call.undo")
	})
}

// TestUndoMatchedElsewhere is too late for one who has another partner by now.
func TestUndoMatchedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b, c := e.join("a"), e.join("b"), e.join("c")
		e.pair(a, b)
		old := a.call
		e.parts(a, b)
		b.undo()
		a.want("call.undo")
		c.find("any")
		a.met()
		c.met()
		a.send(message{"type": "call.undo", "call": old})
		a.wantError("not_in_call")
		time.Sleep(11 * time.Second)
		synctest.Wait()
		b.silent("match", "error")
		// Also after that call nobody asks b back.
		a.send(message{"type": "call.leave", "call": a.call})
		a.want("call.end")
		a.send(message{"type": "call.undo", "call": old})
		a.wantError("not_in_call")
	})
}

// TestUndoTakenBack is for who presses Cancel after asking.
func TestUndoTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		e.parts(a, b)
		b.undo()
		a.want("call.undo")
		b.send(message{"type": "queue.leave", "id": "l"})
		if ok := b.want("ok"); ok.str("re") != "l" {
			t.Errorf("ok %v", ok)
		}
		b.send(message{"type": "queue.leave"})
		b.wantError("not_queued")
		a.undo()
		b.want("call.undo") // a wants b back now, and b may change its mind again
		time.Sleep(time.Second)
		synctest.Wait()
		a.silent("match")
		b.undo()
		e.together(a, b)
	})
}

// TestUndoAfterLostConnection asks and is asked over lost WebSockets.
func TestUndoAfterLostConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		e.parts(a, b)
		a.drop()
		synctest.Wait()
		b.undo()
		b.drop() // what it has asked holds
		time.Sleep(4 * time.Second)
		a2, b2 := a.resumes(), b.resumes()
		if w := b2.welcome.sub("state"); w.str("phase") != "idle" {
			t.Errorf("state %v", w)
		}
		if m := a2.want("call.undo"); m.num("undo_ms") != 6000 || m.str("call") != a.call {
			t.Errorf("call.undo %v", m)
		}
		a2.undo()
		e.together(a2, b2)
	})
}

// TestUndoEndWhileAway is the call whose end a client has missed.
func TestUndoEndWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		a.drop()
		b.want("peer.state")
		b.send(message{"type": "call.next", "call": b.call})
		b.want("call.end")
		time.Sleep(3 * time.Second)
		a2 := a.resumes()
		if ended := a2.welcome.sub("state").sub("ended"); ended.num("undo_ms") != 7000 {
			t.Errorf("ended %v", ended)
		}
		a2.undo()
		b.want("call.undo")
		b.undo()
		e.together(a2, b)
	})
}

// TestUndoOnlyByChoice offers nothing where a call ended by no choice of the two.
func TestUndoOnlyByChoice(t *testing.T) {
	for _, reason := range []string{"blocked", "kicked", "lost"} {
		t.Run(reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := start(t, options{pipes: true})
				a, b := e.join("a"), e.join("b")
				e.pair(a, b)
				e.endCall(a, reason)
				for _, c := range []*client{a, b} {
					end := c.want("call.end")
					if _, ok := end["undo_ms"]; ok || end.str("reason") != reason {
						t.Errorf("call.end %v", end)
					}
					c.tooLate()
				}
			})
		})
	}
}

// TestUndoOfGone asks for somebody who has closed the page: that tells nothing.
func TestUndoOfGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		b.leave()
		if end := a.want("call.end"); end.num("undo_ms") != 10_000 {
			t.Errorf("call.end %v", end)
		}
		a.undo()
		b2 := b.again()
		b2.hello(nil)
		time.Sleep(11 * time.Second)
		synctest.Wait()
		a.silent("match", "error")
		b2.silent("match", "call.undo")
	})
}

// TestUndoStorm is bounded like all that makes work for the matcher.
func TestUndoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		e.parts(a, b)
		for range 20 {
			b.send(message{"type": "call.undo", "id": "u", "call": b.call})
		}
		for {
			if m := b.wantAny("ok", "error"); m["type"] == "error" {
				if m.str("code") != "rate_limited" || m.num("retry_after_ms") <= 0 {
					t.Errorf("error %v", m)
				}
				break
			}
		}
		synctest.Wait()
		asked := 0
		for len(a.in) > 0 {
			if m := <-a.in; m.str("type") == "call.undo" {
				asked++
			}
		}
		if asked != 1 {
			t.Errorf("told %d times", asked)
		}
	})
}
