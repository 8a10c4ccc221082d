package main

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/coder/websocket"
)

// message is any message of the protocol: the fields that these tests read.
type message struct {
	Type     string `json:"type"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	Token    string `json:"token"`
	Resume   string `json:"resume"`
	Resumed  bool   `json:"resumed"`
	Media    string `json:"media"`
	SDP      string `json:"sdp"`
	Gen      int    `json:"gen"`
	Call     string `json:"call"`
	Reason   string `json:"reason"`
	Requeued bool   `json:"requeued"`
	Ticket   string `json:"ticket"`
	Since    int64  `json:"since"`
	Pair     string `json:"pair"`
	Peer     struct {
		ID string `json:"id"`
	} `json:"peer"`
	RTC       json.RawMessage `json:"state"`
	Topics    json.RawMessage `json:"topics"`
	Text      string          `json:"text"`
	Re        string          `json:"re"`
	Connected string          `json:"connection"`
}

// client speaks the wire protocol as a native client does: no cookie, its token
// in the first message.
type client struct {
	t  testing.TB
	ws *websocket.Conn
	in chan message // every message from the server; closed with the socket

	history       []message // what expect has read
	call          string    // of the last match
	token, resume string
}

// dial connects and says hello. fields are added to the hello.
func dial(t testing.TB, httpClient *http.Client, base string, fields map[string]any) *client {
	t.Helper()
	ws, resp, err := websocket.Dial(t.Context(), base+"/api/v1/ws", &websocket.DialOptions{HTTPClient: httpClient})
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	ws.SetReadLimit(1 << 20)
	c := &client{t: t, ws: ws, in: make(chan message, 1024)}
	go c.read()
	hello := map[string]any{"type": "hello", "versions": []int{1}, "client": map[string]string{"name": "test", "version": "0", "platform": "go"}}
	for k, v := range fields {
		hello[k] = v
	}
	c.send(hello)
	welcome := c.expect("welcome")
	c.token, c.resume = welcome.Token, welcome.Resume
	return c
}

// guest connects as a new guest.
func guest(t testing.TB, httpClient *http.Client, base string) *client {
	t.Helper()
	return dial(t, httpClient, base, map[string]any{"guest": map[string]any{}})
}

func (c *client) read() {
	defer close(c.in)
	for {
		// The socket's end is the end of this loop; a deadline is the test's own.
		_, data, err := c.ws.Read(context.Background())
		if err != nil {
			return
		}
		var m message
		if err := json.Unmarshal(data, &m); err != nil {
			c.t.Errorf("the server sent %q: %v", data, err)
			return
		}
		c.in <- m
	}
}

func (c *client) send(m map[string]any) {
	c.t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.ws.Write(c.t.Context(), websocket.MessageText, data); err != nil {
		c.t.Fatalf("send %s: %v", m["type"], err)
	}
}

// expect waits for the next message of a type and passes over others. It fails
// the test when the socket ends or an unexpected error comes first.
func (c *client) expect(kind string) message {
	c.t.Helper()
	for {
		select {
		case m, ok := <-c.in:
			if !ok {
				c.t.Fatalf("the socket ended before %q; seen: %+v", kind, c.history)
			}
			c.history = append(c.history, m)
			if m.Type == "match" {
				c.call = m.Call
			}
			if m.Type == kind {
				return m
			}
			if m.Type == "error" {
				c.t.Fatalf("waiting for %q, got error %s: %s", kind, m.Code, m.Message)
			}
		case <-c.t.Context().Done():
			c.t.Fatalf("waiting for %q; seen: %+v", kind, c.history)
		}
	}
}

// queue joins the queue of some topics.
func (c *client) queue(topics ...string) {
	c.t.Helper()
	c.send(map[string]any{"type": "queue.join", "topics": topics})
}

// drop breaks the connection as a dead network does: no close frame.
func (c *client) drop() { _ = c.ws.CloseNow() }
