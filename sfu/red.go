package sfu

// Redundant payloads (RFC 2198). With video each packet is one block, the
// picture's or parity (RFC 5109); with audio it repeats earlier packets.

// unwrapRED takes the one block of a video packet out of its RED, if it is in
// one. It returns what the packet or the block is, or nil for what no sender makes.
func (m *media) unwrapRED(p *packet) *payload {
	if pl := &m.payloads[p.pt]; pl.codec.name != codecRED || len(p.payload) == 0 {
		return pl
	}
	if len(p.payload) < 2 || p.payload[0]&0x80 != 0 {
		return nil
	}
	block := &m.payloads[p.payload[0]]
	if block.rtx || block.codec.name == codecRED || block.codec.name == codecNone || block.codec.kind() != video {
		return nil
	}
	p.pt, p.payload, p.red = p.payload[0], p.payload[1:], true

	return block
}

const redHead = 4 // of each block but the last, whose head is one byte

// primary returns the newest block of an audio packet in RED, its payload type,
// and how much older the oldest block is; ok is false if it is malformed.
func primary(payload []byte) (pt uint8, block []byte, back uint32, ok bool) {
	older := 0
	for {
		if len(payload) < 1 {
			return 0, nil, 0, false
		}
		if payload[0]&0x80 == 0 {
			break
		}
		if len(payload) < redHead {
			return 0, nil, 0, false
		}
		back = max(back, uint32(payload[1])<<6|uint32(payload[2]>>2))
		older += int(payload[2]&3)<<8 | int(payload[3])
		payload = payload[redHead:]
	}
	if len(payload) < 1+older {
		return 0, nil, 0, false
	}

	return payload[0], payload[1+older:], back, true
}

// has reports whether all that a packet of sound with timestamp ts repeats, back
// at most, is of the flow: what was said before is for others.
func (f *flow) has(ts, back uint32) bool {
	return back == 0 || f.started && ts-f.firstTS >= back
}

// translateRED gives the blocks of a packet for which primary was ok other
// payload types. It returns false, and may have begun, if one has none.
func translateRED(payload []byte, table *[128]uint8) bool {
	for {
		pt := table[payload[0]&0x7f]
		if pt == noPayload {
			return false
		}
		last := payload[0]&0x80 == 0
		payload[0] = payload[0]&0x80 | pt
		if last {
			return true
		}
		payload = payload[redHead:]
	}
}
