package sfu

import (
	"sync/atomic"
	"time"
)

// Transport-wide feedback end to end: the subscriber says which packets
// reached it and when, and the publisher, whose rate control lives on that,
// hears it in terms of its own numbers. What the relay did not pass on with
// its number it reports itself, in between.
//
// Arrival times are told in one clock for as long as the publisher is there.
// Where a partner's feedback begins, its first packet is told as if the relay
// had; where it ends, the relay goes on from its last. So no difference of two
// partners' delays is taken for a queue, and nothing has to be started anew: a
// sender forgets its probes and its throughput when arrivals are a second apart
// (libwebrtc: ProbeBitrateEstimator::EraseOldClusters).

const (
	// mergeWait is how long, beyond a round trip, the relay leaves it to the
	// subscriber's feedback to bring with it what is the relay's own to report:
	// senders want to hear of packets in the order that they were sent in.
	mergeWait = 250 * time.Millisecond
	// longestTrip is the longest round trip that it waits for: it is the client's
	// word, and a sender that hears nothing stops sending.
	longestTrip = time.Second
	// deafAfter is when a subscriber that should have sent feedback is taken
	// for one that will not, until it does. One packet in deafProbe still goes
	// out with its number, because without any it never could.
	deafAfter = 2 * time.Second
	deafProbe = 500 * time.Millisecond
)

// wideRoute is the transport-wide part of a route.
type wideRoute struct {
	on   [kinds]bool // both sides have it; never changes
	span atomic.Pointer[span]
	// heard says that feedback has come from the subscriber.
	heard atomic.Bool
	// deaf says that none has come for too long: see deafAfter.
	deaf atomic.Bool

	// The publisher's media goroutine's.
	begun   time.Duration
	probeAt time.Duration // when next a number goes out although it is deaf

	// The subscriber's control goroutine's.
	reader    ccReader
	writer    ccWriter
	reference int64         // of the last feedback, extended
	shift     time.Duration // from the subscriber's clock to that of the publisher's feedback
	backlog   backlog
}

// number returns what p's transport-wide number becomes, if it has to have one.
func (w *wideRoute) number(p *packet, k kind, subscriber *leg, now time.Duration) (uint16, bool) {
	if p.number == 0 || !w.on[k] {
		return 0, false
	}
	s := w.span.Load()
	deaf := s != nil && now-w.begun > deafAfter && !w.heard.Load()
	if deaf != w.deaf.Load() {
		w.deaf.Store(deaf)
	}
	switch {
	case deaf && now < w.probeAt:
		return 0, false
	case s == nil:
		subscriber.number++
		w.begun = now
		w.span.Store(newSpan(p.number, subscriber.number))

		return subscriber.number, true
	case p.number < s.first:
		return 0, false
	}
	w.probeAt = now + deafProbe
	s.extend(p.number)
	n := s.out(p.number)
	if int16(n-subscriber.number) > 0 {
		subscriber.number = n
	}

	return n, true
}

// waits is how long the relay keeps its own reports back.
func (w *wideRoute) waits(subscriber *leg) time.Duration {
	if w.heard.Load() {
		return mergeWait + min(time.Duration(subscriber.rtt.Load()), longestTrip)
	}

	return 0
}

// returnWide passes the subscriber's feedback on to the publisher. The
// subscriber's control goroutine calls it.
func (r *route) returnWide(b []byte, via *burst) bool {
	w, up := &r.wide, &r.publisher.up
	if !w.reader.open(b) {
		return false
	}
	s := w.span.Load()
	if s == nil {
		return true
	}
	w.follow(w.reader.reference)
	w.reader.within(s)
	clock := time.Duration(up.clock.Load())
	for {
		out, ticks, arrived, ok := w.reader.next()
		if !ok {
			break
		}
		n, ok := s.back(out)
		if !ok {
			continue
		}
		var at time.Duration
		heard := w.heard.Load()
		if arrived {
			at = time.Duration(w.reference*ccReference+ticks) * ccTick
			came, known := up.arrivals.at(n)
			if !heard {
				if !known {
					continue
				}
				w.shift = came + clock - at
				w.heard.Store(true)
			}
			if at += w.shift; known {
				clock = at - came
				w.backlog.arrived(clock)
			}
		} else if !heard {
			continue
		} else if came, ours := up.arrivals.take(n); ours {
			at, arrived = came+clock, true
		}
		r.publisher.tell(&w.writer, uint16(n), arrived, at, via)
	}
	if w.heard.Load() {
		up.clock.Store(int64(clock))
	}
	r.publisher.sendWide(&w.writer, via)

	return true
}

// within leaves of what is to be read the numbers that went out with s and are
// still remembered.
func (r *ccReader) within(s *span) {
	highest := s.highest.Load()
	next := highest + int64(int16(r.seq-s.out(highest)))
	oldest := max(s.first, highest-arrivalWindow+1)
	r.skip(int(oldest - next))
	r.keep(int(highest - max(next, oldest) + 1))
}

// follow extends the subscriber's reference time, which has 24 bits.
func (w *wideRoute) follow(reference uint32) {
	if !w.heard.Load() {
		w.reference = int64(reference)

		return
	}
	w.reference += int64(int32(reference-uint32(w.reference)) << 8 >> 8)
}

// reportArrivals tells the peer of its packets that are the relay's to report.
// Its media goroutine calls it.
func (l *leg) reportArrivals(r *route, now time.Duration, via *burst) {
	u := &l.up
	a := &u.arrivals
	alone, until, theirs := true, now, int64(0) // theirs is the first that is not only ours to report
	if r != nil {
		if s := r.wide.span.Load(); s != nil {
			alone, until, theirs = false, now-r.wide.waits(r.subscriber), s.first
		}
	}
	clock := time.Duration(u.clock.Load())
	n := max(a.next, a.highest-arrivalWindow+1)
	for ; n <= a.highest; n++ {
		_, f, came := a.look(n)
		if f == fateOurs && n >= theirs && came > until {
			break
		}
		switch {
		case f == fateNone && alone:
			l.tell(&u.writer, uint16(n), false, 0, via)
		case f == fateOurs:
			if at, ok := a.take(n); ok {
				l.tell(&u.writer, uint16(n), true, at+clock, via)
			}
		}
	}
	a.next = n
	u.pending = n <= a.highest
	l.sendWide(&u.writer, via)
}

// tell adds one status to what is being written for the peer.
func (l *leg) tell(w *ccWriter, n uint16, arrived bool, at time.Duration, via *burst) {
	ticks := int64(at / ccTick)
	if !w.add(n, arrived, ticks) {
		l.sendWide(w, via)
		w.add(n, arrived, ticks)
	}
}

func (l *leg) sendWide(w *ccWriter, via *burst) {
	if w.empty() {
		w.reset()

		return
	}
	media := l.up.streams[video].ssrc.Load()
	if media == 0 {
		media = l.up.streams[audio].ssrc.Load()
	}
	number := uint8(l.up.feedbacks.Add(1) - 1)
	_ = l.out.sendRTCP(via, w.flush(l.self(), media, number)) // whoever owns the transport sees its end
}

// end is called when the route has been taken away and nobody uses it.
func (r *route) end() {
	up := &r.publisher.up
	r.subscriber.count.pathRTT.Store(0)
	for k := range up.returned {
		up.returned[k].Store(0)
		up.streams[k].repaired.Store(0)
	}
}
