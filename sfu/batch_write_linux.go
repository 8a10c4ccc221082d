//go:build linux && (amd64 || arm64)

package sfu

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// controlSize is the room for one control message with the segments' size.
const controlSize = unix.SizeofCmsghdr + 8

// writing is what one sendmmsg is told: messages, each of one datagram or of
// several of one size to one client, of which the last may be shorter.
type writing struct {
	slots    []slotOut
	messages int
	hdrs     [burstSize]mmsghdr
	iovs     [burstSize]unix.Iovec
	controls [burstSize][controlSize]byte
	chains   [burstSize]chain
	next     [burstSize]int8 // the slot that follows in the same message, or -1
	segments bool            // the kernel can cut
	unsent   int
}

// chain is the slots of one message.
type chain struct {
	to          *destination
	first, last int8
	count       int
	size, bytes int // of one segment, of all
	closed      bool
}

// load sorts the slots into messages.
func (w *writing) load(slots []slotOut) {
	w.slots, w.messages, w.unsent = slots, 0, 0
	for i := range slots {
		w.next[i] = -1
		if !w.join(int8(i)) {
			w.chains[w.messages] = chain{
				to: slots[i].to, first: int8(i), last: int8(i), count: 1, size: slots[i].n, bytes: slots[i].n,
			}
			w.messages++
		}
	}
	iov := 0
	for i := range w.messages {
		iov = w.describe(i, iov)
	}
}

// join puts a slot into the newest message to the same client, if it fits.
func (w *writing) join(i int8) bool {
	s := &w.slots[i]
	if !w.segments || s.to.whole.Load() {
		return false
	}
	for m := w.messages - 1; m >= 0; m-- {
		c := &w.chains[m]
		if c.to != s.to {
			continue
		}
		if c.closed || s.n > c.size || c.count == maxSegments || c.bytes+s.n > maxSegmented {
			return false
		}
		w.next[c.last] = i
		c.last = i
		c.count++
		c.bytes += s.n
		c.closed = s.n < c.size

		return true
	}

	return false
}

// describe fills in the header of message m, whose parts begin at iov.
func (w *writing) describe(m, iov int) int {
	c, h := &w.chains[m], &w.hdrs[m].hdr
	h.Name = (*byte)(unsafe.Pointer(&c.to.raw.sa))
	h.Namelen = c.to.raw.size
	h.Iov = &w.iovs[iov]
	h.SetIovlen(c.count)
	for i := c.first; i >= 0; i = w.next[i] {
		w.iovs[iov].Base = &w.slots[i].b[0]
		w.iovs[iov].SetLen(w.slots[i].n)
		iov++
	}
	h.Control = nil
	h.SetControllen(0)
	if c.count > 1 {
		control := &w.controls[m]
		cmsg := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
		cmsg.Level, cmsg.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
		cmsg.SetLen(unix.CmsgLen(2))
		*(*uint16)(unsafe.Pointer(&control[unix.SizeofCmsghdr])) = uint16(c.size)
		h.Control = &control[0]
		h.SetControllen(controlSize)
	}

	return iov
}

// send sends the messages. What the kernel refuses is lost, as a datagram may
// be on any network; nobody waits for a full queue.
func (w *writing) send(fd uintptr) {
	for m := 0; m < w.messages; {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&w.hdrs[m])),
			uintptr(w.messages-m), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			m += int(n)
		case unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS:
			for ; m < w.messages; m++ {
				w.unsent += w.chains[m].count
			}
		default:
			w.refused(fd, m, errno)
			m++
		}
	}
}

// refused handles a message that the kernel did not take: a run may be too much
// for the network device, or one of its parts too long for a path that takes
// the parts one by one.
func (w *writing) refused(fd uintptr, m int, errno syscall.Errno) {
	c := &w.chains[m]
	if c.count == 1 {
		w.unsent++

		return
	}
	switch errno {
	case unix.EIO, unix.EOPNOTSUPP:
		w.segments = false
	case unix.EMSGSIZE, unix.EINVAL:
		c.to.whole.Store(true)
	}
	for i := c.first; i >= 0; i = w.next[i] {
		if s := &w.slots[i]; !sendTo(fd, s.b[:s.n], &c.to.raw) {
			w.unsent++
		}
	}
}

// sendTo sends one datagram without waiting.
func sendTo(fd uintptr, b []byte, to *rawAddress) bool {
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&to.sa)), uintptr(to.size))

	return errno == 0
}

// oneWrite is a datagram for RawConn.Control, in memory that is used again.
type oneWrite struct {
	b    []byte
	to   *destination
	sent bool
	do   func(fd uintptr)
}

func newOneWrite() any {
	w := &oneWrite{}
	w.do = func(fd uintptr) { w.sent = sendTo(fd, w.b, &w.to.raw) }

	return w
}

// writeOne implements batchConn.
func (m *multi) writeOne(b []byte, to *destination) bool {
	if len(b) == 0 {
		return false
	}
	w := m.ones.Get().(*oneWrite) //nolint:forcetypeassert // the pool has nothing else
	w.b, w.to, w.sent = b, to, false
	err := m.raw.Control(w.do)
	sent := err == nil && w.sent
	w.b, w.to = nil, nil
	m.ones.Put(w)

	return sent
}
