package sfu

import (
	"crypto/subtle"
	"encoding/binary"
)

const (
	// restoreSize packets are kept for parity to restore one by: it protects 48 at
	// most, and the network may swap some. A power of two.
	restoreSize = 64
	// restoreParity parity packets wait for more of what they protect.
	restoreParity = 8
)

// restorer brings back what a publisher's uplink lost by the parity that it
// sends (RFC 5109 section 9.2), which is sooner than asking for it. It has the
// packets as the publisher made its parity over them: without RED, and with
// zeros in the extensions that are written last. Not safe for concurrent use;
// nothing in it allocates.
type restorer struct {
	packets [restoreSize]protected
	parity  [restoreParity]pending
	out     [rtpHeaderSize + fecMaxLength]byte
}

// protected is a packet of media; seq is 0 if there is none.
type protected struct {
	seq  int64
	head [8]byte // as in parity
	size int
	body [fecMaxLength]byte // all behind the fixed header
	// brought says that parity has brought it back and it has not come itself.
	brought bool
}

// pending is a parity packet by which two or more are still missing; its mask is
// 0 if there is none.
type pending struct {
	protection
	base int64 // extended
	head [8]byte
	size int
	body [fecMaxLength]byte
}

// reset forgets everything: the stream begins anew, with the same numbers
// perhaps. It may be called on nil.
func (s *restorer) reset() {
	if s == nil {
		return
	}
	for i := range s.packets {
		s.packets[i].seq = 0
	}
	for i := range s.parity {
		s.parity[i].mask = 0
	}
}

// keep keeps the packet p of media, which was in RED; e is what its sender
// negotiated. One that parity cannot restore another by it leaves out. It is not
// for repeats: their header extensions may stand in another order than those that
// the parity was made over (libwebrtc), and what is restored by them is wrong.
func (s *restorer) keep(p *packet, seq int64, e *extensions) {
	size := len(p.payload)
	if p.profile != 0 {
		size += 4 + len(p.ext)
	}
	if p.padding > 0 || p.sources > 0 || seq <= 0 || size > fecMaxLength {
		return
	}
	k := &s.packets[seq%restoreSize]
	if k.seq > seq {
		return
	}
	k.seq, k.size, k.brought = seq, size, false
	k.head = [8]byte{}
	k.head[1] = p.pt
	if p.marker {
		k.head[1] |= 0x80
	}
	binary.BigEndian.PutUint32(k.head[2:], p.ts)
	binary.BigEndian.PutUint16(k.head[6:], uint16(size))
	b := k.body[:0]
	if p.profile != 0 {
		k.head[0] = 0x10
		b = binary.BigEndian.AppendUint16(b, p.profile)
		b = binary.BigEndian.AppendUint16(b, uint16(len(p.ext)/4))
		b = append(b, p.ext...)
		for _, id := range [...]uint8{e.transportCC, e.absSendTime} {
			if v := p.find(id); v != nil {
				at := 4 + cap(p.ext) - cap(v) // v is a part of ext
				clear(b[at : at+len(v)])
			}
		}
	}
	copy(k.body[len(b):], p.payload)
}

// add takes the payload of a parity packet with extended sequence number seq.
func (s *restorer) add(payload []byte, seq int64) {
	var what protection
	if !what.parse(payload) {
		return
	}
	head := fecHead + fecShort
	if what.long {
		head = fecHead + fecLong
	}
	size := int(binary.BigEndian.Uint16(payload[fecHead:]))
	if size > len(payload)-head || size > fecMaxLength {
		return
	}
	f := s.place()
	f.protection, f.base, f.size = what, seq+int64(int16(what.base-uint16(seq))), size
	f.head = [8]byte{payload[0] & 0x3f, payload[1]}
	copy(f.head[2:], payload[4:10])
	copy(f.body[:size], payload[head:])
}

// place is where to put one more parity packet: of all the oldest has to give way.
func (s *restorer) place() *pending {
	oldest := &s.parity[0]
	for i := range s.parity {
		f := &s.parity[i]
		if f.mask == 0 {
			return f
		}
		if f.base < oldest.base {
			oldest = f
		}
	}

	return oldest
}

// overtaken reports whether the packet, which has come, had been taken for lost
// and brought back by the parity that overtook it. It may be called on nil.
func (s *restorer) overtaken(seq int64) bool {
	if s == nil || seq <= 0 {
		return false
	}
	p := &s.packets[seq%restoreSize]
	if p.seq != seq || !p.brought {
		return false
	}
	p.brought = false

	return true
}

// next restores a packet of the stream ssrc that is missing alone of those that
// some parity protects. It returns the packet, which is the caller's until the
// next call, and whether there was one. Parity that is of no use any more is
// forgotten.
func (s *restorer) next(highest int64, ssrc uint32) ([]byte, bool) {
	for i := range s.parity {
		f := &s.parity[i]
		if f.mask == 0 {
			continue
		}
		seq, missing := s.missing(f)
		switch {
		case missing == 0 || f.base <= highest-restoreSize:
			f.mask = 0
		case missing == 1:
			b, ok := s.restore(f, seq, ssrc)
			f.mask = 0
			if ok {
				return b, true
			}
		}
	}

	return nil, false
}

// missing counts what is not there of what f protects; seq is the last of it.
func (s *restorer) missing(f *pending) (seq int64, count int) {
	for what := f.protection; ; {
		distance, ok := what.next()
		if !ok {
			return seq, count
		}
		if at := f.base + int64(distance); at <= 0 || s.packets[at%restoreSize].seq != at {
			seq = at
			count++
		}
	}
}

// restore makes the packet seq out of f and the others that f protects, and
// keeps it like one that came. It returns false if that makes no packet.
func (s *restorer) restore(f *pending, seq int64, ssrc uint32) ([]byte, bool) {
	head, body := f.head, s.out[rtpHeaderSize:]
	copy(body, f.body[:f.size])
	clear(body[f.size:])
	for what := f.protection; ; {
		distance, ok := what.next()
		if !ok {
			break
		}
		if at := f.base + int64(distance); at != seq {
			k := &s.packets[at%restoreSize]
			subtle.XORBytes(head[:], head[:], k.head[:])
			subtle.XORBytes(body, body, k.body[:k.size])
		}
	}
	size := int(binary.BigEndian.Uint16(head[6:]))
	if seq <= 0 || size > f.size {
		return nil, false
	}
	k := &s.packets[seq%restoreSize]
	k.seq, k.head, k.size, k.brought = seq, head, size, true
	copy(k.body[:], body[:size])
	b := s.out[:rtpHeaderSize+size]
	b[0], b[1] = rtpVersion<<6|head[0], head[1]
	binary.BigEndian.PutUint16(b[2:], uint16(seq))
	copy(b[4:8], head[2:6])
	binary.BigEndian.PutUint32(b[8:], ssrc)

	return b, true
}
