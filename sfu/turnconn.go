package sfu

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// A connection has turnPatience to make its allocation.
	turnPatience = 10 * time.Second
	// turnFarewell is what is left of it when its allocation has ended.
	turnFarewell = 5 * time.Second
	// turnWriteTime is how long a client may read nothing.
	turnWriteTime = 15 * time.Second
	// A client may make so many permissions and channels at once and one more
	// each second: the server keeps them for ten minutes each.
	maxGrants = 64
)

var errNotTURN = errors.New("neither a TURN message nor channel data")

// turnListener hands connections to Pion's server, with limits.
type turnListener struct {
	net.Listener
	server *turnServer
}

// Accept implements net.Listener.
func (l *turnListener) Accept() (net.Conn, error) {
	for {
		conn, err := accept(l.Listener, l.server.done)
		if err != nil {
			return nil, err
		}
		if c := l.server.admit(conn); c != nil {
			return c, nil
		}
		sever(conn)
		l.server.count.refusedConnections.Add(1)
	}
}

// turnConn is one client's connection. Pion's server reads it in one goroutine,
// writes to it in two, and closes it once, at the end.
type turnConn struct {
	net.Conn
	server *turnServer
	key    string
	r      *bufio.Reader
	left   int // of the frame that was begun
	once   sync.Once

	visitor *visitor // settled while it has an allocation; guarded by turnServer.mu, as the rest
	grants  float64
	granted time.Time
}

// admit takes a connection in, or returns nil. At a bound the oldest one that
// has no allocation goes.
func (t *turnServer) admit(conn net.Conn) *turnConn {
	tune(conn)
	_ = conn.SetReadDeadline(time.Now().Add(turnPatience))
	c := &turnConn{
		Conn: conn, server: t, key: conn.RemoteAddr().String(), visitor: newVisitor(conn),
		r: bufio.NewReaderSize(conn, 4<<10), grants: maxGrants, granted: time.Now(),
	}
	out, ok := t.enter(c)
	if out != nil {
		t.count.evicted.Add(1)
		sever(out.conn) // its reader does the rest
	}
	if !ok {
		return nil
	}

	return c
}

func (t *turnServer) enter(c *turnConn) (out *visitor, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.conns[c.key] != nil {
		return nil, false
	}
	if out, ok = t.lobby.enter(c.visitor); ok {
		t.conns[c.key] = c
		t.running.Add(1)
	}

	return out, ok
}

// allocated follows whether a connection has an allocation; its deadline
// depends on that.
func (t *turnServer) allocated(client net.Addr, has bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.conns[client.String()]
	switch {
	case c == nil:
	case has && t.lobby.settle(c.visitor):
		_ = c.SetReadDeadline(time.Time{}) // the allocation's lifetime is the limit
	case !has && t.lobby.unsettle(c.visitor):
		_ = c.SetReadDeadline(time.Now().Add(turnFarewell))
	}
}

// spend takes one of a client's permissions.
func (t *turnServer) spend(client net.Addr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, now := t.conns[client.String()], time.Now()
	if c == nil {
		return false
	}
	c.grants = min(maxGrants, c.grants+now.Sub(c.granted).Seconds())
	c.granted = now
	if c.grants < 1 {
		return false
	}
	c.grants--

	return true
}

// Read returns nothing beyond one TURN message or channel data (RFC 8656
// section 12.5). Pion's parser must not see their lengths first: it does not
// end when one overflows.
func (c *turnConn) Read(b []byte) (int, error) {
	if c.left == 0 {
		size, err := c.next()
		if err != nil {
			return 0, err
		}
		c.left = size
	}
	n, err := io.ReadFull(c.r, b[:min(len(b), c.left)])
	c.left -= n
	if err != nil {
		return n, fmt.Errorf("read from a TURN client: %w", err)
	}

	return n, nil
}

// next returns the size of the frame that begins.
func (c *turnConn) next() (int, error) {
	head, err := c.r.Peek(4)
	if err != nil {
		return 0, fmt.Errorf("read from a TURN client: %w", err)
	}
	size := turnFrameSize([4]byte(head))
	if size == 0 || size > maxTURNFrame {
		return 0, errNotTURN
	}

	return size, nil
}

// turnFrameSize is the size of a TURN message or of channel data with its
// padding, or 0 for anything else.
func turnFrameSize(head [4]byte) int {
	length := int(binary.BigEndian.Uint16(head[2:]))
	switch head[0] >> 6 {
	case 0:
		return 20 + length
	case 1:
		return 4 + (length+3)&^3
	}

	return 0
}

// Write gives a client that does not read some time, and then up.
func (c *turnConn) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(turnWriteTime))
	n, err := c.Conn.Write(b)
	if err != nil {
		sever(c.Conn)

		return n, fmt.Errorf("write to a TURN client: %w", err)
	}

	return n, nil
}

// Close implements net.Conn.
func (c *turnConn) Close() error {
	c.once.Do(func() {
		sever(c.Conn)
		t := c.server
		t.mu.Lock()
		delete(t.conns, c.key)
		t.lobby.leave(c.visitor)
		t.mu.Unlock()
		t.running.Done()
	})

	return nil
}
