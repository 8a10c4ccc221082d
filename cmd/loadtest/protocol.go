package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// message is any message of the wire protocol: the fields that virtual users
// read (signaling/PROTOCOL.md).
type message struct {
	Type         string `json:"type"`
	Re           string `json:"re"`
	Code         string `json:"code"`
	Message      string `json:"message"`
	RetryAfterMS int64  `json:"retry_after_ms"`
	SDP          string `json:"sdp"`
	State        any    `json:"state"`
	Ticket       string `json:"ticket"`
	Call         string `json:"call"`
	Reason       string `json:"reason"`
	Requeued     bool   `json:"requeued"`
	StartedAt    int64  `json:"started_at"`
	Topics       any    `json:"topics"`

	at time.Duration // when it came, by the pump's clock
}

// refusal is an error that the server names.
type refusal struct {
	code, text string
	after      time.Duration // when to try again
}

// Error implements error.
func (r *refusal) Error() string { return r.text + " (" + r.code + ")" }

// closure is the end of a WebSocket that the server, or the network, brought.
type closure struct {
	code websocket.StatusCode // -1 without a closing handshake
	err  error
}

// Error implements error.
func (c *closure) Error() string { return fmt.Sprintf("the WebSocket has ended: %v", c.err) }

// line is a WebSocket that speaks the protocol: one goroutine reads, one may
// write.
type line struct {
	ws     *websocket.Conn
	heard  chan message // closed when the WebSocket has ended; err says why
	err    error
	cancel context.CancelFunc
}

// dialLine opens a WebSocket. It lives until close, longer than ctx.
func dialLine(ctx context.Context, client *http.Client, base string, now func() time.Duration) (*line, error) {
	ws, resp, err := websocket.Dial(ctx, base+"/api/v1/ws", &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		return nil, fmt.Errorf("open a WebSocket: %w", err)
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	ws.SetReadLimit(1 << 20)
	l := &line{ws: ws, heard: make(chan message, 64)}
	var life context.Context
	life, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go l.read(life, now)

	return l, nil
}

func (l *line) read(ctx context.Context, now func() time.Duration) {
	defer close(l.heard)
	for {
		_, b, err := l.ws.Read(ctx)
		if err != nil {
			l.err = &closure{code: websocket.CloseStatus(err), err: err}

			return
		}
		var m message
		if err := json.Unmarshal(b, &m); err != nil {
			l.err = fmt.Errorf("the server's message is no JSON: %w", err)

			return
		}
		m.at = now()
		select {
		case l.heard <- m:
		case <-ctx.Done():
			l.err = ctx.Err()

			return
		}
	}
}

// send sends a message.
func (l *line) send(ctx context.Context, fields map[string]any) error {
	b, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	if err := l.ws.Write(ctx, websocket.MessageText, b); err != nil {
		return &closure{code: websocket.CloseStatus(err), err: err}
	}

	return nil
}

// next waits for the next message.
func (l *line) next(ctx context.Context) (message, error) {
	select {
	case m, ok := <-l.heard:
		if !ok {
			return m, l.err
		}

		return m, nil
	case <-ctx.Done():
		return message{}, ctx.Err()
	}
}

// close closes the WebSocket as a tab does that is closed, and waits for the
// reader.
func (l *line) close() {
	_ = l.ws.Close(websocket.StatusNormalClosure, "") // it may have ended already
	l.cancel()
	for range l.heard { // what still comes is of no use
	}
}

// codeOf names an error for the report.
func codeOf(err error) string {
	if r := (*refusal)(nil); errors.As(err, &r) {
		return r.code
	}
	if c := (*closure)(nil); errors.As(err, &c) {
		if c.code < 0 {
			return "websocket_lost"
		}

		return fmt.Sprintf("websocket_%d", c.code)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}

	return "failed"
}
