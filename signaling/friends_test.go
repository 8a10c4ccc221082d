package signaling_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/signaling"
	"smalltalk/store"
)

// loose are limits under which tests of people run.
func loose(c *signaling.Config) { c.Limits = unlimited }

// account is somebody with an account, made without the cost of a password, on a device.
func (e *env) account(name string) *client {
	e.t.Helper()
	id := store.NewUserID()
	if err := e.db.CreateUser(store.User{ID: id, Name: name, Created: time.Now()}); err != nil {
		e.t.Fatal(err)
	}
	return e.device(string(id), name)
}

// device is another device of a person.
func (e *env) device(id, name string) *client {
	e.t.Helper()
	token, err := e.db.CreateToken(store.UserID(id), time.Now(), store.TokenSpec{TTL: 30 * 24 * time.Hour})
	if err != nil {
		e.t.Fatal(err)
	}
	c := e.dial(name)
	c.token = token
	c.hello(nil)
	c.offer("")
	return c
}

func (c *client) id() string { return c.welcome.sub("user").str("id") }

// friendsNow are two people with accounts who are friends.
func (e *env) friendsNow(a, b string) (*client, *client) {
	e.t.Helper()
	x, y := e.account(a), e.account(b)
	e.pair(x, y)
	for _, c := range []*client{x, y} {
		c.send(message{"type": "friend.request", "id": "f", "call": c.call})
	}
	for _, c := range []*client{x, y} {
		c.befriended()
	}
	x.send(message{"type": "call.leave", "call": x.call})
	for _, c := range []*client{x, y} {
		c.want("call.end")
	}
	time.Sleep(time.Second)
	e.settle(x, y)
	return x, y
}

// befriended waits until both have asked.
func (c *client) befriended() {
	c.t.Helper()
	for c.wantAny("friend.added", "friend.request").str("type") != "friend.added" {
		continue
	}
}

// settle reads away what has come.
func (e *env) settle(clients ...*client) {
	synctest.Wait()
	for _, c := range clients {
		for len(c.in) > 0 {
			c.n = (<-c.in).num("n")
		}
	}
}

// rings has a ring b and returns the ring's id.
func (e *env) rings(a, b *client) string {
	e.t.Helper()
	a.send(message{"type": "ring", "id": "r", "user": b.id()})
	mine, theirs := a.want("ring"), b.want("ring")
	if mine.str("re") != "r" || mine.str("ring") != theirs.str("ring") || mine.sub("to").str("name") != b.name ||
		theirs.sub("from").str("id") != a.id() || theirs.sub("from").str("name") != a.name || theirs["to"] != nil || mine["from"] != nil {
		e.t.Fatalf("ring %v and %v", mine, theirs)
	}
	if left := time.Until(time.UnixMilli(theirs.num("expires"))); left > 40*time.Second || left < 39*time.Second {
		e.t.Errorf("expires in %v", left)
	}
	return mine.str("ring")
}

// ends sees that the ring ended so for a client.
func (c *client) ends(ring, reason string) {
	c.t.Helper()
	if m := c.want("ring.end"); m.str("ring") != ring || m.str("reason") != reason {
		c.t.Fatalf("%s: %v, want %s", c.name, m, reason)
	}
}

// missed counts the calls that somebody has missed.
func (e *env) missed(id string) int {
	e.t.Helper()
	synctest.Wait()
	list, err := e.db.Missed(store.UserID(id), time.Now())
	if err != nil {
		e.t.Fatal(err)
	}
	return len(list)
}

// TestFriendRequest asks in a call; the one who is asked learns the other's id, and the asking one nothing until they are friends.
func TestFriendRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.account("a"), e.account("b")
		e.pair(a, b)
		a.send(message{"type": "friend.request", "id": "1", "call": a.call})
		if m := a.want("ok"); m.str("re") != "1" {
			t.Errorf("ok %v", m)
		}
		if m := b.want("friend.request"); m.sub("user").str("id") != a.id() || m.sub("user").str("name") != "a" || m.str("call") != b.call {
			t.Errorf("friend.request %v", m)
		}
		a.send(message{"type": "friend.request", "id": "2", "call": a.call}) // again changes nothing
		a.want("ok")
		time.Sleep(time.Second)
		synctest.Wait()
		b.silent("friend.request", "friend.added")
		b.send(message{"type": "friend.request", "id": "3", "user": a.id()})
		for c, other := range map[*client]*client{a: b, b: a} {
			m := c.want("friend.added")
			if m.sub("user").str("id") != other.id() || m.str("presence") != "in_call" || m.str("call") != c.call {
				t.Errorf("friend.added %v", m)
			}
		}
		a2 := a.resumes()
		if peer := a2.welcome.sub("state").sub("call").sub("peer"); peer["friend"] != true || peer.str("id") == b.id() {
			t.Errorf("peer %v", peer)
		}
	})
}

// TestFriendRequestLater asks one of the last partners, who is kept for a day, on both sides.
func TestFriendRequestLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.account("a"), e.account("b")
		e.pair(a, b)
		call := a.call
		a.send(message{"type": "call.leave", "call": call})
		a.want("call.end")
		b.want("call.end")
		b.leave()
		synctest.Wait()
		for id, other := range map[string]string{a.id(): b.id(), b.id(): a.id()} {
			list, err := e.db.Partners(store.UserID(id), time.Now())
			if err != nil || len(list) != 1 || string(list[0].User) != other || string(list[0].Call) != call {
				t.Errorf("partners of %s: %v, %v", id, list, err)
			}
		}
		time.Sleep(23 * time.Hour)
		b2 := e.device(b.id(), "b") // another session, which knows of no call
		b2.send(message{"type": "friend.request", "id": "1", "call": call})
		b2.want("ok")
		if m := a.want("friend.request"); m.str("call") != "" || m.sub("user").str("id") != b2.id() {
			t.Errorf("friend.request %v", m)
		}
		time.Sleep(time.Hour)
		e.settle(b2)
		b2.send(message{"type": "block", "id": "2", "call": call})
		b2.wantError("not_found")
		for _, m := range []message{
			{"type": "friend.request", "user": string(store.NewUserID())}, {"type": "block", "user": "x"},
			{"type": "ring", "user": a.id()}, {"type": "ring", "user": b2.id()}, {"type": "friend.request", "user": b2.id()},
		} {
			b2.send(m)
			b2.wantError("not_found")
		}
	})
}

// TestFriendRequestTooLate is not told: when both ask at once, what came of it may be known before that one has asked.
func TestFriendRequestTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, config: loose})
		a, b := e.friendsNow("a", "b")
		e.srv.Asked(store.UserID(a.id()), store.UserID(b.id()))
		synctest.Wait()
		b.silent("friend.request")
		c := e.account("c")
		e.srv.Asked(store.UserID(c.id()), store.UserID(b.id()))
		if m := b.want("friend.request"); m.sub("user").str("id") != c.id() {
			t.Errorf("friend.request %v", m)
		}
	})
}

// TestPresence is told to friends within a second, and to nobody else.
func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, config: loose})
		a, b := e.friendsNow("a", "b")
		c := e.account("c") // no friend
		see := func(presence string) {
			t.Helper()
			from := time.Now()
			m := a.want("friend.presence")
			if m.sub("user").str("id") != b.id() || m.sub("user").str("name") != "b" || m.str("presence") != presence {
				t.Fatalf("%v, want %s", m, presence)
			}
			if took := time.Since(from); took >= time.Second {
				t.Errorf("%s after %v", presence, took)
			}
		}
		e.pair(b, c)
		see("in_call")
		b.drop() // the call goes on
		time.Sleep(2 * time.Second)
		synctest.Wait()
		a.silent("friend.presence")
		b2 := b.resumes()
		b2.send(message{"type": "call.leave", "call": c.call})
		see("online")
		b2.leave()
		see("offline")
		b3 := e.device(b.id(), "b")
		see("online")
		b4 := e.device(b.id(), "b") // a second device changes nothing
		b3.leave()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		a.silent("friend.presence")
		b4.drop()
		see("offline")
		time.Sleep(time.Minute)
		synctest.Wait()
		c.silent("friend.presence", "friend.added", "friend.removed")
	})
}

// TestPresenceHidden shows nothing, and the calls of friends tell nothing either.
func TestPresenceHidden(t *testing.T) {
	e := start(t, options{config: func(c *signaling.Config) { quickHash(c); c.Limits = unlimited }})
	anna, bert := e.signUp("anna"), e.signUp("bert")
	e.befriend(anna, bert)
	a, b := anna.ws(), bert.ws()
	hide := func(hide bool, want string) {
		t.Helper()
		bert.want(http.StatusOK, http.MethodPatch, "/users/me", message{"hide_presence": hide})
		for {
			if m := a.want("friend.presence"); m.str("presence") == want {
				break
			}
		}
		if f := anna.want(http.StatusOK, http.MethodGet, "/friends", nil).items("friends"); f[0].str("presence") != want {
			t.Errorf("friends %v, want %s", f, want)
		}
	}
	for a.want("friend.presence").str("presence") != "online" {
		continue
	}
	hide(true, "offline")
	b.leave()
	e.wantSessions(1)
	// It rings, as it does for one who hides and is here.
	a.send(message{"type": "ring", "user": bert.id})
	ring := a.want("ring").str("ring")
	b = bert.ws()
	if b.welcome.sub("state").str("phase") != "idle" {
		t.Errorf("state %v", b.welcome.sub("state"))
	}
	a.send(message{"type": "ring.cancel", "ring": ring})
	a.ends(ring, "cancelled")
	hide(false, "online")
	bert.want(http.StatusNoContent, http.MethodDelete, "/friends/"+anna.id, nil)
	if m := a.want("friend.removed"); m.sub("user").str("id") != bert.id {
		t.Errorf("friend.removed %v", m)
	}
	b.want("friend.removed")
	a.send(message{"type": "ring", "user": bert.id})
	a.wantError("not_found")
}

// TestBlock ends the call, and the two never meet again, whoever comes first and whoever blocked.
func TestBlock(t *testing.T) {
	for name, first := range map[string]bool{"the blocker comes first": true, "the blocked one comes first": false} {
		for _, friends := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					e := start(t, options{pipes: true, config: loose})
					a, b := e.join("a"), e.join("b")
					if friends {
						a, b = e.friendsNow("a", "b")
						time.Sleep(11 * time.Minute) // they may meet again
						e.settle(a, b)
					}
					e.pair(a, b)
					a.send(message{"type": "block", "id": "b", "call": a.call})
					for _, c := range []*client{a, b} {
						if m := c.want("call.end"); m.str("reason") != "blocked" || m.num("undo_ms") != 0 {
							t.Errorf("call.end %v", m)
						}
					}
					if friends {
						a.want("friend.removed")
						b.want("friend.removed")
					} else {
						a.want("ok")
					}
					time.Sleep(11 * time.Minute)
					e.settle(a, b)
					one, two := a, b
					if !first {
						one, two = b, a
					}
					one.find("any")
					one.want("queue.state")
					two.find("any")
					two.want("queue.state")
					time.Sleep(time.Minute)
					synctest.Wait()
					a.silent("match", "friend.presence")
					b.silent("match", "friend.presence")
					// With others both talk.
					c, d := e.join("c"), e.join("d")
					c.find("any")
					c.met()
					d.find("any")
					d.met()
				})
			})
		}
	}
}

// TestBlockWhileWaiting goes on waiting at the same place, without the other.
func TestBlockWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, config: loose})
		a, b := e.friendsNow("a", "b")
		time.Sleep(11 * time.Minute)
		e.settle(a, b)
		a.find("any")
		a.want("queue.state")
		a.send(message{"type": "block", "id": "b", "user": b.id()})
		a.want("friend.removed")
		b.want("friend.removed")
		synctest.Wait()
		b.find("any")
		b.want("queue.state")
		time.Sleep(time.Minute)
		synctest.Wait()
		a.silent("match")
		b.silent("match")
		c := e.join("c")
		c.find("any")
		if m := c.met(); m.sub("peer").str("name") != "a" {
			t.Errorf("match %v", m)
		}
		a.met()
		// A block that is taken back, and after it they may meet.
		if err := e.db.Unblock(store.UserID(a.id()), store.UserID(b.id())); err != nil {
			t.Fatal(err)
		}
		a.leave()
		c.want("call.end")
		synctest.Wait()
		a2 := e.device(a.id(), "a")
		a2.find("any")
		a2.met()
		b.met()
	})
}

// TestDevices: one person's devices do not displace each other, up to eight; one of them waits or talks at a time.
func TestDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, config: loose})
		a := e.account("a")
		devices := []*client{a}
		for range 7 {
			devices = append(devices, e.device(a.id(), "a"))
		}
		if s := e.srv.Stats(); s.Sessions != 8 {
			t.Errorf("%+v", s)
		}
		devices[1].find("any")
		devices[1].want("queue.state")
		synctest.Wait()
		devices[2].send(message{"type": "queue.join", "id": "q", "topics": "any"})
		if m := devices[2].wantError("already_queued"); m.str("re") != "q" || m.num("retry_after_ms") <= 0 {
			t.Errorf("error %v", m)
		}
		b := e.join("b")
		b.find("any")
		b.met()
		devices[1].met()
		devices[2].find("any")
		devices[2].wantError("already_queued")
		b.leave()
		devices[1].want("call.end")
		synctest.Wait()
		devices[2].find("any")
		devices[2].want("queue.state")
		// The ninth takes the place of the oldest; the same device takes its own.
		e.device(a.id(), "a")
		devices[0].wantError("replaced")
		devices[0].wantClosed(4409)
		again := devices[3].again()
		again.hello(nil)
		devices[3].wantError("replaced")
		synctest.Wait()
		if s := e.srv.Stats(); s.Sessions != 8 {
			t.Errorf("%+v", s)
		}
	})
}
