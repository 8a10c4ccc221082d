package sfu

import (
	"bufio"
	"container/list"
	"net"
	"sync"
	"time"
)

const (
	// A stranger has proofTime and so many frames to show a connectivity check
	// that proves who it is. Firefox sends media first when it opens a
	// connection again, hence more than one.
	proofTime   = 8 * time.Second
	proofFrames = 2000
	minProof    = 12
	// maxStrangers is how many may be at that at once. The oldest goes: who is
	// what it says needs no longer than a round trip.
	maxStrangers = 1024
	// clientSilence is how long a client may send nothing at all; browsers check
	// that we are still there every 2.5 to 5 s.
	clientSilence = 40 * time.Second
)

// tcpServer takes ICE-TCP connections (RFC 6544): datagrams in the frames of
// RFC 4571.
type tcpServer struct {
	hub      *hub
	listener net.Listener
	count    tcpCounters
	done     chan struct{}
	running  sync.WaitGroup

	mu        sync.Mutex // guards the rest
	closed    bool
	conns     map[net.Conn]struct{}
	strangers *list.List // of net.Conn, the oldest first
}

func newTCPServer(h *hub, listener net.Listener) *tcpServer {
	t := &tcpServer{
		hub: h, listener: listener, done: make(chan struct{}),
		conns: map[net.Conn]struct{}{}, strangers: list.New(),
	}
	t.running.Go(t.run)

	return t
}

func (t *tcpServer) run() {
	for {
		conn, err := accept(t.listener, t.done)
		if err != nil {
			return
		}
		if e := t.admit(conn); e != nil {
			t.running.Go(func() { t.serve(conn, e) })
		}
	}
}

// admit notes a stranger; it returns nil if the server is closed.
func (t *tcpServer) admit(conn net.Conn) *list.Element {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		sever(conn)

		return nil
	}
	t.conns[conn] = struct{}{}
	if t.strangers.Len() >= maxStrangers {
		oldest := t.strangers.Front()
		sever(t.strangers.Remove(oldest).(net.Conn)) //nolint:forcetypeassert // there is nothing else in the list
	}

	return t.strangers.PushBack(conn)
}

// known says that a stranger is none any more.
func (t *tcpServer) known(e *list.Element) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.strangers.Remove(e)
}

func (t *tcpServer) serve(conn net.Conn, e *list.Element) {
	defer func() {
		sever(conn)
		t.known(e)
		t.mu.Lock()
		delete(t.conns, conn)
		t.mu.Unlock()
	}()
	r := bufio.NewReaderSize(conn, 4<<10)
	b := make([]byte, maxDatagram)
	_ = conn.SetReadDeadline(time.Now().Add(proofTime))
	end, n := t.identify(r, b)
	if end == nil {
		t.count.refused.Add(1)

		return
	}
	t.known(e)
	l := newTCPLink(t, conn, end)
	if l == nil {
		t.count.refused.Add(1)

		return
	}
	t.count.accepted.Add(1)
	l.in.deliver(b[:n], l.at)
	l.run(r, b)
}

// identify reads until a frame proves which endpoint it is for, and leaves
// that frame in b.
func (t *tcpServer) identify(r *bufio.Reader, b []byte) (_ *endpoint, n int) {
	for range proofFrames {
		n, err := readFrame(r, b)
		if err != nil || n < minProof {
			return nil, 0
		}
		if isCheck(b[:n]) {
			end, _ := t.hub.prove(b[:n])

			return end, n
		}
	}

	return nil, 0
}

func (t *tcpServer) stats() TCPStats {
	t.mu.Lock()
	strangers, open := t.strangers.Len(), len(t.conns)
	t.mu.Unlock()

	return TCPStats{
		Open: open - strangers, Strangers: strangers,
		Accepted: t.count.accepted.Load(), Refused: t.count.refused.Load(),
		Evicted: t.hub.count.evicted.Load(), Dropped: t.count.queue.dropped.Load(),
	}
}

// close closes the listener and all connections, and waits for them.
func (t *tcpServer) close() error {
	t.mu.Lock()
	if !t.closed {
		close(t.done)
	}
	t.closed = true
	for conn := range t.conns {
		sever(conn)
	}
	t.mu.Unlock()
	err := t.listener.Close()
	t.running.Wait()

	return err
}
