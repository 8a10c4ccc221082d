package sfu

import (
	"sync/atomic"
	"time"
)

const (
	// After a re-wire so many frames ask the receiver to show them at once, so
	// that its jitter buffer, sized for the partner before, does not hold the
	// new picture back; so many more then give it its freedom again.
	playoutFrames = 10
	// minGap is the least step of timestamps between two partners: 10 ms for a
	// picture and one packet of 20 ms for sound. A receiver must never see time
	// stand still.
	minGapVideo = 900
	minGapAudio = 960
	// maxSkip is how many numbers in a row a flow may leave out. Beyond that a
	// publisher who sends what its partner is not sent could bring the numbers round
	// unseen, and who tells old from new by 16 bits would be wrong.
	maxSkip = 1 << 13
)

// tail is where the outgoing stream of one kind stands: what the next partner
// must continue from. It begins at random numbers (newTail). Only the flow that
// is wired touches it.
type tail struct {
	started bool
	seq     uint16
	ts      uint32
	at      time.Duration // when ts was sent
	// sent are the numbers that were sent, of the last lossWindow up to seq.
	sent [lossWindow / 64]uint64
}

// take notes that number seq is sent. It returns false if it was before, or may
// have been: it must not be sent then, whoever sent what under it. A number is
// the nonce of a packet's encryption, and two packets with the same would give
// away both (RFC 3711 section 9.1).
func (t *tail) take(seq uint16) bool {
	step := int(int16(seq - t.seq))
	if step <= -lossWindow {
		return false
	}
	for i := range min(step, lossWindow) {
		at := (seq - uint16(i)) % lossWindow
		t.sent[at/64] &^= 1 << (at % 64)
	}
	at := seq % lossWindow
	if t.sent[at/64]&(1<<(at%64)) != 0 {
		return false
	}
	t.sent[at/64] |= 1 << (at % 64)
	if step > 0 {
		t.seq = seq
	}

	return true
}

// newTail begins a stream: both numbers are random (RFC 3550 section 5.1), and
// the first sequence number is in the lower half, so that a loss around the
// first wrap cannot mislead the receiver's SRTP index (RFC 3711 section 3.3.1).
func newTail(random uint64) tail {
	return tail{seq: uint16(random) & 0x3fff, ts: uint32(random >> 32)}
}

// flow rewrites one kind of media from one publisher to one subscriber, for
// the time that they are wired. The receiver sees one unbroken stream: the
// sequence goes on at the last number plus one and time goes on by what has
// really passed, between captures if they are known (see clock.go) and else
// between arrivals. Gaps and late packets keep their places, because the offsets
// are constant for the time of a flow.
type flow struct {
	kind    kind
	started bool
	first   int64 // the publisher's extended sequence number that the flow began with
	firstTS uint32
	seqOff  uint16
	tsOff   uint32
	frames  int
	frameTS uint32
	// lookAt is when it is looked at again whether the subscriber is to be told of its
	// times, tellAt when that is the next time, and told whether it was; heardAt is when
	// the report was heard by which that was last done, and contradicted says that a
	// packet did not fit to it then. See synchronize.
	lookAt, tellAt, heardAt time.Duration
	told, contradicted      bool
	// span is for who maps reports back.
	span atomic.Pointer[span]
}

// begin fixes the offsets so that p, whose extended sequence number is seq,
// continues the stream that ends in t. line, if it is known, is the offset of
// timestamps with which the stream stays on its line (see rtpClock).
func (f *flow) begin(t *tail, p *packet, seq int64, line uint32, known bool, now time.Duration) {
	f.seqOff = t.seq + 1 - p.seq
	f.tsOff = t.ts + t.step(f.kind, p.ts+line-t.ts, known, now) - p.ts
	t.started = true
	f.started = true
	f.first, f.firstTS = seq, p.ts
	f.span.Store(newSpan(seq, t.seq+1))
	f.frames, f.frameTS = 1, p.ts
	f.tellAt, f.heardAt, f.told, f.contradicted = 0, 0, false, false
}

// step is how far the timestamp of the next partner's first packet is from that
// of the last: line, if that is known and believed, and else what has passed.
func (t *tail) step(k kind, line uint32, known bool, now time.Duration) uint32 {
	if !t.started {
		return uint32(minGap(k))
	}
	step := int64(ticks(max(now-t.at, 0), k.clock()))
	off := int64(int32(line - uint32(step)))
	if known && -int64(ticks(tooLate, k.clock())) <= off && off <= int64(ticks(tooEarly, k.clock())) {
		step += off
	}

	return uint32(max(step, minGap(k)))
}

func minGap(k kind) int64 {
	if k == audio {
		return minGapAudio
	}

	return minGapVideo
}

// before reports whether seq comes before the packet that the flow began with:
// it belongs to a picture the subscriber never saw the start of. It has to be
// extended: a flow goes on for longer than 16 bits can tell before from after.
func (f *flow) before(seq int64) bool { return seq < f.first }

// skips reports whether a flow that goes on with seq leaves out too many numbers.
func (f *flow) skips(seq int64) bool { return f.started && seq > f.span.Load().highest.Load()+maxSkip }

// rewrite sets the outgoing sequence number and timestamp of p and moves the
// tail. It returns the playout delay to ask for, and false if p must not be sent.
func (f *flow) rewrite(t *tail, p *packet, now time.Duration) (playout, bool) {
	if f.kind == video && int32(p.ts-f.frameTS) > 0 {
		f.frameTS = p.ts
		f.frames++
	}
	p.seq += f.seqOff
	p.ts += f.tsOff
	if !t.take(p.seq) {
		return playoutNone, false
	}
	if int32(p.ts-t.ts) > 0 {
		t.ts, t.at = p.ts, now
	}
	switch {
	case f.kind != video || f.frames > 2*playoutFrames:
		return playoutNone, true
	case f.frames > playoutFrames:
		return playoutFree, true
	}

	return playoutNow, true
}
