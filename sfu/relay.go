package sfu

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/stun/v4"
)

// relay is one TURN allocation: the net.PacketConn that the server has for it,
// without a socket. What its client sends to one of our media addresses goes
// to the agent that it is for, what the agents answer goes back; anything
// else is dropped.
type relay struct {
	server  *turnServer
	session *turnSession
	family  family
	base    netip.AddrPort // the relayed address
	out     *sendQueue
	batch   []*parcel // the reader's
	done    chan struct{}
	once    sync.Once

	mu    sync.Mutex // guards ports
	ports map[netip.AddrPort]*relayPort
}

var _ net.PacketConn = (*relay)(nil)

// relayPort is a relay's way to one of our addresses. Each has a virtual
// address of its own, the first one the relayed address, so that an answer
// comes from where the client's check went.
type relayPort struct {
	relay *relay
	ours  netip.AddrPort
	at    netip.AddrPort

	mu  sync.Mutex // guards the rest
	end *endpoint  // nil until the client has proved who it is
	in  *inbox
}

var _ link = (*relayPort)(nil)

// ReadFrom implements net.PacketConn: the next datagram for the client.
func (r *relay) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		var thinned bool
		r.batch, thinned = r.out.take(r.batch[:0], 1, time.Now())
		if len(r.batch) > 0 {
			s := r.batch[0]
			n, from := copy(b, s.datagram()), s.addr
			s.free()

			return n, net.UDPAddrFromAddrPort(from), nil
		}
		if thinned {
			r.caughtUp()
		}
		select {
		case <-r.out.ready:
		case <-r.done:
			return 0, nil, net.ErrClosed
		}
	}
}

func (r *relay) caughtUp() {
	for _, p := range r.allPorts() {
		if end, _ := p.bound(); end != nil {
			end.caughtUp(r.server.hub.now())
		}
	}
}

// WriteTo implements net.PacketConn: a datagram from the client. It never
// fails: what may not pass is lost, as it would be on a network.
func (r *relay) WriteTo(b []byte, to net.Addr) (int, error) {
	if u, ok := to.(*net.UDPAddr); ok {
		a := u.AddrPort()
		if p := r.port(netip.AddrPortFrom(a.Addr().Unmap(), a.Port())); p != nil {
			p.receive(b)

			return len(b), nil
		}
	}
	r.server.count.refusedSends.Add(1)

	return len(b), nil
}

// port returns the way to one of our addresses, nil if it is none.
func (r *relay) port(ours netip.AddrPort) *relayPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.ports[ours]; p != nil {
		return p
	}
	if !r.server.hub.isMedia(ours) || familyOf(ours.Addr()) != r.family || len(r.ports) == relayPorts {
		return nil
	}
	at := netip.AddrPortFrom(r.base.Addr(), r.base.Port()+uint16(len(r.ports)))
	p := &relayPort{relay: r, ours: ours, at: at}
	r.ports[ours] = p

	return p
}

func (r *relay) allPorts() []*relayPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*relayPort, 0, len(r.ports))
	for _, p := range r.ports {
		all = append(all, p)
	}

	return all
}

// Close implements net.PacketConn: the allocation has ended.
func (r *relay) Close() error {
	r.once.Do(func() {
		close(r.done)
		r.out.close()
		r.server.forget(r)
		for _, p := range r.allPorts() {
			p.bind(nil)
		}
	})

	return nil
}

// LocalAddr implements net.PacketConn: the relayed address.
func (r *relay) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(r.base) }

// SetDeadline implements net.PacketConn; the server does not use it.
func (r *relay) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.PacketConn; the server does not use it.
func (r *relay) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.PacketConn; a write does not block.
func (r *relay) SetWriteDeadline(time.Time) error { return nil }

// receive takes a datagram from the client. A connectivity check for another
// endpoint, as after an ICE restart, moves the port there.
func (p *relayPort) receive(b []byte) {
	end, in := p.bound()
	if isCheck(b) && (end == nil || checkedBy(b) != end.ufrag) {
		proven, ok := p.relay.server.hub.prove(b)
		if !ok {
			return
		}
		in = p.bind(proven)
	}
	if in == nil {
		p.relay.server.hub.count.unproven.Add(1)

		return
	}
	in.deliver(b, p.at)
}

// checkedBy is our ufrag in a connectivity check.
func checkedBy(b []byte) string {
	m := &stun.Message{Raw: b}
	if m.Decode() != nil {
		return ""
	}

	return addressee(m)
}

func (p *relayPort) bound() (*endpoint, *inbox) {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.end, p.in
}

// bind moves the port to an endpoint, nil for none, and returns its inbox.
func (p *relayPort) bind(end *endpoint) *inbox {
	var in *inbox
	if end != nil {
		in = p.relay.server.hub.inbox(end, p.relay.family)
		if in == nil || !end.attach(p, p.at) {
			end, in = nil, nil
		}
	}
	p.mu.Lock()
	old := p.end
	p.end, p.in = end, in
	p.mu.Unlock()
	if old != nil && old != end {
		old.detach(p, p.at)
	}

	return in
}

// deliver implements link.
func (p *relayPort) deliver(b []byte, video bool) { p.relay.out.push(b, p.ours, video, time.Now()) }

// unbind implements link. An allocation outlives an ICE restart, in which the
// client may use it again, but not its peer.
func (p *relayPort) unbind(forGood bool) {
	p.bind(nil)
	if forGood {
		_ = p.relay.Close() // never fails
	}
}
