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
	// noise is how far one report of an RTP clock may be off, and by drift.
	noise = 100 * time.Millisecond
	// tooFar is how far from now a publisher's clock may say that a packet was
	// captured, before its reports are taken for those of another time.
	tooFar = 500 * time.Millisecond
	// tooEarly and tooLate are how far from where it arrives a stream may begin
	// to be on the line: what is too early is held back by who plays it.
	tooEarly, tooLate = 200 * time.Millisecond, 500 * time.Millisecond
	// firstReminder is how long after the begin of a flow the subscriber is told
	// of its times again, and lastReminder of which the next is the last: a
	// receiver that begins anew at each match, as Firefox does, needs two reports.
	firstReminder, lastReminder = 500 * time.Millisecond, 2 * time.Second
)

// rtpClock is an RTP clock in terms of an NTP clock: 1<<32 plus the timestamp
// that it showed when NTP was 0 (modulo 2^32), its origin; 0 is unknown.
type rtpClock struct{ atomic.Uint64 }

func (c *rtpClock) set(origin uint32) { c.Store(pack(1, origin)) }

// origin returns the timestamp at NTP time 0.
func (c *rtpClock) origin() (ts uint32, known bool) {
	v := c.Load()

	return uint32(v), v != 0
}

// heardClock is an rtpClock as a peer's reports tell it. The other fields are the
// control goroutine's.
type heardClock struct {
	rtpClock
	doubt   uint32 // the last origin that was too far off
	doubted bool
}

// hear takes the origin by a new report of kind k. Senders take the time of sound
// when it comes to them and not when it was recorded, so that a report may be some
// tens of milliseconds off where a machine is busy; but there are sound cards that
// lose 3 ms a second, so that all but the last reports are soon of no use. Half of
// what is new is believed. It returns false if the report is not believed: it is
// further off than that, and not confirmed by the one before.
func (c *heardClock) hear(origin uint32, k kind) bool {
	before := c.Load()
	known, ok := c.origin()
	switch {
	case !ok, c.doubted && apart(origin, known, noise, k) && !apart(origin, c.doubt, noise, k):
		known = origin
	case !apart(origin, known, noise, k):
		known += uint32(int32(origin-known) / 2)
	default:
		c.doubt, c.doubted = origin, true

		return false
	}
	c.doubted = false

	return c.CompareAndSwap(before, pack(1, known)) // the stream may have begun anew
}

// apart reports whether two timestamps of kind k are further apart than most.
func apart(a, b uint32, most time.Duration, k kind) bool {
	off, limit := int32(a-b), int32(ticks(most, k.clock()))

	return off < -limit || off > limit
}

// rtpTime is how far an RTP clock of that rate gets in an NTP time or a
// difference of two, as a two's complement, of 32.32 bits; modulo 2^32.
func rtpTime(ntp, rate uint64) uint32 {
	return uint32(ntp>>32)*uint32(rate) + uint32(ntp&0xffffffff*rate>>32)
}

// ntpShift is what the server's NTP time has more than a peer's. Sound and picture
// have the same, so that lips stay in sync. It stays from one wiring to the next,
// unless the peer's clock is set.
type ntpShift struct {
	fixed atomic.Int64 // 0 is unknown
	// quickest is what it would be now: the least that reports have shown, because
	// what took longer has waited somewhere, and slowly more than that, because
	// clocks drift. 0 is unknown.
	quickest atomic.Int64

	// The control goroutine's.
	doubt int64 // the last that was too much more, 0 if the last report was not
}

// hear takes that the peer's clock showed ntp in a report that came at ours by
// the server's. ok is false if the report is not believed: it is so late that it
// takes another one to know whether the clock was set; set says that it was.
func (s *ntpShift) hear(ntp, ours uint64) (set, ok bool) {
	const second = 1 << 32
	shift, quickest := int64(ours-ntp), s.quickest.Load()
	if shift == 0 {
		shift = 1
	}
	more, doubt := shift-quickest, s.doubt
	s.doubt = 0
	switch agrees := doubt != 0 && shift-doubt < second && doubt-shift < second; {
	case quickest == 0, more < -second, more > second && agrees:
		s.quickest.Store(shift)
		s.fixed.Store(shift)

		return quickest != 0, true
	case more > second:
		s.doubt = shift

		return false, false
	case more < 0:
		s.quickest.Store(shift)
	default:
		s.quickest.Store(quickest + min(more/8, second/1000))
	}

	return false, true
}

// fix is called when the peer is wired: what the clocks have drifted since the
// last time is made good.
func (s *ntpShift) fix() {
	if quickest := s.quickest.Load(); quickest != 0 {
		s.fixed.Store(quickest)
	}
}

// hearClocks takes the peer's sender report about its stream of kind k. It
// returns false if it is not believed.
func (l *leg) hearClocks(k kind, ntp uint64, ts uint32, now time.Duration) bool {
	set, ok := l.shift.hear(ntp, l.ntp(now))
	if set {
		for k := range l.clocks {
			l.clocks[k].Store(0) // in the time before
		}
	}

	return ok && l.clocks[k].hear(ts-rtpTime(ntp, k.clock()), k)
}

// captures returns the timestamp that the peer gives to what it captures now, by
// its reports. It returns false if that is not known.
func (l *leg) captures(k kind, now time.Duration) (ts uint32, known bool) {
	origin, known := l.clocks[k].origin()

	return origin + rtpTime(l.ntp(now)-uint64(l.shift.fixed.Load()), k.clock()), known
}

// offset returns what is to be added to timestamps of kind k to be on the
// subscriber's line, if a flow begins now with ts. It returns false if one of the
// two clocks is not known.
func (r *route) offset(k kind, ts uint32, now time.Duration) (uint32, bool) {
	captured, known := r.publisher.captures(k, now)
	if known && apart(captured, ts, tooFar, k) {
		r.publisher.clocks[k].Store(0) // it was silent, or has begun anew: it does not count like that any more
		known = false
	}
	line, ok := r.subscriber.down[k].line.origin()

	return line + rtpTime(r.subscriber.ntp(now), k.clock()) - captured, known && ok
}

// remind tells the subscriber where its stream of kind k is just now, by what the
// publisher last reported, so that sound and picture of a new partner are in
// sync from the start and not only when the next reports have come.
func (r *route) remind(k kind, now time.Duration, via *burst) {
	f := &r.flows[k]
	switch {
	case !r.report(r.buf[:0], k, now, via), f.reminder == 0:
		f.reminder = firstReminder
	default:
		f.reminder *= 2
	}
	f.remindAt = now + f.reminder
	if f.reminder > lastReminder {
		f.remindAt = 0
	}
}
