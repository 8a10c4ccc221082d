package sfu

import (
	"encoding/binary"
	"time"
)

// rtxPrefix is the original sequence number before the repeated payload
// (RFC 4588 section 4).
const rtxPrefix = 2

// unwrap turns a parsed retransmission into the packet it repeats: apt is its
// payload type and ssrc its stream. It returns false for padding that was sent
// on the retransmission stream to probe the path.
func (p *packet) unwrap(apt uint8, ssrc uint32) bool {
	if len(p.payload) <= rtxPrefix {
		return false
	}
	p.seq = binary.BigEndian.Uint16(p.payload)
	p.payload = p.payload[rtxPrefix:]
	p.pt = apt
	p.ssrc = ssrc

	return true
}

// appendRTX wraps the packet b, as it was sent, for the retransmission stream.
// The header extensions stay as they are, but for e's transport-wide number,
// which was that of the first time, and the send time.
func appendRTX(out, b []byte, pt uint8, seq uint16, ssrc uint32, e *extensions, now time.Duration) ([]byte, bool) {
	var p packet
	if !p.parse(b) {
		return out, false
	}
	head := len(b) - len(p.payload) // what we send has no padding
	start := len(out)
	out = append(out, b[:head]...)
	out = append(out, b[2], b[3])
	out = append(out, p.payload...)
	h := out[start:]
	h[1] = h[1]&0x80 | pt
	binary.BigEndian.PutUint16(h[2:], seq)
	binary.BigEndian.PutUint32(h[8:], ssrc)
	if p.parse(h) {
		p.blank(e.transportCC)
		if v := p.find(e.absSendTime); len(v) == 3 {
			t := absSendTime(now)
			v[0], v[1], v[2] = byte(t>>16), byte(t>>8), byte(t)
		}
	}

	return out, true
}
