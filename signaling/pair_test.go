package signaling_test

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/store"
)

// endCall ends the client's call for a reason, as the server does.
func (e *env) endCall(c *client, reason string) {
	e.t.Helper()
	room, err := e.matcher.Resume(context.Background(), store.SessionID(c.session))
	if err != nil {
		e.t.Fatal(err)
	}
	room.Leave(reason)
}

// crash is what would be on the disk if the server were gone now, after a change; the server itself is stopped.
func (e *env) crash(change func(db *store.DB)) (path string) {
	e.t.Helper()
	time.Sleep(time.Second) // the matcher writes behind
	synctest.Wait()
	disk, err := os.ReadFile(e.path)
	if err != nil {
		e.t.Fatal(err)
	}
	path = filepath.Join(e.t.TempDir(), "copy.db")
	if err := os.WriteFile(path, disk, 0o600); err != nil {
		e.t.Fatal(err)
	}
	e.stop()
	if change != nil {
		db, err := store.Open(path)
		if err != nil {
			e.t.Fatal(err)
		}
		change(db)
		if err := db.Close(); err != nil {
			e.t.Fatal(err)
		}
	}
	return path
}

// comesBack resumes with the pair token of the last call.
func (c *client) comesBack(pair string) *client {
	c.t.Helper()
	next := c.again()
	next.hello(message{"resume": c.resume, "pair": pair})
	return next
}

// inCall says if the welcome has the client in that call.
func (c *client) inCall(call string) bool {
	return c.welcome["resumed"] == true && c.welcome.sub("state").str("phase") == "call" && c.welcome.sub("state").sub("call").str("call") == call
}

// TestPairTellsNothing: the token is each side's own, and has nothing of the partner that can be read.
func TestPairTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		a.find("any")
		b.find("any")
		a.met()
		b.met()
		if a.pair == "" || b.pair == "" || a.pair == b.pair {
			t.Fatalf("pairs %q and %q", a.pair, b.pair)
		}
		sealed, err := base64.RawURLEncoding.DecodeString(a.pair)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{b.session, b.welcome.sub("user").str("id"), a.session, a.call} {
			if strings.Contains(string(sealed), secret) || strings.Contains(a.pair, secret) {
				t.Errorf("%q is in the token", secret)
			}
		}
		// A page that has forgotten it gets another.
		if got := a.resumes().welcome.sub("state").sub("call").str("pair"); got == "" || got == a.pair {
			t.Errorf("pair %q in the snapshot", got)
		}
	})
}

// lostRoom has two in a call whose room the disk does not have, and the server that starts then.
func lostRoom(t *testing.T) (second *env, a, b *client) {
	first := start(t, options{pipes: true})
	a, b = first.join("a"), first.join("b")
	a.find([]string{"gaming", "music"})
	b.find([]string{"music"})
	a.met()
	b.met()
	path := first.crash(func(db *store.DB) {
		if err := db.DeleteRoom(store.RoomID(a.call)); err != nil {
			t.Error(err)
		}
	})
	second = start(t, options{pipes: true, path: path})
	a.e, b.e = second, second
	return second, a, b
}

// TestRejoin brings a call back that only its members remember.
func TestRejoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second, a, b := lostRoom(t)
		a2, b2 := a.comesBack(a.pair), b.comesBack(b.pair)
		for _, c := range []*client{a2, b2} {
			if !c.inCall(a.call) || c.welcome.sub("state").sub("call").list("topics") != `["music"]` {
				t.Fatalf("welcome %v", c.welcome)
			}
		}
		if a2.welcome.sub("state").sub("call").sub("peer").str("name") != "b" {
			t.Errorf("welcome %v", a2.welcome)
		}
		a2.send(message{"type": "chat", "cid": "1", "text": "again"})
		b2.want("chat")
		// It is a room like others, for another restart too.
		third := start(t, options{pipes: true, path: second.crash(nil)})
		a2.e, b2.e = third, third
		a3, b3 := a2.resumes(), b2.resumes()
		if !a3.inCall(a.call) || !b3.inCall(a.call) {
			t.Errorf("welcome %v and %v", a3.welcome, b3.welcome)
		}
		b3.send(message{"type": "call.leave", "call": a.call})
		a3.want("call.end")
	})
}

// TestRejoinNeedsBoth: nobody is brought back into a call by the other one's word alone.
func TestRejoinNeedsBoth(t *testing.T) {
	tests := map[string]func(a, b *client) string{
		"nothing":            func(_, _ *client) string { return "" },
		"the partner's":      func(a, _ *client) string { return a.pair },
		"a damaged one":      func(_, b *client) string { return b.pair[:len(b.pair)-8] + "AAAAAAAA" },
		"one of other kinds": func(_, b *client) string { return b.resume },
	}
	for name, pair := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				second, a, b := lostRoom(t)
				a2 := a.comesBack(a.pair)
				if !a2.inCall(a.call) {
					t.Fatalf("welcome %v", a2.welcome)
				}
				b2 := b.comesBack(pair(a, b))
				if b2.welcome["resumed"] != false || b2.welcome.sub("state").str("phase") != "idle" {
					t.Errorf("welcome %v", b2.welcome)
				}
				if end := a2.want("call.end"); end.str("reason") != "lost" {
					t.Errorf("call.end %v", end)
				}
				if s := second.matcher.Stats(); s.Rooms != 0 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// TestRejoinAlone ends when the partner does not come.
func TestRejoinAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, _ := lostRoom(t)
		from := time.Now()
		a2 := a.comesBack(a.pair)
		if end := a2.want("call.end"); end.str("reason") != "lost" {
			t.Errorf("call.end %v", end)
		}
		if took := time.Since(from); took > 31*time.Second {
			t.Errorf("after %v", took)
		}
	})
}

// TestRejoinTooLate is after the time in which all come back.
func TestRejoinTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := lostRoom(t)
		time.Sleep(31 * time.Second)
		for _, c := range []*client{a.comesBack(a.pair), b.comesBack(b.pair)} {
			if c.welcome["resumed"] != false || c.welcome.sub("state").str("phase") != "idle" {
				t.Errorf("welcome %v", c.welcome)
			}
		}
	})
}

// TestCrashKeepsTheLine brings those who waited back to their places: the one who waited longest is first, whoever comes
// back first, and before anybody who is new.
func TestCrashKeepsTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := start(t, options{pipes: true, free: true})
		wish := message{"langs": []string{"en"}, "strict": true}
		a, b, g := first.join("a"), first.join("b"), first.join("g")
		qa := a.waits([]string{"knitting"}, wish)
		time.Sleep(5 * time.Second)
		b.waits([]string{"knitting"}, message{"langs": []string{"de"}})
		g.waits([]string{"gaming"}, message{"widen_after_ms": 600_000})
		g.send(message{"type": "queue.widen", "langs": true})
		g.want("queue.state")
		second := start(t, options{pipes: true, free: true, path: first.crash(nil)})
		a.e, b.e, g.e = second, second, second
		g2 := g.resumes()
		if q := g2.want("queue.state"); q.list("widened") != `["langs"]` {
			t.Errorf("queue.state %v", q)
		}
		c := second.join("c")
		c.waits([]string{"knitting"}, message{"langs": []string{"en", "de"}})
		b2 := b.resumes()
		b2.want("queue.state")
		a2 := a.resumes()
		if w := a2.welcome; w["resumed"] != true || w.sub("state").str("phase") != "queued" || w.str("session") != a.session {
			t.Errorf("welcome %v", w)
		}
		if q := a2.want("queue.state"); q.num("since") != qa.num("since") || q["strict"] != true || q.list("topics") != `["knitting"]` || q.list("langs") != `["en"]` {
			t.Errorf("queue.state %v, was %v", q, qa)
		}
		a2.met()
		c.met()
		if a2.call != c.call {
			t.Error("somebody else was first")
		}
		// The place is taken up once.
		b3 := b2.resumes()
		b3.send(message{"type": "queue.leave", "id": "l"})
		b3.want("ok")
	})
}

// TestCrashForgetsStaleTopics: a place on a topic that the operator has taken away is none.
func TestCrashForgetsStaleTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := start(t, options{pipes: true, free: true})
		a := first.join("a")
		a.waits([]string{"knitting"}, nil)
		second := start(t, options{pipes: true, path: first.crash(nil)})
		a.e = second
		a2 := a.resumes()
		if a2.welcome["resumed"] != false || a2.welcome.sub("state").str("phase") != "idle" {
			t.Errorf("welcome %v", a2.welcome)
		}
		a2.find([]string{"gaming"})
		a2.want("queue.state")
	})
}
