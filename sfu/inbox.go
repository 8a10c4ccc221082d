package sfu

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/ice/v4"
)

// inboxLimit is how many datagrams may wait for one agent, which takes them as
// fast as it can decrypt. Pion's own mux has no limit here.
const inboxLimit = 256

// inbox is the net.PacketConn that an ICE agent has for one family of virtual
// addresses: what its clients' streams deliver can be read from it, what is
// written to it goes to one of those streams or nowhere. All its methods may be
// called by anybody at any time.
type inbox struct {
	end    *endpoint
	family family
	ready  chan struct{} // has an element if there may be something to read
	done   chan struct{} // closed by Close

	mu      sync.Mutex // guards the rest
	waiting fifo
	closed  bool
}

var (
	_ net.PacketConn           = (*inbox)(nil)
	_ ice.AddrPortReaderWriter = (*inbox)(nil)
)

func newInbox(end *endpoint, f family) *inbox {
	return &inbox{end: end, family: f, ready: make(chan struct{}, 1), done: make(chan struct{})}
}

// deliver copies a datagram that has come from a virtual address. It is
// dropped if the agent does not keep up.
func (i *inbox) deliver(b []byte, from netip.AddrPort) {
	s := newParcel(b, from)
	if s == nil {
		return // longer than what any stream takes
	}
	if p := i.end.media.Load(); p != nil && isMedia(b) {
		now := i.end.hub.now()
		if !p.show(now) {
			p.lane.receive(s.datagram(), now, nil)
			s.free()

			return
		}
		p.lane.receive(slices.Clone(b), now, nil)
	}
	i.mu.Lock()
	if i.closed || i.waiting.len() >= inboxLimit {
		i.mu.Unlock()
		s.free()
		i.end.hub.count.overflowed.Add(1)

		return
	}
	i.waiting.push(s)
	i.mu.Unlock()
	select {
	case i.ready <- struct{}{}:
	default:
	}
}

// next takes the oldest datagram; it is nil if there is none.
func (i *inbox) next() (s *parcel, closed bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.waiting.empty() {
		s = i.waiting.pop()
	}

	return s, i.closed
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (i *inbox) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		s, closed := i.next()
		switch {
		case s != nil:
			n, from := copy(b, s.datagram()), s.addr
			s.free()

			return n, from, nil
		case closed:
			return 0, netip.AddrPort{}, net.ErrClosed
		}
		select {
		case <-i.ready:
		case <-i.done:
		}
	}
}

// WriteToAddrPort implements ice.AddrPortReaderWriter. It never blocks. Media of
// Pion's does not pass to a client of the fast plane, see group.WriteToAddrPort.
func (i *inbox) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if p := i.end.media.Load(); p != nil && isMedia(b) {
		p.lane.count.pionMedia.Add(1)

		return len(b), nil
	}
	i.end.send(b, to)

	return len(b), nil
}

// ReadFrom implements net.PacketConn.
func (i *inbox) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := i.ReadFromAddrPort(b)
	if err != nil {
		return 0, nil, err
	}

	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteTo implements net.PacketConn.
func (i *inbox) WriteTo(b []byte, to net.Addr) (int, error) {
	if u, ok := to.(*net.UDPAddr); ok {
		return i.WriteToAddrPort(b, u.AddrPort())
	}

	return 0, &net.AddrError{Err: "not a UDP address", Addr: to.String()}
}

// LocalAddr implements net.PacketConn.
func (i *inbox) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(ownAddress(i.family)) }

// SetDeadline implements net.PacketConn. The agent uses it only on its way to
// Close, which ends a read by itself.
func (i *inbox) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.PacketConn; see SetDeadline.
func (i *inbox) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.PacketConn; a write does not block.
func (i *inbox) SetWriteDeadline(time.Time) error { return nil }

// Close implements net.PacketConn. The agent closes all of its inboxes or none.
func (i *inbox) Close() error {
	i.mu.Lock()
	again := i.closed
	i.closed = true
	for !i.waiting.empty() {
		i.waiting.pop().free()
	}
	i.mu.Unlock()
	if !again {
		close(i.done)
		i.end.hub.remove(i.end, false)
	}

	return nil
}
