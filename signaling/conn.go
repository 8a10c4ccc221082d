package signaling

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	// sendQueue is how many messages may wait for a slow client before it is dropped.
	sendQueue = 256
	// writeWait bounds the writing of one message.
	writeWait = 10 * time.Second
	// closeWait bounds the closing handshake, in which the other side's rest is read away: a
	// reset in its place could take the last message from the client's hands.
	closeWait = time.Second
)

// event is what the reader has for the owner of a connection: a message, or why one could
// not be read.
type event struct {
	id    string
	msg   clientMessage
	fail  *failure
	fatal bool // the connection cannot go on
}

// conn is one WebSocket. Its reader and its writer are goroutines of their own; everything
// else is for the one goroutine that owns it (the handler until hello, then the session),
// except abort, which anybody may call.
type conn struct {
	ws  *websocket.Conn
	net net.Conn

	// in has what the client sends; it is closed when nothing more will come.
	in chan event
	// clean says, once in is closed, that the client closed the WebSocket by intention.
	clean bool

	out  chan frame
	ages *latencies    // of news, when they were written
	quit chan struct{} // closed by close and abort, after status was set

	closing sync.Once
	status  websocket.StatusCode
}

// frame is a message to the client, and since when there is this news; zero if that is of no interest.
type frame struct {
	b    []byte
	from time.Time
}

// statusAbort stands for no closing handshake at all.
const statusAbort websocket.StatusCode = -1

// accept upgrades the request. The caller starts read and keepAlive and runs write, which
// ends the connection; all three have returned soon after close or abort.
func accept(w http.ResponseWriter, r *http.Request, ages *latencies) (*conn, error) {
	hijacked := &hijackWriter{ResponseWriter: w}
	// Origins have been checked, and refused in our own words, before this.
	ws, err := websocket.Accept(hijacked, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(-1) // read has the limit, so that it can say so to the client
	c := &conn{
		ws: ws, net: hijacked.conn,
		in:  make(chan event),
		out: make(chan frame, sendQueue), quit: make(chan struct{}), ages: ages,
	}
	return c, nil
}

// hijackWriter remembers the connection under the WebSocket, because only its deadlines can
// interrupt a read or write at any moment.
type hijackWriter struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack implements http.Hijacker.
func (w *hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.conn = c
	return c, rw, err
}

// read passes on what the client sends until the connection ends or breaks a rule that it
// cannot recover from.
func (c *conn) read() {
	defer close(c.in)
	for {
		typ, r, err := c.ws.Reader(context.Background())
		if err != nil {
			c.clean = isClean(err)
			return
		}
		frame, err := io.ReadAll(io.LimitReader(r, maxFrame+1))
		if err != nil {
			return
		}
		var ev event
		switch {
		case len(frame) > maxFrame:
			ev = event{fail: errTooLarge, fatal: true}
		case typ != websocket.MessageText:
			ev.fail = badMessage("Messages are JSON in text frames.")
		default:
			ev.id, ev.msg, ev.fail = decode(frame)
		}
		select {
		case c.in <- ev:
		case <-c.quit:
			return
		}
		if ev.fatal {
			return
		}
	}
}

// isClean says if the client meant to close: a closed tab sends 1001, an application 1000 or
// no code at all.
func isClean(err error) bool {
	var ce websocket.CloseError
	if !errors.As(err, &ce) {
		return false
	}
	switch ce.Code {
	case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
		return true
	default:
		return false
	}
}

// write sends what is queued until close or a failure, then ends the connection.
func (c *conn) write() {
	defer func() { _ = c.ws.CloseNow() }() // it is over either way
	for {
		select {
		case f := <-c.out:
			if !c.writeOne(f) {
				return
			}
		case <-c.quit:
			c.finish()
			return
		}
	}
}

func (c *conn) writeOne(f frame) bool {
	ctx, cancel := context.WithTimeout(context.Background(), writeWait)
	defer cancel()
	if c.ws.Write(ctx, websocket.MessageText, f.b) != nil {
		return false
	}
	if !f.from.IsZero() {
		c.ages.add(time.Since(f.from))
	}
	return true
}

// finish sends the rest of the queue and does the closing handshake, all within closeWait.
func (c *conn) finish() {
	if c.status == statusAbort {
		return
	}
	if c.net.SetDeadline(time.Now().Add(closeWait)) != nil {
		return
	}
	for {
		select {
		case f := <-c.out:
			if !c.writeOne(f) {
				return
			}
		default:
			_ = c.ws.Close(c.status, "") // the other side may have gone first
			return
		}
	}
}

// send queues a message. A client that does not keep up is dropped.
func (c *conn) send(f frame) bool {
	select {
	case c.out <- f:
		return true
	case <-c.quit: // it is over already, and nobody will read this
		return true
	default:
		c.abort()
		return false
	}
}

// close ends the connection in order: what is queued is sent first. Only the first close or
// abort counts.
func (c *conn) close(status websocket.StatusCode) {
	c.closing.Do(func() {
		c.status = status
		close(c.quit)
	})
}

// abort ends the connection at once, as if the network had failed. It never blocks.
func (c *conn) abort() {
	c.close(statusAbort)
	_ = c.net.SetDeadline(time.Unix(1, 0)) // fails only when it is closed already
}

// keepAlive notices a client that is gone without a word: two intervals at most.
func (c *conn) keepAlive(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.quit:
			// A write that is stuck must not hold up the end.
			_ = c.net.SetWriteDeadline(time.Now().Add(closeWait))
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), every)
		err := c.ws.Ping(ctx)
		cancel()
		if err != nil {
			c.abort()
			return
		}
	}
}
