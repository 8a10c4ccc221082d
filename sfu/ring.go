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
	s.sent, s.resends = now, 0
	if s.used {
		copy(data, b)
	}
	s.state.Store(slotFree)
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
// the packet is gone, or was sent less than interval ago, so that the request
// cannot be about that, or a multiple of it, after the second time, or too often. A packet from the last time that the
// numbers came round is gone: sent now it would use the nonce of another one.
func (r *ring) fetch(seq uint16, now, interval time.Duration, b []byte) ([]byte, bool) {
	s, data := r.at(seq)
	if !s.state.CompareAndSwap(slotFree, slotBusy) {
		return b, false
	}
	ok := s.used && uint16(s.seq) == seq && s.seq > r.newest.Load()-ringSize &&
		s.resends < maxResends && now-s.sent >= interval<<max(s.resends-1, 0)
	if ok {
		s.resends++
		s.sent = now
		b = append(b, data[:s.size]...)
	}
	s.state.Store(slotFree)

	return b, ok
}
