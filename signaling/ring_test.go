package signaling_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/store"
)

// TestRing connects two friends from wherever they are.
func TestRing(t *testing.T) {
	places := map[string]func(e *env, who, stranger *client) (in *client){
		"idle": func(*env, *client, *client) *client { return nil },
		"in line": func(_ *env, who, _ *client) *client {
			topic := map[string]string{"a": "gaming", "b": "music"}[who.name] // nobody's but his own
			who.send(message{"type": "queue.join", "topics": []string{topic}, "strict": true})
			who.want("queue.state")
			return nil
		},
		"in a call": func(e *env, who, stranger *client) *client {
			e.pair(who, stranger)
			return stranger
		},
	}
	for caller, from := range places {
		for callee, at := range places {
			t.Run("caller "+caller+" callee "+callee, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					e := start(t, options{pipes: true, config: loose})
					a, b := e.friendsNow("a", "b")
					strangers := []*client{from(e, a, e.join("sa")), nil}
					strangers[1] = at(e, b, e.join("sb"))
					e.settle(a, b)
					was := e.media.roomOf("a")
					ring := e.rings(a, b)
					if got := e.media.roomOf("a"); got != was {
						t.Errorf("the caller went from %q to %q", was, got)
					}
					b.send(message{"type": "ring.accept", "id": "y", "ring": ring})
					for _, c := range []*client{a, b} {
						for m := c.wantAny("match", "call.end", "friend.presence"); ; m = c.wantAny("match", "call.end", "friend.presence") {
							if m.str("type") != "match" {
								continue
							}
							c.call = m.str("call")
							if peer := m.sub("peer"); peer["friend"] != true || peer.str("name") == c.name {
								t.Errorf("peer %v", peer)
							}
							break
						}
					}
					for _, s := range strangers {
						if s != nil {
							if m := s.want("call.end"); m.str("reason") != "left" {
								t.Errorf("the stranger was told %v", m)
							}
						}
					}
					synctest.Wait()
					if a.call != b.call || e.media.roomOf("a") != a.call || e.media.roomOf("b") != a.call {
						t.Errorf("calls %q and %q, media in %q and %q", a.call, b.call, e.media.roomOf("a"), e.media.roomOf("b"))
					}
					if n := e.missed(b.id()); n != 0 {
						t.Errorf("%d missed", n)
					}
					// Next is as after any call.
					a.send(message{"type": "call.next", "id": "n", "call": a.call})
					if m := a.want("call.end"); m["requeued"] != true {
						t.Errorf("call.end %v", m)
					}
					a.want("queue.state")
				})
			})
		}
	}
}

// TestRingEnds is every way in which a ring can end without a call.
func TestRingEnds(t *testing.T) {
	tests := map[string]struct {
		do             func(e *env, a, b *client, ring string)
		caller, callee string // reasons; empty for none
		missed         int
	}{
		"declined": {func(_ *env, _, b *client, ring string) {
			b.send(message{"type": "ring.decline", "id": "d", "ring": ring})
		}, "declined", "declined", 0},
		"cancelled": {func(_ *env, a, _ *client, ring string) {
			a.send(message{"type": "ring.cancel", "id": "d", "ring": ring})
		}, "cancelled", "cancelled", 1},
		"timeout": {func(_ *env, _, _ *client, _ string) { time.Sleep(40 * time.Second) }, "timeout", "timeout", 1},
		"the callee goes": {func(_ *env, _, b *client, _ string) {
			b.leave()
		}, "offline", "", 1},
		"the callee is lost and does not come back": {func(_ *env, _, b *client, _ string) {
			b.drop()
			time.Sleep(30 * time.Second)
		}, "offline", "", 1},
		"the caller goes":    {func(_ *env, a, _ *client, _ string) { a.leave() }, "", "cancelled", 1},
		"the caller is lost": {func(_ *env, a, _ *client, _ string) { a.drop(); time.Sleep(31 * time.Second) }, "", "cancelled", 1},
		"blocked by the callee": {func(_ *env, a, b *client, _ string) {
			b.send(message{"type": "block", "user": a.id()})
		}, "declined", "cancelled", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := start(t, options{pipes: true, config: loose})
				a, b := e.friendsNow("a", "b")
				ring := e.rings(a, b)
				test.do(e, a, b, ring)
				for c, reason := range map[*client]string{a: test.caller, b: test.callee} {
					if reason != "" {
						for {
							if m := c.wantAny("ring.end", "friend.presence"); m.str("type") == "ring.end" {
								if m.str("ring") != ring || m.str("reason") != reason {
									t.Errorf("%s: %v, want %s", c.name, m, reason)
								}
								break
							}
						}
					}
				}
				if n := e.missed(b.id()); n != test.missed {
					t.Errorf("%d missed, want %d", n, test.missed)
				}
			})
		})
	}
}

// hidden is a friend of somebody, with an account, who hides.
func (e *env) hidden(friend *client) string {
	e.t.Helper()
	u, _, err := e.db.SignUp(store.SignUp{
		Username: store.Username{Name: "bert", Folded: "bert", Skeleton: "bert"}, Password: "none", Token: store.TokenSpec{TTL: time.Hour},
	}, time.Now())
	if err == nil {
		err = e.db.SetHidePresence(u.ID, true)
	}
	for _, pair := range [][2]store.UserID{{u.ID, store.UserID(friend.id())}, {store.UserID(friend.id()), u.ID}} {
		if err == nil {
			_, err = e.db.RequestFriend(pair[0], pair[1], time.Now())
		}
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return string(u.ID)
}

// TestRingBackUnheard is somebody who hides and rings the one whose ring he has not heard: the two are connected.
func TestRingBackUnheard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, config: loose})
		a := e.account("a")
		id := e.hidden(a)
		a.leave()
		a = e.device(a.id(), "a") // and knows of the friend
		a.send(message{"type": "ring", "user": id})
		a.want("ring")
		b, b2 := e.device(id, "bert"), e.device(id, "bert")
		b.send(message{"type": "ring", "id": "r", "user": a.id()})
		b.met()
		a.met()
		synctest.Wait()
		b2.silent("ring", "ring.end", "match")
		if a.call != b.call {
			t.Errorf("calls %q and %q", a.call, b.call)
		}
	})
}

// TestRingHidden: to who hides it rings as long as to anybody else who does not answer, whether that one goes or never was there.
func TestRingHidden(t *testing.T) {
	for name, there := range map[string]bool{"goes": true, "was not there": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := start(t, options{pipes: true, config: loose})
				a := e.account("a")
				hidden := e.hidden(a)
				a.leave()
				a = e.device(a.id(), "a") // and knows of the friend
				var b *client
				if there {
					b = e.device(hidden, "bert")
				}
				began := time.Now()
				a.send(message{"type": "ring", "user": hidden})
				ring := a.want("ring").str("ring")
				if there {
					b.want("ring")
					time.Sleep(10 * time.Second)
					b.leave()
				}
				a.ends(ring, "timeout")
				if took := time.Since(began); took != 40*time.Second {
					t.Errorf("it rang for %v", took)
				}
				if n := e.missed(hidden); n != 1 {
					t.Errorf("%d missed", n)
				}
			})
		})
	}
}

// TestRingRefused never rings.
func TestRingRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.friendsNow("a", "b")
		b.leave()
		a.want("friend.presence")
		a.send(message{"type": "ring", "id": "1", "user": b.id()})
		a.ends(a.want("ring").str("ring"), "offline")
		b = e.device(b.id(), "b")
		a.want("friend.presence")
		ring := e.rings(a, b)
		a.send(message{"type": "ring", "id": "2", "user": b.id()})
		a.wantError("already_ringing")
		for _, m := range []message{
			{"type": "ring.accept", "ring": ring}, {"type": "ring.decline", "ring": ring}, {"type": "ring.cancel", "ring": "x"},
		} {
			a.send(m) // the caller, or a ring that is none
			a.wantError("not_ringing")
		}
		c := e.join("c")
		for _, typ := range []string{"ring.accept", "ring.decline", "ring.cancel"} {
			c.send(message{"type": typ, "ring": ring})
			c.wantError("not_ringing")
		}
		a.send(message{"type": "ring.cancel", "ring": ring})
		a.ends(ring, "cancelled")
		b.ends(ring, "cancelled")
		for { // the limit
			a.send(message{"type": "ring", "id": "3", "user": b.id()})
			m := a.wantAny("ring", "error")
			if m.str("type") == "error" {
				if m.str("code") != "rate_limited" || m.num("retry_after_ms") <= 0 {
					t.Errorf("error %v", m)
				}
				break
			}
			a.send(message{"type": "ring.cancel", "ring": m.str("ring")})
			a.want("ring.end")
		}
	})
}

// TestRingBusy is a friend whom somebody else rings.
func TestRingBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, config: loose})
		a, b := e.friendsNow("a", "b")
		c := e.account("c")
		e.pair(c, b)
		for _, x := range []*client{c, b} {
			x.send(message{"type": "friend.request", "call": x.call})
		}
		c.befriended()
		b.befriended()
		time.Sleep(time.Second)
		e.settle(a, b, c)
		ring := e.rings(a, b) // in a call: asked
		c.send(message{"type": "ring", "user": b.id()})
		c.ends(c.want("ring").str("ring"), "busy")
		if n := e.missed(b.id()); n != 1 {
			t.Errorf("%d missed", n)
		}
		b.send(message{"type": "ring.decline", "ring": ring})
		b.ends(ring, "declined")
		a.ends(ring, "declined")
	})
}

// TestRingDevices rings on all devices, and the first answer wins.
func TestRingDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, config: loose})
		a, b := e.friendsNow("a", "b")
		b2, b3 := e.device(b.id(), "b"), e.device(b.id(), "b")
		s := e.join("s")
		e.pair(b3, s)
		time.Sleep(time.Second)
		e.settle(a, b, b2, b3)
		ring := e.rings(a, b)
		b2.want("ring")
		b3.want("ring")
		b2.send(message{"type": "ring.accept", "ring": ring})
		b.send(message{"type": "ring.accept", "ring": ring})
		// The one is quicker, whichever; the third leaves its call.
		// The one who was late hears both: that it rings no more, and that it was late.
		seen := map[string]int{}
		for _, c := range []*client{b, b2} {
			for range 2 {
				m := c.wantAny("match", "ring.end", "error")
				seen[m.str("type")+" "+m.str("reason")+m.str("code")]++
				if m.str("type") == "match" {
					break
				}
			}
		}
		if seen["match "] != 1 || seen["ring.end answered_elsewhere"] != 1 || seen["error not_ringing"] != 1 {
			t.Errorf("%v", seen)
		}
		b3.ends(ring, "answered_elsewhere")
		if m := s.want("call.end"); m.str("reason") != "left" {
			t.Errorf("the stranger was told %v", m)
		}
		b3.want("call.end")
		a.want("match")
		synctest.Wait()
		if st := e.matcher.Stats(); st.Rooms != 1 || st.Waiting != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestRingRaces lets two things happen at once; one of two outcomes holds for both sides.
func TestRingRaces(t *testing.T) {
	t.Run("both ring each other", func(t *testing.T) {
		for range 10 {
			synctest.Test(t, func(t *testing.T) {
				e := start(t, options{pipes: true, config: loose})
				a, b := e.friendsNow("a", "b")
				a.send(message{"type": "ring", "id": "r", "user": b.id()})
				b.send(message{"type": "ring", "id": "r", "user": a.id()})
				for _, c := range []*client{a, b} {
					for {
						if m := c.wantAny("match", "ring"); m.str("type") == "match" {
							c.call = m.str("call")
							break
						}
					}
				}
				if a.call != b.call {
					t.Errorf("calls %q and %q", a.call, b.call)
				}
			})
		}
	})
	t.Run("accept and cancel", func(t *testing.T) {
		for range 10 {
			synctest.Test(t, func(t *testing.T) {
				e := start(t, options{pipes: true, config: loose})
				a, b := e.friendsNow("a", "b")
				ring := e.rings(a, b)
				a.send(message{"type": "ring.cancel", "ring": ring})
				b.send(message{"type": "ring.accept", "ring": ring})
				time.Sleep(15 * time.Second)
				synctest.Wait()
				seen := map[string]int{}
				for _, c := range []*client{a, b} {
					for len(c.in) > 0 {
						m := <-c.in
						seen[c.name+" "+m.str("type")+" "+m.str("code")+m.str("reason")]++
					}
				}
				met := seen["a match "] == 1 && seen["b match "] == 1 && seen["a error not_ringing"] == 1
				cancelled := seen["a ring.end cancelled"] == 1 && seen["b ring.end cancelled"] == 1 && seen["b error not_ringing"] == 1
				if met == cancelled {
					t.Errorf("%v", seen)
				}
			})
		}
	})
}

// TestRingDeviceLost comes back while it rings, on either side, and finds the ring in its snapshot.
func TestRingDeviceLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, config: loose})
		a, b := e.friendsNow("a", "b")
		ring := e.rings(a, b)
		a.drop()
		b.drop()
		time.Sleep(3 * time.Second)
		a2, b2 := a.resumes(), b.resumes()
		for c, side := range map[*client]string{a2: "to", b2: "from"} {
			state := c.welcome.sub("state")
			if state.str("phase") != "ringing" || state.sub("ring").str("ring") != ring || state.sub("ring").sub(side).str("name") == c.name {
				t.Errorf("state %v", state)
			}
		}
		a2.drop() // and is away when the friend accepts
		synctest.Wait()
		b2.send(message{"type": "ring.accept", "ring": ring})
		time.Sleep(3 * time.Second)
		a3 := a2.resumes()
		a3.met()
		b2.met()
	})
}

// TestRingNobodyComes is an accepted ring whose caller has gone in that moment.
func TestRingNobodyComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, config: loose})
		a, b := e.friendsNow("a", "b")
		ring := e.rings(a, b)
		a.drop()
		synctest.Wait()
		b.send(message{"type": "ring.accept", "ring": ring})
		b.find("any")
		b.wantError("already_queued") // is being connected
		for {
			if m := b.wantAny("ring.end", "friend.presence"); m.str("type") == "ring.end" {
				if m.str("reason") != "offline" {
					t.Errorf("%v", m)
				}
				break
			}
		}
		synctest.Wait()
		b.find("any")
		b.want("queue.state")
	})
}

// TestRingFriendsNoMore is a friendship that ends between an accepted ring and its call: there is none then.
func TestRingFriendsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, config: loose})
		a, b := e.friendsNow("a", "b")
		ring := e.rings(a, b)
		a.drop()
		synctest.Wait()
		b.send(message{"type": "ring.accept", "ring": ring})
		synctest.Wait()
		began := time.Now()
		if status, m, _ := e.do(http.MethodDelete, "/api/v1/friends/"+b.id(), "", "Authorization", "Bearer "+a.token); status != http.StatusNoContent {
			t.Fatalf("%d %v", status, m)
		}
		b.want("friend.removed")
		b.ends(ring, "offline")
		if took := time.Since(began); took > time.Second {
			t.Errorf("after %v", took)
		}
		synctest.Wait()
		if st := e.matcher.Stats(); st.Waiting != 0 {
			t.Errorf("somebody still waits for the friend: %+v", st)
		}
		a2 := a.resumes()
		if state := a2.welcome.sub("state"); state.str("phase") != "idle" {
			t.Errorf("state %v", state)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		a2.silent("match")
		b.silent("match")
	})
}

// TestRingRestart is a server that stops while it rings: the ring is over and was missed, and the two come back without it.
func TestRingRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := start(t, options{pipes: true, config: loose})
		a, b := first.friendsNow("a", "b")
		first.rings(a, b)
		first.stop()
		second := start(t, options{pipes: true, path: first.path, config: loose})
		a.e, b.e = second, second
		for _, c := range []*client{a.resumes(), b.resumes()} {
			if state := c.welcome.sub("state"); state.str("phase") != "idle" || state["ring"] != nil {
				t.Errorf("state %v", state)
			}
			c.offer("")
			c.leave()
		}
		if n := second.missed(b.id()); n != 1 {
			t.Errorf("%d missed", n)
		}
	})
}
