package signaling_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// pair brings two people into a call.
func (e *env) pair(a, b *client) {
	e.t.Helper()
	a.find("any")
	a.want("queue.state")
	b.find("any")
	a.met()
	b.met()
	if a.call != b.call {
		e.t.Fatalf("calls %q and %q", a.call, b.call)
	}
	// Each hears of the other once; what the tests wait for comes after that.
	a.want("peer.state")
	b.want("peer.state")
}

func TestResumeKeepsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		a.send(message{"type": "chat", "id": "1", "cid": "x", "text": "before"})
		a.want("ok")
		b.want("chat")
		a.drop()
		if s := b.want("peer.state"); s.str("connection") != "reconnecting" {
			t.Errorf("peer.state %v", s)
		}
		b.send(message{"type": "chat", "cid": "y", "text": "meanwhile"})
		synctest.Wait()
		time.Sleep(29 * time.Second)
		a2 := a.again()
		w := a2.hello(message{"resume": a.resume})
		if w["resumed"] != true || w.str("media") != "keep" || w.str("session") != a.session || w.num("n") <= a.n {
			t.Errorf("welcome %v", w)
		}
		state := w.sub("state")
		if state.str("phase") != "call" || state.sub("call").str("call") != b.call || state.sub("call").sub("peer").str("name") != "b" {
			t.Errorf("state %v", state)
		}
		if state.str("ticket") == "" {
			t.Error("no ticket for the time after the call")
		}
		lines := state["chat"].([]any)
		if len(lines) != 2 || message(lines[0].(map[string]any)).str("from") != "me" || message(lines[1].(map[string]any)).str("text") != "meanwhile" {
			t.Errorf("chat %v", lines)
		}
		if s := b.want("peer.state"); s.str("connection") != "ok" {
			t.Errorf("peer.state %v", s)
		}
		a2.send(message{"type": "call.leave", "call": b.call})
		if end := b.want("call.end"); end.str("reason") != "left" {
			t.Errorf("call.end %v", end)
		}
	})
}

func TestGraceEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		from := time.Now()
		a.drop()
		b.want("peer.state")
		if end := b.want("call.end"); end.str("reason") != "lost" || end["requeued"] != false {
			t.Errorf("call.end %v", end)
		}
		if took := time.Since(from); took < 29*time.Second || took > 31*time.Second {
			t.Errorf("the call ended after %v", took)
		}
		// The session is over, so its token gives a new one.
		a2 := a.again()
		if w := a2.hello(message{"resume": a.resume}); w["resumed"] != false || w.sub("state").str("phase") != "idle" {
			t.Errorf("welcome %v", w)
		}
	})
}

// TestSilentDeath is a client that vanishes without a FIN.
func TestSilentDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		a.wire.cut.Store(true)
		from := time.Now()
		if s := b.want("peer.state"); s.str("connection") != "reconnecting" {
			t.Errorf("peer.state %v", s)
		}
		if took := time.Since(from); took > 21*time.Second {
			t.Errorf("noticed after %v", took)
		}
	})
}

// TestEndWhileAway tells a resumed client of the call it missed the end of.
func TestEndWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		a.drop()
		b.want("peer.state")
		b.send(message{"type": "call.next", "call": b.call})
		b.want("call.end")
		a2 := a.again()
		state := a2.hello(message{"resume": a.resume}).sub("state")
		if state.str("phase") != "idle" || state.sub("ended").str("call") != b.call || state.sub("ended").str("reason") != "next" {
			t.Errorf("state %v", state)
		}
		// Late words about that call do no harm.
		a2.send(message{"type": "call.next", "id": "late", "call": b.call})
		if ok := a2.want("ok"); ok.str("re") != "late" {
			t.Errorf("ok %v", ok)
		}
	})
}

// TestQueueWhileAway keeps the place in line and matches nobody with an empty chair.
func TestQueueWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		a.find([]string{"gaming"})
		since := a.want("queue.state").num("since")
		time.Sleep(5 * time.Second)
		a.drop()
		synctest.Wait()
		b.find([]string{"gaming"})
		b.want("queue.state")
		synctest.Wait()
		if n := e.matcher.Waiting(); n != 1 {
			t.Errorf("%d wait while one is away", n)
		}
		a2 := a.again()
		if w := a2.hello(message{"resume": a.resume}); w.sub("state").str("phase") != "queued" || w.sub("state").str("ticket") == "" {
			t.Errorf("welcome %v", w)
		}
		if q := a2.want("queue.state"); q.num("since") != since {
			t.Errorf("since went from %d to %d", since, q.num("since"))
		}
		a2.met()
		b.met()
	})
}

// TestTicketKeepsPlace is the one left behind, who goes back before people who came later.
func TestTicketKeepsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		a.find([]string{"gaming"})
		q := a.want("queue.state")
		since, ticket := q.num("since"), q.str("ticket")
		b.find([]string{"gaming"})
		a.met()
		b.met()
		time.Sleep(time.Minute)
		b.send(message{"type": "call.leave", "call": b.call})
		a.want("call.end")
		a.send(message{"type": "queue.join", "topics": []string{"gaming"}, "ticket": ticket})
		if q := a.want("queue.state"); q.num("since") != since {
			t.Errorf("since went from %d to %d", since, q.num("since"))
		}
		// Leaving the line uses the ticket up, and so do other settings.
		a.send(message{"type": "queue.leave"})
		time.Sleep(time.Second)
		a.send(message{"type": "queue.join", "topics": []string{"gaming"}, "ticket": ticket})
		if n := a.want("notice"); n.str("code") != "ticket_expired" {
			t.Errorf("notice %v", n)
		}
		if q := a.want("queue.state"); q.num("since") == since {
			t.Error("a used ticket kept the place")
		}
	})
}

func TestReplacedTab(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		tab := a.again()
		if w := tab.hello(nil); w["resumed"] != false || w.str("session") == a.session || w.str("media") != "new" {
			t.Errorf("welcome %v", w)
		}
		a.wantError("replaced")
		a.wantClosed(4409)
		if end := b.want("call.end"); end.str("reason") != "left" {
			t.Errorf("call.end %v", end)
		}
		// The new tab can be matched at once.
		tab.find("any")
		tab.want("queue.state")
	})
}

// TestTakeover resumes while the old connection still hangs on.
func TestTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		a2 := a.resumes()
		if a2.welcome["resumed"] != true || a2.welcome.sub("state").sub("call").str("call") != b.call {
			t.Errorf("welcome %v", a2.welcome)
		}
		a.wantError("replaced")
		a.wantClosed(4409)
		a2.send(message{"type": "chat", "cid": "1", "text": "still here"})
		b.want("chat")
	})
}

// TestLostWelcome uses a resume token again because the welcome it had bought never arrived.
func TestLostWelcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		for range 3 {
			next := a.again()
			next.hello(message{"resume": a.resume})
			next.drop()
			synctest.Wait()
		}
		last := a.resumes()
		last.send(message{"type": "ping", "t": 1})
		last.want("pong")
		if last.welcome["resumed"] != true {
			t.Errorf("welcome %v", last.welcome)
		}
		replay := a.again()
		replay.send(message{"type": "hello", "versions": []int{1}, "token": a.token, "resume": a.resume})
		replay.wantError("unauthorized")
		replay.wantClosed(4401)
		// The replay has not touched the session.
		last.send(message{"type": "chat", "cid": "1", "text": "x"})
		b.want("chat")
	})
}

// TestRestart brings the same two together on a new server over the same database.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := start(t, options{pipes: true})
		a, b := first.join("a"), first.join("b")
		first.pair(a, b)
		q := first.join("q")
		q.find([]string{"music"})
		place := q.want("queue.state")
		first.stop()
		for _, c := range []*client{a, b, q} {
			c.wantClosed(1012)
		}

		second := start(t, options{pipes: true, path: first.path})
		a.e, b.e, q.e = second, second, second
		a2 := a.resumes()
		if w := a2.welcome; w["resumed"] != true || w.str("media") != "new" || w.str("session") != a.session ||
			w.sub("state").sub("call").str("call") != a.call || w.sub("state").sub("call").sub("peer").str("name") != "b" {
			t.Errorf("welcome %v", w)
		}
		a2.offer("")
		b2 := b.resumes()
		if s := b2.want("peer.state"); s.str("connection") != "ok" {
			t.Errorf("peer.state of a %v", s)
		}
		b2.offer("")
		synctest.Wait()
		if got := second.media.roomOf("a"); got != a.call || got != second.media.roomOf("b") {
			t.Errorf("media of a in %q", got)
		}
		for s := a2.want("peer.state"); s.str("connection") != "ok"; s = a2.want("peer.state") {
		}
		a2.send(message{"type": "chat", "id": "1", "cid": "1", "text": "again"})
		b2.want("chat")

		// Who waited waits again. A session that has ended is as good with its ticket.
		q2 := q.resumes()
		if w := q2.welcome; w["resumed"] != true || w.sub("state").str("phase") != "queued" {
			t.Errorf("welcome %v", w)
		}
		if got := q2.want("queue.state"); got.num("since") != place.num("since") {
			t.Errorf("place %v, was %v", got, place)
		}
		q3 := q2.again()
		q3.hello(nil)
		q3.send(message{"type": "queue.join", "topics": []string{"music"}, "ticket": place.str("ticket")})
		if got := q3.want("queue.state"); got.num("since") != place.num("since") {
			t.Errorf("place %v, was %v", got, place)
		}
	})
}

// TestRestartTwice is a client that comes back after a restart on two connections at once, because it gave the
// first up too soon: the second one takes the session over and does not end the call.
func TestRestartTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := start(t, options{pipes: true})
		var pairs [20][2]*client
		for i := range pairs {
			pairs[i] = [2]*client{first.join("a"), first.join("b")}
			first.pair(pairs[i][0], pairs[i][1])
		}
		first.stop()
		second := start(t, options{pipes: true, path: first.path})
		for _, p := range pairs {
			a, b := p[0], p[1]
			a.e, b.e = second, second
			for _, c := range []*client{a.again(), a.again()} {
				c.send(message{"type": "hello", "versions": []int{1}, "token": a.token, "resume": a.resume})
			}
			synctest.Wait()
			if w := b.resumes().welcome; w["resumed"] != true || w.sub("state").sub("call").str("call") != a.call {
				t.Fatalf("welcome %v", w)
			}
		}
	})
}

// TestRestartAlone is the one whose partner does not come back after a restart.
func TestRestartAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := start(t, options{pipes: true})
		a, b := first.join("a"), first.join("b")
		first.pair(a, b)
		first.stop()
		second := start(t, options{pipes: true, path: first.path})
		a.e = second
		a2 := a.resumes()
		a2.send(message{"type": "chat", "id": "1", "cid": "1", "text": "anybody?"})
		if e := a2.wantError("not_in_call"); e.str("retry") != "later" {
			t.Errorf("error %v", e)
		}
		if end := a2.want("call.end"); end.str("reason") != "lost" {
			t.Errorf("call.end %v", end)
		}
	})
}

// TestCrash is a server that is gone without a word: what is on the disk brings the two together.
func TestCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := start(t, options{pipes: true})
		a, b := first.join("a"), first.join("b")
		first.pair(a, b)
		time.Sleep(time.Second) // the matcher writes behind
		synctest.Wait()
		disk, err := os.ReadFile(first.path)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "copy.db")
		if err := os.WriteFile(path, disk, 0o600); err != nil {
			t.Fatal(err)
		}
		first.stop() // too late to change the copy

		second := start(t, options{pipes: true, path: path})
		a.e, b.e = second, second
		a2, b2 := a.resumes(), b.resumes()
		for _, c := range []*client{a2, b2} {
			if got := c.welcome.sub("state").sub("call").str("call"); got != a.call || c.welcome["resumed"] != true {
				t.Errorf("welcome %v", c.welcome)
			}
		}
		a2.send(message{"type": "call.next", "call": a.call})
		if end := b2.want("call.end"); end.str("reason") != "next" {
			t.Errorf("call.end %v", end)
		}
		a2.want("call.end")
		a2.want("queue.state")
	})
}
