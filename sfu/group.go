package sfu

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
)

// maxReadFailures in a row, some seconds of them, are the end of a socket.
const maxReadFailures = 1000

// controlLimit is how many handshakes and connectivity checks may wait for ICE.
const controlLimit = 1024

// group is the sockets of one address, one for each worker: the kernel gives
// each client to one of them (SO_REUSEPORT). To ICE it is one net.PacketConn,
// from which it reads what is not for the workers themselves. Its methods may
// be called by anybody.
type group struct {
	plane   *plane
	sockets []net.PacketConn
	conns   []batchConn
	table   *addresses
	closed  atomic.Bool
	local   netip.AddrPort
	six     bool // the sockets are of IPv6, which may take IPv4 too
	control chan *parcel
	workers sync.WaitGroup
}

var (
	_ net.PacketConn           = (*group)(nil)
	_ ice.AddrPortReaderWriter = (*group)(nil)
)

// newGroup starts a worker for each socket; they end with Close.
func newGroup(p *plane, sockets []net.PacketConn) *group {
	g := &group{plane: p, sockets: sockets, table: newAddresses(), control: make(chan *parcel, controlLimit)}
	if u, ok := sockets[0].LocalAddr().(*net.UDPAddr); ok {
		a := u.AddrPort()
		g.local, g.six = netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), u.IP.To4() == nil
	}
	for _, s := range sockets {
		g.conns = append(g.conns, newBatchConn(s))
	}
	for i := range g.conns {
		w := &worker{group: g, conn: g.conns[i], burst: burst{worker: i, count: &p.count}}
		g.workers.Go(w.run)
	}
	p.groups = append(p.groups, g)

	return g
}

// worker handles what one socket receives.
type worker struct {
	group *group
	conn  batchConn
	burst burst
	in    [burstSize]datagram
	// failures is how many errors there were in a row.
	failures int
}

func (w *worker) run() {
	for {
		if err := w.conn.read(w.in[:], w.handleAll); !w.goesOn(err) {
			return
		}
	}
}

// handleAll takes what was read at once.
func (w *worker) handleAll(n int) {
	w.failures = 0
	now := w.group.plane.now()
	for i := range n {
		w.handle(&w.in[i], now)
	}
	w.burst.flush()
}

// goesOn says whether to read on after an error, and waits a little if so.
func (w *worker) goesOn(err error) bool {
	w.failures++
	switch {
	case w.group.closed.Load() || errors.Is(err, net.ErrClosed):
		return false
	case w.failures == maxReadFailures:
		w.group.plane.log.Error("a media socket has failed: restart the server", "address", w.group.local, "error", err)

		return false
	}
	time.Sleep(time.Millisecond)

	return true
}

// handle takes a datagram: media goes to its client's lane, all else to ICE.
// What is not from an address that ICE has selected costs no more than the
// look for it.
func (w *worker) handle(d *datagram, now time.Duration) {
	b, p := d.b[:d.n], w.group.plane
	if isVirtual(d.from.Addr()) {
		p.hub.forged.Add(1)

		return
	}
	if isMedia(b) {
		if at := w.group.table.find(d.from); at != nil {
			if at.show(now) {
				w.group.pass(b, d.from)
			}
			at.lane.receive(b, now, &w.burst)

			return
		}
		if p.isOnly() {
			p.count.strange.Add(1)

			return
		}
	}
	w.group.pass(b, d.from)
}

// pass copies a datagram for ICE.
func (g *group) pass(b []byte, from netip.AddrPort) {
	s := newParcel(b, from)
	if s == nil {
		return
	}
	select {
	case g.control <- s:
	default:
		g.plane.count.crowded.Add(1)
		s.free()
	}
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (g *group) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	s, ok := <-g.control
	if !ok {
		return 0, netip.AddrPort{}, net.ErrClosed
	}
	n, from := copy(b, s.datagram()), s.addr
	s.free()

	return n, from, nil
}

// WriteToAddrPort implements ice.AddrPortReaderWriter for ICE and DTLS. Media
// to a client of the fast plane does not pass: its lane holds the same keys,
// and nonces must not repeat.
func (g *group) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if isVirtual(to.Addr()) {
		g.plane.hub.unreachable.Add(1)

		return len(b), nil
	}
	if isMedia(b) && g.table.find(to) != nil {
		g.plane.count.pionMedia.Add(1)

		return len(b), nil
	}
	g.write(b, &destination{addr: to, raw: newRawAddress(to, g.six)})

	return len(b), nil
}

// write sends a datagram at once, or loses it. Anybody may call it.
func (g *group) write(b []byte, to *destination) {
	if !g.conns[0].writeOne(b, to) {
		g.plane.count.unsent.Add(1)
	}
}

// ReadFrom implements net.PacketConn.
func (g *group) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := g.ReadFromAddrPort(b)
	if err != nil {
		return 0, nil, err
	}

	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteTo implements net.PacketConn.
func (g *group) WriteTo(b []byte, to net.Addr) (int, error) {
	if u, ok := to.(*net.UDPAddr); ok {
		return g.WriteToAddrPort(b, u.AddrPort())
	}

	return 0, &net.AddrError{Err: "not a UDP address", Addr: to.String()}
}

// LocalAddr implements net.PacketConn.
func (g *group) LocalAddr() net.Addr { return g.sockets[0].LocalAddr() }

// SetDeadline implements net.PacketConn. ICE sets none but to abort a write,
// which does not wait here.
func (g *group) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.PacketConn; see SetDeadline.
func (g *group) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.PacketConn; see SetDeadline.
func (g *group) SetWriteDeadline(time.Time) error { return nil }

// Close implements net.PacketConn. It returns when the workers have ended.
func (g *group) Close() (err error) {
	again := g.closed.Swap(true)
	for _, s := range g.sockets {
		if bad := s.Close(); bad != nil {
			err = bad
		}
	}
	g.workers.Wait()
	if !again {
		close(g.control)
	}

	return err
}
