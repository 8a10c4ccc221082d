package sfu

import (
	"sync/atomic"
	"time"
)

const (
	// ringSize packets are kept for retransmission: about a second of video at
	// the default bitrate. A power of two.
	ringSize = 256
	// ringPacket is the room for one packet; what may be larger cannot be repaired.
	ringPacket = 1400
	// A packet is repeated maxResends times, later and later: where a queue has
	// overflown the first ones are lost like the packet itself.
	maxResends = 5
	// firstResend is the longest that the first repair of a packet is kept back.
	firstResend = 30 * time.Millisecond
)

const (
	slotFree uint32 = iota
	slotBusy
)

// ring keeps the packets that were last sent on a stream, as they were sent.
//
// One goroutine claims slots and writes packets into them, another one fetches.
// Neither ever waits: a slot is claimed by compare-and-set, and who does not get
// it goes without, which costs one packet its repair in the rare case that the
// two meet.
type ring struct {
	// newest is the number of the newest packet, extended; 0 is none yet. As a
	// stream's first number is small and not 0, that is its SRTP index (RFC 3711
	// section 3.3.1; see newTail).
	newest atomic.Int64
	slots  [ringSize]slot
}

// slot is the place of one packet. What is known of it is in front of its bytes,
// which are rarely in a cache when their turn comes again: so it comes with them.
type slot struct {
	state   atomic.Uint32
	used    bool
	late    bool  // newer ones had been sent
	seq     int64 // extended
	size    int
	sent    time.Duration
	resends int
	data    [ringPacket]byte
}

func (r *ring) at(seq uint16) *slot { return &r.slots[int(seq)%ringSize] }

// claim gives the packet with sequence number seq its slot, in whose data its
// bytes are to be put; keep must follow. It returns nil for one that is so late
// that a newer one has its place, that may be larger than there is room, size
// being the most that it takes, or whose slot is being read.
func (r *ring) claim(seq uint16, size int, now time.Duration) *slot {
	newest := r.newest.Load()
	if newest == 0 {
		newest = int64(seq)
	}
	extended := newest + int64(int16(seq-uint16(newest)))
	if extended <= newest-ringSize {
		return nil
	}
	r.newest.Store(max(newest, extended))
	s := r.at(seq)
	if !s.state.CompareAndSwap(slotFree, slotBusy) {
		return nil
	}
	s.used, s.seq, s.late = false, extended, extended < newest
	s.sent, s.resends = now, 0
	if size > ringPacket {
		s.state.Store(slotFree)

		return nil
	}

	return s
}

// pass is told of a packet that is sent and not kept. Else what was kept before
// the numbers came round would seem to be of this time round.
func (r *ring) pass(seq uint16, now time.Duration) { r.claim(seq, ringPacket+1, now) }

// keep ends claim: the first size bytes of data are the packet, if it was sent.
func (s *slot) keep(size int, sent bool) {
	s.used, s.size = sent, size
	s.state.Store(slotFree)
}

// wait is how long after it was sent a packet may be sent again. One that was
// sent in its turn is asked for only when it is missing, so that interval, made
// of a round trip that may have been measured in a queue long since gone, need
// not keep its first repair back; a late one may have been asked for before.
// After the second time it is a multiple of interval.
func (s *slot) wait(interval time.Duration) time.Duration {
	if s.resends == 0 && !s.late {
		return min(interval, firstResend)
	}

	return interval << max(s.resends-1, 0)
}

// peek appends the packet with sequence number seq to b, for who stores. It
// returns false if the packet is not there.
func (r *ring) peek(seq uint16, b []byte) ([]byte, bool) {
	s := r.at(seq)
	if !s.state.CompareAndSwap(slotFree, slotBusy) {
		return b, false
	}
	ok := s.used && uint16(s.seq) == seq && r.has(s.seq)
	if ok {
		b = append(b, s.data[:s.size]...)
	}
	s.state.Store(slotFree)

	return b, ok
}

// has reports whether a packet with that extended number may still be here.
// Anybody may call it.
func (r *ring) has(extended int64) bool { return extended > r.newest.Load()-ringSize }

// fetch appends the packet with sequence number seq to b, and returns that number
// extended, which is the packet's SRTP index. It returns false if
// the packet is gone, was sent too short a time ago for the request to be about
// that, or too often. A packet from the last time that the numbers came round is
// gone: sent now it would use the nonce of another one.
func (r *ring) fetch(seq uint16, now, interval time.Duration, b []byte) ([]byte, int64, bool) {
	s := r.at(seq)
	if !s.state.CompareAndSwap(slotFree, slotBusy) {
		return b, 0, false
	}
	index := s.seq
	ok := s.used && uint16(index) == seq && r.has(index) &&
		s.resends < maxResends && now-s.sent >= s.wait(interval)
	if ok {
		s.resends++
		s.sent = now
		b = append(b, s.data[:s.size]...)
	}
	s.state.Store(slotFree)

	return b, index, ok
}
