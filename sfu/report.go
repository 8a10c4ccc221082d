package sfu

import (
	"encoding/binary"
	"sync/atomic"
	"time"
)

// cname is what the server calls itself to every client (RFC 3550 section
// 6.5.1); the publisher's own name does not cross.
const cname = "smalltalk"

const (
	rtcpHeadSize    = 8 // with the sender's SSRC
	senderInfoSize  = 20
	reportBlockSize = 24
	// maxBlocks is how many report blocks are passed on: one for each stream.
	maxBlocks = int(kinds)
	// partnerReports is for how long after a report of the partner the relay
	// makes none itself. libwebrtc reports on sound every 5 s.
	partnerReports = 8 * time.Second
	// keptReports is how many sender reports the relay can still recognize the
	// echo of.
	keptReports = 8
)

// reportBlock is what a receiver says about one stream (RFC 3550 section 6.4.1).
type reportBlock struct {
	ssrc       uint32
	fraction   uint8
	lost       uint32 // in total, a signed number of 24 bits
	highest    uint32 // extended sequence number
	jitter     uint32
	lastReport uint32 // 0 is none
	delay      uint32 // since it, in 1/65536 s
}

func parseBlock(b []byte) reportBlock {
	return reportBlock{
		ssrc:       binary.BigEndian.Uint32(b),
		fraction:   b[4],
		lost:       binary.BigEndian.Uint32(b[4:]) & 0xffffff,
		highest:    binary.BigEndian.Uint32(b[8:]),
		jitter:     binary.BigEndian.Uint32(b[12:]),
		lastReport: binary.BigEndian.Uint32(b[16:]),
		delay:      binary.BigEndian.Uint32(b[20:]),
	}
}

func (r *reportBlock) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, r.ssrc)
	b = binary.BigEndian.AppendUint32(b, uint32(r.fraction)<<24|r.lost&0xffffff)
	b = binary.BigEndian.AppendUint32(b, r.highest)
	b = binary.BigEndian.AppendUint32(b, r.jitter)
	b = binary.BigEndian.AppendUint32(b, r.lastReport)

	return binary.BigEndian.AppendUint32(b, r.delay)
}

// cumulative is a number of lost packets as a report block has room for it.
func cumulative(lost int64) uint32 { return uint32(min(max(lost, -0x800000), 0x7fffff)) & 0xffffff }

// reportRoute is what a route keeps for reports.
type reportRoute struct {
	// sent are the last sender reports: the middle 32 bits of their NTP times, as the
	// subscriber and as the publisher knows them; and for how long the publisher's had
	// been here by then, in 1/65536 s.
	sent, held [kinds][keptReports]atomic.Uint64

	// The publisher's media goroutine's.
	next [kinds]int

	// The subscriber's control goroutine's.
	seen [kinds]*span // what the last report was about
	lost [kinds]int64 // of that, since the first one
	told [kinds]int64 // the highest number that it had
	buf  [rtcpHeadSize + maxBlocks*reportBlockSize]byte
}

// keep notes a sender report that is sent, which the publisher knows as ours and of
// which it has been here for a while.
func (r *reportRoute) keep(k kind, theirs, ours, held uint32) {
	i := r.next[k] % keptReports
	r.sent[k][i].Store(pack(theirs, ours))
	r.held[k][i].Store(pack(theirs, held))
	r.next[k]++
}

// original returns what the publisher knows the sender report as that the
// subscriber speaks of, and for how long that had been here. It returns false for
// one of another publisher.
func (r *reportRoute) original(k kind, theirs uint32) (ours, held uint32, ok bool) {
	for i := range r.sent[k] {
		a, ours := unpack(r.sent[k][i].Load())
		b, held := unpack(r.held[k][i].Load())
		if a == theirs && b == theirs && a != 0 {
			return ours, held, true
		}
	}

	return 0, 0, false
}

// handleReceiverReport takes a receiver report with that many blocks.
func (l *leg) handleReceiverReport(count int, b []byte, now time.Duration, via *burst) bool {
	if len(b) < rtcpHeadSize+count*reportBlockSize {
		return false
	}
	l.handleBlocks(b[rtcpHeadSize:rtcpHeadSize+count*reportBlockSize], now, via)

	return true
}

// handleSenderReport keeps the publisher's report: for our own receiver report, and
// for what the subscriber is told of the stream (see synchronize).
func (l *leg) handleSenderReport(count int, b []byte, now time.Duration, via *burst) bool {
	const head = rtcpHeadSize + senderInfoSize
	if len(b) < head+count*reportBlockSize {
		return false
	}
	ssrc, ntp, ts := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint32(b[16:])
	for k := range kinds {
		if stream := l.up.streams[k].ssrc.Load(); stream != 0 && stream == ssrc {
			l.seen[k].Store(pack(uint32(ntp>>16), l.middle(now)))
			l.hearClocks(k, ntp, ts, now)
			if l.up.streams[k].ssrc.Load() != ssrc { // it has begun anew meanwhile
				l.clocks[k].Store(0)
			}
		}
	}
	l.handleBlocks(b[head:head+count*reportBlockSize], now, via)

	return true
}

// handleBlocks takes what the peer says about the streams that we send it: it
// is measured here, and passed on to who they come from.
func (l *leg) handleBlocks(b []byte, now time.Duration, via *burst) {
	r := l.from.enter()
	defer l.from.leave()
	var out []byte
	if r != nil {
		out = r.returned.buf[:rtcpHeadSize]
	}
	for ; len(b) >= reportBlockSize; b = b[reportBlockSize:] {
		block := parseBlock(b)
		for k := range kinds {
			d := &l.down[k]
			if block.ssrc != d.ssrc || d.ssrc == 0 {
				continue
			}
			l.measure(d, &block, now)
			more := d.lostMore(&block)
			l.count.missed.Add(more)
			if k == video {
				l.count.fractionLost.Store(uint32(block.fraction))
			}
			if r == nil {
				continue
			}
			if theirs := r.publisher.rtt.Load(); theirs > 0 && l.rtt.Load() > 0 {
				l.count.pathRTT.Store(l.rtt.Load() + theirs)
			}
			if k == video {
				r.estimate.lost(block.fraction)
			}
			if r.returnBlock(k, &block, more, now) && len(out)+reportBlockSize <= cap(out) {
				out = block.append(out)
			}
		}
	}
	if len(out) > rtcpHeadSize {
		r.publisher.sendReport(out, via)
	}
}

// lostMore is how many packets more the peer says that it has lost than in its
// last report. It is believed as far as packets were sent since.
func (d *downTrack) lostMore(block *reportBlock) int64 {
	sent := d.packets.Load()
	more, most := int64(int32(block.lost-d.lost)<<8>>8), int64(sent-d.lostAt)+lossWindow
	d.lost, d.lostAt = block.lost, sent

	return min(max(more, -most), most)
}

// note keeps a sender report that is sent to the peer: the middle 32 bits of its
// NTP time, which is when that is.
func (d *downTrack) note(middle uint32) {
	d.sent[d.reports%keptReports].Store(middle)
	d.reports++
}

// has reports whether a sender report that the peer speaks of is one of the last.
func (d *downTrack) has(middle uint32) bool {
	for i := range d.sent {
		if middle != 0 && d.sent[i].Load() == middle {
			return true
		}
	}

	return false
}

// measure takes the round trip from what the peer says about our sender
// reports (RFC 3550 section 6.4.1).
func (l *leg) measure(d *downTrack, block *reportBlock, now time.Duration) {
	if !d.has(block.lastReport) {
		return
	}
	trip := int32(l.middle(now) - block.lastReport - block.delay)
	if rtt := time.Duration(trip) * time.Second >> 16; rtt > 0 && rtt < 10*time.Second {
		l.rtt.Store(int64(rtt))
	}
}

// returnBlock turns what the subscriber says about our stream into what the
// publisher has to hear about its own: more is what was lost since the last
// report, and what the publisher's own link lost and was repaired on the way adds
// to it, because parity is made for what is lost on the whole path. It returns
// false if it is not about this flow.
func (r *route) returnBlock(k kind, block *reportBlock, more int64, now time.Duration) bool {
	s := r.flows[k].span.Load()
	if s == nil {
		return false
	}
	highest, ok := s.back(uint16(block.highest))
	if !ok {
		return false
	}
	if r.returned.seen[k] != s { // a part of it was another publisher's
		r.returned.seen[k] = s
		r.returned.lost[k], r.returned.told[k] = 0, s.first
		more, block.fraction = 0, 0
	}
	// No more is lost than was sent, but for what one report may be about of
	// before; what a subscriber says beyond that would stay with the publisher for
	// all its partners.
	most := highest - s.first + lossWindow
	total := min(max(r.returned.lost[k]+more, -most), most)
	more, r.returned.lost[k] = total-r.returned.lost[k], total
	up := &r.publisher.up
	repaired := up.streams[k].repaired.Swap(0)
	if sent := highest - r.returned.told[k]; sent > 0 {
		r.returned.told[k] = highest
		block.fraction = uint8(min(max(int64(block.fraction)+repaired*256/sent, 0), 255))
	}
	block.ssrc = up.streams[k].ssrc.Load()
	block.highest = uint32(highest)
	block.lost = cumulative(up.lost[k].Add(more + repaired))
	if ours, held, ok := r.returned.original(k, block.lastReport); ok {
		block.lastReport, block.delay = ours, block.delay+held
	} else {
		block.lastReport, block.delay = 0, 0
	}
	up.returned[k].Store(int64(now))

	return true
}

// sendReport sends a receiver report whose blocks are there already.
func (l *leg) sendReport(b []byte, via *burst) {
	b[0], b[1] = 0x80|uint8((len(b)-rtcpHeadSize)/reportBlockSize), 201
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))
	binary.BigEndian.PutUint32(b[4:], l.self())
	_ = l.out.sendRTCP(via, b) // whoever owns the transport sees its end
}

// report tells the subscriber where its stream of kind k is now, which is ts by the
// publisher, in the server's time. What the publisher's host believes the time to be
// does not leak.
func (r *route) report(k kind, ts uint32, now time.Duration, via *burst) {
	ts += r.flows[k].tsOff
	d, ntp := &r.subscriber.down[k], r.subscriber.ntp(now)
	d.note(uint32(ntp >> 16))
	if ours, at := unpack(r.publisher.seen[k].Load()); ours != 0 {
		held := max(int32(uint32(ntp>>16)-at), 0) // it may have come since now
		r.returned.keep(k, uint32(ntp>>16), ours, uint32(held))
	}
	d.line.set(ts - rtpTime(ntp, k.clock()))
	b := r.buf[:0]
	b = append(b, 0x80, 200, 0, 6)
	b = binary.BigEndian.AppendUint32(b, d.ssrc)
	b = binary.BigEndian.AppendUint64(b, ntp)
	b = binary.BigEndian.AppendUint32(b, ts)
	b = binary.BigEndian.AppendUint32(b, d.packets.Load())
	b = binary.BigEndian.AppendUint32(b, d.octets.Load())
	b = append(b, 0x81, 202, 0, byte(4+4+2+len(cname)+4)/4-1) // a source description (section 6.5)
	b = binary.BigEndian.AppendUint32(b, d.ssrc)
	b = append(b, 1, byte(len(cname)))
	b = append(b, cname...)
	for b = append(b, 0); len(b)%4 != 0; {
		b = append(b, 0)
	}
	_ = r.subscriber.out.sendRTCP(via, b) // whoever owns the transport sees its end
}

// ntp is the server's time at now, as NTP counts it: 32.32 bits.
func (l *leg) ntp(now time.Duration) uint64 { return ticks(l.wall+now, 1<<32) }

// middle is the middle 32 bits of ntp: seconds in 16.16 bits.
func (l *leg) middle(now time.Duration) uint32 { return uint32(l.ntp(now) >> 16) }

func pack(a, b uint32) uint64              { return uint64(a)<<32 | uint64(b) }
func unpack(v uint64) (a uint32, b uint32) { return uint32(v >> 32), uint32(v) }
