package sfu

import (
	"time"

	"github.com/pion/rtcp"
)

// cname is what the server calls itself to every client (RFC 3550 section
// 6.5.1); the publisher's own name does not cross.
const cname = "smalltalk"

// maxRepairs bounds what one NACK can make us send.
const maxRepairs = 128

// receiveRTCP takes one decrypted RTCP packet (not a compound) from the peer.
// Only the peer's control goroutine calls it.
func (l *leg) receiveRTCP(b []byte, now time.Duration, via *burst) {
	var h rtcp.Header
	if err := h.Unmarshal(b); err != nil {
		l.count.dropped[dropMalformed].Add(1)

		return
	}
	var err error
	switch h.Type {
	case rtcp.TypeSenderReport:
		err = l.handleSenderReport(b, now, via)
	case rtcp.TypeReceiverReport:
		err = l.handleReceiverReport(b, now)
	case rtcp.TypeTransportSpecificFeedback:
		if h.Count == rtcp.FormatTLN {
			err = l.handleNACK(b, now, via)
		}
	case rtcp.TypePayloadSpecificFeedback:
		err = l.handlePayloadFeedback(h.Count, b, now, via)
	default: // source descriptions and the rest say who somebody is
	}
	if err != nil {
		l.count.dropped[dropMalformed].Add(1)
	}
}

func (l *leg) handlePayloadFeedback(format uint8, b []byte, now time.Duration, via *burst) error {
	switch format {
	case rtcp.FormatPLI, rtcp.FormatFIR:
		l.count.plis.Add(1)
		l.wantKeyFrame(now, via)
	case rtcp.FormatREMB:
		var remb rtcp.ReceiverEstimatedMaximumBitrate
		if err := remb.Unmarshal(b); err != nil {
			return err
		}
		if remb.Bitrate >= 1 {
			l.estimate.Store(uint64(min(remb.Bitrate, 1e10)))
		}
		if r := l.from.Load(); r != nil && remb.Bitrate >= 1 {
			r.estimate.report(l.estimate.Load(), l.maxBitrate)
		}
	}

	return nil
}

// wantKeyFrame asks the partner for a key frame for this peer, unless one was
// asked for just now. Anybody may call it.
func (l *leg) wantKeyFrame(now time.Duration, via *burst) {
	if r := l.from.Load(); r != nil && r.wantsVideo() && r.key.ask(now) {
		r.publisher.requestKeyFrame(r.in, via)
	}
}

func (l *leg) handleReceiverReport(b []byte, now time.Duration) error {
	var rr rtcp.ReceiverReport
	if err := rr.Unmarshal(b); err != nil {
		return err
	}
	l.measure(rr.Reports, now)
	if r := l.from.Load(); r != nil {
		for i := range rr.Reports {
			if rr.Reports[i].SSRC == l.down[video].ssrc {
				r.estimate.lost(rr.Reports[i].FractionLost)
			}
		}
	}

	return nil
}

// measure takes the round trip from what the peer says about our sender
// reports (RFC 3550 section 6.4.1).
func (l *leg) measure(reports []rtcp.ReceptionReport, now time.Duration) {
	for i := range reports {
		for k := range l.down {
			ntp, at := unpack(l.down[k].sent.Load())
			if reports[i].SSRC != l.down[k].ssrc || ntp == 0 || reports[i].LastSenderReport != ntp {
				continue
			}
			trip := int32(l.middle(now) - at - reports[i].Delay)
			if rtt := time.Duration(trip) * time.Second >> 16; rtt > 0 && rtt < 10*time.Second {
				l.rtt.Store(int64(rtt))
			}
		}
	}
}

// handleSenderReport keeps the publisher's report for our own receiver report
// and passes it on, as a report of the stream we send.
func (l *leg) handleSenderReport(b []byte, now time.Duration, via *burst) error {
	var sr rtcp.SenderReport
	if err := sr.Unmarshal(b); err != nil {
		return err
	}
	l.measure(sr.Reports, now)
	for k := range kinds {
		if ssrc := l.up.streams[k].ssrc.Load(); ssrc != 0 && ssrc == sr.SSRC {
			l.seen[k].Store(pack(uint32(sr.NTPTime>>16), l.middle(now)))
			if r := l.to.enter(); r != nil {
				r.translateReport(k, &sr, now, via)
			}
			l.to.leave()
		}
	}

	return nil
}

// translateReport sends the subscriber the publisher's sender report in the
// terms of the stream that the subscriber sees. The publisher's clock is
// shifted by one constant, the same for its audio and its video: lips stay in
// sync, and what its host believes the time to be does not leak.
func (r *route) translateReport(k kind, sr *rtcp.SenderReport, now time.Duration, via *burst) {
	offset := r.timestamps[k].Load()
	if offset == 0 {
		return
	}
	shift := r.publisher.shift.Load()
	if shift == 0 {
		shift = int64(r.publisher.ntp(now) - sr.NTPTime)
		r.publisher.shift.Store(shift)
	}
	d := &r.subscriber.down[k]
	ntp := sr.NTPTime + uint64(shift)
	d.sent.Store(pack(uint32(ntp>>16), r.subscriber.middle(now)))
	r.subscriber.send(via, &rtcp.SenderReport{
		SSRC: d.ssrc, NTPTime: ntp, RTPTime: sr.RTPTime + uint32(offset),
		PacketCount: d.packets.Load(), OctetCount: d.octets.Load(),
	}, &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
		Source: d.ssrc, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: cname}},
	}}})
}

// handleNACK sends again what the peer has lost, from the ring.
func (l *leg) handleNACK(b []byte, now time.Duration, via *burst) error {
	var nack rtcp.TransportLayerNack
	if err := nack.Unmarshal(b); err != nil {
		return err
	}
	m := l.media.Load()
	d := &l.down[video]
	buffer := d.ring.Load()
	if m == nil || buffer == nil || nack.MediaSSRC != d.ssrc {
		return nil
	}
	left := maxRepairs
	for i := range nack.Nacks {
		nack.Nacks[i].Range(func(seq uint16) bool {
			l.count.nacksReceived.Add(1)
			l.resend(m, d, buffer, seq, now, via)
			left--

			return left > 0
		})
		if left <= 0 {
			break
		}
	}

	return nil
}

// resend repairs one packet: on the retransmission stream where that was
// negotiated, else as it was, bit for bit. A packet's SSRC and sequence number
// make the nonce of its encryption, so under the same ones nothing but the
// same bytes may ever be sent: not even a newer send time.
func (l *leg) resend(m *media, d *downTrack, buffer *ring, seq uint16, now time.Duration, via *burst) {
	b, ok := buffer.fetch(seq, now, l.resendInterval(), d.plain[:0])
	if !ok || len(b) < rtpHeaderSize {
		return
	}
	if pt := m.payloads[b[1]&0x7f].repair; pt != noPayload && m.repair != 0 {
		if b, ok = appendRTX(d.wrapped[:0], b, pt, d.repairSeq, m.repair); !ok {
			return
		}
		d.repairSeq++
	}
	if l.out.sendRepair(via, b) == nil {
		l.count.resent.Add(1)
		l.count.sentPackets.Add(1)
		l.count.sentBytes.Add(uint64(len(b)))
	}
}

// resendInterval is how soon after a packet was sent a request for it can be
// about that packet: a little less than a round trip, which varies.
func (l *leg) resendInterval() time.Duration {
	return time.Duration(l.rtt.Load()) * 3 / 4
}

// ntp is the server's time at now, as NTP counts it: 32.32 bits.
func (l *leg) ntp(now time.Duration) uint64 { return ticks(l.wall+now, 1<<32) }

// middle is the middle 32 bits of ntp: seconds in 16.16 bits.
func (l *leg) middle(now time.Duration) uint32 { return uint32(l.ntp(now) >> 16) }

func pack(a, b uint32) uint64              { return uint64(a)<<32 | uint64(b) }
func unpack(v uint64) (a uint32, b uint32) { return uint32(v >> 32), uint32(v) }
