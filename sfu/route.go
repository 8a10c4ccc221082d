package sfu

import (
	"math"
	"time"
)

// route is one direction of one pair for as long as the two are wired: what
// the publisher sends is rewritten here for the subscriber, and what the
// subscriber says about it for the publisher. Its plain fields belong to the
// publisher's media goroutine; see gate for how they change hands.
type route struct {
	publisher, subscriber *leg

	payloads [128]uint8 // the publisher's payload types to the subscriber's
	in, out  *media
	flows    [kinds]flow
	ext      outExtensions
	buf      []byte
	// protects says that the subscriber takes parity; filler is the payload
	// type of a packet without a payload, and sum what parity is made in.
	protects bool
	filler   uint8
	sum      *parity
	// answers says that what the subscriber has lost can be asked of the publisher:
	// it repeats it, and the repeats reach the subscriber as such.
	answers bool
	// begun is when the publisher was first asked for sender reports, askedAt when last.
	begun, askedAt time.Duration

	key      keyRequest
	estimate downlinkEstimate
	wide     wideRoute
	returned reportRoute
}

func newRoute(publisher, subscriber *leg) *route {
	r := &route{
		publisher: publisher, subscriber: subscriber,
		in: publisher.media.Load(), out: subscriber.media.Load(),
		buf:     make([]byte, 0, maxPacket+64),
		askedAt: -askGap,
	}
	r.payloads = translate(r.in, r.out)
	r.filler = r.out.payloadFor(r.in.sends[video])
	if r.protects = r.out.red != 0 && r.out.fec != 0 && r.in.red != 0; r.protects {
		r.sum = &parity{}
	}
	for k := range r.flows {
		r.flows[k].kind = kind(k)
		r.wide.on[k] = r.in.wide(kind(k)) && r.out.wide(kind(k))
	}
	r.answers = r.wide.on[video] && r.in.repairs() && r.repeats()

	return r
}

// repeats reports whether both ends have a retransmission for all that the
// publisher's picture comes in.
func (r *route) repeats() bool {
	pt := r.in.payloadFor(r.in.sends[video])

	return r.out.repair != 0 && r.in.retransmits(pt) && r.out.retransmits(r.payloads[pt]) &&
		(r.in.red == 0 || r.in.retransmits(r.in.red)) && (!r.protects || r.out.retransmits(r.out.red))
}

// wantsVideo reports whether there is a picture to wait for.
func (r *route) wantsVideo() bool {
	return r.in.sends[video].name != codecNone && r.wants(video)
}

// wants reports whether the subscriber is to be sent anything of this kind.
func (r *route) wants(k kind) bool {
	return r.out.receives[k] && !r.subscriber.unwanted[k].Load()
}

// forward rewrites p, whose extended sequence number is seq, and sends it. It
// returns whether a flow began with it, and whether it went out with its
// transport-wide number.
func (r *route) forward(p *packet, seq int64, c codec, now time.Duration, via *burst) (began, numbered bool) {
	k := c.kind()
	f, d := &r.flows[k], &r.subscriber.down[k]
	if f.skips(seq) {
		r.restart(k, now)
	}
	if !r.wants(k) {
		r.publisher.count.dropped[dropUnwanted].Add(1)
		if f.started {
			r.restart(k, now)
		}

		return false, false
	}
	parity := c.name == codecULPFEC
	if parity && r.filler == noPayload || !parity && !r.translate(p, c, f) {
		r.publisher.count.dropped[dropCodec].Add(1)

		return false, false
	}
	isKey := k == video && keyFrameStart(c.name, p.payload)
	switch {
	case !f.started && k == video && !isKey, f.started && f.before(seq):
		r.publisher.count.dropped[dropWaiting].Add(1)

		return false, false
	case !f.started:
		line, known := r.offset(k, p.ts, now)
		f.begin(&d.tail, p, seq, line, known, now)
		r.synchronize(k, p.ts, now, via)
		began = true
	default:
		f.span.Load().extend(seq)
		if now >= f.lookAt {
			r.synchronize(k, p.ts, now, via)
		}
	}
	if isKey {
		r.key.passed()
		r.publisher.count.keyFrames.Add(1)
	}
	if parity {
		r.protect(p, seq, f, d)
	}

	return began, r.send(p, f, d, now, via)
}

// translate gives p, of codec c and flow f, the payload types by which the
// subscriber knows what it is. It returns false if it does not know it at all.
// Sound of before the flow is taken out of what repeats it.
func (r *route) translate(p *packet, c codec, f *flow) bool {
	pt := r.payloads[p.pt]
	switch {
	case len(p.payload) == 0:
		if pt == noPayload {
			pt = r.filler
		}
	case c.name == codecAudioRED:
		inner, block, back, ok := primary(p.payload)
		if !ok {
			return false
		}
		if pt == noPayload || !f.has(p.ts, back) || !translateRED(p.payload, &r.payloads) {
			pt, p.payload = r.payloads[inner], block
		}
	case p.red && r.protects:
		p.block, pt = pt, r.out.red
		if p.block == noPayload {
			return false
		}
	}
	p.pt = pt

	return pt != noPayload
}

// protect makes p, a parity packet, one over the packets that the subscriber
// was sent. If it takes none, if one of them is not there, or if p is too short
// to be parity over them and would make the relay send what nobody paid for, p
// becomes padding: its number must not be missing.
func (r *route) protect(p *packet, seq int64, f *flow, d *downTrack) {
	var what protection
	if r.protects && p.red && what.parse(p.payload) {
		base := seq + int64(int16(what.base-uint16(seq)))
		what.base += f.seqOff
		if sent := d.ring.Load(); sent != nil && base >= f.first && r.add(sent, what, len(p.payload)+fecGrowth) {
			p.pt, p.block = r.out.red, r.out.fec
			p.payload = r.sum.append(r.sum.packet[:0], what)

			return
		}
	}
	p.pt, p.block, p.payload, p.padding = r.filler, 0, nil, 1
}

// add sums up what is protected. It returns false if a part of it is missing, or
// the parity over it would be longer than most.
func (r *route) add(sent *ring, what protection, most int) bool {
	r.sum.reset()
	for {
		if r.sum.length(what) > most {
			return false
		}
		distance, ok := what.next()
		if !ok {
			return true
		}
		b, ok := sent.peek(what.base+distance, r.sum.packet[:0])
		if !ok || !r.sum.add(b, r.out.red, r.out.fec, &r.out.ext[video]) {
			return false
		}
	}
}

// send sends the packet p of a flow; its payload type is the subscriber's. What
// only protects or fills is not kept: it is of no use later.
//
// A packet that is kept is written straight into the ring, and its slot given
// free when it has been sent: so nobody can repeat it before, and the processor
// need not wait for memory to take what was written, which it does meanwhile.
func (r *route) send(p *packet, f *flow, d *downTrack, now time.Duration, via *burst) (numbered bool) {
	k := f.kind
	delay, ok := f.rewrite(&d.tail, p, now)
	if !ok {
		r.publisher.count.dropped[dropStale].Add(1)

		return false
	}
	p.ssrc = d.ssrc
	b, kept := r.buf[:0], r.claim(p, d, now)
	if kept != nil {
		b = kept.data[:0]
	}
	b, numbered = r.header(b, p, k, delay, now)
	b = appendBody(b, p)
	err := r.subscriber.out.sendRTP(via, k, b)
	if kept != nil {
		kept.keep(len(b), err == nil)
	}
	if !r.delivered(err, b) {
		return numbered
	}
	d.packets.Add(1)
	d.octets.Add(uint32(len(p.payload)))

	return numbered
}

// claim gives the packet p a slot in the ring, if there is one and it is to be
// kept.
func (r *route) claim(p *packet, d *downTrack, now time.Duration) *slot {
	sent := d.ring.Load()
	switch {
	case sent == nil:
		return nil
	case len(p.payload) == 0, p.block != 0 && p.block == r.out.fec:
		sent.pass(p.seq, now)

		return nil
	}

	return sent.claim(p.seq, maxHeader+len(p.payload), now)
}

// header appends the beginning of an outgoing packet to b: everything before the
// payload.
func (r *route) header(b []byte, p *packet, k kind, delay playout, now time.Duration) (_ []byte, numbered bool) {
	out := &r.out.ext[k]
	r.ext.n = 0
	var n uint16
	if n, numbered = r.wide.number(p, k, r.subscriber, now); numbered {
		r.ext.number(out, n)
	} else if !r.wide.on[k] || r.wide.deaf.Load() {
		r.ext.sendTime(out, now)
	}
	r.ext.fill(p, &r.in.ext[k], out, delay)
	b = appendHeader(b, p, r.ext.n > 0)
	if r.ext.n > 0 {
		b = r.ext.append(b)
	}

	return b, numbered
}

// appendBody appends the payload, or the padding of a packet that has nothing
// else: it is there to take up the path.
func appendBody(b []byte, p *packet) []byte {
	if p.block != 0 {
		b = append(b, p.block)
	}
	b = append(b, p.payload...)
	if len(p.payload) == 0 && p.padding > 0 {
		b[0] |= 0x20
		for range p.padding {
			b = append(b, 0)
		}
		b[len(b)-1] = p.padding
	}

	return b
}

// delivered counts the packet b, whose sending returned err.
func (r *route) delivered(err error, b []byte) bool {
	if err != nil {
		r.publisher.count.dropped[dropSend].Add(1)

		return false
	}
	r.subscriber.count.sentPackets.Add(1)
	r.subscriber.count.sentBytes.Add(uint64(len(b)))

	return true
}

// repeatsNothing stands for the number of the packet that padding repeats.
const repeatsNothing = math.MinInt64

// passesRepeats reports whether what the publisher sends again reaches the
// subscriber as such.
func (r *route) passesRepeats() bool {
	return r.wide.on[video] && r.out.repair != 0 && r.wants(video)
}

// probe passes on a packet of the publisher's retransmission stream that
// repeats what has arrived, or nothing: it finds out how much the path takes,
// so it has to go all the way. seq is what it repeats, extended. It returns
// false if it cannot be passed on.
func (r *route) probe(p *packet, seq int64, now time.Duration, via *burst) bool {
	f, d := &r.flows[video], &r.subscriber.down[video]
	if !f.started || p.number == 0 || !r.passesRepeats() {
		return false
	}
	if seq < f.first { // the subscriber knows another packet by that number
		p.padding = uint8(min(max(int(p.padding), len(p.payload)), 255))
		p.payload = nil
		if p.padding == 0 {
			return false
		}
	}
	if !r.translate(p, r.in.payloads[p.pt].codec, f) {
		return false
	}
	repair := r.out.payloads[p.pt].repair
	if repair == noPayload {
		return false
	}
	d.repairs.mu.Lock()
	defer d.repairs.mu.Unlock()
	p.pt, p.ssrc, p.seq = repair, r.out.repair, d.repairs.next()
	p.ts += f.tsOff
	b, numbered := r.header(r.buf[:0], p, video, playoutNone, now)
	if !numbered {
		d.repairs.seq-- // it goes to the next

		return false
	}
	if len(p.payload) > 0 {
		out := f.span.Load().out(seq)
		b = append(b, byte(out>>8), byte(out))
	}
	b = appendBody(b, p)
	r.delivered(r.subscriber.out.sendRepair(via, b, ownNumbers), b)

	return true
}

// restart makes the next packet of kind k begin a new flow: the publisher's
// own stream has begun anew, or the subscriber wants it no more.
func (r *route) restart(k kind, now time.Duration) {
	r.flows[k].started = false
	if k == video {
		r.key.start(now)
	}
}
