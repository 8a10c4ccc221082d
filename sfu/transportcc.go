package sfu

import (
	"encoding/binary"
	"time"
)

// Transport-wide feedback, as draft-holmer-rmcat-transport-wide-cc-extensions-01
// section 3.1 has it: which of a run of numbers arrived, and when.
const (
	// ccTick is the unit of arrival times; the reference time that they are
	// counted from has 24 bits in units of ccReference ticks, 64 ms.
	ccTick      = 250 * time.Microsecond
	ccReference = 256

	ccType     = 205 // RTCP packet type (RFC 4585 section 6.1) and format
	ccFormat   = 15
	ccHeadSize = 20
	// ccStatusCost is what the police takes a status for, in bytes.
	ccStatusCost = 4
	// ccCount is how many statuses a packet may have that is read: more than any
	// that a receiver sends at the rates here.
	ccCount = 8192
	// ccStatuses and ccDeltas bound what the relay puts into one packet, so
	// that it passes everywhere. What is more goes into another one.
	ccStatuses = 400
	ccDeltas   = 800
)

// Status symbols.
const (
	ccMissing uint8 = iota
	ccSmall         // with a delta of 8 bits
	ccLarge         // with a signed one of 16
	ccReserved
)

// ccReader reads the statuses of one feedback packet, one after the other.
type ccReader struct {
	chunks, deltas []byte
	seq            uint16
	left           int // statuses
	chunk          uint16
	inChunk        int // statuses left in chunk
	reference      uint32
	ticks          int64 // from the reference time to the last arrival
}

// open begins to read an RTCP packet, which must be of this format. It returns
// false if it is malformed.
func (r *ccReader) open(b []byte) bool {
	if len(b) < ccHeadSize {
		return false
	}
	*r = ccReader{
		seq: binary.BigEndian.Uint16(b[12:]), left: int(binary.BigEndian.Uint16(b[14:])),
		reference: binary.BigEndian.Uint32(b[16:]) >> 8,
	}
	if r.left > ccCount {
		return false
	}
	b = b[ccHeadSize:]
	chunks, deltas := 0, 0
	for left := r.left; left > 0; chunks += 2 {
		if len(b) < chunks+2 {
			return false
		}
		chunk := binary.BigEndian.Uint16(b[chunks:])
		n := min(chunkLength(chunk), left)
		if n == 0 {
			return false
		}
		if chunk>>15 == 0 {
			if symbol(chunk, 0) == ccReserved {
				return false
			}
			deltas += n * int(symbol(chunk, 0))
		} else {
			for i := range n {
				s := symbol(chunk, i)
				if s == ccReserved {
					return false
				}
				deltas += int(s) // a status has as many bytes as its symbol says
			}
		}
		left -= n
	}
	if len(b) < chunks+deltas {
		return false
	}
	r.chunks, r.deltas = b[:chunks], b[chunks:chunks+deltas]

	return true
}

// chunkLength is how many statuses a chunk has room for.
func chunkLength(chunk uint16) int {
	switch {
	case chunk>>15 == 0:
		return int(chunk & 0x1fff)
	case chunk>>14&1 == 0:
		return 14
	}

	return 7
}

// symbol returns the i-th status of a chunk.
func symbol(chunk uint16, i int) uint8 {
	switch {
	case chunk>>15 == 0:
		return uint8(chunk >> 13 & 3)
	case chunk>>14&1 == 0:
		return uint8(chunk >> (13 - i) & 1)
	}

	return uint8(chunk >> (12 - 2*i) & 3)
}

// next returns the next number, whether its packet arrived, and when, in ticks
// after the reference time. ok is false at the end.
func (r *ccReader) next() (seq uint16, ticks int64, arrived, ok bool) {
	if r.left == 0 {
		return 0, 0, false, false
	}
	if r.inChunk == 0 {
		r.chunk, r.chunks = binary.BigEndian.Uint16(r.chunks), r.chunks[2:]
		r.inChunk = chunkLength(r.chunk)
	}
	s := symbol(r.chunk, chunkLength(r.chunk)-r.inChunk)
	switch s {
	case ccSmall:
		r.ticks += int64(r.deltas[0])
	case ccLarge:
		r.ticks += int64(int16(binary.BigEndian.Uint16(r.deltas)))
	}
	r.deltas = r.deltas[s:]
	seq = r.seq
	r.seq++
	r.left--
	r.inChunk--

	return seq, r.ticks, s != ccMissing, true
}

// skip passes over n statuses. What did not arrive costs no time: a few bytes
// may say it of thousands of numbers.
func (r *ccReader) skip(n int) {
	for n = min(n, r.left); n > 0; {
		if r.inChunk > 0 && r.chunk>>13 == uint16(ccMissing) { // a run
			run := min(n, r.inChunk)
			r.seq += uint16(run)
			r.left -= run
			r.inChunk -= run
			n -= run

			continue
		}
		r.next()
		n--
	}
}

// keep leaves only the next n statuses to be read.
func (r *ccReader) keep(n int) { r.left = min(max(n, 0), r.left) }

// ccCost is how many bytes the police takes an RTCP packet for: feedback has
// few for what it says, and its partner is told all of it.
func ccCost(b []byte) int {
	if len(b) < ccHeadSize || b[0]&0x1f != ccFormat || b[1] != ccType {
		return len(b)
	}

	return len(b) + ccStatusCost*int(binary.BigEndian.Uint16(b[14:]))
}

// ccWriter makes one feedback packet at a time, in its own memory.
type ccWriter struct {
	base      uint16
	count     int
	arrived   bool  // one has
	reference int64 // in units of ccReference ticks
	last      int64 // the last arrival, in ticks
	size      int
	symbols   [ccStatuses]uint8
	deltas    [ccDeltas]byte
	out       [ccHeadSize + 2*(ccStatuses/7+1) + ccDeltas + 4]byte
}

// add appends the status of the packet numbered seq, which came at ticks if it
// came. It returns false if that does not fit: flush first.
func (w *ccWriter) add(seq uint16, arrived bool, ticks int64) bool {
	if w.count == 0 {
		w.base = seq
	}
	if seq != w.base+uint16(w.count) || w.count == ccStatuses || w.size+2 > ccDeltas {
		return false
	}
	if !arrived {
		w.symbols[w.count] = ccMissing
		w.count++

		return true
	}
	if !w.arrived {
		w.arrived = true
		w.reference = ticks >> 8 // rounds down, below 0 too
		w.last = w.reference * ccReference
	}
	switch delta := ticks - w.last; {
	case delta >= 0 && delta <= 0xff:
		w.symbols[w.count] = ccSmall
		w.deltas[w.size] = byte(delta)
		w.size++
	case int64(int16(delta)) == delta:
		w.symbols[w.count] = ccLarge
		binary.BigEndian.PutUint16(w.deltas[w.size:], uint16(delta))
		w.size += 2
	default:
		return false
	}
	w.last = ticks
	w.count++

	return true
}

// flush returns the packet, which is valid until the next call, and begins
// another one. It returns nil if there is no arrival to report.
func (w *ccWriter) flush(sender, media uint32, number uint8) []byte {
	defer w.reset()
	if !w.arrived {
		return nil
	}
	b := append(w.out[:0], 0x80|ccFormat, ccType, 0, 0)
	b = binary.BigEndian.AppendUint32(b, sender)
	b = binary.BigEndian.AppendUint32(b, media)
	b = binary.BigEndian.AppendUint16(b, w.base)
	b = binary.BigEndian.AppendUint16(b, uint16(w.count))
	b = binary.BigEndian.AppendUint32(b, uint32(w.reference)<<8|uint32(number))
	b = appendChunks(b, w.symbols[:w.count])
	b = append(b, w.deltas[:w.size]...)
	if padding := -len(b) & 3; padding > 0 { // RFC 3550 section 6.4.1
		b[0] |= 0x20
		for range padding {
			b = append(b, 0)
		}
		b[len(b)-1] = byte(padding)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))

	return b
}

func (w *ccWriter) reset() { w.count, w.size, w.arrived = 0, 0, false }

// empty reports whether flush would return nothing.
func (w *ccWriter) empty() bool { return !w.arrived }

// appendChunks writes statuses in few bytes: runs where there are, else as
// many as one chunk has room for.
func appendChunks(b []byte, symbols []uint8) []byte {
	for len(symbols) > 0 {
		run := 1
		for run < len(symbols) && symbols[run] == symbols[0] {
			run++
		}
		short := min(14, len(symbols))
		for i, s := range symbols[:short] {
			if s == ccLarge {
				short = i

				break
			}
		}
		wide := min(7, len(symbols))
		var chunk uint16
		var n int
		switch {
		case run >= 14 || run == len(symbols) || run >= 7 && short < 14:
			n = run
			chunk = uint16(symbols[0])<<13 | uint16(n)
		case short >= min(14, len(symbols)):
			n = short
			chunk = 1 << 15
			for i, s := range symbols[:n] {
				chunk |= uint16(s) << (13 - i)
			}
		default:
			n = wide
			chunk = 3 << 14
			for i, s := range symbols[:n] {
				chunk |= uint16(s) << (12 - 2*i)
			}
		}
		b = binary.BigEndian.AppendUint16(b, chunk)
		symbols = symbols[n:]
	}

	return b
}
