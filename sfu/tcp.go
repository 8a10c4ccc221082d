package sfu

import (
	"bufio"
	"maps"
	"net"
	"slices"
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
	// maxStrangers is how many may be at that at once, maxSourceStrangers how
	// many of one address; see lobby for who goes then.
	maxStrangers       = 1024
	maxSourceStrangers = 256
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
	conns     map[net.Conn]struct{} // those put out of the lobby excepted
	strangers *lobby
}

func newTCPServer(h *hub, listener net.Listener) *tcpServer {
	t := &tcpServer{
		hub: h, listener: listener, done: make(chan struct{}),
		conns: map[net.Conn]struct{}{}, strangers: newLobby(maxStrangers, maxSourceStrangers),
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
		v, out := t.admit(conn)
		if out != nil {
			t.count.displaced.Add(1)
			sever(out.conn) // its reader does the rest
		}
		if v == nil {
			sever(conn)

			continue
		}
		t.running.Go(func() { t.serve(conn, v) })
	}
}

// admit notes a stranger, and who has to go for it; both are nil if the server
// is closed.
func (t *tcpServer) admit(conn net.Conn) (v, out *visitor) {
	v = newVisitor(conn)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, nil
	}
	out, ok := t.strangers.enter(v)
	if !ok {
		return nil, nil
	}
	t.conns[conn] = struct{}{}
	if out != nil {
		delete(t.conns, out.conn)
	}

	return v, out
}

// known says that a stranger is none any more. It returns false if it was put
// out.
func (t *tcpServer) known(v *visitor) bool {
	t.mu.Lock()
	defer t.mu.Unlock()

	return t.strangers.leave(v)
}

func (t *tcpServer) serve(conn net.Conn, v *visitor) {
	defer func() {
		sever(conn)
		t.mu.Lock()
		t.strangers.leave(v)
		delete(t.conns, conn)
		t.mu.Unlock()
	}()
	r := bufio.NewReaderSize(conn, 4<<10)
	b := make([]byte, maxDatagram)
	_ = conn.SetReadDeadline(time.Now().Add(proofTime))
	end, n := t.identify(r, b)
	if end == nil || !t.known(v) {
		t.count.refused.Add(1)

		return
	}
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
	strangers, open := t.strangers.waiting.Len(), len(t.conns)
	t.mu.Unlock()

	return TCPStats{
		Open: open - strangers, Strangers: strangers,
		Accepted: t.count.accepted.Load(), Refused: t.count.refused.Load(),
		Displaced: t.count.displaced.Load(),
		Evicted:   t.hub.count.evicted.Load(), Dropped: t.count.queue.dropped.Load(),
	}
}

// close closes the listener and all connections, and waits for them.
func (t *tcpServer) close() error {
	t.mu.Lock()
	if !t.closed {
		close(t.done)
	}
	t.closed = true
	open := slices.Collect(maps.Keys(t.conns))
	t.mu.Unlock()
	for _, conn := range open {
		sever(conn)
	}
	err := t.listener.Close()
	t.running.Wait()

	return err
}
