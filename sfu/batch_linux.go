//go:build linux && (amd64 || arm64)

package sfu

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxSegments is how many datagrams the kernel takes as one (UDP_MAX_SEGMENTS
// was 64 when it came), maxSegmented how many bytes.
const (
	maxSegments  = 64
	maxSegmented = 65000
)

// mmsghdr is the kernel's struct mmsghdr.
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
	_   [4]byte
}

// multi is a batchConn by recvmmsg and sendmmsg. Runs of datagrams of one size
// to one client go to the kernel as one and are cut there (UDP_SEGMENT).
type multi struct {
	raw   syscall.RawConn
	conn  *net.UDPConn
	in    *reading
	out   *writing
	flush func(fd uintptr) // out.send
	ones  *sync.Pool       // of *oneWrite
}

var _ batchConn = (*multi)(nil)

// reading is what recvmmsg is told, and what becomes of what it reads.
type reading struct {
	hdrs   [burstSize]mmsghdr
	names  [burstSize]unix.RawSockaddrInet6
	iovs   [burstSize]unix.Iovec
	in     []datagram
	size   int // of in, at most burstSize
	handle func(n int)
	errno  syscall.Errno
	try    func(fd uintptr) bool // receive
}

// rawAddress is an address as the kernel wants it.
type rawAddress struct {
	sa   unix.RawSockaddrInet6 // or the shorter one for IPv4
	size uint32
}

// newRawAddress encodes an address for a socket, of IPv6 if six.
func newRawAddress(a netip.AddrPort, six bool) (r rawAddress) {
	addr := a.Addr().Unmap()
	port := (*[2]byte)(unsafe.Pointer(&r.sa.Port)) // at the same place for both families
	binary.BigEndian.PutUint16(port[:], a.Port())
	if six {
		r.sa.Family, r.sa.Addr, r.size = unix.AF_INET6, addr.As16(), unix.SizeofSockaddrInet6

		return r
	}
	four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&r.sa))
	four.Family, four.Addr, r.size = unix.AF_INET, addr.As4(), unix.SizeofSockaddrInet4

	return r
}

// newBatchConn makes a batchConn of a socket.
func newBatchConn(conn net.PacketConn) batchConn {
	c, ok := conn.(*net.UDPConn)
	if !ok {
		return single{conn}
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return single{udpConn{c}}
	}
	m := &multi{raw: raw, conn: c, in: &reading{}, ones: &sync.Pool{New: newOneWrite}}
	m.in.try = m.in.receive

	return m
}

// read implements batchConn.
func (m *multi) read(in []datagram, handle func(n int)) error {
	r := m.in
	r.prepare(in, handle)
	if err := m.raw.Read(r.try); err != nil {
		return err
	}

	return r.errno
}

func (r *reading) prepare(in []datagram, handle func(n int)) {
	r.in, r.handle, r.size = in, handle, min(len(in), burstSize)
	for i := range r.size {
		r.iovs[i].Base = &in[i].b[0]
		r.iovs[i].SetLen(len(in[i].b))
		h := &r.hdrs[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Namelen = unix.SizeofSockaddrInet6
	}
}

// receive reads and hands over until there is nothing left; false means to wait
// for more. All of it happens within one RawConn.Read, whose wait knows of what
// has come since a batch that was not full: so there is no call of the system to
// learn that nothing is there.
//
// The call does not wait, so Go's scheduler is not told of it: it would move the
// worker's processor to another thread and back.
func (r *reading) receive(fd uintptr) bool {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.hdrs[0])),
			uintptr(r.size), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			r.finish(int(n))
			r.handle(int(n))
			if int(n) < r.size {
				return false
			}
		case unix.EAGAIN:
			return false
		case unix.EINTR:
		default:
			r.errno = errno

			return true
		}
	}
}

// finish reads what the kernel has filled in, and gets ready for more.
func (r *reading) finish(n int) {
	for i := range n {
		h, d := &r.hdrs[i], &r.in[i]
		h.hdr.Namelen = unix.SizeofSockaddrInet6
		d.n = int(h.n)
		if h.hdr.Flags&unix.MSG_TRUNC != 0 {
			d.n = 0 // longer than anything that we take
		}
		port := (*[2]byte)(unsafe.Pointer(&r.names[i].Port))
		addr := netip.AddrFrom16(r.names[i].Addr).Unmap()
		if r.names[i].Family == unix.AF_INET {
			addr = netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&r.names[i])).Addr)
		}
		d.from = netip.AddrPortFrom(addr, binary.BigEndian.Uint16(port[:]))
	}
}

// sending implements batchConn.
func (m *multi) sending() batchConn {
	w := &multi{raw: m.raw, conn: m.conn, out: &writing{}}
	_ = m.raw.Control(func(fd uintptr) { w.out.segments = knowsSegments(int(fd)) })
	w.flush = w.out.send

	return w
}

func knowsSegments(fd int) bool {
	_, err := unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)

	return err == nil
}

// write implements batchConn.
func (m *multi) write(out []slotOut) (unsent int) {
	w := m.out
	w.load(out)
	if err := m.raw.Control(m.flush); errors.Is(err, net.ErrClosed) {
		return len(out)
	}

	return w.unsent
}
