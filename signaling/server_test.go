package signaling_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"smalltalk/signaling"
)

func TestNewRefuses(t *testing.T) {
	e := start(t, options{})
	for name, cfg := range map[string]signaling.Config{
		"nothing":     {},
		"no database": {Matcher: e.matcher, NewPeer: e.media.newPeer},
		"no matcher":  {DB: e.db, NewPeer: e.media.newPeer},
		"no media":    {DB: e.db, Matcher: e.matcher},
		"bad origin":  {DB: e.db, Matcher: e.matcher, NewPeer: e.media.newPeer, Origins: []string{"example.org"}},
	} {
		if _, err := signaling.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestNoWeb is a server for native clients only, with any topic.
func TestNoWeb(t *testing.T) {
	e := start(t, options{config: func(c *signaling.Config) { c.Web, c.Topics, c.FreeTopics = nil, nil, true }})
	if status, m, _ := e.do(http.MethodGet, "/", ""); status != http.StatusNotFound || m.str("code") != "not_found" {
		t.Errorf("%d %v", status, m)
	}
	_, m, _ := e.do(http.MethodGet, "/api/v1/topics", "")
	if list := m["topics"].([]any); len(list) != 0 {
		t.Errorf("topics %v", m)
	}
	c := e.join("x")
	c.send(message{"type": "queue.join", "topics": []string{"knitting"}})
	c.wantError("unknown_topic") // the matcher's word
	c.find("any")
	c.want("queue.state")
}

// TestMatcherClosed is the moment between two steps of the server's stop.
func TestMatcherClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		a.find("any")
		a.want("queue.state")
		if err := e.matcher.Close(); err != nil {
			t.Fatal(err)
		}
		a.wantError("draining")
		b.find("any")
		b.wantError("draining")
	})
}

// TestFailedJoin is a call whose media the server cannot wire.
func TestFailedJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.media.mu.Lock()
		e.media.joinError = codedErr("room_full")
		e.media.mu.Unlock()
		a.find("any")
		b.find("any")
		for _, c := range []*client{a, b} {
			c.met()
		}
		// One of them fails first; for the other one the call has just ended.
		for _, c := range []*client{a, b} {
			m := c.wantAny("error", "call.end")
			if m.str("type") == "error" {
				if m.str("code") != "internal" {
					t.Errorf("error %v", m)
				}
				m = c.want("call.end")
			}
			if m.str("reason") != "lost" {
				t.Errorf("call.end %v", m)
			}
		}
	})
}

// TestFailedRestart keeps a connection whose ICE restart was refused.
func TestFailedRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		a.send(message{"type": "rtc.offer", "sdp": "garbage", "gen": 2, "restart": true})
		a.wantError("sdp_rejected")
		synctest.Wait()
		if got := e.media.roomOf("a"); got != a.call {
			t.Errorf("media in %q", got)
		}
	})
}

// TestPeerDiesUnderAnswer loses the transport while its offer is being answered.
func TestPeerDiesUnderAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		e.media.mu.Lock()
		e.media.hold = make(chan struct{})
		e.media.mu.Unlock()
		a.send(message{"type": "rtc.offer", "id": "r", "sdp": "offer a", "gen": 2, "restart": true})
		a.send(message{"type": "ping", "t": 1})
		a.want("pong")
		e.media.die("a")
		if err := a.wantError("media_failed"); err.str("retry") != "same" || err.str("re") != "r" {
			t.Errorf("error %v", err)
		}
	})
}

// TestLangsMustMatch pairs only people who share a language, when both name some.
func TestLangsMustMatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b, c := e.join("a"), e.join("b"), e.join("c")
		for who, langs := range map[*client][]string{a: {"en"}, b: {"de", "fr"}, c: {"fr-CA"}} {
			who.send(message{"type": "queue.join", "topics": "any", "langs": langs})
		}
		b.met()
		c.met()
		if b.call != c.call || e.matcher.Waiting() != 1 {
			t.Errorf("calls %q and %q, %d waiting", b.call, c.call, e.matcher.Waiting())
		}
	})
}
