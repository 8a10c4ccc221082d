package signaling_test

import (
	"testing"
	"testing/synctest"
)

// TestMeetChatNext is the whole way through: two meet, talk, one presses Next.
func TestMeetChatNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		a.find([]string{"gaming", "music"})
		if q := a.want("queue.state"); q.str("ticket") == "" || q.num("since") == 0 || q.num("waiting") != 1 {
			t.Errorf("queue.state %v", q)
		}
		b.find([]string{"music"})
		ma, mb := a.met(), b.met()
		if a.call != b.call || ma.sub("peer").str("name") != "b" || mb.sub("peer").str("name") != "a" {
			t.Fatalf("match %v and %v", ma, mb)
		}
		if got := ma["topics"].([]any); len(got) != 1 || got[0] != "music" {
			t.Errorf("shared topics %v", got)
		}
		a.send(message{"type": "peer.state", "audio": true, "video": true})
		if s := b.want("peer.state"); s["audio"] == false {
			s = b.want("peer.state")
			if s["audio"] != true || s["video"] != true || s.str("connection") != "ok" {
				t.Errorf("peer.state %v", s)
			}
		}
		a.send(message{"type": "chat", "id": "1", "cid": "x", "text": "hi\u0007 there"})
		if m := b.want("chat"); m.str("text") != "hi there" || m.str("from") != mb.sub("peer").str("id") || m.str("cid") == "" {
			t.Errorf("chat %v", m)
		}
		if ok := a.want("ok"); ok.str("re") != "1" {
			t.Errorf("ok %v", ok)
		}
		a.send(message{"type": "call.next", "id": "2", "call": a.call})
		if end := a.want("call.end"); end.str("reason") != "next" || end["requeued"] != true || end.str("re") != "2" {
			t.Errorf("call.end of the one who left: %v", end)
		}
		if end := b.want("call.end"); end.str("reason") != "next" || end["requeued"] != false || end.str("call") != b.call {
			t.Errorf("call.end of the one left: %v", end)
		}
		c := e.join("c")
		c.find("any")
		a.met()
		c.met()
		if got := e.media.roomOf("a"); got != c.call || got != e.media.roomOf("c") {
			t.Errorf("a and c are not in the same room")
		}
		c.leave()
		if end := a.want("call.end"); end.str("reason") != "left" {
			t.Errorf("call.end %v", end)
		}
	})
}

// TestChatTellsNothingAcrossCalls sends lines under the same cid in two calls. A client may make
// its cids from something that stays, and a stranger must not know somebody by it again.
func TestChatTellsNothingAcrossCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		seen := map[string]bool{"stays-1": true}
		for range 2 {
			a, b := e.join("a"), e.join("b")
			e.pair(a, b)
			a.send(message{"type": "chat", "cid": "stays-1", "text": "hi"})
			line := b.want("chat")
			if cid := line.str("cid"); cid == "" || seen[cid] {
				t.Errorf("cid %q was seen before", cid)
			} else {
				seen[cid] = true
			}
			b2 := b.resumes()
			chat := b2.welcome.sub("state")["chat"].([]any)
			if got := message(chat[0].(map[string]any)); got.str("cid") != line.str("cid") {
				t.Errorf("the snapshot has %v, the message was %v", got, line)
			}
			a2 := a.resumes()
			chat = a2.welcome.sub("state")["chat"].([]any)
			if got := message(chat[0].(map[string]any)); got.str("cid") != "stays-1" || got.str("from") != "me" {
				t.Errorf("its sender's snapshot has %v", got)
			}
			a2.leave()
			b2.want("call.end")
			b2.leave()
		}
	})
}
