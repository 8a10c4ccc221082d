package sfu

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
)

const (
	// silence is how long a stream must be quiet before another SSRC with the
	// same payload types takes its place.
	silence = 500 * time.Millisecond

	arrivalInterval = 50 * time.Millisecond
	nackInterval    = 5 * time.Millisecond
	reportInterval  = time.Second
	limitInterval   = 100 * time.Millisecond
	nacksAtOnce     = 64
	// startPhase is for how long a sender with transport-wide feedback takes a
	// limit for its rate and not for a cap: until 2 s after it begins to hear of
	// losses (libwebrtc: SendSideBandwidthEstimation::UpdateEstimate), and only
	// what it has heard of arrivals bounds it then. What is allowed is no advice
	// to begin with, and what a partner has measured is told at any time.
	startPhase = 2 * time.Second
)

// uplink is what the relay keeps about a peer's own packets, to give the peer
// the feedback that a receiver owes it. Feedback is driven by arriving
// packets: there is no timer, and where nothing arrives nothing is owed.
type uplink struct {
	police   police
	streams  [kinds]stream
	restorer *restorer // nil before the first parity
	arrivals arrivals
	writer   ccWriter
	pending  bool // arrivals not yet reported

	nextArrivals, nextNACK, nextReport, nextLimit time.Duration

	limit uint64 // bit/s last told to the peer
	// limitFrom is from when on the peer may be told a limit, 0 if that is not
	// known yet: see startPhase.
	limitFrom atomic.Int64
	nacks     []uint16

	// Of the transport-wide feedback to the peer, whoever it comes from: how
	// many packets, and what its clock has more than ours: see wide.go.
	feedbacks atomic.Uint32
	clock     atomic.Int64
	// Of the receiver reports to the peer, whoever they come from: how much was
	// lost in total, and when the last one of its partner was passed on.
	lost     [kinds]atomic.Int64
	returned [kinds]atomic.Int64
}

// stream is one incoming stream: one SSRC at a time.
type stream struct {
	ssrc      atomic.Uint32 // also read by the control goroutine; 0 is none yet
	at        time.Duration
	loss      lossDetector
	reception reception
	// repaired is what a partner's next report does not know of as lost. What
	// comes again of numbers up to before is none of it: it was sent before the
	// partner's picture began.
	repaired atomic.Int64
	before   int64
}

func (u *uplink) init(maxBitrate uint64) {
	u.police = newPolice(maxBitrate)
	u.nacks = make([]uint16, 0, nacksAtOnce)
}

// accept reports whether a packet of ssrc belongs to the stream. The first one
// defines it; another one takes over when the stream has been silent.
func (s *stream) accept(ssrc uint32, now time.Duration) bool {
	if current := s.ssrc.Load(); current != ssrc {
		if s.loss.started && now-s.at < silence {
			return false
		}
		s.ssrc.Store(ssrc)
		s.loss = lossDetector{lost: s.loss.lost}
	}
	s.at = now

	return true
}

// number reads a packet's transport-wide number.
func (u *uplink) number(p *packet, id uint8) {
	if v := p.find(id); len(v) == 2 {
		p.number = u.arrivals.extend(binary.BigEndian.Uint16(v))
	}
}

// arrived notes a packet for transport-wide feedback, which is the subscriber's
// to give if its number went on.
func (u *uplink) arrived(p *packet, now time.Duration, numbered bool) {
	switch {
	case p.number == 0:
	case numbered:
		u.arrivals.put(p.number, now, fateTheirs)
	default:
		u.arrivals.put(p.number, now, fateOurs)
		u.pending = true
	}
}

// feedback sends the peer what is due at now; r is nil while it is alone.
func (l *leg) feedback(r *route, now time.Duration, via *burst) {
	u := &l.up
	if r != nil && r.wants(video) {
		l.repeatKeyRequest(r, now, via)
	} else {
		u.streams[video].loss.gaps = 0 // nobody misses anything
	}
	if u.pending && now >= u.nextArrivals {
		u.nextArrivals = now + arrivalInterval
		l.reportArrivals(r, now, via)
	}
	if s := &u.streams[video]; s.loss.gaps > 0 && now >= u.nextNACK && r.in.repairs() {
		u.nextNACK = now + nackInterval
		l.requestMissing(s, now, via)
	}
	limit := l.limit(r)
	if u.limitFrom.Load() == 0 {
		switch {
		case limit < l.allowed(): // the partner has measured it, or wishes it
			u.limitFrom.Store(int64(max(now, 1)))
		case u.streams[video].loss.started && u.feedbacks.Load() > 0:
			u.limitFrom.Store(int64(now + startPhase))
		}
	}
	if now >= u.nextReport {
		u.nextReport, u.nextLimit, u.limit = now+reportInterval, now+limitInterval, limit
		l.sendReports(limit, now, via)
	} else if limit != u.limit && now >= u.nextLimit {
		u.nextLimit, u.limit = now+limitInterval, limit
		l.sendLimit(limit, now, via)
	}
}

// limit is what the peer may send in bit/s. Where the partner's transport-wide
// feedback reaches it, or may yet, its own rate control knows what the path takes,
// and the limit is only what is allowed at all; without that it is the partner's
// estimate. Nobody is held down while it waits: a sender without transport-wide
// feedback comes back from a low limit at 8 % a second (libwebrtc), so who has to
// save rate does it at the encoder. Anybody may call it.
func (l *leg) limit(r *route) uint64 {
	most := l.wanted(r)
	if r == nil || r.wide.on[video] && r.wide.span.Load() != nil && !r.wide.deaf.Load() {
		return most
	}
	if e := r.estimate.limit.Load(); e > 0 {
		return min(e, most)
	}

	return most
}

// limits reports whether the peer may be told a limit at now. Anybody may call it.
func (l *leg) limits(now time.Duration) bool {
	if from := l.up.limitFrom.Load(); from != 0 {
		return now >= time.Duration(from)
	}
	m := l.media.Load()

	return m == nil || !m.wide(video)
}

// sendLimit tells the peer its limit. Anybody may call it.
func (l *leg) sendLimit(limit uint64, now time.Duration, via *burst) {
	if l.limits(now) {
		l.send(via, l.bitrateLimit(limit))
	}
}

func (l *leg) bitrateLimit(limit uint64) rtcp.Packet {
	remb := &rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: l.self(), Bitrate: float32(limit)}
	for k := range l.up.streams {
		if ssrc := l.up.streams[k].ssrc.Load(); ssrc != 0 {
			remb.SSRCs = append(remb.SSRCs, ssrc)
		}
	}

	return remb
}

// requestMissing asks the publisher for what is lost (RFC 4585 section 6.2.1).
func (l *leg) requestMissing(s *stream, now time.Duration, via *burst) {
	before := s.loss.lost
	list := s.loss.due(now, l.roundTrip(), l.up.nacks[:0])
	l.count.lost.Add(s.loss.lost - before)
	if len(list) == 0 {
		return
	}
	l.count.nacksSent.Add(uint64(len(list)))
	l.send(via, &rtcp.TransportLayerNack{
		SenderSSRC: l.self(), MediaSSRC: s.ssrc.Load(), Nacks: rtcp.NackPairsFromSequenceNumbers(list),
	})
}

func (l *leg) sendReports(limit uint64, now time.Duration, via *burst) {
	rr := &rtcp.ReceiverReport{SSRC: l.self()}
	for k := range l.up.streams {
		s := &l.up.streams[k]
		if !s.reception.started {
			continue
		}
		b := s.reception.report()
		l.count.missing.Add(b.lost)
		if at := l.up.returned[k].Load(); at != 0 && now-time.Duration(at) < partnerReports {
			continue
		}
		lost := b.lost
		if repaired := s.repaired.Swap(0); repaired > 0 {
			// They are in b as far as they are of the last interval; the partner may
			// have been silent for longer.
			lost = max(lost, repaired)
		}
		block := rtcp.ReceptionReport{
			SSRC: s.ssrc.Load(), FractionLost: b.fraction,
			TotalLost:          cumulative(l.up.lost[k].Add(lost)),
			LastSequenceNumber: b.highest, Jitter: b.jitter,
		}
		if ntp, at := unpack(l.seen[k].Load()); ntp != 0 {
			block.LastSenderReport, block.Delay = ntp, l.middle(now)-at
		}
		rr.Reports = append(rr.Reports, block)
	}
	if l.limits(now) {
		l.send(via, rr, l.bitrateLimit(limit))
	} else {
		l.send(via, rr)
	}
}

// repeatKeyRequest asks the peer for the key frame that r waits for, if it is
// time. Anybody may call it.
func (l *leg) repeatKeyRequest(r *route, now time.Duration, via *burst) {
	if r.wantsVideo() && l.up.streams[video].ssrc.Load() != 0 && r.key.due(now) {
		l.requestKeyFrame(r.in, via)
	}
}

// requestKeyFrame asks the peer for a key frame (PLI, RFC 4585 section 6.3.1,
// or FIR, RFC 5104 section 4.3.1, if that is all it knows). Anybody may call it.
func (l *leg) requestKeyFrame(m *media, via *burst) {
	ssrc := l.up.streams[video].ssrc.Load()
	if ssrc == 0 {
		return // nothing sent yet
	}
	l.count.keyRequests.Add(1)
	pl := &m.payloads[m.payloadFor(m.sends[video])&0x7f]
	if !pl.pli && pl.fir {
		l.send(via, &rtcp.FullIntraRequest{SenderSSRC: l.self(), MediaSSRC: ssrc, FIR: []rtcp.FIREntry{
			{SSRC: ssrc, SequenceNumber: uint8(l.count.keyRequests.Load())},
		}})

		return
	}
	l.send(via, &rtcp.PictureLossIndication{SenderSSRC: l.self(), MediaSSRC: ssrc})
}

// self is the SSRC that our feedback comes from: one of our own streams.
func (l *leg) self() uint32 {
	if l.down[video].ssrc == 0 { // the peer wants no picture
		return l.down[audio].ssrc
	}

	return l.down[video].ssrc
}

// send sends feedback. An error means that the transport is going away, which
// whoever owns it finds out by itself.
func (l *leg) send(via *burst, packets ...rtcp.Packet) {
	if len(packets) == 0 {
		return
	}
	if b, err := rtcp.Marshal(packets); err == nil {
		_ = l.out.sendRTCP(via, b)
	}
}
