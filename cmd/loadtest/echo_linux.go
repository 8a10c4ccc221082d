package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	echoBatch = 64
	// maxRun is how many segments the kernel takes in one message.
	maxRun = 64
	// maxRunSize keeps a run below what a UDP datagram can be.
	maxRunSize = 60000
)

// echoLoop reads, converts and sends in batches: one recvmmsg, one sendmmsg in
// which neighbours of the same size to the same address are one message that
// the kernel splits (UDP_SEGMENT, udp(7)). IPv4 only.
type echoLoop struct {
	raw  syscall.RawConn
	legs func() *map[flow]*echoLeg

	in struct {
		msgs    [echoBatch]mmsg
		vectors [echoBatch]unix.Iovec
		names   [echoBatch]unix.RawSockaddrInet4
		buffers [echoBatch][maxPacket]byte
	}
	out struct {
		msgs     [echoBatch]mmsg
		vectors  [echoBatch]unix.Iovec
		names    [echoBatch]unix.RawSockaddrInet4
		controls [echoBatch]segmentControl
		n, used  int // messages, vectors
		run      segments
	}
}

// segments is the message that is being put together.
type segments struct {
	to       netip.AddrPort
	size     int // of each of its packets but the last
	total, n int
	short    bool // the last packet was shorter: nothing may follow
}

func newEchoLoop(conn *net.UDPConn, legs func() *map[flow]*echoLeg) (*echoLoop, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("use the socket: %w", err)
	}
	l := &echoLoop{raw: raw, legs: legs}
	for i := range echoBatch {
		in := &l.in.msgs[i].hdr
		l.in.vectors[i].Base = &l.in.buffers[i][0]
		l.in.vectors[i].SetLen(maxPacket)
		in.Iov = &l.in.vectors[i]
		in.SetIovlen(1)
		in.Name = (*byte)(unsafe.Pointer(&l.in.names[i]))
		l.out.controls[i].init()
	}

	return l, nil
}

// run forwards until the socket is closed.
func (l *echoLoop) run() {
	// The callback wants to be called again when there is something to read.
	_ = l.raw.Read(func(fd uintptr) bool {
		for l.turn(fd) == echoBatch {
		}

		return false
	})
}

// turn forwards one batch and returns how many packets it read.
func (l *echoLoop) turn(fd uintptr) int {
	for i := range l.in.msgs {
		l.in.msgs[i].hdr.Namelen = unix.SizeofSockaddrInet4
	}
	n, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&l.in.msgs[0])), echoBatch, unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0
	}
	legs := *l.legs()
	l.out.n, l.out.used, l.out.run = 0, 0, segments{}
	for i := range int(n) {
		leg := legs[sender(&l.in.names[i])]
		if leg == nil {
			continue
		}
		if b, ok := leg.convert(l.in.buffers[i][:l.in.msgs[i].size]); ok && len(b) > 0 {
			l.queue(leg.to, b)
		}
	}
	for sent := 0; sent < l.out.n; {
		k, _, e := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&l.out.msgs[sent])), uintptr(l.out.n-sent), unix.MSG_DONTWAIT, 0, 0)
		if e != 0 {
			break // lost, as datagrams may be
		}
		sent += int(k)
	}

	return int(n)
}

// queue puts a packet behind those that go out with this batch.
func (l *echoLoop) queue(to netip.AddrPort, b []byte) {
	o := &l.out
	v := &o.vectors[o.used]
	o.used++
	v.Base = &b[0]
	v.SetLen(len(b))
	r := &o.run
	if r.to == to && !r.short && len(b) <= r.size && r.n < maxRun && r.total+len(b) < maxRunSize {
		r.n, r.total, r.short = r.n+1, r.total+len(b), len(b) < r.size
		o.controls[o.n-1].split(&o.msgs[o.n-1].hdr, r.n, r.size)

		return
	}
	*r = segments{to: to, size: len(b), total: len(b), n: 1}
	name := &o.names[o.n]
	name.Family, name.Addr = unix.AF_INET, to.Addr().As4()
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&name.Port))[:], to.Port())
	hdr := &o.msgs[o.n].hdr
	*hdr = unix.Msghdr{Name: (*byte)(unsafe.Pointer(name)), Namelen: unix.SizeofSockaddrInet4, Iov: v}
	hdr.SetIovlen(1)
	o.n++
}

// sender reads an address as the kernel writes it.
func sender(name *unix.RawSockaddrInet4) flow {
	return newFlow(name.Addr, binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&name.Port))[:]))
}
