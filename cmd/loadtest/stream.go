package main

import (
	"encoding/binary"
	"errors"
	"time"
)

// kind tells a client's two streams apart; it indexes arrays.
type kind uint8

const (
	audio kind = iota
	video
	kinds
)

// What a client sends: a camera at about a megabit a second and a microphone.
const (
	frameEvery   = time.Second * 2 / 55 // 27.5 frames/s
	framePackets = 4
	videoSize    = 1100 // bytes of one RTP packet before encryption
	audioEvery   = 20 * time.Millisecond
	audioSize    = 90
	frameTicks   = 90000 * 2 / 55
	audioTicks   = 48000 / 50
)

// Payload types and the header extension's number in our offers.
const (
	audioType = 111
	videoType = 96
	twccID    = 3
)

const (
	headerSize = 20 // RTP with one block of header extensions
	bodySize   = 16 // what of the payload is looked at
	maxPacket  = 1500
	// ringSize is how many packets a stream remembers, nine seconds of video.
	ringSize = 1024
)

// bodyMagic begins the payload of a virtual user's packet, behind four bytes
// that look like VP8.
const bodyMagic = 0x53544c54

// sentPacket is what is remembered of a packet on its way.
type sentPacket struct {
	at  time.Duration // when it was given to the kernel; 0 is never
	seq uint16
	got bool // it has arrived
}

// outStream makes the packets of one stream.
type outStream struct {
	ssrc uint32
	seq  uint16 // of the next packet
	ts   uint32
	sent [ringSize]sentPacket
}

// remember notes that a packet is sent now.
func (s *outStream) remember(seq uint16, now time.Duration) {
	s.sent[seq%ringSize] = sentPacket{at: now, seq: seq}
}

// lookup returns what is remembered of a packet, nil if it is too old or never was.
func (s *outStream) lookup(seq uint16) *sentPacket {
	if p := &s.sent[seq%ringSize]; p.at != 0 && p.seq == seq {
		return p
	}

	return nil
}

// body is what a packet says about itself, under the encryption.
type body struct {
	sender uint32
	seq    uint16
}

// write fills b with the next packet of the stream: size bytes, the last of a
// frame if marker, the first of a key frame if key.
func (s *outStream) write(b []byte, k kind, sender uint32, transport uint16, marker, first, key bool) {
	b[0] = 0x90 // version 2, with extensions
	b[1] = audioType
	if k == video {
		b[1] = videoType
	}
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], s.seq)
	binary.BigEndian.PutUint32(b[4:], s.ts)
	binary.BigEndian.PutUint32(b[8:], s.ssrc)
	binary.BigEndian.PutUint32(b[12:], 0xbede0001) // RFC 8285 section 4.2, one word
	b[16] = twccID<<4 | 1
	binary.BigEndian.PutUint16(b[17:], transport)
	b[19] = 0
	p := b[headerSize:]
	p[0], p[1] = 0, 1 // VP8: not the beginning of a frame, not a key frame
	if first {
		p[0] = 0x10
	}
	if key {
		p[1] = 0
	}
	p[2], p[3] = 0, 0
	binary.BigEndian.PutUint32(p[4:], bodyMagic)
	binary.BigEndian.PutUint32(p[8:], sender)
	binary.BigEndian.PutUint16(p[12:], s.seq)
	s.seq++
}

var errBody = errors.New("not a virtual user's packet")

// readBody reads the payload of a decrypted packet.
func readBody(payload []byte) (body, error) {
	if len(payload) < bodySize || binary.BigEndian.Uint32(payload[4:]) != bodyMagic {
		return body{}, errBody
	}

	return body{sender: binary.BigEndian.Uint32(payload[8:]), seq: binary.BigEndian.Uint16(payload[12:])}, nil
}

// rtpHeader is what is read of every packet that arrives.
type rtpHeader struct {
	kind      kind
	seq       uint16
	ssrc      uint32
	size      int
	transport int // transport-wide sequence number, -1 without one
}

var errHeader = errors.New("not an RTP packet of a stream that was negotiated")

func readHeader(b []byte) (h rtpHeader, err error) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return h, errHeader
	}
	switch b[1] & 0x7f {
	case audioType:
		h.kind = audio
	case videoType:
		h.kind = video
	default:
		return h, errHeader
	}
	h.seq, h.ssrc = binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[8:])
	h.size, h.transport = 12+4*int(b[0]&0x0f), -1
	if b[0]&0x10 == 0 {
		return h, nil
	}
	if len(b) < h.size+4 {
		return h, errHeader
	}
	block := b[h.size:]
	end := 4 + 4*int(binary.BigEndian.Uint16(block[2:]))
	if len(block) < end {
		return h, errHeader
	}
	h.size += end
	if binary.BigEndian.Uint16(block) == 0xbede {
		h.transport = findTransport(block[4:end])
	}

	return h, nil
}

// findTransport looks for the transport-wide sequence number in a block of one
// byte headers (RFC 8285 section 4.2).
func findTransport(b []byte) int {
	for len(b) > 0 {
		if b[0] == 0 {
			b = b[1:]

			continue
		}
		size := int(b[0]&0x0f) + 2
		if len(b) < size {
			break
		}
		if b[0]>>4 == twccID && size == 3 {
			return int(binary.BigEndian.Uint16(b[1:]))
		}
		b = b[size:]
	}

	return -1
}
