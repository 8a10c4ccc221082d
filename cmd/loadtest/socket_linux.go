package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsg is struct mmsghdr of recvmmsg(2) and sendmmsg(2).
type mmsg struct {
	hdr  unix.Msghdr
	size uint32
}

// segmentControl is a control message that has the kernel split a message into
// datagrams of a size (UDP_SEGMENT, udp(7)).
type segmentControl struct {
	header unix.Cmsghdr
	size   uint16
	_      [6]byte // up to the alignment of control messages
}

func (c *segmentControl) init() {
	c.header.Level, c.header.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	c.header.SetLen(unix.CmsgLen(2))
}

// split makes a message of n vectors be sent as datagrams of size bytes each; only
// the last may be shorter.
func (c *segmentControl) split(m *unix.Msghdr, n, size int) {
	c.size = uint16(size)
	m.SetIovlen(n)
	m.Control = (*byte)(unsafe.Pointer(c))
	m.SetControllen(unix.CmsgSpace(2))
}

// batch is a reusable row of packets for recvmmsg and sendmmsg on connected
// sockets. Its system calls never block, so the scheduler is not told of them.
// Not safe for concurrent use.
type batch struct {
	buffers [][]byte
	vectors []unix.Iovec
	msgs    []mmsg
	// frame sends all vectors in one message, unless noSplit: the kernel refused.
	frame   unix.Msghdr
	control segmentControl
	noSplit bool
}

// newBatch has room for n packets of at most size bytes.
func newBatch(n, size int) *batch {
	b := &batch{buffers: make([][]byte, n), vectors: make([]unix.Iovec, n), msgs: make([]mmsg, n)}
	for i := range n {
		b.buffers[i] = make([]byte, size)
		b.msgs[i].hdr.Iov = &b.vectors[i]
		b.msgs[i].hdr.SetIovlen(1)
	}
	b.frame.Iov = &b.vectors[0]
	b.control.init()

	return b
}

// receive reads what is there, and returns how many packets it was; packet has
// them until the next call. An error of an earlier send counts as nothing.
func (b *batch) receive(fd int) int {
	for i := range b.buffers {
		b.vectors[i].Base = &b.buffers[i][0]
		b.vectors[i].SetLen(len(b.buffers[i]))
	}
	n, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.msgs[0])), uintptr(len(b.msgs)), unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0
	}

	return int(n)
}

// packet is the i-th of those that receive read.
func (b *batch) packet(i int) []byte { return b.buffers[i][:b.msgs[i].size] }

// send sends packets, at most as many as b has room for, and returns how many
// the kernel took. Several packets have the same size: what a frame is made of.
func (b *batch) send(fd int, packets [][]byte) int {
	for i, p := range packets {
		b.vectors[i].Base = &p[0]
		b.vectors[i].SetLen(len(p))
	}
	if len(packets) > 1 && !b.noSplit {
		b.control.split(&b.frame, len(packets), len(packets[0]))
		_, _, e := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.frame)), unix.MSG_DONTWAIT)
		switch e {
		case 0:
			return len(packets)
		case unix.EIO, unix.EINVAL: // no such thing on this way out
			b.noSplit = true
		default:
			return 0
		}
	}
	sent := 0
	for sent < len(packets) {
		n, _, e := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.msgs[sent])), uintptr(len(packets)-sent), unix.MSG_DONTWAIT, 0, 0)
		if e != 0 {
			return sent
		}
		sent += int(n)
	}

	return sent
}

// openSocket makes a UDP socket that is connected to an address: one per
// client, as a browser has it.
func openSocket(to netip.AddrPort) (fd int, err error) {
	family, address := sockaddr(to)
	fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open a UDP socket: %w%s", err, hintFiles(err))
	}
	for _, option := range []int{unix.SO_RCVBUF, unix.SO_SNDBUF} {
		if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, clientBuffer); err != nil {
			return -1, errors.Join(fmt.Errorf("size the buffers of a UDP socket: %w", err), unix.Close(fd))
		}
	}
	if err = unix.Connect(fd, address); err != nil {
		return -1, errors.Join(fmt.Errorf("connect a UDP socket to %v: %w", to, err), unix.Close(fd))
	}

	return fd, nil
}

func hintFiles(err error) string {
	if errors.Is(err, unix.EMFILE) {
		return " (raise the limit with ulimit -n, or use fewer clients)"
	}

	return ""
}

func sockaddr(a netip.AddrPort) (family int, address unix.Sockaddr) {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}
	}

	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// localAddress is a socket's own.
func localAddress(fd int) (netip.AddrPort, error) {
	name, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, os.NewSyscallError("getsockname", err)
	}
	switch n := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(n.Addr), uint16(n.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(n.Addr), uint16(n.Port)), nil
	}

	return netip.AddrPort{}, net.UnknownNetworkError("of a UDP socket")
}

// write sends one packet from any goroutine.
func write(fd int, b []byte) error {
	_, err := unix.Write(fd, b)

	return os.NewSyscallError("write", err)
}

func closeSocket(fd int) error { return os.NewSyscallError("close", unix.Close(fd)) }

// poller waits for many sockets at once.
type poller struct {
	fd     int
	events []unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}

	return &poller{fd: fd, events: make([]unix.EpollEvent, 256)}, nil
}

// add watches a socket; closing the socket ends that.
func (p *poller) add(fd, slot int) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(slot)}

	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &e))
}

// wait waits for at most d until a socket can be read, and returns how many
// can; slot names them. Its timeout is good to some ten microseconds, which
// neither epoll_wait nor Go's timers are.
func (p *poller) wait(d time.Duration) (int, error) {
	timeout := unix.NsecToTimespec(int64(max(d, 0)))
	call := unix.Syscall6
	if d <= 0 {
		call = unix.RawSyscall6 // it does not block
	}
	n, _, e := call(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)),
		uintptr(unsafe.Pointer(&timeout)), 0, 0)
	switch {
	case e == unix.ENOSYS:
		return 0, errors.New("loadtest needs Linux 5.11 or newer: this kernel has no epoll_pwait2")
	case e == unix.EINTR:
		return 0, nil
	case e != 0:
		return 0, os.NewSyscallError("epoll_pwait2", e)
	}

	return int(n), nil
}

func (p *poller) slot(i int) int { return int(p.events[i].Fd) }

func (p *poller) close() error { return os.NewSyscallError("close", unix.Close(p.fd)) }
