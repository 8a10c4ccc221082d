package sfu

import (
	"sync/atomic"
	"time"
)

// Sender reports say where a stream's RTP timestamps lie in NTP time, and a
// receiver lays one line through the last twenty of them to know which sound
// belongs to which picture: of sound, which is reported on every 5 s, those are
// of the last 100 s. So what a subscriber is told of its stream must be one line
// over all partners, or its lips are off for as long. The line is that of the
// server's clock; who begins to send to a subscriber continues it, as far as
// time does not go back.

const (
	// smoothReports is by how many reports an RTP clock is known.
	smoothReports = 8
	// offTheLine is how far from where it arrives a stream may begin to be on the
	// line: a publisher whose clock was set meanwhile is further off.
	offTheLine = 500 * time.Millisecond
	// firstReminder is how long after the begin of a flow the subscriber is told
	// of its times again, and lastReminder of which the next is the last: a
	// receiver that begins anew at each match, as Firefox does, needs two reports.
	firstReminder, lastReminder = 500 * time.Millisecond, 2 * time.Second
)

// rtpClock is an RTP clock in terms of an NTP clock: the timestamp that it showed
// when NTP was 0 (modulo 2^32), its origin, and above that, by how many reports
// that is known; 0 is unknown.
type rtpClock struct{ atomic.Uint64 }

func (c *rtpClock) set(origin uint32) { c.Store(pack(1, origin)) }

// origin returns the timestamp at NTP time 0.
func (c *rtpClock) origin() (ts uint32, known bool) {
	reports, ts := unpack(c.Load())

	return ts, reports != 0
}

// hear takes the origin by a new report of kind k, and returns that by the last
// ones together. Senders take the time of sound when it comes to them and not
// when it was recorded, so that one report alone may be some tens of milliseconds
// off where a machine is busy.
func (c *rtpClock) hear(origin uint32, k kind) uint32 {
	reports, known := unpack(c.Load())
	more, most := int32(origin-known), int32(ticks(offTheLine, k.clock()))
	if reports == 0 || more < -most || more > most {
		c.set(origin)

		return origin
	}
	reports = min(reports+1, smoothReports)
	known += uint32(more / int32(reports))
	c.Store(pack(reports, known))

	return known
}

// rtpTime is how far an RTP clock of that rate gets in an NTP time or a
// difference of two, as a two's complement, of 32.32 bits; modulo 2^32.
func rtpTime(ntp, rate uint64) uint32 {
	return uint32(ntp>>32)*uint32(rate) + uint32(ntp&0xffffffff*rate>>32)
}

// ntpShift is what the server's NTP time has more than a peer's. It is fixed for
// the time of a wiring: sound and picture have the same, and lips stay in sync.
type ntpShift struct {
	fixed atomic.Int64 // 0 is unknown
	// quickest is what it would be now: the least that reports have shown since the
	// wiring, because what took longer has waited somewhere, and slowly more than
	// that, because clocks drift. 0 is unknown.
	quickest atomic.Int64
}

// hear takes that the peer's clock showed ntp in a report that came at ours by
// the server's, and returns the shift.
func (s *ntpShift) hear(ntp, ours uint64) int64 {
	shift := int64(ours - ntp)
	if shift == 0 {
		shift = 1
	}
	const second = 1 << 32 // so much more means that its clock was set
	switch more := shift - s.quickest.Load(); {
	case more == shift, more < 0, more > second:
		s.quickest.Store(shift)
	default:
		s.quickest.Store(shift - more + more/8)
	}
	s.fixed.CompareAndSwap(0, shift)

	return s.fixed.Load()
}

// fix is called when the peer is wired: what the clocks have drifted since the
// last time is made good.
func (s *ntpShift) fix() {
	if quickest := s.quickest.Swap(0); quickest != 0 {
		s.fixed.Store(quickest)
	}
}

// offset returns what is to be added to the publisher's timestamps of kind k to
// be on the subscriber's line. It returns false if one of the two clocks is not
// known.
func (r *route) offset(k kind) (uint32, bool) {
	theirs, ok := r.publisher.clocks[k].origin()
	line, known := r.subscriber.down[k].line.origin()
	shift := uint64(r.publisher.shift.fixed.Load())

	return line - theirs + rtpTime(shift, k.clock()), ok && known
}

// remind tells the subscriber where its stream of kind k is just now, by what the
// publisher last reported, so that sound and picture of a new partner are in
// sync from the start and not only when the next reports have come.
func (r *route) remind(k kind, now time.Duration, via *burst) {
	f := &r.flows[k]
	if f.reminder *= 2; f.reminder == 0 {
		f.reminder = firstReminder
	}
	f.remindAt = now + f.reminder
	if f.reminder > lastReminder {
		f.remindAt = 0
	}
	if origin, ok := r.publisher.clocks[k].origin(); ok {
		ntp := r.publisher.ntp(now)
		theirs := ntp - uint64(r.publisher.shift.fixed.Load())
		r.translateReport(r.buf[:0], k, ntp, origin+rtpTime(theirs, k.clock()), now, via)
	}
}
