package sfu

// keyFrameStart reports whether payload is the first packet of a frame that a
// decoder can start from.
func keyFrameStart(name codecName, payload []byte) bool {
	switch name {
	case codecVP8:
		return vp8KeyFrame(payload)
	case codecVP9:
		return vp9KeyFrame(payload)
	case codecH264:
		return h264KeyFrame(payload)
	case codecAV1:
		return av1KeyFrame(payload)
	case codecNone, codecOpus, codecRED, codecULPFEC, codecAudioRED:
		return false
	}

	return false
}

// vp8KeyFrame reads the payload descriptor of RFC 7741 section 4.2 and the
// inverse key frame bit behind it.
func vp8KeyFrame(b []byte) bool {
	if len(b) < 1 || b[0]&0x1f != 0x10 { // S, partition 0, not reserved
		return false
	}
	i := 1
	if b[0]&0x80 != 0 { // X
		if len(b) < 2 {
			return false
		}
		x := b[1]
		i = 2
		if x&0x80 != 0 { // I: picture id of one or two bytes
			if len(b) <= i {
				return false
			}
			if b[i]&0x80 != 0 {
				i++
			}
			i++
		}
		if x&0x40 != 0 { // L
			i++
		}
		if x&0x30 != 0 { // T or K
			i++
		}
	}

	return len(b) > i && b[i]&1 == 0
}

// vp9KeyFrame: not inter-picture predicted, beginning of a frame, lowest
// spatial layer (RFC 9628 section 4.2).
func vp9KeyFrame(b []byte) bool {
	if len(b) < 1 {
		return false
	}
	const i, p, l, begin = 0x80, 0x40, 0x20, 0x08
	if b[0]&p != 0 || b[0]&begin == 0 {
		return false
	}
	if b[0]&l == 0 {
		return true
	}
	at := 1
	if b[0]&i != 0 {
		if len(b) <= at {
			return false
		}
		if b[at]&0x80 != 0 {
			at++
		}
		at++
	}

	return len(b) > at && b[at]>>1&7 == 0
}

// h264KeyFrame: a parameter set or the start of an IDR slice, alone, in an
// aggregate or in a fragment (RFC 6184 section 5).
func h264KeyFrame(b []byte) bool {
	const idr, sps, stapA, fuA = 5, 7, 24, 28
	if len(b) < 2 {
		return false
	}
	switch t := b[0] & 0x1f; t {
	case idr, sps:
		return true
	case stapA:
		for b = b[1:]; len(b) > 2; {
			size := int(b[0])<<8 | int(b[1])
			if size == 0 || len(b) < 2+size {
				return false
			}
			if u := b[2] & 0x1f; u == idr || u == sps {
				return true
			}
			b = b[2+size:]
		}
	case fuA:
		u := b[1] & 0x1f

		return b[1]&0x80 != 0 && (u == idr || u == sps)
	}

	return false
}

// av1KeyFrame: the N bit says that a new coded video sequence begins (AV1 RTP
// payload format section 4.4).
func av1KeyFrame(b []byte) bool {
	return len(b) > 1 && b[0]&0x08 != 0
}
