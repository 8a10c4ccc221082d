package sfu

import "time"

const (
	// lossWindow is how far back a packet is still told from its repeat and
	// can be asked for again. A power of two.
	lossWindow = 1024
	maxMissing = 256
	// A packet is asked for when reorderPackets later ones have come, or when
	// reorderTime has passed: networks that swap packets swap neighbours.
	reorderPackets = 3
	reorderTime    = 15 * time.Millisecond
	// A request is repeated after about a round trip to the publisher. It may
	// know of a longer one, to its partner, and not repeat a packet within that
	// (libwebrtc: RtpPacketHistory::VerifyRtt), so requests go on until no receiver
	// waits any more. A missing packet costs it a key frame, and libwebrtc takes 3 s
	// without a picture to ask for that. But after quickAsks they become rarer:
	// lost parity is never repeated, and nobody can tell it from the picture.
	minAskInterval  = 30 * time.Millisecond
	slowAskInterval = 250 * time.Millisecond
	quickAsks       = 4
	giveUp          = 2 * time.Second
	// restartAfter packets in a row far outside the window are a publisher
	// that began a new sequence, not a late packet (RFC 3550 A.1).
	restartAfter = 8
)

// verdict is what the loss detector thinks of an arrived packet.
type verdict uint8

const (
	first     verdict = iota // a stream begins, or begins anew
	fresh                    // newer than everything before
	late                     // fills a gap
	duplicate                // seen before
	stale                    // too old to be told from a repeat
)

type missing struct {
	seq   int64
	seen  time.Duration // when the gap showed
	asked time.Duration // last; 0 is never
	asks  uint8
}

// interval is how long after it was last asked for a packet is asked for again,
// given how long it is at first.
func (m *missing) interval(quick time.Duration) time.Duration {
	if m.asks <= quickAsks {
		return quick
	}

	return min(quick<<min(m.asks-quickAsks, 8), max(quick, slowAskInterval))
}

// lossDetector follows the sequence numbers of one incoming stream: it finds
// repeats, gaps, and what to ask the publisher to send again. Not safe for
// concurrent use; nothing in it allocates.
type lossDetector struct {
	started  bool
	highest  int64 // extended sequence number
	outside  int   // packets in a row outside the window
	received [lossWindow / 64]uint64
	missing  [maxMissing]missing
	gaps     int // used part of missing
	lost     uint64
}

func (d *lossDetector) bit(seq int64) (word *uint64, mask uint64) {
	at := uint64(seq) % lossWindow

	return &d.received[at/64], 1 << (at % 64)
}

func (d *lossDetector) restart(seq uint16) int64 {
	*d = lossDetector{started: true, highest: int64(seq), lost: d.lost}
	for i := range d.received {
		d.received[i] = ^uint64(0) // what was before the start is not missing
	}

	return d.highest
}

// step is how far seq is from the highest, back or forth.
func (d *lossDetector) step(seq uint16) int64 { return int64(int16(seq - uint16(d.highest))) }

// within reports whether seq is neither too old to be told from a repeat nor
// too far ahead.
func (d *lossDetector) within(seq uint16) bool {
	step := d.step(seq)

	return -lossWindow < step && step <= lossWindow
}

// lacks reports whether the packet is one that has not come and still may.
func (d *lossDetector) lacks(seq uint16) bool {
	step := d.step(seq)
	word, mask := d.bit(d.highest + step)

	return d.started && -lossWindow < step && step < 0 && *word&mask == 0
}

// receive takes the sequence number of a packet that arrived at now and
// returns it extended to 64 bits. A packet that is duplicate or stale must not
// be forwarded.
func (d *lossDetector) receive(seq uint16, now time.Duration) (int64, verdict) {
	if !d.started {
		return d.restart(seq), first
	}
	step := d.step(seq)
	if !d.within(seq) {
		if d.outside++; d.outside < restartAfter {
			return d.highest + step, stale
		}

		return d.restart(seq), first
	}
	d.outside = 0
	extended := d.highest + step
	if step <= 0 {
		word, mask := d.bit(extended)
		if *word&mask != 0 {
			return extended, duplicate
		}
		*word |= mask
		d.found(extended)

		return extended, late
	}
	d.skip(extended, now)
	word, mask := d.bit(extended)
	*word |= mask
	d.highest = extended

	return extended, fresh
}

// skip makes all between the highest and next missing. If they are more than
// can be asked for, the oldest are the least use; they are dropped at once,
// because who sends such gaps may do so with every packet.
func (d *lossDetector) skip(next int64, now time.Duration) {
	count := min(int(next-d.highest)-1, maxMissing)
	if over := d.gaps + count - maxMissing; over > 0 {
		d.gaps = copy(d.missing[:], d.missing[over:d.gaps])
	}
	for s := d.highest + 1; s < next; s++ {
		if s < next-maxMissing {
			word, mask := d.bit(s)
			*word &^= mask
		} else {
			d.miss(s, now)
		}
	}
}

func (d *lossDetector) miss(seq int64, now time.Duration) {
	word, mask := d.bit(seq)
	*word &^= mask
	if d.gaps == maxMissing { // the oldest is the least use
		d.drop(0)
	}
	d.missing[d.gaps] = missing{seq: seq, seen: now}
	d.gaps++
}

func (d *lossDetector) drop(i int) {
	copy(d.missing[i:d.gaps], d.missing[i+1:d.gaps])
	d.gaps--
}

func (d *lossDetector) found(seq int64) {
	for i := range d.gaps {
		if d.missing[i].seq == seq {
			d.drop(i)

			return
		}
	}
}

// begin says that forwarding begins with seq. What is missing before it nobody
// needs. If it came late, as the repaired first packet of a key frame may, what
// came after it has been dropped and is asked for again at once.
func (d *lossDetector) begin(seq int64, now time.Duration) {
	for d.gaps > 0 && d.missing[0].seq < seq {
		d.drop(0)
	}
	for s := seq + 1; s <= d.highest; s++ {
		if word, mask := d.bit(s); *word&mask != 0 {
			d.miss(s, now-reorderTime)
		}
	}
}

// due appends to list the sequence numbers to ask for at now; rtt is the round
// trip to the publisher. It gives up on what is too old, and counts it.
func (d *lossDetector) due(now, rtt time.Duration, list []uint16) []uint16 {
	quick := max(minAskInterval, rtt+rtt/2)
	kept := 0
	for i := range d.gaps {
		m := d.missing[i]
		waiting := m.asked > 0 && now-m.asked < m.interval(quick)
		if now-m.seen > giveUp || d.highest-m.seq >= lossWindow {
			d.lost++

			continue
		}
		early := m.asked == 0 && d.highest-m.seq < reorderPackets && now-m.seen < reorderTime
		if !waiting && !early && len(list) < cap(list) {
			list = append(list, uint16(m.seq))
			m.asked = max(now, 1)
			m.asks++
		}
		d.missing[kept] = m
		kept++
	}
	d.gaps = kept

	return list
}
