package signaling_test

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"smalltalk/signaling"
)

// refusal is what a bad input gets: an error code, and a close code when the connection ends.
type refusal struct {
	code   string
	closed websocket.StatusCode
}

// check waits for the refusal and, where the connection goes on, sees that it still works.
func (r refusal) check(c *client) {
	c.t.Helper()
	c.wantError(r.code)
	if r.closed != 0 {
		c.wantClosed(r.closed)
		return
	}
	c.send(message{"type": "ping", "t": 42, "id": "after"})
	if p := c.want("pong"); p.num("t") != 42 || p.str("re") != "after" {
		c.t.Errorf("pong %v", p)
	}
}

// beforeHello are first messages that are none.
var beforeHello = map[string]struct {
	typ   websocket.MessageType
	frame string
	want  refusal
}{
	"no type":          {websocket.MessageText, `{}`, refusal{"bad_message", 4400}},
	"null":             {websocket.MessageText, `null`, refusal{"bad_message", 4400}},
	"array":            {websocket.MessageText, `[{"type":"hello"}]`, refusal{"bad_message", 4400}},
	"not JSON":         {websocket.MessageText, `hello`, refusal{"bad_message", 4400}},
	"empty":            {websocket.MessageText, ``, refusal{"bad_message", 4400}},
	"broken UTF-8":     {websocket.MessageText, "{\"type\":\"hello\",\"lang\":\"\xff\"}", refusal{"bad_message", 4400}},
	"binary":           {websocket.MessageBinary, `{"type":"hello","versions":[1],"guest":{}}`, refusal{"bad_message", 4400}},
	"something else":   {websocket.MessageText, `{"type":"queue.join","topics":"any"}`, refusal{"bad_message", 4400}},
	"65 KiB":           {websocket.MessageText, `{"type":"` + strings.Repeat("x", 65<<10) + `"}`, refusal{"too_large", 4400}},
	"no versions":      {websocket.MessageText, `{"type":"hello","guest":{}}`, refusal{"bad_message", 4400}},
	"unknown version":  {websocket.MessageText, `{"type":"hello","versions":[99],"guest":{}}`, refusal{"unsupported_version", 4400}},
	"nobody":           {websocket.MessageText, `{"type":"hello","versions":[1]}`, refusal{"unauthorized", 4401}},
	"unknown token":    {websocket.MessageText, `{"type":"hello","versions":[1],"token":"abc"}`, refusal{"unauthorized", 4401}},
	"forged resume":    {websocket.MessageText, `{"type":"hello","versions":[1],"guest":{},"resume":"e30.AAAA"}`, refusal{"unauthorized", 4401}},
	"name too long":    {websocket.MessageText, `{"type":"hello","versions":[1],"guest":{"name":"` + strings.Repeat("n", 25) + `"}}`, refusal{"bad_message", 4400}},
	"pair too long":    {websocket.MessageText, `{"type":"hello","versions":[1],"guest":{},"pair":"` + strings.Repeat("A", 4097) + `"}`, refusal{"bad_message", 4400}},
	"pair no string":   {websocket.MessageText, `{"type":"hello","versions":[1],"guest":{},"pair":{}}`, refusal{"bad_message", 4400}},
	"name turned":      {websocket.MessageText, `{"type":"hello","versions":[1],"guest":{"name":"a\u202eb"}}`, refusal{"bad_message", 4400}},
	"name of controls": {websocket.MessageText, `{"type":"hello","versions":[1],"guest":{"name":"a\u0000b"}}`, refusal{"bad_message", 4400}},
}

// afterHello are messages of somebody who has said hello and has media, but no call.
var afterHello = map[string]struct {
	typ   websocket.MessageType
	frame string
	want  refusal
}{
	"twice hello":     {websocket.MessageText, `{"type":"hello","versions":[1],"guest":{}}`, refusal{"bad_message", 0}},
	"unknown type":    {websocket.MessageText, `{"type":"teleport"}`, refusal{"bad_message", 0}},
	"65 KiB":          {websocket.MessageText, `{"type":"` + strings.Repeat("x", 65<<10) + `"}`, refusal{"too_large", 4400}},
	"broken UTF-8":    {websocket.MessageText, "{\"type\":\"chat\",\"text\":\"\xc3\x28\"}", refusal{"bad_message", 0}},
	"binary":          {websocket.MessageBinary, `{"type":"ping","t":1}`, refusal{"bad_message", 0}},
	"array":           {websocket.MessageText, `[]`, refusal{"bad_message", 0}},
	"id too long":     {websocket.MessageText, `{"type":"ping","t":1,"id":"` + strings.Repeat("i", 65) + `"}`, refusal{"bad_message", 0}},
	"id no string":    {websocket.MessageText, `{"type":"ping","t":1,"id":7}`, refusal{"bad_message", 0}},
	"SDP garbage":     {websocket.MessageText, `{"type":"rtc.offer","sdp":"garbage","gen":2}`, refusal{"sdp_rejected", 0}},
	"SDP empty":       {websocket.MessageText, `{"type":"rtc.offer","sdp":"","gen":2}`, refusal{"bad_message", 0}},
	"gen again":       {websocket.MessageText, `{"type":"rtc.offer","sdp":"offer x","gen":1}`, refusal{"bad_message", 0}},
	"gen negative":    {websocket.MessageText, `{"type":"rtc.offer","sdp":"offer x","gen":-1}`, refusal{"bad_message", 0}},
	"unknown topic":   {websocket.MessageText, `{"type":"queue.join","topics":["knitting"]}`, refusal{"unknown_topic", 0}},
	"no topics":       {websocket.MessageText, `{"type":"queue.join"}`, refusal{"bad_message", 0}},
	"empty topics":    {websocket.MessageText, `{"type":"queue.join","topics":[]}`, refusal{"bad_message", 0}},
	"too many topics": {websocket.MessageText, `{"type":"queue.join","topics":["1","2","3","4","5","6","7","8","9"]}`, refusal{"bad_message", 0}},
	"topics a word":   {websocket.MessageText, `{"type":"queue.join","topics":"all"}`, refusal{"bad_message", 0}},
	"bad language":    {websocket.MessageText, `{"type":"queue.join","topics":"any","langs":["e n"]}`, refusal{"bad_message", 0}},
	"strict no bool":  {websocket.MessageText, `{"type":"queue.join","topics":"any","strict":"yes"}`, refusal{"bad_message", 0}},
	"widen too soon":  {websocket.MessageText, `{"type":"queue.join","topics":"any","widen_after_ms":999}`, refusal{"bad_message", 0}},
	"widen too late":  {websocket.MessageText, `{"type":"queue.join","topics":"any","widen_after_ms":600001}`, refusal{"bad_message", 0}},
	"widen before":    {websocket.MessageText, `{"type":"queue.join","topics":"any","widen_after_ms":-1000}`, refusal{"bad_message", 0}},
	"widen a part":    {websocket.MessageText, `{"type":"queue.join","topics":"any","widen_after_ms":1000.5}`, refusal{"bad_message", 0}},
	"widen for ever":  {websocket.MessageText, `{"type":"queue.join","topics":"any","widen_after_ms":1e30}`, refusal{"bad_message", 0}},
	"ticket too long": {websocket.MessageText, `{"type":"queue.join","topics":"any","ticket":"` + strings.Repeat("A", 4097) + `"}`, refusal{"bad_message", 0}},
	"widen no line":   {websocket.MessageText, `{"type":"queue.widen","topics":true}`, refusal{"not_queued", 0}},
	"widen nothing":   {websocket.MessageText, `{"type":"queue.widen"}`, refusal{"bad_message", 0}},
	"widen by no":     {websocket.MessageText, `{"type":"queue.widen","topics":false,"langs":false}`, refusal{"bad_message", 0}},
	"widen a list":    {websocket.MessageText, `{"type":"queue.widen","topics":["gaming"]}`, refusal{"bad_message", 0}},
	"undo, no call":   {websocket.MessageText, `{"type":"call.undo","call":"abc"}`, refusal{"not_in_call", 0}},
	"undo of nothing": {websocket.MessageText, `{"type":"call.undo"}`, refusal{"bad_message", 0}},
	"undo, empty":     {websocket.MessageText, `{"type":"call.undo","call":""}`, refusal{"bad_message", 0}},
	"undo, no string": {websocket.MessageText, `{"type":"call.undo","call":7}`, refusal{"bad_message", 0}},
	"undo too long":   {websocket.MessageText, `{"type":"call.undo","call":"` + strings.Repeat("c", 65) + `"}`, refusal{"bad_message", 0}},
	"any in a list":   {websocket.MessageText, `{"type":"queue.join","topics":["any"]}`, refusal{"unknown_topic", 0}},
	"topic of spaces": {websocket.MessageText, `{"type":"queue.join","topics":["  "]}`, refusal{"unknown_topic", 0}},
	"leave no line":   {websocket.MessageText, `{"type":"queue.leave"}`, refusal{"not_queued", 0}},
	"next, no call":   {websocket.MessageText, `{"type":"call.next","call":"abc"}`, refusal{"not_in_call", 0}},
	"next of nothing": {websocket.MessageText, `{"type":"call.next"}`, refusal{"bad_message", 0}},
	"leave, no call":  {websocket.MessageText, `{"type":"call.leave","call":"abc"}`, refusal{"not_in_call", 0}},
	"chat, no call":   {websocket.MessageText, `{"type":"chat","cid":"1","text":"x"}`, refusal{"not_in_call", 0}},
	"chat too long":   {websocket.MessageText, `{"type":"chat","cid":"1","text":"` + strings.Repeat("ä", 2001) + `"}`, refusal{"too_large", 0}},
	"chat of nothing": {websocket.MessageText, `{"type":"chat","cid":"1","text":" \u0001 "}`, refusal{"bad_message", 0}},
	"chat, no cid":    {websocket.MessageText, `{"type":"chat","text":"x"}`, refusal{"bad_message", 0}},
	"typing, no call": {websocket.MessageText, `{"type":"chat.typing","on":true}`, refusal{"not_in_call", 0}},
}

// TestBadInput sends what no client should over real HTTP and WebSocket. Each gets its code,
// other people's call goes on, and env.stop sees that nothing is left.
func TestBadInput(t *testing.T) {
	e := start(t, options{config: func(c *signaling.Config) { c.Limits, c.Grace = unlimited, 50*time.Millisecond }})
	a, b := e.join("a"), e.join("b")
	e.pair(a, b)
	t.Run("before hello", func(t *testing.T) {
		for name, tc := range beforeHello {
			t.Run(name, func(t *testing.T) {
				c := e.on(t).dial("x")
				c.raw(tc.typ, []byte(tc.frame))
				tc.want.check(c)
			})
		}
	})
	t.Run("after hello", func(t *testing.T) {
		for name, tc := range afterHello {
			t.Run(name, func(t *testing.T) {
				c := e.on(t).join("x")
				c.raw(tc.typ, []byte(tc.frame))
				tc.want.check(c)
			})
		}
	})
	t.Run("queue twice", func(t *testing.T) {
		c := e.on(t).join("x")
		c.find([]string{"music"})
		c.want("queue.state")
		c.find([]string{"music"})
		refusal{"already_queued", 0}.check(c)
		a.send(message{"type": "queue.join", "topics": "any", "id": "in a call"})
		if err := a.wantError("already_queued"); err.str("re") != "in a call" {
			t.Errorf("error %v", err)
		}
		c.send(message{"type": "queue.leave", "id": "l"}) // else the next ones could meet it in its grace time
		c.want("ok")
	})
	t.Run("foreign call", func(t *testing.T) {
		c, d := e.on(t).join("x"), e.on(t).join("y")
		e.on(t).pair(c, d)
		for _, typ := range []string{"call.next", "call.leave", "call.undo"} {
			c.send(message{"type": typ, "call": a.call})
			refusal{"not_in_call", 0}.check(c)
		}
		c.send(message{"type": "chat", "cid": "1", "text": "x", "call": a.call})
		refusal{"not_in_call", 0}.check(c)
	})
	t.Run("undo in a call", func(t *testing.T) {
		c, d := e.on(t).join("x"), e.on(t).join("y")
		e.on(t).pair(c, d)
		c.send(message{"type": "call.undo", "call": c.call})
		refusal{"not_in_call", 0}.check(c)
		c.send(message{"type": "queue.widen", "langs": true})
		refusal{"not_queued", 0}.check(c)
	})
	t.Run("pair of another", func(t *testing.T) { // does nothing
		c := e.on(t).dial("x")
		if w := c.hello(message{"pair": a.pair}); w["resumed"] != false || w.sub("state").str("phase") != "idle" {
			t.Errorf("welcome %v", w)
		}
		c2 := c.again()
		if w := c2.hello(message{"pair": a.pair, "resume": c.resume}); w["resumed"] != true || w.sub("state").str("phase") != "idle" {
			t.Errorf("welcome %v", w)
		}
	})
	t.Run("resume of another", func(t *testing.T) {
		guests := e.srv.Stats().Guests
		thief := e.on(t).dial("thief")
		thief.send(message{"type": "hello", "versions": []int{1}, "guest": message{}, "resume": a.resume})
		refusal{"unauthorized", 4401}.check(thief)
		if n := e.srv.Stats().Guests; n != guests {
			t.Errorf("%d guests were made for nothing", n-guests)
		}
		thief = e.on(t).join("thief")
		again := thief.again()
		again.send(message{"type": "hello", "versions": []int{1}, "token": thief.token, "resume": a.resume})
		refusal{"unauthorized", 4401}.check(again)
	})
	t.Run("replayed resume", func(t *testing.T) {
		c := e.on(t).join("x")
		used := c.resume
		c2 := c.resumes()
		refusal{"replaced", 4409}.check(c)
		c2.send(message{"type": "ping", "t": 1})
		c2.want("pong")
		c3 := c.again()
		c3.send(message{"type": "hello", "versions": []int{1}, "token": c.token, "resume": used})
		refusal{"unauthorized", 4401}.check(c3)
		c2.send(message{"type": "ping", "t": 1})
		c2.want("pong")
	})
	// After all that, the two still talk.
	a.send(message{"type": "chat", "cid": "1", "text": "still here?"})
	b.want("chat")
	a.leave()
	b.want("call.end")
	b.leave()
	e.wantEmpty()
}

// wantEmpty waits until the server, which still runs, holds nothing of anybody.
func (e *env) wantEmpty() {
	e.t.Helper()
	tick, timeout := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for range tick.C {
		s, m := e.srv.Stats(), e.matcher.Stats()
		opened, closed, rooms, _ := e.media.counts()
		left := fmt.Sprintf("%+v, %+v, %d peers opened, %d closed, %d rooms, goroutines %v", s, m, opened, closed, rooms, goroutines())
		if s.Sessions == 0 && s.Connections == 0 && m.Waiting == 0 && m.Rooms == 0 && opened == closed && rooms == 0 && len(goroutines()) == 0 {
			return
		}
		select {
		case <-timeout:
			e.t.Fatal("left: ", left)
		default:
		}
	}
}

// wantSessions waits until the server, which still runs, has so many sessions: one whose client has just left takes a moment to go.
func (e *env) wantSessions(n int) {
	e.t.Helper()
	timeout := time.Now().Add(time.Minute)
	for e.srv.Stats().Sessions != n {
		if time.Now().After(timeout) {
			e.t.Fatalf("%+v, want %d sessions", e.srv.Stats(), n)
		}
		time.Sleep(time.Millisecond)
	}
}

// goroutines are those of sessions and connections, whoever's they are.
func goroutines() []string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return regexp.MustCompile(`signaling\.\(\*(session|conn)\)\.\w+`).FindAllString(string(stacks), -1)
}

// on is the server for a subtest.
func (e *env) on(t *testing.T) *env {
	sub := *e
	sub.t = t
	return &sub
}

var unlimited = signaling.Limits{
	Messages: signaling.Limit{Burst: -1}, Offers: signaling.Limit{Burst: -1}, Queue: signaling.Limit{Burst: -1},
	Chat: signaling.Limit{Burst: -1}, Guests: signaling.Limit{Burst: -1}, Connects: signaling.Limit{Burst: -1}, Open: -1,
	Friends: signaling.Limit{Burst: -1}, Rings: signaling.Limit{Burst: -1}, Blocks: signaling.Limit{Burst: -1},
}

func TestNoHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		c := e.dial("x")
		from := time.Now()
		c.wantError("bad_message")
		c.wantClosed(4400)
		if took := time.Since(from); took != 5*time.Second {
			t.Errorf("after %v", took)
		}
	})
}

// TestBothNext presses Next on both sides at once: one end each, and they do not meet again at
// once while others are there.
func TestBothNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		old := a.call
		a.send(message{"type": "call.next", "call": old, "id": "n"})
		b.send(message{"type": "call.next", "call": old, "id": "n"})
		for _, c := range []*client{a, b} {
			end := c.want("call.end")
			if end.str("call") != old || end.str("reason") != "next" {
				t.Errorf("call.end %v", end)
			}
			if end["requeued"] != true { // the other was first; the client joins by itself
				if ok := c.want("ok"); ok.str("re") != "n" {
					t.Errorf("ok %v", ok)
				}
				c.find("any")
			}
		}
		c, d := e.join("c"), e.join("d")
		c.find("any")
		d.find("any")
		for _, x := range []*client{a, b, c, d} {
			x.met() // want fails on a second call.end
		}
		if a.call == b.call {
			t.Error("they met again at once")
		}
	})
}

// TestStorms sends too much of everything in no time.
func TestStorms(t *testing.T) {
	tests := map[string]struct {
		burst int
		frame func(i int) message
	}{
		"offers": {6, func(i int) message { return message{"type": "rtc.offer", "sdp": "offer x", "gen": i + 1} }},
		"queue": {10, func(i int) message {
			return message{"type": []string{"queue.join", "queue.leave"}[i%2], "topics": "any"}
		}},
		"widen": {10, func(i int) message {
			if i == 0 {
				return message{"type": "queue.join", "topics": []string{"gaming"}}
			}
			return message{"type": "queue.widen", "topics": true}
		}},
		"messages": {120, func(i int) message { return message{"type": "ping", "t": i} }},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := start(t, options{pipes: true})
				c := e.dial("x")
				c.hello(nil)
				limited := message(nil)
				for i := 0; limited == nil && i < 3*tc.burst; i++ {
					m := tc.frame(i)
					m["id"] = fmt.Sprint(i)
					c.send(m)
					synctest.Wait()
					for len(c.in) > 0 {
						if got := <-c.in; got.str("type") == "error" {
							limited = got
						}
					}
				}
				if limited.str("code") != "rate_limited" || limited.num("retry_after_ms") <= 0 || limited.str("retry") != "later" {
					t.Fatalf("got %v", limited)
				}
				time.Sleep(time.Duration(limited.num("retry_after_ms")+1) * time.Millisecond)
				c.send(tc.frame(1000))
				synctest.Wait()
				for len(c.in) > 0 {
					if got := <-c.in; got.str("code") == "rate_limited" {
						t.Errorf("after the wait: %v", got)
					}
				}
			})
		})
	}
}

// TestAbuser goes on after being told and is put out.
func TestAbuser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		for range 200 {
			a.raw(websocket.MessageText, []byte(`{"type":"nonsense"}`))
		}
		a.raw(websocket.MessageText, []byte(`{"type":"nonsense"}`))
		a.wantClosed(4429)
		b.want("call.end")
	})
}

// TestDeafClient does not read: it is dropped, and nobody waits for it.
func TestDeafClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, config: func(c *signaling.Config) { c.Limits = unlimited }})
		a, b := e.join("a"), e.join("b")
		e.pair(a, b)
		a.wire.deaf.Store(true)
		for i := range 400 {
			b.send(message{"type": "chat", "id": "c", "cid": fmt.Sprint(i), "text": strings.Repeat("x", 2000)})
			b.want("ok")
			synctest.Wait() // the partner's session has taken it
		}
		if end := b.want("call.end"); end.str("reason") != "lost" {
			t.Errorf("call.end %v", end)
		}
		if n := e.srv.Stats().Dropped; n != 1 {
			t.Errorf("%d dropped", n)
		}
	})
}
