package sfu

import (
	"bufio"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// batchBytes is what one write to a connection may have: what is written
	// cannot be thrown away any more.
	batchBytes = 16 << 10
	// writeTime is how long a client may read nothing while it still sends.
	writeTime = 30 * time.Second
	// deadlineStep is how old a read deadline may become before it is moved.
	deadlineStep = 5 * time.Second
)

// tcpLink is the ICE-TCP connection of a client that has proved who it is.
type tcpLink struct {
	conn net.Conn
	end  *endpoint
	in   *inbox
	at   netip.AddrPort // its virtual address
	out  *sendQueue
	done chan struct{}
	once sync.Once
}

var _ link = (*tcpLink)(nil)

// newTCPLink binds a connection to an endpoint. It returns nil if the endpoint
// has ended or has nothing of the connection's family.
func newTCPLink(t *tcpServer, conn net.Conn, end *endpoint) *tcpLink {
	f := ipv4
	if a, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		f = familyOf(a.AddrPort().Addr())
	}
	l := &tcpLink{
		conn: conn, end: end, in: t.hub.inbox(end, f),
		out: newSendQueue(&t.count.queue), done: make(chan struct{}),
	}
	if l.in == nil {
		return nil
	}
	tune(conn)
	at, ok := end.connect(l, f)
	if !ok {
		return nil
	}
	l.at = at

	return l
}

// deliver implements link.
func (l *tcpLink) deliver(b []byte, video bool) { l.out.push(b, netip.AddrPort{}, video, time.Now()) }

// unbind implements link: a connection is for one endpoint.
func (l *tcpLink) unbind(bool) {
	l.once.Do(func() {
		close(l.done)
		sever(l.conn)
	})
}

// run reads and writes until the connection ends.
func (l *tcpLink) run(r *bufio.Reader, b []byte) {
	var writing sync.WaitGroup
	writing.Go(l.write)
	l.read(r, b)
	l.unbind(true)
	l.end.detach(l, l.at)
	l.out.close()
	writing.Wait()
}

func (l *tcpLink) read(r *bufio.Reader, b []byte) {
	var moved time.Time
	for {
		if now := time.Now(); now.Sub(moved) > deadlineStep {
			moved = now
			_ = l.conn.SetReadDeadline(now.Add(clientSilence))
		}
		n, err := readFrame(r, b)
		if err != nil {
			return
		}
		if n > 0 {
			l.in.deliver(b[:n], l.at)
		}
	}
}

func (l *tcpLink) write() {
	w := l.conn
	if c := tcpConnOf(l.conn); c != nil {
		w = c // which writes several frames with one call of the system
	}
	var batch []*parcel
	var frames [][]byte
	for {
		var thinned bool
		batch, thinned = l.out.take(batch[:0], batchBytes, time.Now())
		if len(batch) == 0 {
			if thinned {
				l.end.caughtUp(l.end.hub.now())
			}
			select {
			case <-l.out.ready:
				continue
			case <-l.done:
				return
			}
		}
		frames = frames[:0]
		for _, s := range batch {
			frames = append(frames, s.frame())
		}
		_ = w.SetWriteDeadline(time.Now().Add(writeTime))
		buffers := net.Buffers(frames)
		_, err := buffers.WriteTo(w)
		for _, s := range batch {
			s.free()
		}
		if err != nil {
			l.unbind(true)

			return
		}
	}
}
