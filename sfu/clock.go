package sfu

import (
	"encoding/binary"
	"sync/atomic"
	"time"
)

// Sender reports say where a stream's RTP timestamps lie in NTP time, and a
// receiver lays one line through the last twenty of them to know which sound
// belongs to which picture: of sound, which senders report on every 5 s unless they
// are asked, those are of the last 100 s. So what a subscriber is told of its
// stream must be one line over all partners, or its lips are off for as long. The
// line is that of the server's clock; who begins to send to a subscriber continues
// it, as far as time does not go back.
//
// The clock of sound is a count of what was recorded. Where a busy machine loses
// some it falls back for good, by 0.1 s at once and more, and nothing but a report
// says so. Hence publishers are asked for one every second: the subscriber's line is
// then of the last 20 s, and has followed what was lost after some seven (and goes a
// third too far before it comes to rest).

const (
	// noise is how far one report of an RTP clock may be off, and driftOne in how
	// much time the clock may drift by one of it.
	noise    = 200 * time.Millisecond
	driftOne = 250
	// setAfter is for how many seconds all reports must be late before their NTP
	// clock is taken for one that was set.
	setAfter = 3
	// tooFar is how far from now a publisher's clock may say that a packet was
	// captured, before its reports are taken for those of another time.
	tooFar = 500 * time.Millisecond
	// tooEarly and tooLate are how far from where it arrives a stream may begin
	// to be on the line: what is too early is held back by who plays it.
	tooEarly, tooLate = 200 * time.Millisecond, 500 * time.Millisecond
	// askGap is how often a publisher is asked for reports.
	askGap = time.Second
	// patience is for how long after it was first asked for reports what a publisher
	// reported before is not told, because what it reports since is on its way.
	patience = 2 * time.Second
	// tellSoon is how long after the first time a subscriber is told of its times
	// again, and tellGap how long after that and so on: a receiver that begins anew
	// at each match, as Firefox does, needs two reports.
	tellSoon, tellGap = 250 * time.Millisecond, time.Second
	// lookGap is how often it is looked at whether they are known by now.
	lookGap = 50 * time.Millisecond
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

// heardClock is an rtpClock as a peer's reports tell it. doubt and doubted are the
// control goroutine's.
type heardClock struct {
	rtpClock
	at      atomic.Int64 // when a report was last believed
	doubt   uint32       // the last origin that was too far off
	doubted bool
}

// hear takes the origin by a new report of kind k. It returns false for one that
// is off by more than noise and drift, and is not confirmed by the one before.
func (c *heardClock) hear(origin uint32, k kind, now time.Duration) bool {
	before := c.Load()
	known, ok := c.origin()
	far := ok && apart(origin, known, noise+(now-time.Duration(c.at.Load()))/driftOne, k)
	if far && (!c.doubted || apart(origin, c.doubt, noise, k)) {
		c.doubt, c.doubted = origin, true

		return false
	}
	c.doubted = false
	if !c.CompareAndSwap(before, pack(1, origin)) { // the stream has begun anew
		return false
	}
	c.at.Store(int64(now))

	return true
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
// unless the peer's clock is set or it turns out to be far too much.
type ntpShift struct {
	fixed atomic.Int64 // 0 is unknown
	// quickest is what it would be now: the least that reports have shown, because
	// what took longer has waited somewhere, and slowly more than that, because
	// clocks drift. 0 is unknown.
	quickest atomic.Int64

	// The control goroutine's.
	doubtedAt uint64 // since when all reports are too late, 0 if the last was not
}

// hear takes that the peer's clock showed ntp in a report that came at ours by
// the server's. ok is false if the report is too late to be believed; reports that
// stay so late are of a clock that was set. If the shift has to be another at once,
// it returns that, and else 0.
func (s *ntpShift) hear(ntp, ours uint64) (next int64, ok bool) {
	const second = 1 << 32
	shift, quickest := int64(ours-ntp), s.quickest.Load()
	if shift == 0 {
		shift = 1
	}
	more := shift - quickest
	if quickest != 0 && more > second {
		if s.doubtedAt == 0 {
			s.doubtedAt = ours
		}
		if ours-s.doubtedAt < setAfter*second { // what a stall held back comes together
			return 0, false
		}
		quickest = 0
	}
	s.doubtedAt = 0
	switch {
	case quickest == 0:
		s.quickest.Store(shift)

		return shift, true
	case more < 0:
		s.quickest.Store(shift)
		if s.fixed.Load()-shift > second/2 { // set forward, or all reports were late until now
			return shift, true
		}
	default:
		s.quickest.Store(quickest + min(more/8, second/1000))
	}

	return 0, true
}

// fix is called when the peer is wired: what the clocks have drifted since the
// last time is made good.
func (s *ntpShift) fix() {
	before := s.fixed.Load()
	if quickest := s.quickest.Load(); quickest != 0 {
		s.fixed.CompareAndSwap(before, quickest) // else it was set just now
	}
}

// hearClocks takes the peer's sender report about its stream of kind k.
func (l *leg) hearClocks(k kind, ntp uint64, ts uint32, now time.Duration) {
	next, ok := l.shift.hear(ntp, l.ntp(now))
	origin := ts - rtpTime(ntp, k.clock())
	if next != 0 {
		if known, ok := l.clocks[k].origin(); ok && apart(origin, known, noise, k) {
			for k := range l.clocks {
				l.clocks[k].Store(0) // in the time before
			}
		}
		l.shift.fixed.Store(next)
	}

	if ok {
		l.clocks[k].hear(origin, k, now)
	}
}

// captures returns the timestamp that the peer gives to what it captures now, by
// its reports. It returns false if that is not known.
func (l *leg) captures(k kind, now time.Duration) (ts uint32, known bool) {
	origin, known := l.clocks[k].origin()

	return origin + rtpTime(l.ntp(now)-uint64(l.shift.fixed.Load()), k.clock()), known
}

// offset returns what is to be added to timestamps of kind k to be on the
// subscriber's line, if a flow begins now with ts. It returns false if one of the
// two clocks is not known, or the packet contradicts its sender's.
func (r *route) offset(k kind, ts uint32, now time.Duration) (uint32, bool) {
	captured, known := r.publisher.captures(k, now)
	line, ok := r.subscriber.down[k].line.origin()

	return line + rtpTime(r.subscriber.ntp(now), k.clock()) - captured, known && ok && !apart(captured, ts, tooFar, k)
}

// synchronize is called with the first packet of a flow of kind k, and then with
// one when f.lookAt has come: ts is its timestamp by the publisher. It asks the
// publisher for sender reports, and tells the subscriber where its stream is by what
// was reported last. What was reported before the two met it does not tell soon: of
// two reports that lie on different lines, one close to the other, a receiver that
// begins anew would make a third.
func (r *route) synchronize(k kind, ts uint32, now time.Duration, via *burst) {
	f, c := &r.flows[k], &r.publisher.clocks[k]
	f.lookAt = now + lookGap
	if now-r.askedAt >= askGap {
		if r.askedAt < 0 {
			r.begun = now
		}
		r.askedAt = now
		r.requestReports(via)
	}
	captured, known := r.publisher.captures(k, now)
	at := time.Duration(c.at.Load())
	since := at >= r.begun
	if !known || now < f.tellAt || !since && now-r.begun < patience {
		return
	}
	f.tellAt = now + tellGap
	if since && at > f.heardAt {
		f.heardAt, f.contradicted = at, false
	} else if f.contradicts(c, captured, ts) {
		return
	}
	r.report(k, captured, now, via)
	if since && !f.told {
		f.told, f.tellAt = true, now+tellSoon
	}
}

// contradicts reports whether ts, of a packet of the flow that has just come, is far
// from what the publisher's clock c says that it captures now: it does not fit to a
// report of before. A clock for which that is so twice in a row is forgotten. What
// was reported just now is believed even so: packets that wait come late, and clocks
// drift in the time of a wiring.
func (f *flow) contradicts(c *heardClock, captured, ts uint32) bool {
	if !apart(captured, ts, tooFar, f.kind) {
		f.contradicted = false

		return false
	}
	if f.contradicted {
		c.Store(0)
	}
	f.contradicted = !f.contradicted

	return true
}

// requestReports asks the publisher for sender reports about its streams that the
// subscriber wants (RFC 6051 section 3.2). libwebrtc gives one about each that it
// has, for any number of requests in a datagram.
func (r *route) requestReports(via *burst) {
	b := r.buf[:0]
	for k := range kinds {
		if ssrc := r.publisher.up.streams[k].ssrc.Load(); ssrc != 0 && r.wants(k) {
			b = append(b, 0x85, 205, 0, 2)
			b = binary.BigEndian.AppendUint32(b, r.publisher.self())
			b = binary.BigEndian.AppendUint32(b, ssrc)
		}
	}
	if len(b) > 0 {
		_ = r.publisher.out.sendRTCP(via, b) // whoever owns the transport sees its end
	}
}
