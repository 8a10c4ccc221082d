package sfu

import (
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
)

// Parity packets (ULPFEC, RFC 5109) protect packets byte by byte, and the relay
// rewrites the bytes. So it makes them anew: over the same packets, as it has
// sent them. This is for one level of protection, as libwebrtc sends it.

const (
	fecHead      = 10
	fecShort     = 4 // the level's head with a mask of 16 bits
	fecLong      = 8 // and of 48
	fecLongFlag  = 0x40
	fecMaskBits  = 48
	fecMaxLength = ringPacket
	// fecGrowth is how much longer than the parity that came new parity may be:
	// the relay's own header extensions, and that is all that it adds.
	fecGrowth = 32
)

// protection is which packets a parity packet protects.
type protection struct {
	base uint16
	mask uint64 // the highest of 48 bits is for base
	long bool
}

// parse reads the head of a parity packet.
func (f *protection) parse(b []byte) bool {
	if len(b) < fecHead+fecShort {
		return false
	}
	*f = protection{
		base: binary.BigEndian.Uint16(b[2:]), long: b[0]&fecLongFlag != 0,
		mask: uint64(binary.BigEndian.Uint16(b[12:])) << 32,
	}
	if f.long {
		if len(b) < fecHead+fecLong {
			return false
		}
		f.mask |= uint64(binary.BigEndian.Uint32(b[14:]))
	}

	return f.mask != 0
}

// next takes the first packet out of the mask and returns how far behind the
// base it is.
func (f *protection) next() (distance uint16, ok bool) {
	if f.mask == 0 {
		return 0, false
	}
	distance = uint16(bits.LeadingZeros64(f.mask) - (64 - fecMaskBits))
	f.mask &^= 1 << (fecMaskBits - 1 - distance)

	return distance, true
}

// parity is the sum of some packets.
type parity struct {
	head   [8]byte // the first two bytes, the timestamp, the length
	size   int
	sum    [fecMaxLength]byte
	packet [fecMaxLength]byte // room for whoever adds
}

func (s *parity) reset() {
	clear(s.sum[:s.size])
	s.head, s.size = [8]byte{}, 0
}

// add adds a packet in RED, as it was sent. The receiver sees it without RED,
// and with zeros in the extensions that senders write last, after the parity
// is made (libwebrtc: RtpPacket::ZeroMutableExtensions). It returns false if it
// is not a packet of media in RED.
func (s *parity) add(b []byte, red, fec uint8, e *extensions) bool {
	var p packet
	if !p.parse(b) || p.pt != red || len(p.payload) < 2 || p.payload[0] == fec || p.padding > 0 {
		return false
	}
	start := len(b) - len(p.payload)
	head, body := b[rtpHeaderSize:start], p.payload[1:]
	length := len(head) + len(body)
	first := [8]byte{
		b[0], b[1]&0x80 | p.payload[0],
		b[4], b[5], b[6], b[7],
		byte(length >> 8), byte(length),
	}
	subtle.XORBytes(s.head[:], s.head[:], first[:])
	subtle.XORBytes(s.sum[:], s.sum[:], head)
	subtle.XORBytes(s.sum[len(head):], s.sum[len(head):], body)
	for _, id := range [...]uint8{e.transportCC, e.absSendTime} {
		if v := p.find(id); v != nil {
			at := start - rtpHeaderSize - len(p.ext) + cap(p.ext) - cap(v)
			subtle.XORBytes(s.sum[at:], s.sum[at:], v)
		}
	}
	s.size = max(s.size, length)

	return true
}

// length is how long the payload is that append writes for f.
func (s *parity) length(f protection) int {
	if f.long {
		return fecHead + fecLong + s.size
	}

	return fecHead + fecShort + s.size
}

// append writes the parity packet for f, whose base is the first of them as
// they were sent; its mask is the one that was read.
func (s *parity) append(b []byte, f protection) []byte {
	first := s.head[0] & 0x3f // E is 0
	if f.long {
		first |= fecLongFlag
	}
	b = append(b, first, s.head[1])
	b = binary.BigEndian.AppendUint16(b, f.base)
	b = append(b, s.head[2:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(s.size))
	b = binary.BigEndian.AppendUint16(b, uint16(f.mask>>32))
	if f.long {
		b = binary.BigEndian.AppendUint32(b, uint32(f.mask))
	}

	return append(b, s.sum[:s.size]...)
}
