package signaling_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestMediaLost is a transport that dies under a living WebSocket, and comes back.
func TestMediaLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		e.media.setState("a", "disconnected")
		if s := a.want("rtc.state"); s.str("state") != "disconnected" {
			s = a.want("rtc.state") // the first was that it had connected
			if s.str("state") != "disconnected" {
				t.Errorf("rtc.state %v", s)
			}
		}
		if s := b.want("peer.state"); s.str("connection") != "reconnecting" {
			t.Errorf("peer.state %v", s)
		}
		// An ICE restart brings the same one back.
		a.gen++
		a.send(message{"type": "rtc.offer", "sdp": "offer a", "gen": a.gen, "restart": true})
		a.want("rtc.answer")
		if s := b.want("peer.state"); s.str("connection") != "ok" {
			t.Errorf("peer.state %v", s)
		}
		e.media.die("a")
		if s := a.want("rtc.state"); s.str("state") != "failed" {
			s = a.want("rtc.state")
			if s.str("state") != "failed" {
				t.Errorf("rtc.state %v", s)
			}
		}
		if s := b.want("peer.state"); s.str("connection") != "reconnecting" {
			t.Errorf("peer.state %v", s)
		}
		a.gen++
		a.send(message{"type": "rtc.offer", "id": "r", "sdp": "offer a", "gen": a.gen, "restart": true})
		if err := a.wantError("media_failed"); err.str("retry") != "same" || err.str("re") != "r" {
			t.Errorf("error %v", err)
		}
		a.offer("")
		if s := b.want("peer.state"); s.str("connection") != "ok" {
			t.Errorf("peer.state %v", s)
		}
		synctest.Wait()
		if got := e.media.roomOf("a"); got != a.call {
			t.Errorf("media in %q", got)
		}
	})
}

// TestNewConnectionInCall replaces the media connection under a running call.
func TestNewConnectionInCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		a.offer("")
		synctest.Wait()
		if opened, closed, _, _ := e.media.counts(); opened != 3 || closed != 1 {
			t.Errorf("%d opened, %d closed", opened, closed)
		}
		synctest.Wait()
		if got := e.media.roomOf("a"); got != a.call {
			t.Errorf("media in %q", got)
		}
	})
}

// TestMediaAfterMatch is a client that is matched before it has media.
func TestMediaAfterMatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.dial("a"), e.dial("b")
		a.hello(nil)
		b.hello(nil)
		e.pair(a, b)
		a.offer("")
		b.offer("")
		synctest.Wait()
		if got := e.media.roomOf("a"); got != a.call || got != e.media.roomOf("b") {
			t.Errorf("media in %q", got)
		}
	})
}

// TestSlowAnswer keeps the session awake while an offer is answered, and answers the last of
// those that come meanwhile.
func TestSlowAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		e.media.hold = make(chan struct{})
		a := e.dial("a")
		a.hello(nil)
		for gen := 1; gen <= 3; gen++ {
			a.send(message{"type": "rtc.offer", "sdp": "offer a", "gen": gen})
		}
		a.send(message{"type": "ping", "t": 1})
		a.want("pong")
		close(e.media.hold)
		first, last := a.want("rtc.answer"), a.want("rtc.answer")
		if first.num("gen") != 1 || last.num("gen") != 3 {
			t.Errorf("answers %v and %v", first, last)
		}
		a.send(message{"type": "ping", "t": 1})
		a.want("pong") // and nothing else: want fails on a third answer
	})
}

// TestLeaveDuringAnswer ends a session whose answer never comes.
func TestLeaveDuringAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		e.media.hold = make(chan struct{})
		a := e.dial("a")
		a.hello(nil)
		a.send(message{"type": "rtc.offer", "sdp": "offer a", "gen": 1})
		a.send(message{"type": "ping", "t": 1})
		a.want("pong")
		a.leave()
		synctest.Wait()
		if s := e.srv.Stats(); s.Sessions != 0 {
			t.Errorf("%+v", s)
		}
		if opened, closed, _, _ := e.media.counts(); opened != 1 || closed != 1 {
			t.Errorf("%d opened, %d closed", opened, closed)
		}
	})
}

// TestAnswerWhileAway makes a client whose answer got lost start anew.
func TestAnswerWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		e.media.hold = make(chan struct{})
		a := e.dial("a")
		a.hello(nil)
		a.send(message{"type": "rtc.offer", "sdp": "offer a", "gen": 1})
		a.send(message{"type": "ping", "t": 1})
		a.want("pong")
		a.drop()
		synctest.Wait()
		close(e.media.hold)
		synctest.Wait()
		if w := a.resumes().welcome; w.str("media") != "new" {
			t.Errorf("welcome %v", w)
		}
	})
}

// TestNoCommonCodec tells both why they do not see each other, and frees them.
func TestNoCommonCodec(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.dial("a"), e.dial("b")
		a.hello(nil)
		a.offer("vp8")
		b.hello(nil)
		b.offer("h264")
		a.find("any")
		b.find("any")
		for _, c := range []*client{a, b} {
			c.met()
			c.wantError("media_failed")
			if end := c.want("call.end"); end.str("call") != c.call || end.str("reason") != "lost" || end["requeued"] != false {
				t.Errorf("call.end %v", end)
			}
		}
		if n := e.matcher.Stats().Rooms; n != 0 {
			t.Errorf("%d rooms", n)
		}
	})
}

func TestNoPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		e.media.newError = errors.New("out of sockets")
		a := e.dial("a")
		a.hello(nil)
		a.send(message{"type": "rtc.offer", "sdp": "offer a", "gen": 1})
		a.wantError("internal")
	})
}

// TestRejectedOfferKeepsNothing sees that a failed first offer leaves no peer behind.
func TestRejectedOfferKeepsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a := e.dial("a")
		a.hello(nil)
		a.send(message{"type": "rtc.offer", "sdp": "garbage", "gen": 1})
		a.wantError("sdp_rejected")
		synctest.Wait()
		if opened, closed, _, _ := e.media.counts(); opened != 1 || closed != 1 {
			t.Errorf("%d opened, %d closed", opened, closed)
		}
		a.gen = 1
		a.offer("")
	})
}

// TestRejectedOfferInCall is a new connection that could not be made in mid-call: the partner, who sees a
// still picture now, is told, and told again when another one has been made.
func TestRejectedOfferInCall(t *testing.T) {
	for name, newError := range map[string]error{
		"the offer is garbage":      nil,
		"no connection can be made": errors.New("out of sockets"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := start(t, options{pipes: true})
				a, b := e.join("a"), e.join("b")
				e.pair(a, b)
				e.media.refuse(newError)
				a.gen++
				a.send(message{"type": "rtc.offer", "sdp": "garbage", "gen": a.gen})
				a.want("error")
				if s := b.want("peer.state"); s.str("connection") != "reconnecting" {
					t.Errorf("peer.state %v", s)
				}
				e.media.refuse(nil)
				a.offer("")
				if s := b.want("peer.state"); s.str("connection") != "ok" {
					t.Errorf("peer.state %v", s)
				}
			})
		})
	}
}

func TestTyping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		from := time.Now()
		a.send(message{"type": "chat.typing", "on": true})
		if m := b.want("chat.typing"); m["on"] != true {
			t.Errorf("typing %v", m)
		}
		time.Sleep(3 * time.Second)
		a.send(message{"type": "chat.typing", "on": true}) // still at it
		if m := b.want("chat.typing"); m["on"] != false {
			t.Errorf("typing %v", m)
		}
		if took := time.Since(from); took != 8*time.Second {
			t.Errorf("ended after %v", took)
		}
		// A line ends it, and what is typed after the line is told again.
		a.send(message{"type": "chat.typing", "on": true})
		a.send(message{"type": "chat", "cid": "1", "text": "hi"})
		a.send(message{"type": "chat.typing", "on": true})
		for _, want := range []any{true, nil, false, true} {
			kind := "chat.typing"
			if want == nil {
				kind = "chat"
			}
			if m := b.want(kind); m["on"] != want {
				t.Errorf("%s %v, want %v", kind, m, want)
			}
		}
	})
}

// TestChatOnce sends a line again, as a client does that has not got its ok.
func TestChatOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		for range 3 {
			a.send(message{"type": "chat", "id": "1", "cid": "x", "text": "once"})
			a.want("ok")
		}
		a.send(message{"type": "chat", "id": "2", "cid": "y", "text": "twice"})
		a.want("ok")
		if m := b.want("chat"); m.str("text") != "once" {
			t.Errorf("chat %v", m)
		}
		if m := b.want("chat"); m.str("text") != "twice" {
			t.Errorf("chat %v", m)
		}
	})
}

func TestTopicsWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		a.send(message{"type": "topics.watch", "on": true, "id": "w"})
		if m := a.want("topics"); m.str("re") != "w" || len(m["topics"].([]any)) != 2 {
			t.Errorf("topics %v", m)
		}
		b.find([]string{"gaming"})
		from := time.Now()
		m := a.want("topics")
		if first := message(m["topics"].([]any)[0].(map[string]any)); first.num("waiting") != 4 || first.num("online") != 4 {
			t.Errorf("topics %v", m)
		}
		if took := time.Since(from); took > 2*time.Second {
			t.Errorf("after %v", took)
		}
		a.send(message{"type": "topics.watch", "on": false, "id": "w"})
		a.want("ok")
	})
}

// TestQueueCount keeps who waits informed of how many do.
func TestQueueCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		send := func(c *client, lang string) {
			c.send(message{"type": "queue.join", "topics": []string{"gaming"}, "langs": []string{lang}})
		}
		send(a, "en-GB")
		if q := a.want("queue.state"); q.num("waiting") != 1 {
			t.Errorf("queue.state %v", q)
		}
		send(b, "de")
		for q := a.want("queue.state"); q.num("waiting") != 4; q = a.want("queue.state") {
		}
		c := e.join("c")
		send(c, "en-US")
		if m := a.met(); m["langs"].([]any)[0] != "en" {
			t.Errorf("match %v", m)
		}
	})
}

// TestMediaWant is what a client wants to receive: it holds for the session, over connections and partners, and
// the partner hears of it only whether it is seen.
func TestMediaWant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		a.send(message{"type": "media.want", "id": "w", "audio": true, "video": false, "max_kbps": 300})
		if ok := a.want("ok"); ok.str("re") != "w" {
			t.Errorf("reply %v", ok)
		}
		for _, c := range []*client{a, b} {
			c.find("any")
			c.want("queue.state")
		}
		a.met()
		b.met()
		if s := b.want("peer.state"); s["watching"] != false {
			t.Errorf("peer.state %v", s)
		}
		if s := a.want("peer.state"); s["watching"] != true {
			t.Errorf("peer.state %v", s)
		}
		listens := want{audio: true, maxBitrate: 300_000}
		synctest.Wait()
		if got := e.media.wantOf("a"); got != listens {
			t.Errorf("a wants %+v", got)
		}
		if got := e.media.wantOf("b"); got != (want{audio: true, video: true}) {
			t.Errorf("b wants %+v", got)
		}
		a.offer("")
		synctest.Wait()
		if got := e.media.wantOf("a"); got != listens {
			t.Errorf("on a new connection a wants %+v", got)
		}
		a.send(message{"type": "media.want", "audio": true, "video": true})
		if s := b.want("peer.state"); s["watching"] != true {
			t.Errorf("peer.state %v", s)
		}
		synctest.Wait()
		if got := e.media.wantOf("a"); got != (want{audio: true, video: true}) {
			t.Errorf("at last a wants %+v", got)
		}
		for _, bad := range []message{
			{}, {"audio": true}, {"video": true}, {"audio": 1, "video": true}, {"audio": true, "video": nil},
			{"audio": true, "video": true, "max_kbps": 0}, {"audio": true, "video": true, "max_kbps": 49},
			{"audio": true, "video": true, "max_kbps": 100_001}, {"audio": true, "video": true, "max_kbps": "300"},
			{"audio": true, "video": true, "max_kbps": 300.5}, {"audio": true, "video": true, "max_kbps": 1e30},
		} {
			bad["type"] = "media.want"
			a.send(bad)
			a.wantError("bad_message")
		}
		if got := e.media.wantOf("a"); got != (want{audio: true, video: true}) {
			t.Errorf("after what was refused a wants %+v", got)
		}
	})
}

// TestNoMatchWithoutMedia keeps people apart from somebody whose media does not work, until it
// does.
func TestNoMatchWithoutMedia(t *testing.T) {
	table := []struct {
		name    string
		waiting func(e *env, a *client) // brings a into the line, without media
		heal    func(e *env, a *client)
	}{
		{"it never worked", func(e *env, a *client) {
			e.media.block(true)
			a.offer("")
			e.media.block(false)
			a.find("any")
			a.want("queue.state")
		}, func(e *env, _ *client) { e.media.setState("a", "connected") }},
		{"the offer comes after the search", func(e *env, a *client) {
			a.find("any")
			a.want("queue.state")
			e.media.block(true)
			a.offer("")
			e.media.block(false)
		}, func(e *env, _ *client) { e.media.setState("a", "connected") }},
		{"it is lost while waiting, and comes back", func(e *env, a *client) {
			a.offer("")
			a.find("any")
			a.want("queue.state")
			e.media.setState("a", "disconnected")
		}, func(e *env, _ *client) { e.media.setState("a", "connected") }},
		{"it fails while waiting, and the next one works", func(e *env, a *client) {
			a.offer("")
			a.find("any")
			a.want("queue.state")
			e.media.die("a")
		}, func(_ *env, a *client) { a.offerAndMeet() }},
		{"the offer is refused, and the next one works", func(_ *env, a *client) {
			a.find("any")
			a.want("queue.state")
			a.gen++
			a.send(message{"type": "rtc.offer", "sdp": "nonsense", "gen": a.gen})
			a.wantError("sdp_rejected")
		}, func(_ *env, a *client) { a.offerAndMeet() }},
		{"the WebSocket is lost meanwhile", func(e *env, a *client) {
			a.offer("")
			a.find("any")
			a.want("queue.state")
			e.media.setState("a", "failed")
			a.drop()
			synctest.Wait()
			*a = *a.resumes()
		}, func(_ *env, a *client) { a.offerAndMeet() }},
	}
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := start(t, options{pipes: true})
				a := e.dial("a")
				a.hello(nil)
				c.waiting(e, a)
				synctest.Wait()
				b := e.join("b")
				b.find("any")
				b.want("queue.state")
				time.Sleep(time.Minute)
				synctest.Wait()
				if s := e.srv.Stats(); s.Matches != 0 {
					t.Fatalf("matched without media: %+v", s)
				}
				c.heal(e, a)
				if a.call == "" {
					a.met()
				}
				b.met()
			})
		})
	}
}
