package sfu

import (
	"net"
	"net/netip"

	"github.com/pion/ice/v4"
)

// batchConn reads and writes several datagrams at a time. One goroutine reads
// and one goroutine writes.
type batchConn interface {
	// read waits for datagrams and fills in as many as there are; it returns
	// an error only if the socket is closed.
	read(in []datagram) (int, error)
	// write sends datagrams, without waiting, and returns how many it could not.
	write(out []slotOut) (unsent int)
	// sending returns a batchConn of the same socket for another goroutine that
	// writes.
	sending() batchConn
}

// datagram is one that was read.
type datagram struct {
	b    [parcelSize]byte
	n    int
	from netip.AddrPort
}

// single is a batchConn for systems, and networks, that know only one datagram
// at a time.
type single struct{ conn net.PacketConn }

var _ batchConn = single{}

// read implements batchConn.
func (s single) read(in []datagram) (int, error) {
	d := &in[0]
	var err error
	if c, ok := s.conn.(ice.AddrPortReaderWriter); ok {
		d.n, d.from, err = c.ReadFromAddrPort(d.b[:])

		return 1, err
	}
	var from net.Addr
	d.n, from, err = s.conn.ReadFrom(d.b[:])
	if u, ok := from.(*net.UDPAddr); ok {
		d.from = u.AddrPort()
	}

	return 1, err
}

// write implements batchConn.
func (s single) write(out []slotOut) (unsent int) {
	for i := range out {
		if !writeOne(s.conn, out[i].b[:out[i].n], out[i].to.addr) {
			unsent++
		}
	}

	return unsent
}

// sending implements batchConn.
func (s single) sending() batchConn { return s }

// writeOne sends one datagram.
func writeOne(conn net.PacketConn, b []byte, to netip.AddrPort) bool {
	var err error
	if c, ok := conn.(ice.AddrPortReaderWriter); ok {
		_, err = c.WriteToAddrPort(b, to)
	} else {
		_, err = conn.WriteTo(b, net.UDPAddrFromAddrPort(to))
	}

	return err == nil
}
