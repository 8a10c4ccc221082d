package sfu

import (
	"net"
	"net/netip"

	"github.com/pion/ice/v4"
)

// guard is a UDP socket that neither takes nor sends datagrams of virtual
// addresses. Otherwise it is the socket itself: the same goroutine, no copy.
type guard struct {
	net.PacketConn
	count *hubCounters
}

// guarded puts a guard before a socket, keeping Pion's way without allocations
// where the socket has one.
func guarded(conn net.PacketConn, count *hubCounters) net.PacketConn {
	g := guard{PacketConn: conn, count: count}
	if c, ok := portable(conn).(ice.AddrPortReaderWriter); ok {
		return &addrPortGuard{guard: g, conn: c}
	}

	return &g
}

// ReadFrom implements net.PacketConn.
func (g *guard) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := g.PacketConn.ReadFrom(b)
		if u, ok := from.(*net.UDPAddr); err != nil || !ok || !isVirtual(u.AddrPort().Addr()) {
			return n, from, err
		}
		g.count.forged.Add(1)
	}
}

// WriteTo implements net.PacketConn. What goes to a virtual address is lost
// without an error, as a datagram is.
func (g *guard) WriteTo(b []byte, to net.Addr) (int, error) {
	if u, ok := to.(*net.UDPAddr); ok && isVirtual(u.AddrPort().Addr()) {
		g.count.unreachable.Add(1)

		return len(b), nil
	}

	return g.PacketConn.WriteTo(b, to)
}

// addrPortGuard is a guard for a socket whose addresses cost no allocations.
type addrPortGuard struct {
	guard
	conn ice.AddrPortReaderWriter
}

var _ ice.AddrPortReaderWriter = (*addrPortGuard)(nil)

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (g *addrPortGuard) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := g.conn.ReadFromAddrPort(b)
		if err != nil || !isVirtual(from.Addr()) {
			return n, from, err
		}
		g.count.forged.Add(1)
	}
}

// WriteToAddrPort implements ice.AddrPortReaderWriter.
func (g *addrPortGuard) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if isVirtual(to.Addr()) {
		g.count.unreachable.Add(1)

		return len(b), nil
	}

	return g.conn.WriteToAddrPort(b, to)
}

// portable gives a socket Pion's names for what needs no allocations, where it
// can do that under others.
func portable(conn net.PacketConn) net.PacketConn {
	if c, ok := conn.(*net.UDPConn); ok {
		return udpConn{c}
	}

	return conn
}

// udpConn gives a UDP socket the names that Pion has for its methods.
type udpConn struct{ *net.UDPConn }

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (c udpConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	return c.ReadFromUDPAddrPort(b)
}

// WriteToAddrPort implements ice.AddrPortReaderWriter.
func (c udpConn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return c.WriteToUDPAddrPort(b, to)
}
