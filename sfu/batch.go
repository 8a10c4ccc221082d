package sfu

import (
	"net"
	"net/netip"

	"github.com/pion/ice/v4"
)

// batchConn reads and writes several datagrams at a time. One goroutine reads
// and one goroutine writes.
type batchConn interface {
	// read waits for datagrams again and again, fills in as many as there are
	// and hands over their number, until there is an error. That may concern one
	// datagram only: one that is too long for it, or an answer to one that was
	// sent before. handle must not wait for the socket's Close, which waits for it.
	read(in []datagram, handle func(n int)) error
	// write sends datagrams, without waiting, and returns how many it could not.
	write(out []slotOut) (unsent int)
	// writeOne sends a datagram, without waiting; it returns false if it could
	// not. Anybody may call it at any time.
	writeOne(b []byte, to *destination) bool
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
func (s single) read(in []datagram, handle func(n int)) error {
	for {
		if err := s.readOne(&in[0]); err != nil {
			return err
		}
		handle(1)
	}
}

func (s single) readOne(d *datagram) (err error) {
	if c, ok := s.conn.(ice.AddrPortReaderWriter); ok {
		d.n, d.from, err = c.ReadFromAddrPort(d.b[:])

		return err
	}
	var from net.Addr
	d.n, from, err = s.conn.ReadFrom(d.b[:])
	if u, ok := from.(*net.UDPAddr); ok {
		d.from = u.AddrPort()
	}

	return err
}

// write implements batchConn.
func (s single) write(out []slotOut) (unsent int) {
	for i := range out {
		if !s.writeOne(out[i].b[:out[i].n], out[i].to) {
			unsent++
		}
	}

	return unsent
}

// sending implements batchConn.
func (s single) sending() batchConn { return s }

// writeOne implements batchConn. Where a socket waits for room in the system's
// memory there is no way around it.
func (s single) writeOne(b []byte, to *destination) bool {
	var err error
	if c, ok := s.conn.(ice.AddrPortReaderWriter); ok {
		_, err = c.WriteToAddrPort(b, to.addr)
	} else {
		_, err = s.conn.WriteTo(b, net.UDPAddrFromAddrPort(to.addr))
	}

	return err == nil
}
