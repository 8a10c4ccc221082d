package sfu

import (
	"sync/atomic"
	"time"
)

// route is one direction of one pair for as long as the two are wired: what
// the publisher sends is rewritten here for the subscriber. Its plain fields
// belong to the publisher's media goroutine; see gate for how they change hands.
type route struct {
	publisher, subscriber *leg

	payloads [128]uint8 // the publisher's payload types to the subscriber's
	in, out  *media
	flows    [kinds]flow
	ext      outExtensions
	buf      []byte

	// timestamps holds, once a flow has begun, 1<<32 plus its timestamp offset,
	// for the publisher's sender reports.
	timestamps [kinds]atomic.Uint64
	key        keyRequest
	estimate   downlinkEstimate
}

func newRoute(publisher, subscriber *leg) *route {
	r := &route{
		publisher: publisher, subscriber: subscriber,
		in: publisher.media.Load(), out: subscriber.media.Load(),
		buf: make([]byte, 0, maxPacket+64),
	}
	r.payloads = translate(r.in, r.out)
	for k := range r.flows {
		r.flows[k].kind = kind(k)
	}

	return r
}

// wantsVideo reports whether there is a picture to wait for.
func (r *route) wantsVideo() bool {
	return r.in.sends[video].name != codecNone && r.out.receives[video]
}

// forward rewrites p, whose extended sequence number is seq, and sends it. It
// returns true if a flow began with it.
func (r *route) forward(p *packet, seq int64, c codec, now time.Duration, via *burst) (began bool) {
	pt := r.payloads[p.pt]
	if pt == noPayload {
		r.publisher.count.dropped[dropCodec].Add(1)

		return false
	}
	k := c.kind()
	f, d := &r.flows[k], &r.subscriber.down[k]
	isKey := k == video && keyFrameStart(c.name, p.payload)
	switch {
	case !f.started && k == video && !isKey:
		r.publisher.count.dropped[dropWaiting].Add(1)

		return false
	case !f.started:
		f.begin(&d.tail, p, seq, c.clock(), now)
		r.timestamps[k].Store(1<<32 | uint64(f.tsOff))
		began = true
	case f.before(seq):
		r.publisher.count.dropped[dropWaiting].Add(1)

		return false
	}
	if isKey {
		r.key.passed()
		r.publisher.count.keyFrames.Add(1)
	}
	r.send(p, f, d, pt, now, via)

	return began
}

func (r *route) send(p *packet, f *flow, d *downTrack, pt uint8, now time.Duration, via *burst) {
	k := f.kind
	delay := f.rewrite(&d.tail, p, now)
	p.pt, p.ssrc = pt, d.ssrc
	r.ext.fill(p, &r.in.ext[k], &r.out.ext[k], delay, now)
	b := appendHeader(r.buf[:0], p, r.ext.n > 0)
	if r.ext.n > 0 {
		b = r.ext.append(b)
	}
	b = append(b, p.payload...)
	if sent := d.ring.Load(); sent != nil {
		sent.store(p.seq, b, now)
	}
	if err := r.subscriber.out.sendRTP(via, k, b); err != nil {
		r.publisher.count.dropped[dropSend].Add(1)

		return
	}
	d.packets.Add(1)
	d.octets.Add(uint32(len(p.payload)))
	r.subscriber.count.sentPackets.Add(1)
	r.subscriber.count.sentBytes.Add(uint64(len(b)))
}

// restart makes the next packet of kind k begin a new flow: the publisher's
// own stream has begun anew.
func (r *route) restart(k kind, now time.Duration) {
	r.flows[k].started = false
	r.timestamps[k].Store(0)
	if k == video {
		r.key.start(now)
	}
}
