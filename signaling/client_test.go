package signaling_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// message is a decoded frame; the getters are zero for what is not there.
type message map[string]any

func (m message) str(key string) string { s, _ := m[key].(string); return s }
func (m message) num(key string) int64  { n, _ := m[key].(float64); return int64(n) }
func (m message) sub(key string) message {
	sub, _ := m[key].(map[string]any)
	return sub
}

// client is one WebSocket of a person. Its reader passes on everything that comes.
type client struct {
	t    *testing.T
	e    *env
	ws   *websocket.Conn
	in   chan message
	code websocket.StatusCode // valid when in is closed; -1 without a close frame
	n    int64
	wire *wire // nil over TCP

	name    string
	token   string
	resume  string
	session string
	call    string
	pair    string // token of the call
	welcome message
	gen     int
}

// dial opens a WebSocket without saying anything.
func (e *env) dial(name string, header ...string) *client {
	e.t.Helper()
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	url := "ws" + strings.TrimPrefix(e.web.URL, "http") + "/api/v1/ws"
	ws, resp, err := websocket.Dial(e.t.Context(), url, &websocket.DialOptions{HTTPClient: e.http, HTTPHeader: h})
	if err != nil {
		e.t.Fatalf("dial: %v (%v)", err, resp)
	}
	ws.SetReadLimit(1 << 20)
	c := &client{t: e.t, e: e, ws: ws, in: make(chan message, 1024), name: name}
	if e.pipes != nil {
		c.wire = e.pipes.last.Load()
	}
	var reading sync.WaitGroup
	reading.Go(c.read)
	e.t.Cleanup(func() {
		_ = ws.CloseNow()
		reading.Wait()
	})
	return c
}

func (c *client) read() {
	defer close(c.in)
	for {
		_, b, err := c.ws.Read(context.Background())
		if err != nil {
			c.code = websocket.CloseStatus(err)
			return
		}
		m := message{}
		if err := json.Unmarshal(b, &m); err != nil {
			c.t.Errorf("server sent %q: %v", b, err)
		}
		c.in <- m
	}
}

// raw sends a frame as it is. A connection that the server has closed is not an error here.
func (c *client) raw(typ websocket.MessageType, b []byte) {
	err := c.ws.Write(context.Background(), typ, b)
	if err != nil && !errors.Is(err, net.ErrClosed) && websocket.CloseStatus(err) == -1 {
		c.t.Logf("%s: write: %v", c.name, err)
	}
}

func (c *client) send(m message) {
	c.t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		c.t.Fatal(err)
	}
	c.raw(websocket.MessageText, b)
}

// hello says hello as a new guest, or with the token and resume token there are.
func (c *client) hello(extra message) message {
	c.t.Helper()
	m := message{"type": "hello", "id": "h", "versions": []int{1}, "client": message{"name": "test", "version": "1", "platform": "go"}}
	switch {
	case c.token != "":
		m["token"] = c.token
	default:
		m["guest"] = message{"name": c.name}
	}
	for k, v := range extra {
		m[k] = v
	}
	c.send(m)
	w := c.want("welcome")
	c.welcome = w
	if token := w.str("token"); token != "" {
		c.token = token
	}
	c.resume, c.session = w.str("resume"), w.str("session")
	return w
}

// join is a new guest with a media connection.
func (e *env) join(name string) *client {
	e.t.Helper()
	c := e.dial(name)
	c.hello(nil)
	c.offer("")
	return c
}

func (c *client) offer(codec string) {
	c.t.Helper()
	c.gen++
	c.send(message{"type": "rtc.offer", "sdp": "offer " + c.name + " " + codec, "gen": c.gen})
	c.want("rtc.answer")
}

// offerAndMeet offers, which is all that a match has waited for: it may come before the answer.
func (c *client) offerAndMeet() {
	c.t.Helper()
	c.gen++
	c.send(message{"type": "rtc.offer", "sdp": "offer " + c.name, "gen": c.gen})
	for range 2 {
		if m := c.wantAny("rtc.answer", "match"); m["type"] == "match" {
			c.call = m.str("call")
		}
	}
}

func (c *client) find(topics any) {
	c.t.Helper()
	c.send(message{"type": "queue.join", "topics": topics})
}

// met waits for the match and remembers the call.
func (c *client) met() message {
	c.t.Helper()
	m := c.want("match")
	c.call, c.pair = m.str("call"), m.str("pair")
	return m
}

// want waits for a message of the type and passes over the ones that come by themselves.
func (c *client) want(typ string) message {
	c.t.Helper()
	return c.wantAny(typ)
}

// wantAny waits for a message of one of the types.
func (c *client) wantAny(types ...string) message {
	c.t.Helper()
	typ := strings.Join(types, " or ")
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	for {
		select {
		case m, ok := <-c.in:
			if !ok {
				c.t.Fatalf("%s: closed with %d while waiting for %s", c.name, c.code, typ)
			}
			if n := m.num("n"); n <= c.n {
				c.t.Fatalf("%s: n went from %d to %d", c.name, c.n, n)
			}
			c.n = m.num("n")
			if slices.Contains(types, m.str("type")) {
				return m
			}
			switch m.str("type") {
			case "queue.state", "peer.state", "rtc.state", "topics", "ok", "pong", "chat.typing", "call.undo", "friend.presence":
			default:
				c.t.Fatalf("%s: got %v while waiting for %s", c.name, m, typ)
			}
		case <-timeout.C:
			c.t.Fatalf("%s: no %s came", c.name, typ)
		}
	}
}

// wantError waits for an error with the code.
func (c *client) wantError(code string) message {
	c.t.Helper()
	m := c.want("error")
	if m.str("code") != code || m.str("message") == "" || m.str("retry") == "" {
		c.t.Fatalf("%s: error %v, want code %s", c.name, m, code)
	}
	return m
}

// wantClosed waits for the end of the connection and checks its close code.
func (c *client) wantClosed(code websocket.StatusCode) {
	c.t.Helper()
	timeout := time.NewTimer(time.Minute)
	defer timeout.Stop()
	for {
		select {
		case m, ok := <-c.in:
			if ok {
				if typ := m.str("type"); typ != "drain" && typ != "queue.state" && typ != "peer.state" && typ != "error" {
					c.t.Fatalf("%s: got %v while waiting for the end", c.name, m)
				}
				continue
			}
			if c.code != code {
				c.t.Fatalf("%s: closed with %d, want %d", c.name, c.code, code)
			}
			return
		case <-timeout.C:
			c.t.Fatalf("%s: not closed", c.name)
		}
	}
}

// silent sees that nothing of these types has come.
func (c *client) silent(types ...string) {
	c.t.Helper()
	for len(c.in) > 0 {
		if m := <-c.in; slices.Contains(types, m.str("type")) {
			c.t.Errorf("%s: got %v", c.name, m)
		}
	}
}

// drop is a network that fails: no closing handshake.
func (c *client) drop() { _ = c.ws.CloseNow() }

// leave is a tab that is closed.
func (c *client) leave() { _ = c.ws.Close(websocket.StatusGoingAway, "") }

// again opens another WebSocket for the same person.
func (c *client) again() *client {
	c.t.Helper()
	next := c.e.dial(c.name)
	next.token, next.gen, next.call, next.pair = c.token, c.gen, c.call, c.pair
	return next
}

// resumes opens another WebSocket and resumes the session on it.
func (c *client) resumes() *client {
	c.t.Helper()
	next := c.again()
	next.hello(message{"resume": c.resume})
	return next
}
