package sfu

import (
	"time"

	"github.com/pion/rtcp"
)

const (
	// maxRepairs bounds what one NACK can make us send.
	maxRepairs = 128
	// The publisher's rate control does not know of repairs. They may be one
	// in repairShare of the bytes of the picture and repairBurst at once: enough
	// for any loss that is bearable, and where the path has become too narrow
	// they do not keep it full. What cannot be repaired then costs a key frame,
	// but not more than one in hopelessInterval: the receiver would wait for 3 s
	// before it asks.
	repairShare      = 2
	repairBurst      = 64 << 10
	hopelessInterval = time.Second
)

// receiveRTCP takes one decrypted RTCP packet (not a compound) from the peer.
// Only the peer's control goroutine calls it.
func (l *leg) receiveRTCP(b []byte, now time.Duration, via *burst) {
	if !l.control.admit(ccCost(b), now) {
		l.count.dropped[dropExcess].Add(1)

		return
	}
	var h rtcp.Header
	if err := h.Unmarshal(b); err != nil {
		l.count.dropped[dropMalformed].Add(1)

		return
	}
	ok := true
	switch h.Type {
	case rtcp.TypeSenderReport:
		ok = l.handleSenderReport(int(h.Count), b, now, via)
	case rtcp.TypeReceiverReport:
		ok = l.handleReceiverReport(int(h.Count), b, now, via)
	case rtcp.TypeTransportSpecificFeedback:
		switch h.Count {
		case rtcp.FormatTLN:
			ok = l.handleNACK(b, now, via)
		case rtcp.FormatTCC:
			if r := l.from.enter(); r != nil {
				ok = r.returnWide(b, via)
			}
			l.from.leave()
		}
	case rtcp.TypePayloadSpecificFeedback:
		ok = l.handlePayloadFeedback(h.Count, b, now, via)
	default: // source descriptions and the rest say who somebody is
	}
	if !ok {
		l.count.dropped[dropMalformed].Add(1)
	}
}

func (l *leg) handlePayloadFeedback(format uint8, b []byte, now time.Duration, via *burst) bool {
	switch format {
	case rtcp.FormatPLI, rtcp.FormatFIR:
		l.count.plis.Add(1)
		l.wantKeyFrame(now, via)
	case rtcp.FormatREMB:
		var remb rtcp.ReceiverEstimatedMaximumBitrate
		if remb.Unmarshal(b) != nil {
			return false
		}
		if remb.Bitrate >= 1 {
			l.estimate.Store(uint64(min(remb.Bitrate, 1e10)))
			if r := l.from.enter(); r != nil {
				r.estimate.report(l.estimate.Load(), r.publisher.allowed())
			}
			l.from.leave()
		}
	}

	return true
}

// wantKeyFrame asks the partner for a key frame for this peer, unless one was
// asked for just now. Anybody may call it.
func (l *leg) wantKeyFrame(now time.Duration, via *burst) {
	if r := l.from.enter(); r != nil && r.wantsVideo() && r.key.ask(now) {
		r.publisher.requestKeyFrame(r.in, via)
	}
	l.from.leave()
}

// want says whether the peer is to be sent anything of kind k; at first it is.
// What it does not want costs its path nothing, and its partner no repairs.
// Anybody may call it.
func (l *leg) want(k kind, on bool, now time.Duration) {
	if l.unwanted[k].Swap(!on) != on || k != video || !on {
		return
	}
	if r := l.from.enter(); r != nil && r.wantsVideo() {
		r.key.start(now)
		r.publisher.repeatKeyRequest(r, now, nil)
	}
	l.from.leave()
}

// handleNACK sends again what the peer has lost, from the ring, or has its
// partner do so.
func (l *leg) handleNACK(b []byte, now time.Duration, via *burst) bool {
	var nack rtcp.TransportLayerNack
	if nack.Unmarshal(b) != nil {
		return false
	}
	m := l.media.Load()
	d := &l.down[video]
	buffer := d.ring.Load()
	if m == nil || buffer == nil || nack.MediaSSRC != d.ssrc {
		return true
	}
	if l.returnNACK(nack.Nacks, via) {
		return true
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

	return true
}

// returnNACK passes a NACK on to the partner where packets queue up on the way to
// the peer. A repair of the relay's would push another packet out of that queue,
// and nobody would send less for it; the partner's rate control takes what it
// repeats out of what it sends, and the way to the partner is short beside the
// queue. What it repeats takes the way of probes, so both have to repeat on a
// stream of its own. It returns false if the repairs are the relay's.
func (l *leg) returnNACK(pairs []rtcp.NackPair, via *burst) bool {
	r := l.from.enter()
	defer l.from.leave()
	if r == nil || !r.wide.backlog.on || !r.answers || !r.wants(video) {
		return false
	}
	s := r.flows[video].span.Load()
	if s == nil {
		return false
	}
	var list []uint16
	for i := range pairs {
		pairs[i].Range(func(seq uint16) bool {
			l.count.nacksReceived.Add(1)
			if n, ok := s.back(seq); ok {
				list = append(list, uint16(n))
			}

			return len(list) < maxRepairs
		})
		if len(list) >= maxRepairs {
			break
		}
	}
	if p := r.publisher; len(list) > 0 {
		p.count.nacksSent.Add(uint64(len(list)))
		p.send(via, &rtcp.TransportLayerNack{
			SenderSSRC: p.self(), MediaSSRC: p.up.streams[video].ssrc.Load(), Nacks: rtcp.NackPairsFromSequenceNumbers(list),
		})
	}

	return true
}

// resend repairs one packet: on the retransmission stream where that was
// negotiated, else as it was, bit for bit. A packet's SSRC and sequence number
// make the nonce of its encryption, so under the same ones nothing but the
// same bytes may ever be sent: not even a newer send time.
func (l *leg) resend(m *media, d *downTrack, buffer *ring, seq uint16, now time.Duration, via *burst) {
	if !d.affordsRepair() {
		if now >= d.hopeless {
			d.hopeless = now + hopelessInterval
			l.wantKeyFrame(now, via)
		}

		return
	}
	b, index, ok := buffer.fetch(seq, now, l.resendInterval(), d.plain[:0])
	if !ok || len(b) < rtpHeaderSize {
		return
	}
	d.repairs.mu.Lock()
	defer d.repairs.mu.Unlock()
	if pt := m.payloads[b[1]&0x7f].repair; pt != noPayload && m.repair != 0 {
		b, ok = appendRTX(d.wrapped[:0], b, pt, d.repairs.next(), m.repair, &m.ext[video], now)
		index = ownNumbers
	} else {
		ok = buffer.has(index) // still, whoever else was sending on the stream meanwhile
	}
	if !ok {
		return
	}
	d.credit -= len(b)
	if l.out.sendRepair(via, b, index) == nil {
		l.count.resent.Add(1)
		l.count.sentPackets.Add(1)
		l.count.sentBytes.Add(uint64(len(b)))
	}
}

// affordsRepair reports whether another packet may be repaired.
func (d *downTrack) affordsRepair() bool {
	octets := d.octets.Load()
	d.credit = min(d.credit+int(octets-d.repairedAt)/repairShare, repairBurst)
	d.repairedAt = octets

	return d.credit > 0
}

// resendInterval is how soon after a packet was repeated a request for it can be
// about that repeat: a little less than a round trip, which varies.
func (l *leg) resendInterval() time.Duration {
	return time.Duration(l.rtt.Load()) * 3 / 4
}
