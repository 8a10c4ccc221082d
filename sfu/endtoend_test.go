package sfu

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
)

// browser is a client in a simulation of calls: it numbers all that it sends,
// reports on all that it gets, and remembers what it was told.
type browser struct {
	t      *testing.T
	random *rand.Rand
	leg    *leg
	out    *memory
	now    *time.Duration
	skew   time.Duration // its clock
	// loss of its network, each way
	loss float64

	number         int64 // of the next packet
	picture, sound raw
	reached        map[int64]bool // numbers that got as far as they could
	told           map[int64]bool // numbers that it was told arrived
	denied         map[int64]bool // and that did not
	feedbacks      int
	recorder       *twcc.Recorder
	lastOut        uint16
	started        bool
	first          bool // the next numbered packet is the first of a wiring
	partner        *browser
	lastTold       time.Duration
	lastReport     time.Duration
}

func newBrowser(t *testing.T, random *rand.Rand, rs *rooms, id uint32, now *time.Duration) *browser {
	b := &browser{
		t: t, random: random, now: now, number: 1<<16 | int64(random.IntN(1<<16)), loss: 0.05,
		skew:    time.Duration(random.Int64N(int64(100 * time.Hour))),
		picture: raw{pt: ptVP8, ssrc: id + 100, seq: uint16(random.Uint32()), ts: random.Uint32(), marker: true},
		sound:   raw{pt: ptOpus, ssrc: id + 101, seq: uint16(random.Uint32()), ts: random.Uint32()},
		reached: map[int64]bool{}, told: map[int64]bool{}, denied: map[int64]bool{},
		recorder: twcc.NewRecorder(id),
	}
	b.leg, b.out = newTestLeg(id)
	b.out.onMedia = b.receive
	rs.setReady(b.leg, 0)

	return b
}

// receive takes a packet from the relay. The partner's number, as the payload
// has it, tells what it was.
func (b *browser) receive(packetBytes []byte) {
	var p packet
	if !p.parse(packetBytes) {
		b.t.Fatal("malformed")
	}
	v := p.find(3)
	if len(v) != 2 {
		b.t.Fatalf("a packet without a number: %+v", p)
	}
	n := uint16(v[0])<<8 | uint16(v[1])
	if b.first && b.started && n != b.lastOut+1 {
		b.t.Fatalf("the wiring begins at %d after %d", n, b.lastOut)
	}
	b.first = false
	if !b.started || int16(n-b.lastOut) > 0 {
		b.lastOut, b.started = n, true
	}
	if b.random.Float64() < b.loss {
		delete(b.partner.reached, b.partner.number) // it is the one on its way

		return
	}
	b.recorder.Record(p.ssrc, n, (*b.now + b.skew + 20*time.Millisecond).Microseconds())
}

// send sends one packet; lost says that it does not get to the relay.
func (b *browser) send(r *raw, body []byte) {
	b.number++
	r.seq++
	r.ts += 960
	r.ext = []byte{0x31, byte(b.number >> 8), byte(b.number)}
	if b.random.Float64() < b.loss {
		return
	}
	b.reached[b.number] = true
	b.leg.receiveRTP(r.bytes(body...), *b.now, nil)
}

// talk sends 20 ms of sound and picture and reports on what came.
func (b *browser) talk(step int) {
	b.send(&b.sound, []byte{1, 2, 3})
	body := deltaFrame
	if step%8 == 5 {
		body = keyFrame
	}
	for range 1 + b.random.IntN(3) {
		b.send(&b.picture, body)
		body = []byte{0, 0, 1}
	}
	if step%3 == 0 {
		for _, p := range b.recorder.BuildFeedbackPacket() {
			control(b.t, b.leg, *b.now, p)
		}
	}
	b.hear()
}

// hear checks what the relay told.
func (b *browser) hear() {
	for _, p := range b.out.takeControl() {
		cc, ok := p.(*rtcp.TransportLayerCC)
		if !ok {
			continue
		}
		if cc.FbPktCount != uint8(b.feedbacks) || cc.SenderSSRC != b.leg.self() {
			b.t.Fatalf("feedback %v, number %d expected", cc, b.feedbacks)
		}
		b.feedbacks++
		for _, s := range statuses(cc) {
			n := b.number + int64(int16(s.number-uint16(b.number)))
			switch {
			case n > b.number:
				b.t.Fatalf("told of %d, sent up to %d", n, b.number)
			case !s.arrived:
				b.denied[n] = true
			case !b.reached[n]:
				b.t.Fatalf("told that %d arrived, which was lost", n)
			case b.told[n]:
				b.t.Fatalf("told twice of %d", n)
			default:
				b.told[n] = true
				b.follow(s.at)
			}
		}
	}
}

// follow checks that the clock that arrivals are told in goes with the time.
func (b *browser) follow(at time.Duration) {
	passed, real := at-b.lastTold, *b.now-b.lastReport
	if off := passed - real; b.lastReport != 0 && (off > time.Second || off < -time.Second) {
		b.t.Fatalf("arrivals are told at %v after %v, when %v have passed", at, b.lastTold, real)
	}
	b.lastTold, b.lastReport = at, *b.now
}

// TestWideEndToEnd: over many partners, with loss both ways, each packet that
// got as far as it could is told to its sender as arrived, once; no other one is.
func TestWideEndToEnd(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { endToEnd(t, rand.New(rand.NewPCG(seed, 9)), 125) })
	}
}

func endToEnd(t *testing.T, random *rand.Rand, switches int) {
	rs, now := newRooms(), time.Second
	var all []*browser
	for i := range 4 {
		all = append(all, newBrowser(t, random, rs, uint32(1000*(i+1)), &now))
	}
	steps := func(n int) {
		for step := range n {
			now += 20 * time.Millisecond
			for _, b := range all {
				b.talk(step)
			}
		}
	}
	for i := range switches {
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		couple := all[:2]
		couple[0].partner, couple[1].partner = couple[1], couple[0]
		for _, b := range couple {
			b.first = true
			if _, err := rs.join(b.leg, fmt.Sprint(i), now); err != nil {
				t.Fatal(err)
			}
		}
		steps(random.IntN(60))
		if random.IntN(4) == 0 {
			couple[0].leg.want(video, false, now)
			steps(random.IntN(30))
			couple[0].leg.want(video, true, now)
			steps(random.IntN(30))
		}
		for _, b := range couple {
			rs.leave(b.leg)
		}
		steps(random.IntN(20))
	}
	for _, b := range all {
		missing := 0
		for n := range b.reached {
			if !b.told[n] && n < b.number-50 {
				missing++
			}
		}
		t.Logf("%d packets, %d told, %d denied, %d missing", len(b.reached), len(b.told), len(b.denied), missing)
		if missing > len(b.reached)/10 { // what is on its way at the end of a wiring
			t.Errorf("%d packets of %d were never told of", missing, len(b.reached))
		}
	}
}

// TestDeafForAWhile: a subscriber whose first feedback does not come through
// for seconds is heard of when it does.
func TestDeafForAWhile(t *testing.T) {
	_, subscriber, _, _, c := call(t)
	recorder, numbered := twcc.NewRecorder(1), 0
	subscriber.out.(*memory).onMedia = func(b []byte) {
		var p packet
		if p.parse(b); len(p.find(3)) == 2 {
			numbered++
			recorder.Record(21, uint16(p.find(3)[0])<<8|uint16(p.find(3)[1]), c.now.Microseconds())
		}
	}
	for i := range 300 {
		c.raw.ext = []byte{0x31, byte(i >> 8), byte(i)}
		c.frame(deltaFrame)
		if i%3 != 0 {
			continue
		}
		for _, p := range recorder.BuildFeedbackPacket() {
			if c.now > 5*time.Second {
				control(t, subscriber, c.now, p)
			}
		}
	}
	if !subscriber.from.to.Load().wide.heard.Load() || numbered < 150 {
		t.Errorf("%d of 300 packets had a number", numbered)
	}
}

// TestDeafSubscriber: to one that never gives feedback the relay stops sending
// numbers, and gives the feedback itself.
func TestDeafSubscriber(t *testing.T) {
	_, subscriber, up, down, c := call(t)
	number := byte(0)
	told := 0
	for range 120 {
		number++
		c.raw.ext = []byte{0x31, 0, number}
		c.frame(deltaFrame)
		for _, p := range up.takeControl() {
			if cc, ok := p.(*rtcp.TransportLayerCC); ok {
				told += len(statuses(cc))
			}
		}
	}
	sent := down.sent(t, video)
	last := &sent[len(sent)-2]
	if last.find(3) != nil { // one of those that try
		last = &sent[len(sent)-1]
	}
	if sent[10].find(3) == nil || last.find(3) != nil || last.find(2) == nil {
		t.Errorf("extensions %x, at last %x", sent[10].ext, last.ext)
	}
	if told < 50 {
		t.Errorf("the publisher was told of %d packets", told)
	}
	if subscriber.from.to.Load().wide.heard.Load() {
		t.Error("heard of nobody")
	}
	tries := 0
	for _, p := range sent[70:] {
		if p.find(3) != nil {
			tries++
		}
	}
	if tries < 2 || tries > 5 {
		t.Errorf("%d of %d packets were sent with their numbers", tries, len(sent)-70)
	}
	var w ccWriter
	n := sent[10].find(3)
	w.add(uint16(n[0])<<8|uint16(n[1]), true, 0)
	subscriber.receiveRTCP(w.flush(1, 21, 0), c.now, nil)
	c.frame(deltaFrame)
	sent = down.sent(t, video)
	if last := &sent[len(sent)-1]; last.find(3) == nil || last.find(2) != nil {
		t.Errorf("after it was heard of: %x", last.ext)
	}
}
