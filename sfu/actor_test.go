package sfu

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pion/rtcp"
)

// fateOf is how far a packet has come, by its transport-wide number.
type fateOf uint8

const (
	lostUp   fateOf = iota // to the relay
	atRelay                // and it did not go on, or without its number
	lostDown               // from the relay
	arrived
)

// actor is a publisher on a stage: a browser with a camera and a microphone.
type actor struct {
	s    *stage
	id   uint32
	red  bool
	leg  *leg
	out  *memory
	born time.Duration
	skew uint64 // NTP time at born, by its own clock

	protecting protecting
	picture    raw
	sound      raw
	seq        [kinds]int64 // extended
	ts         [kinds]uint32
	number     int64
	rtx        uint16
	recent     map[uint16][]byte // what was sent of the picture
	parities   map[int64]bool    // the numbers of parity, extended
	turned     byte
	group      int // packets that the next parity protects
	wantKey    int // packets until the key frame that was asked for, below 0 if none was
	held       []heldPacket

	fates      map[int64]fateOf
	told       map[int64]bool
	current    int64 // the number of what is being delivered
	delivering []byte

	shift    int64         // of its NTP times, 0 if it is not known yet
	reported [kinds]bool   // that it has sent a sender report
	ntp      [kinds]uint32 // the middle of its last one's NTP time
	heard    [kinds]uint32 // when that came, by the relay
	lost     [kinds]int64  // what the subscriber reported since it met it
}

type heldPacket struct {
	steps int // until it comes
	late  bool
	n     int64
	b     []byte
}

func newActor(s *stage, id uint32, red bool) *actor {
	a := &actor{s: s, id: id, red: red}
	a.reconnect()

	return a
}

// reconnect makes a new connection, with numbers just below their wraps.
func (a *actor) reconnect() {
	random := a.s.random
	below := func(n int) uint16 { return uint16(65534 - random.IntN(n)) }
	a.leg, a.out = newTestLeg(a.id)
	a.out.strict = a.s.t
	m := testMedia(a.id)
	if a.red {
		m = withRED(m, 0)
	}
	m.remote = [kinds]uint32{a.id + 101, a.id + 100}
	a.leg.negotiated(m)
	a.s.rs.setReady(a.leg, 0)
	a.born, a.skew = a.s.now, random.Uint64()
	a.picture, a.sound = raw{pt: ptVP8, ssrc: a.id + 100}, raw{pt: ptOpus, ssrc: a.id + 101}
	for k := range kinds {
		a.seq[k], a.ts[k] = int64(below(60)), ^uint32(0)-uint32(random.IntN(30_000))
	}
	a.number, a.rtx = 1<<16|int64(below(100)), below(5)
	a.recent, a.parities = map[uint16][]byte{}, map[int64]bool{}
	a.fates, a.told = map[int64]fateOf{}, map[int64]bool{}
	a.protecting = protecting{}
	a.held, a.wantKey = nil, -1
	a.shift, a.lost = 0, [kinds]int64{}
	a.reported = [kinds]bool{}
}

// time is the RTP time of a kind now.
func (a *actor) time(k kind) uint32 {
	return a.ts[k] + uint32(ticks(a.s.now-a.born, k.clock()))
}

// act sends what 10 ms have of sound and picture, and what was held up.
func (a *actor) act() {
	kept := a.held[:0]
	for _, h := range a.held {
		if h.steps--; h.steps > 0 {
			kept = append(kept, h)
		} else {
			a.deliver(h)
		}
	}
	a.held = kept
	if a.s.random.IntN(2) == 0 {
		a.seq[audio]++
		a.sound.seq, a.sound.ts = uint16(a.seq[audio]), a.time(audio)
		level := byte(a.s.random.IntN(128))
		a.sound.ext = []byte{0x10, level}
		a.send(&a.sound, a.name(audio, level))
	}
	if a.s.random.IntN(3) > 0 {
		a.frame()
	}
	if a.s.random.IntN(8) == 0 {
		a.probe()
	}
	if a.s.random.IntN(50) == 0 {
		a.turned = byte(a.s.random.IntN(16))
	}
}

// name is a payload by which a packet can be told from all others.
func (a *actor) name(k kind, extra byte) []byte {
	id := len(a.s.made)
	ts := a.time(k)
	a.s.made = append(a.s.made, made{by: a, kind: k, seq: a.seq[k], ts: ts, extra: extra})

	return binary.BigEndian.AppendUint64(nil, uint64(id))
}

// frame sends a picture of some packets.
func (a *actor) frame() {
	n := 1 + a.s.random.IntN(3)
	head := []byte{0x10, 1}
	if a.wantKey == 0 || a.s.random.IntN(60) == 0 {
		head[1] = 0
	}
	if a.wantKey >= 0 {
		a.wantKey--
	}
	for i := range n {
		a.seq[video]++
		r := &a.picture
		r.seq, r.ts, r.marker = uint16(a.seq[video]), a.time(video), i == n-1
		r.ext = []byte{0x40, a.turned}
		body := slices.Concat(head, bytes.Repeat([]byte{9}, a.s.random.IntN(40)), a.name(video, a.turned))
		head = []byte{0, 0}
		if r.pt = ptVP8; a.red {
			r.pt, body = ptRED, append([]byte{ptVP8}, body...)
		}
		a.recent[r.seq] = body
		a.send(r, body)
	}
	if a.red && len(a.protecting.group) > a.group {
		a.parity()
		if a.group = a.s.random.IntN(12); a.group == 0 {
			a.group = 30
		}
	}
}

// parity protects what was sent since the last.
func (a *actor) parity() {
	p := &a.protecting
	n := min(len(p.group), 48)
	mask := a.s.random.Uint64()>>16 | 1<<47 | 1<<(48-n)
	if a.s.random.IntN(2) == 0 {
		mask = 1<<48 - 1
	}
	mask &^= 1<<(48-n) - 1
	if n <= 16 {
		mask &^= 1<<32 - 1
	}
	var sum parity
	for i, b := range p.group[:n] {
		if mask>>(47-i)&1 != 0 && !sum.add(b, ptRED, ptFEC, &a.leg.media.Load().ext[video]) {
			a.s.t.Fatal("not to be protected")
		}
	}
	what := protection{base: p.base, mask: mask, long: n > 16}
	a.seq[video]++
	a.parities[a.seq[video]] = true
	r := raw{pt: ptRED, ssrc: a.picture.ssrc, seq: uint16(a.seq[video]), ts: a.picture.ts}
	a.protecting = protecting{}
	a.send(&r, sum.append([]byte{ptFEC}, what))
	a.protecting = protecting{} // it is not part of the next group
}

// probe sends padding or a repeat of something that was sent.
func (a *actor) probe() {
	if a.s.random.IntN(3) == 0 {
		a.rtx++
		r := raw{pt: ptRTX, ssrc: a.picture.ssrc + 2, seq: a.rtx, ts: a.picture.ts, pad: byte(1 + a.s.random.IntN(200))}
		a.send(&r, nil)
	} else {
		a.repeat(uint16(a.seq[video]) - uint16(a.s.random.IntN(20)))
	}
}

// repeat sends a packet again, on the stream for that, as libwebrtc does: with
// its header extensions in another order.
func (a *actor) repeat(seq uint16) {
	body, ok := a.recent[seq]
	if !ok {
		return
	}
	what := a.s.made[binary.BigEndian.Uint64(body[len(body)-8:])]
	a.rtx++
	r := raw{pt: ptRTX, ssrc: a.picture.ssrc + 2, seq: a.rtx, ts: what.ts, ext: []byte{0x40, what.extra}}
	if a.red {
		r.pt = ptREDRTX
	}
	a.send(&r, append([]byte{byte(seq >> 8), byte(seq)}, body...))
}

// send numbers a packet and gives it to the network.
func (a *actor) send(r *raw, body []byte) {
	a.number++
	r.ext = append(r.ext, 0x31, byte(a.number>>8), byte(a.number), secretExtension<<4, 0xaa)
	b := r.bytes(body...)
	r.ext = nil
	if a.red && r.ssrc == a.picture.ssrc {
		if len(a.protecting.group) == 0 {
			a.protecting.base = r.seq
		}
		a.protecting.group = append(a.protecting.group, b)
	}
	h := heldPacket{n: a.number, b: bytes.Clone(b)}
	switch random := a.s.random; {
	case random.Float64() < a.s.lossUp:
	case random.Float64() < a.s.held:
		h.steps, h.late = 1+random.IntN(4), true
		a.held = append(a.held, h)
	default:
		a.deliver(h)
	}
}

// deliver brings a packet to the relay.
func (a *actor) deliver(h heldPacket) {
	if a.s.former == a && h.late {
		a.s.seen.late++
	}
	a.fates[h.n], a.current, a.delivering, a.s.from = atRelay, h.n, bytes.Clone(h.b), a
	a.leg.receiveRTP(h.b, a.s.now, nil)
	a.s.from = nil
}

// hear checks what the actor is told: it must be about its own streams.
func (a *actor) hear() {
	for _, p := range a.out.takeControl() {
		for _, ssrc := range p.DestinationSSRC() {
			if ssrc != a.picture.ssrc && ssrc != a.sound.ssrc {
				a.s.t.Fatalf("actor %d is told of another's stream: %v", a.id, p)
			}
		}
		switch p := p.(type) {
		case *rtcp.PictureLossIndication:
			if a.wantKey < 0 {
				a.wantKey = a.s.random.IntN(4)
			}
		case *rtcp.TransportLayerNack:
			a.answer(p)
		case *rtcp.TransportLayerCC:
			a.hearArrivals(p)
		case *rtcp.ReceiverReport:
			a.hearReport(p)
		}
	}
}

// answer repeats most of what the relay misses.
func (a *actor) answer(p *rtcp.TransportLayerNack) {
	for _, pair := range p.Nacks {
		for _, seq := range pair.PacketList() {
			if ahead := int16(seq - uint16(a.seq[video])); ahead > 0 {
				a.s.t.Fatalf("asked for %d, sent up to %d", seq, uint16(a.seq[video]))
			}
			if a.s.random.IntN(3) > 0 {
				a.repeat(seq)
			}
		}
	}
}

// hearArrivals checks that what is told to have arrived has, once.
func (a *actor) hearArrivals(p *rtcp.TransportLayerCC) {
	for _, st := range statuses(p) {
		n := a.number + int64(int16(st.number-uint16(a.number)))
		fate, sent := a.fates[n]
		switch {
		case n > a.number:
			a.s.t.Fatalf("told of %d, sent up to %d", n, a.number)
		case !st.arrived:
			a.s.seen.denied++
		case !sent || fate == lostUp || fate == lostDown:
			a.s.t.Fatalf("told that %d arrived, which was lost: %v", n, fate)
		case fate == atRelay && a.told[n]: // a subscriber may say it again
			a.s.t.Fatalf("told twice of %d", n)
		default:
			a.told[n] = true
			a.s.seen.told++
		}
	}
}

// pick is one of the kinds.
func pick(random *rand.Rand) kind { return kind(random.IntN(int(kinds))) }
