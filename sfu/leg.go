package sfu

import (
	"sync"
	"sync/atomic"
	"time"
)

// parityShare is how much parity there may be beside the rest, in percent of what
// is allowed: two browsers that have each other directly send 2.9 Mb/s where a
// twentieth of all packets is lost, for a picture of 1.7.
const parityShare = 30

// sender is a peer's transport as the wiring sees it. The slices are not kept.
// Nothing of it may block: who re-wires waits for the packet that is on its way,
// and all others who join or leave wait for him (see rooms).
type sender interface {
	// sendRTP sends a media packet; one goroutine at a time calls it.
	sendRTP(via *burst, k kind, b []byte) error
	// sendRepair sends a retransmission or a probe; one goroutine at a time calls
	// it (see repairStream), at the same time as others call sendRTP. If it repeats
	// a packet bit for bit, index is that packet's SRTP index (RFC 3711 section
	// 3.3.1), else ownNumbers.
	sendRepair(via *burst, b []byte, index int64) error
	// sendRTCP may be called by anybody at any time.
	sendRTCP(via *burst, b []byte) error
}

// ownNumbers stands for the index of what is sent on the stream of repairs.
const ownNumbers = -1

// leg is one peer in the relay: its uplink, its two downlinks, and where they
// are wired. Two goroutines feed it, each only its own part: the media
// goroutine calls receiveRTP, the control goroutine receiveRTCP. On the fast
// plane they are one, a worker as a rule, and via is its burst; elsewhere via is
// nil and packets are sent at once.
type leg struct {
	out        sender
	maxBitrate uint64
	wall       time.Duration // NTP time at now = 0

	media atomic.Pointer[media] // nil before the first answer
	to    gate                  // where this peer's packets go
	from  gate                  // where the packets it gets come from

	control police           // control goroutine
	up      uplink           // media goroutine, but for what is atomic
	down    [kinds]downTrack // see there
	count   counters         // anybody
	meter   meter            // anybody
	// number is the last transport-wide number that was sent to the peer; the
	// wired route's.
	number uint16
	// unwanted says what the peer does not want to be sent for now.
	unwanted [kinds]atomic.Bool
	// wish is what the peer wants its partner to send at most, bit/s; 0 is none.
	wish atomic.Uint64
	// estimate is the last REMB from the client, bit/s; 0 is unknown.
	estimate atomic.Uint64
	rtt      atomic.Int64 // to the client, ns; 0 is unknown
	// clocks are those of its streams in its own NTP time, by its last sender
	// reports, and shift is what the server's time has more than that.
	clocks [kinds]heardClock
	shift  ntpShift
	seen   [kinds]atomic.Uint64 // its last sender report: see pack

	// Guarded by rooms.mu.
	room  *room
	ready bool
}

// downTrack is one of the two streams that are sent to a peer, for its whole
// life and over all partners.
type downTrack struct {
	ssrc            uint32 // set before the first route to it
	tail            tail   // the wired route's
	packets, octets atomic.Uint32
	ring            atomic.Pointer[ring] // nil for audio, and before the first partner
	// line is the clock of the stream in the server's NTP time, by the last sender
	// report.
	line rtpClock
	// sent are the last sender reports: the middle 32 bits of their NTP times, which is
	// when they went out. reports is how many there were, and the wired route's.
	sent    [keptReports]atomic.Uint32
	reports uint

	repairs repairStream

	// The control goroutine's.
	plain   []byte
	wrapped []byte
	lost    uint32 // what the peer last said it lost of the stream, in total
	lostAt  uint32 // packets that had been sent then
	// credit is how many bytes may be sent again; repairedAt are the octets
	// that had been sent when it was last worked out.
	credit     int
	repairedAt uint32
	hopeless   time.Duration // when next a key frame may be asked for instead
}

// repairStream is what repeats a peer's video and what probes its path. The
// peer's control goroutine sends on it and the partner's media goroutine: both
// hold mu for one packet, so that numbers go out in order.
type repairStream struct {
	mu  sync.Mutex // guards seq and who calls sendRepair
	seq uint16     // the last number
}

// next takes a number; mu is held.
func (s *repairStream) next() uint16 {
	s.seq++

	return s.seq
}

func newLeg(out sender, maxBitrate uint64, wall time.Duration, random func() uint64) *leg {
	l := &leg{out: out, maxBitrate: maxBitrate, wall: wall}
	for k := range l.down {
		d := &l.down[k]
		d.tail = newTail(random())
		d.repairs.seq = uint16(random()) & 0x7fff
		d.plain = make([]byte, 0, maxPacket)
		d.wrapped = make([]byte, 0, maxPacket)
		d.credit = repairBurst
	}
	l.number = uint16(random())
	l.control = newControlPolice()
	l.up.init(maxBitrate)

	return l
}

// prepare makes what only somebody with a partner needs: most of a leg's memory.
func (l *leg) prepare() {
	if l.down[video].ring.Load() == nil {
		l.down[video].ring.CompareAndSwap(nil, &ring{})
	}
}

// negotiated publishes what the first answer fixed.
func (l *leg) negotiated(m *media) {
	for k := range kinds {
		l.down[k].ssrc = m.ssrc[k]
		l.up.streams[k].ssrc.Store(m.remote[k])
	}
	if m.protects() {
		l.up.police = newPolice(l.allowance(m))
	}
	l.media.Store(m)
}

// allowed is what the peer may send at all, in bit/s.
func (l *leg) allowed() uint64 { return l.allowance(l.media.Load()) }

// allowance leaves room for parity: a sender takes it out of what it is told,
// so that under loss the picture would become that much worse.
func (l *leg) allowance(m *media) uint64 {
	if m == nil || !m.protects() {
		return l.maxBitrate
	}

	return l.maxBitrate + l.maxBitrate*parityShare/100
}

// roundTrip is the measured or assumed round trip to the client.
func (l *leg) roundTrip() time.Duration {
	if rtt := time.Duration(l.rtt.Load()); rtt > 0 {
		return rtt
	}

	return 100 * time.Millisecond
}

// receiveRTP takes one decrypted packet from the peer; it is on the forwarding
// path: no lock, no allocation, no goroutine.
func (l *leg) receiveRTP(b []byte, now time.Duration, via *burst) {
	m := l.media.Load()
	l.count.packets.Add(1)
	l.count.bytes.Add(uint64(len(b)))
	var p packet
	if m == nil || !p.parse(b) {
		l.count.dropped[dropMalformed].Add(1)

		return
	}
	if !l.up.police.admit(len(b), now) {
		l.count.dropped[dropExcess].Add(1)

		return
	}
	r := l.to.enter()
	if pl := &m.payloads[p.pt]; pl.codec.name == codecNone {
		l.count.dropped[dropUnknown].Add(1)
	} else {
		l.up.number(&p, m.ext[pl.codec.kind()].transportCC)
		l.up.arrived(&p, now, l.receive(m, pl, &p, r, now, via))
	}
	l.feedback(r, now, via)
	l.to.leave()
}

// receive takes a packet that means pl. It returns true if it went on to the
// partner with its transport-wide number.
func (l *leg) receive(m *media, pl *payload, p *packet, r *route, now time.Duration, via *burst) (numbered bool) {
	s := &l.up.streams[pl.codec.kind()]
	repaired := pl.rtx
	switch {
	case repaired && !s.loss.started:
		return false
	case repaired && (!p.unwrap(pl.apt, s.ssrc.Load()) || !s.loss.within(p.seq)):
		return r != nil && r.probe(p, repeatsNothing, now, via)
	case !repaired && !s.accept(p.ssrc, now):
		l.count.dropped[dropUnknown].Add(1)

		return false
	}
	if pl = m.unwrapRED(p); pl == nil {
		l.count.dropped[dropMalformed].Add(1)

		return false
	}
	seq, v := s.loss.receive(p.seq, now)
	switch v {
	case duplicate:
		return l.receiveAgain(s, repaired, p, seq, r, now, via)
	case stale:
		l.count.dropped[dropStale].Add(1)

		return false
	case first:
		l.begin(s, pl.codec, r, now)
	case late, fresh:
	}
	if !repaired {
		s.reception.record(seq, p.ts, now)
	} else if v == late {
		l.repaired(s, r, seq)
	}
	if p.again = repaired; p.red && r != nil && r.wants(video) {
		return l.passRED(m, r, p, seq, pl.codec, now, via)
	}

	return l.pass(r, p, seq, pl.codec, now, via)
}

// begin is called when a stream of the peer begins, for the first time or anew.
func (l *leg) begin(s *stream, c codec, r *route, now time.Duration) {
	s.reception = reception{clock: c.kind().clock()}
	l.forget(c.kind())
	if r != nil {
		r.restart(c.kind(), now)
	}
}

// receiveAgain takes a packet that has come before: a repeat, which probes the
// path or is for the partner, or what the network has doubled, or what only its
// parity was quicker than.
func (l *leg) receiveAgain(s *stream, repaired bool, p *packet, seq int64, r *route, now time.Duration, via *burst) (numbered bool) {
	if repaired && r != nil && r.probe(p, seq, now, via) {
		return true
	}
	l.count.dropped[dropDuplicate].Add(1)
	if !repaired && s == &l.up.streams[video] && l.up.restorer.overtaken(seq) {
		s.reception.record(seq, p.ts, now)
		if s.watched(r, seq) {
			s.repaired.Add(-1)
		}
	}

	return false
}

// repaired counts a packet of video that came otherwise than as it was first
// sent. The partner who sees it may never miss it, but the publisher has to hear
// that it was lost.
func (l *leg) repaired(s *stream, r *route, seq int64) {
	l.count.recovered.Add(1)
	if s.watched(r, seq) {
		s.repaired.Add(1)
	}
}

// watched reports whether seq, of the picture, is of what the partner sees.
func (s *stream) watched(r *route, seq int64) bool {
	return r != nil && r.flows[video].started && r.wants(video) && seq > s.before
}

// passRED hands on a video packet that was in RED, and what parity restores by
// it. The parity itself goes last: it is made anew over all that it protects.
func (l *leg) passRED(m *media, r *route, p *packet, seq int64, c codec, now time.Duration, via *burst) (numbered bool) {
	u := &l.up
	parity := c.name == codecULPFEC
	if parity && u.restorer == nil {
		u.restorer = &restorer{} // once in the life of a peer that loses packets
	}
	switch {
	case u.restorer == nil:
		return l.pass(r, p, seq, c, now, via)
	case parity:
		u.restorer.add(p.payload, seq)
	default:
		if !p.again {
			u.restorer.keep(p, seq, &m.ext[video])
		}
		numbered = l.pass(r, p, seq, c, now, via)
	}
	s := &u.streams[video]
	for b, ok := u.restorer.next(s.loss.highest, s.ssrc.Load()); ok; b, ok = u.restorer.next(s.loss.highest, s.ssrc.Load()) {
		l.restored(m, r, b, now, via)
	}
	if parity {
		// A flow that has just begun takes all for missing that came before it did.
		s.loss.receive(p.seq, now)

		return l.pass(r, p, seq, c, now, via)
	}

	return numbered
}

// restored takes a packet that parity has brought back. It is one more than the
// peer has sent, and counts like one that it has.
func (l *leg) restored(m *media, r *route, b []byte, now time.Duration, via *burst) {
	var p packet
	if !p.parse(b) {
		return
	}
	s := &l.up.streams[video]
	pl := &m.payloads[p.pt]
	if pl.rtx || pl.codec.name == codecNone || pl.codec.protects() || pl.codec.kind() != video || !s.loss.lacks(p.seq) {
		return
	}
	if !l.up.police.admit(len(b), now) {
		l.count.dropped[dropExcess].Add(1)

		return
	}
	p.red = true
	seq, _ := s.loss.receive(p.seq, now)
	l.repaired(s, r, seq)
	l.pass(r, &p, seq, pl.codec, now, via)
}

// forget is called when the peer begins a stream of kind k anew: what its reports
// said of the one before is no longer true.
func (l *leg) forget(k kind) {
	if k == video {
		l.up.restorer.reset()
	}
	l.up.lost[k].Store(0)
	l.up.streams[k].repaired.Store(0)
	l.up.streams[k].before = 0
	l.clocks[k].Store(0)
	l.seen[k].Store(0)
}

// pass hands a packet on to the partner.
func (l *leg) pass(r *route, p *packet, seq int64, c codec, now time.Duration, via *burst) (numbered bool) {
	if r == nil {
		l.count.dropped[dropAlone].Add(1)

		return false
	}
	began, numbered := r.forward(p, seq, c, now, via)
	if began {
		s := &l.up.streams[c.kind()]
		s.loss.begin(seq, now)
		s.before = s.loss.highest
	}

	return numbered
}
