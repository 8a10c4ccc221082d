package sfu

import (
	"sync/atomic"
	"time"
)

const (
	// ringSize packets are kept for retransmission: about a second of video at
	// the default bitrate. A power of two.
	ringSize = 256
	// ringPacket is the room for one packet; a larger one cannot be repaired.
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
// One goroutine stores, another one fetches. Neither ever waits: a slot is
// claimed by compare-and-set, and who does not get it goes without, which
// costs one packet its repair in the rare case that the two meet.
type ring struct {
	slots [ringSize]slot
	data  []byte
	// newest is the extended sequence number of the newest packet; 0 is none yet.
	newest atomic.Int64
}

type slot struct {
	state   atomic.Uint32
	used    bool
	seq     int64 // extended
	size    int
	sent    time.Duration
	resends int
	late    bool // newer ones had been sent
}

func newRing() *ring { return &ring{data: make([]byte, ringSize*ringPacket)} }

func (r *ring) at(seq uint16) (*slot, []byte) {
	i := int(seq) % ringSize

	return &r.slots[i], r.data[i*ringPacket : (i+1)*ringPacket]
}

// store keeps a copy of the packet b, which has sequence number seq, unless it
// is so late that a newer one has its place.
func (r *ring) store(seq uint16, b []byte, now time.Duration) {
	newest := r.newest.Load()
	if newest == 0 {
		newest = 1<<16 | int64(seq)
	}
	extended := newest + int64(int16(seq-uint16(newest)))
	if extended <= newest-ringSize {
		return
	}
	r.newest.Store(max(newest, extended))
	s, data := r.at(seq)
	if !s.state.CompareAndSwap(slotFree, slotBusy) {
		return
	}
	s.used, s.seq, s.size = len(b) <= len(data), extended, len(b)
	s.sent, s.resends, s.late = now, 0, extended < newest
	if s.used {
		copy(data, b)
	}
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
	s, data := r.at(seq)
	if !s.state.CompareAndSwap(slotFree, slotBusy) {
		return b, false
	}
	ok := s.used && uint16(s.seq) == seq && s.seq > r.newest.Load()-ringSize
	if ok {
		b = append(b, data[:s.size]...)
	}
	s.state.Store(slotFree)

	return b, ok
}

// fetch appends the packet with sequence number seq to b. It returns false if
// the packet is gone, was sent too short a time ago for the request to be about
// that, or too often. A packet from the last time that the numbers came round is
// gone: sent now it would use the nonce of another one.
func (r *ring) fetch(seq uint16, now, interval time.Duration, b []byte) ([]byte, bool) {
	s, data := r.at(seq)
	if !s.state.CompareAndSwap(slotFree, slotBusy) {
		return b, false
	}
	ok := s.used && uint16(s.seq) == seq && s.seq > r.newest.Load()-ringSize &&
		s.resends < maxResends && now-s.sent >= s.wait(interval)
	if ok {
		s.resends++
		s.sent = now
		b = append(b, data[:s.size]...)
	}
	s.state.Store(slotFree)

	return b, ok
}
