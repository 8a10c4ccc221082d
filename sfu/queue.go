package sfu

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"
)

const (
	// queueLimit is how much waits for a slow client. At 1 Mb/s it is half a
	// second; what is older is of no use to a conversation.
	queueLimit = 64 << 10
	queueAge   = 500 * time.Millisecond
	// queueParcels is how many datagrams that may be: a small one has the memory
	// of a large one. In half a second a call has not so many.
	queueParcels = 256
	// headroom is for the length that frames have on TCP.
	headroom = 2
	// parcelSize is what one datagram may have, with headroom: RTP of maxPacket
	// with a larger header extension and the tag of SRTP.
	parcelSize = 2048
)

// parcel is a datagram in memory that is used again.
type parcel struct {
	b [parcelSize]byte
	n int // with headroom
	// addr is the far address: where a received datagram comes from, or which
	// of our addresses a sent one is to come from.
	addr netip.AddrPort
	at   time.Time
}

var parcels = sync.Pool{New: func() any { return new(parcel) }}

// newParcel copies a datagram, or returns nil if it is too large.
func newParcel(b []byte, addr netip.AddrPort) *parcel {
	if len(b) > parcelSize-headroom {
		return nil
	}
	s := parcels.Get().(*parcel) //nolint:forcetypeassert // the pool has nothing else
	binary.BigEndian.PutUint16(s.b[:], uint16(len(b)))
	s.n, s.addr = headroom+copy(s.b[headroom:], b), addr

	return s
}

func (s *parcel) datagram() []byte { return s.b[headroom:s.n] }
func (s *parcel) frame() []byte    { return s.b[:s.n] }
func (s *parcel) free()            { parcels.Put(s) }

// fifo is a queue that uses its memory again.
type fifo struct {
	items []*parcel
	head  int
}

func (f *fifo) empty() bool { return f.head == len(f.items) }
func (f *fifo) len() int    { return len(f.items) - f.head }

func (f *fifo) push(s *parcel) {
	if len(f.items) == cap(f.items) && f.head > 0 {
		n := copy(f.items, f.items[f.head:])
		clear(f.items[n:])
		f.items, f.head = f.items[:n], 0
	}
	f.items = append(f.items, s)
}

func (f *fifo) pop() *parcel {
	s := f.items[f.head]
	f.items[f.head] = nil
	f.head++
	if f.empty() {
		f.items, f.head = f.items[:0], 0
	}

	return s
}

// sendQueue is what waits for a client on a stream: bounded, and adding to it
// never blocks. When it is full the oldest video is thrown away, and only when
// there is none left anything else; video also waits behind the rest. push may
// be called by anybody, take by one goroutine at a time.
type sendQueue struct {
	ready chan struct{} // has an element if take may find something
	count *queueCounters

	mu     sync.Mutex // guards the rest
	video  fifo
	other  fifo // sound, control, handshakes
	bytes  int
	closed bool
	// thinned says that video was thrown away since the queue was last empty.
	thinned bool
}

func newSendQueue(count *queueCounters) *sendQueue {
	return &sendQueue{ready: make(chan struct{}, 1), count: count}
}

// push copies a datagram into the queue.
func (q *sendQueue) push(b []byte, addr netip.AddrPort, video bool, now time.Time) {
	s := newParcel(b, addr)
	if s == nil {
		q.count.dropped.Add(1)

		return
	}
	s.at = now
	q.mu.Lock()
	if q.closed || !q.room(s.n, video) {
		q.thinned = q.thinned || video
		q.mu.Unlock()
		q.count.dropped.Add(1)
		s.free()

		return
	}
	if video {
		q.video.push(s)
	} else {
		q.other.push(s)
	}
	q.bytes += s.n
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// room makes room for n bytes. It returns false if a video packet would have
// to displace anything but video. q.mu is held.
func (q *sendQueue) room(n int, video bool) bool {
	for q.bytes+n > queueLimit || q.video.len()+q.other.len() >= queueParcels {
		switch {
		case !q.video.empty():
			q.drop(&q.video)
			q.thinned = true
		case video:
			return false
		default:
			q.drop(&q.other)
		}
	}

	return true
}

func (q *sendQueue) drop(f *fifo) {
	s := f.pop()
	q.bytes -= s.n
	q.count.dropped.Add(1)
	s.free()
}

// take appends to batch what is to be sent next, up to about limit bytes, and
// throws away what has waited too long. If there is nothing, thinned says
// whether video was thrown away on the way to this.
func (q *sendQueue) take(batch []*parcel, limit int, now time.Time) (_ []*parcel, thinned bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := 0
	for _, f := range []*fifo{&q.other, &q.video} {
		for !f.empty() && size < limit {
			if now.Sub(f.items[f.head].at) > queueAge {
				q.drop(f)
				q.thinned = q.thinned || f == &q.video

				continue
			}
			s := f.pop()
			q.bytes -= s.n
			size += s.n
			batch = append(batch, s)
		}
	}
	if len(batch) == 0 {
		thinned, q.thinned = q.thinned, false
	}

	return batch, thinned
}

// close empties the queue for good.
func (q *sendQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, f := range []*fifo{&q.other, &q.video} {
		for !f.empty() {
			s := f.pop()
			q.bytes -= s.n
			s.free()
		}
	}
}
