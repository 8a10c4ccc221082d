package signaling_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// pipeListener is a net.Listener without a network.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
	last  atomic.Pointer[wire] // dialled last
}

// wire is a client's end of a connection that can fall silent: nothing arrives any more, and nobody says so.
type wire struct {
	net.Conn
	cut  atomic.Bool
	deaf atomic.Bool // reads nothing, so that the other side cannot write
	once sync.Once
	done chan struct{}
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.done) })
	return w.Conn.Close()
}

func (w *wire) Read(p []byte) (int, error) {
	for {
		if w.deaf.Load() {
			<-w.done
			return 0, net.ErrClosed
		}
		n, err := w.Conn.Read(p)
		if err != nil || !w.cut.Load() {
			return n, err
		}
	}
}

func (w *wire) Write(p []byte) (int, error) {
	if w.cut.Load() {
		return len(p), nil
	}
	return w.Conn.Write(p)
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	mine, theirs := net.Pipe()
	w := &wire{Conn: mine, done: make(chan struct{})}
	l.last.Store(w)
	select {
	case l.conns <- theirs:
		return w, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener; a name that is loopback for the cookie rules.
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "localhost:80" }
