package sfu

import (
	"net/netip"
	"sync/atomic"
)

// burstSize is how many datagrams are read or written with one call of the system.
const burstSize = 64

// burst is what the datagrams of one read of a socket make the relay send. It
// is sent when they have all been handled, never by a timer: who is busy sends
// much at once, who is not sends at once. It belongs to one worker.
type burst struct {
	worker int
	count  *planeCounters
	queues []*burstQueue
}

// burstQueue is the part of a burst that goes out by one group's sockets.
type burstQueue struct {
	group *group
	conn  batchConn
	n     int
	slots [burstSize]slotOut
}

// slotOut is one datagram to send.
type slotOut struct {
	b  [parcelSize]byte
	n  int
	to *destination
}

// destination is where a client is.
type destination struct {
	addr  netip.AddrPort
	raw   rawAddress
	group *group    // the sockets that it is reached by; nil for a virtual address
	end   *endpoint // which that belongs to
	// whole says that runs of datagrams to it cannot be cut by the kernel, as
	// when they are longer than its path takes.
	whole atomic.Bool
}

// write sends a datagram at once, or loses it. Anybody may call it.
func (d *destination) write(b []byte) {
	if d.group != nil {
		d.group.write(b, d)
	} else if d.end != nil {
		d.end.send(b, d.addr)
	}
}

func (d *destination) same(as *destination) bool { return d.addr == as.addr && d.group == as.group }

// forget takes the destination out of the table if it is the lane's.
func (d *destination) forget(l *lane) {
	if d.group != nil {
		d.group.table.remove(d.addr, l)
	}
}

// slot returns a place for a datagram; its n and to are to be set, or it stays
// unused. The worker's goroutine calls it.
func (b *burst) slot(g *group) *slotOut {
	q := b.queue(g)
	if q.n > 0 && q.slots[q.n-1].n == 0 {
		return &q.slots[q.n-1] // the last one was not used
	}
	if q.n == burstSize {
		b.send(q)
	}
	q.n++
	s := &q.slots[q.n-1]
	s.n = 0

	return s
}

func (b *burst) queue(g *group) *burstQueue {
	for _, q := range b.queues {
		if q.group == g {
			return q
		}
	}
	q := &burstQueue{group: g, conn: g.conns[b.worker%len(g.conns)].sending()}
	b.queues = append(b.queues, q)

	return q
}

// flush sends what has been put in.
func (b *burst) flush() {
	for _, q := range b.queues {
		if q.n > 0 {
			b.send(q)
		}
	}
}

func (b *burst) send(q *burstQueue) {
	if q.slots[q.n-1].n == 0 {
		q.n--
	}
	if unsent := q.conn.write(q.slots[:q.n]); unsent > 0 {
		b.count.unsent.Add(uint64(unsent))
	}
	q.n = 0
}
