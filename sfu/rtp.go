package sfu

import (
	"encoding/binary"
	"time"
)

const (
	rtpVersion    = 2
	rtpHeaderSize = 12
	// maxPacket is the largest RTP packet that is forwarded: an Ethernet frame
	// holds less, and nobody but a stranger who probes sends more.
	maxPacket = 1600
)

// packet is one parsed RTP packet (RFC 3550 section 5.1). Its slices point
// into the datagram: nothing is copied.
type packet struct {
	pt     uint8
	marker bool
	seq    uint16
	ts     uint32
	ssrc   uint32
	// profile and ext are the header extension block (RFC 8285), without its
	// four byte head; profile is 0 if there is none.
	profile uint16
	ext     []byte
	// payload is without padding; it is empty for a packet that only probes.
	payload []byte
	padding uint8 // bytes, the last of which says how many
	// red says that the payload was in RED; block is the payload type that it
	// is to have there when it is sent, 0 if it is to be sent without.
	red   bool
	block uint8
	// again says that it came as a retransmission.
	again bool
	// sources is how many contributing sources it names; they are left out.
	sources uint8
	// number is the transport-wide number, extended; 0 if there is none.
	number int64
}

// parse reads one RTP packet. It accepts what RFC 3550 A.1 calls valid and
// returns false for everything else.
func (p *packet) parse(b []byte) bool {
	if len(b) < rtpHeaderSize || len(b) > maxPacket || b[0]>>6 != rtpVersion {
		return false
	}
	end := len(b)
	start := rtpHeaderSize + 4*int(b[0]&0x0f)
	*p = packet{sources: b[0] & 0x0f}
	if b[0]&0x10 != 0 {
		if end < start+4 {
			return false
		}
		p.profile = binary.BigEndian.Uint16(b[start:])
		size := 4 * int(binary.BigEndian.Uint16(b[start+2:]))
		start += 4
		if end < start+size {
			return false
		}
		p.ext = b[start : start+size]
		start += size
	}
	if b[0]&0x20 != 0 {
		padding := int(b[end-1])
		if padding == 0 || padding > end-start {
			return false
		}
		end -= padding
		p.padding = uint8(padding)
	}
	if end < start {
		return false
	}
	p.marker = b[1]&0x80 != 0
	p.pt = b[1] & 0x7f
	p.seq = binary.BigEndian.Uint16(b[2:])
	p.ts = binary.BigEndian.Uint32(b[4:])
	p.ssrc = binary.BigEndian.Uint32(b[8:])
	p.payload = b[start:end]

	return true
}

// ticks is t in units of 1/rate s, at most 1/2^32 s, for as long as a server
// can run: nanoseconds times the rate would overflow after hours.
func ticks(t time.Duration, rate uint64) uint64 {
	seconds, rest := uint64(t)/uint64(time.Second), uint64(t)%uint64(time.Second)

	return seconds*rate + rest*rate/uint64(time.Second)
}

// appendHeader writes the fixed header of p, without CSRCs and padding. The
// extension bit is set if extended; the block must then follow.
func appendHeader(b []byte, p *packet, extended bool) []byte {
	first := byte(rtpVersion << 6)
	if extended {
		first |= 0x10
	}
	second := p.pt & 0x7f
	if p.marker {
		second |= 0x80
	}
	b = append(b, first, second)
	b = binary.BigEndian.AppendUint16(b, p.seq)
	b = binary.BigEndian.AppendUint32(b, p.ts)

	return binary.BigEndian.AppendUint32(b, p.ssrc)
}
