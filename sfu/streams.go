package sfu

import (
	"errors"
	"net"
	"time"
)

const (
	// acceptPause is how long to wait when the system has no more sockets.
	acceptPause = 50 * time.Millisecond
	// unsent is how much the kernel may take of what the client has not yet
	// asked for: the less it holds, the more is left to be thrown away here.
	unsent = 16 << 10
)

// accept waits for the next connection of l. It returns an error only if l is
// closed or done is.
func accept(l net.Listener, done <-chan struct{}) (net.Conn, error) {
	for {
		conn, err := l.Accept()
		var failed *net.OpError
		if err == nil || errors.Is(err, net.ErrClosed) || !errors.As(err, &failed) {
			return conn, err
		}
		select {
		case <-time.After(acceptPause):
		case <-done:
			return nil, net.ErrClosed
		}
	}
}

// tcpConnOf looks for the TCP connection below wrappers; it is nil if there is
// none.
func tcpConnOf(conn net.Conn) *net.TCPConn {
	for {
		switch c := conn.(type) {
		case *net.TCPConn:
			return c
		case interface{ NetConn() net.Conn }: // as *tls.Conn has it
			conn = c.NetConn()
		default:
			return nil
		}
	}
}

// tune makes a TCP connection fit for a conversation. What the system does not
// know it does without.
func tune(conn net.Conn) {
	if c := tcpConnOf(conn); c != nil {
		_ = c.SetNoDelay(true)
		limitUnsent(c, unsent)
	}
}

// sever closes a connection without a word, so that nobody waits for a peer
// that does not read.
func sever(conn net.Conn) {
	if c := tcpConnOf(conn); c != nil {
		_ = c.Close()

		return
	}
	_ = conn.Close()
}
