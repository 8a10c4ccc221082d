package sfu

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
)

// narrow is a subscriber's link with a queue of a second, and a subscriber who
// reports what has come and asks for what has not.
type narrow struct {
	rate  float64 // bit/s
	loss  float64
	busy  time.Duration // the queue is empty from then on
	came  []delayed
	asked map[uint16]int // in which step
	high  uint16
	known bool
}

// take is the memory's onMedia.
func (l *narrow) take(b []byte, now time.Duration, random *rand.Rand) {
	var p packet
	if !p.parse(b) {
		return
	}
	l.busy = max(l.busy, now)
	if l.busy-now > time.Second || random.Float64() < l.loss {
		return
	}
	l.busy += time.Duration(float64(8*len(b)) / l.rate * float64(time.Second))
	l.came = append(l.came, delayed{l.busy, bytes.Clone(b)})
}

// TestBacklog: while packets queue up on the way to a subscriber, what it lacks
// is repeated by the publisher, end to end, and not by the relay; where there is
// no queue it is the relay's to repeat.
func TestBacklog(t *testing.T) {
	for name, c := range map[string]struct {
		cut  bool
		loss float64
	}{"narrow": {true, 0}, "lossy": {false, 0.1}, "clean": {false, 0}} {
		t.Run(name, func(t *testing.T) {
			got := throughLink(t, c.cut, c.loss)
			if c.cut != (got.passed > 0) || (c.loss > 0) != (got.repaired > 0) {
				t.Errorf("%d requests were passed on, the relay repeated %d packets", got.passed, got.repaired)
			}
			if got.lacked > 0 {
				t.Errorf("%d packets of %d were never had", got.lacked, got.sent)
			}
		})
	}
}

// outcome is what became of what was sent over a link.
type outcome struct {
	sent     int
	passed   int    // numbers that the publisher was asked for
	repaired uint64 // packets that the relay sent again
	lacked   int
}

// throughLink sends 1.6 Mb/s over a link that becomes narrow after a second, if
// so, and then as little as a publisher's rate control would, repeats first.
func throughLink(t *testing.T, cut bool, loss float64) (got outcome) {
	t.Helper()
	publisher, subscriber, up, down, c := call(t)
	random := rand.New(rand.NewPCG(4, 4))
	recorder := twcc.NewRecorder(20)
	l := &narrow{rate: 20e6, loss: loss, asked: map[uint16]int{}}
	down.onMedia = func(b []byte) { l.take(b, c.now, random) }
	number, repeats := uint16(0), uint16(0)
	kept := map[uint16][]byte{}
	var wanted []uint16
	send := func(key bool) {
		number++
		got.sent++
		c.raw.ext = []byte{0x31, byte(number >> 8), byte(number)}
		c.raw.seq++
		c.raw.ts += 450
		body := append(bytes.Clone(deltaFrame), make([]byte, 1000)...)
		if key {
			copy(body, keyFrame)
		}
		kept[c.raw.seq] = body
		publisher.receiveRTP(c.raw.bytes(body...), c.now, nil)
	}
	repeat := func(seq uint16) {
		number++
		repeats++
		r := raw{pt: ptRTX, ssrc: 501, seq: repeats, ts: c.raw.ts, ext: []byte{0x31, byte(number >> 8), byte(number)}}
		publisher.receiveRTP(r.bytes(append([]byte{byte(seq >> 8), byte(seq)}, kept[seq]...)...), c.now, nil)
	}
	send(true)
	for step := range 3000 {
		c.now += 5 * time.Millisecond
		if step == 200 && cut {
			l.rate = 500e3
		}
		switch narrow := cut && step > 300; {
		case narrow && step%5 != 0:
		case narrow && len(wanted) > 0:
			repeat(wanted[0])
			wanted = wanted[1:]
		case step < 2800:
			send(false)
		}
		var nacks []uint16
		for len(l.came) > 0 && l.came[0].at <= c.now {
			nacks = append(nacks, l.arrive(t, recorder)...)
		}
		for seq, at := range l.asked {
			if step-at >= 100 {
				l.asked[seq] = step
				nacks = append(nacks, seq)
			}
		}
		if len(nacks) > 0 {
			slices.Sort(nacks)
			control(t, subscriber, c.now, &rtcp.TransportLayerNack{MediaSSRC: 21, Nacks: rtcp.NackPairsFromSequenceNumbers(nacks)})
		}
		if step%10 == 0 {
			for _, p := range recorder.BuildFeedbackPacket() {
				control(t, subscriber, c.now, p)
			}
		}
		for _, p := range up.takeControl() {
			if nack, ok := p.(*rtcp.TransportLayerNack); ok && nack.MediaSSRC == 500 {
				for _, pair := range nack.Nacks {
					for _, seq := range pair.PacketList() {
						got.passed++
						if !slices.Contains(wanted, seq) {
							wanted = append(wanted, seq)
						}
					}
				}
			}
		}
	}
	got.repaired, got.lacked = subscriber.count.resent.Load(), len(l.asked)

	return got
}

// arrive takes the next packet out of the queue and returns what is missing by it.
func (l *narrow) arrive(t *testing.T, recorder *twcc.Recorder) (missing []uint16) {
	t.Helper()
	d := l.came[0]
	l.came = l.came[1:]
	var p packet
	if !p.parse(d.b) {
		t.Fatal("malformed")
	}
	if v := p.find(3); len(v) == 2 {
		recorder.Record(p.ssrc, uint16(v[0])<<8|uint16(v[1]), d.at.Microseconds())
	}
	if p.pt == ptRTX {
		delete(l.asked, uint16(p.payload[0])<<8|uint16(p.payload[1]))

		return nil
	}
	for l.known && int16(p.seq-l.high) > 1 {
		l.high++
		l.asked[l.high] = 0
		missing = append(missing, l.high)
	}
	l.high, l.known = p.seq, true

	return missing
}

// TestBacklogOfUnlikePeers: where a peer could not answer, or its repeats could
// not be passed on, the relay repeats what is lost, whatever queues up.
func TestBacklogOfUnlikePeers(t *testing.T) {
	for name, c := range map[string]struct {
		change func(publisher, subscriber *media)
		relay  bool
	}{
		"alike":                         {func(_, _ *media) {}, false},
		"a publisher without repeats":   {func(p, _ *media) { p.payloads[ptVP8].repair = noPayload }, true},
		"a publisher that is not asked": {func(p, _ *media) { p.payloads[ptVP8].nack = false }, true},
		"a subscriber without repeats":  {func(_, s *media) { s.payloads[ptVP8].repair = noPayload }, true},
		"RED on both sides":             {func(p, s *media) { withRED(p, 0); withRED(s, 0) }, false},
		"a publisher that repeats no RED": {func(p, s *media) {
			withRED(p, 0).payloads[ptRED].repair = noPayload
			withRED(s, 0)
		}, true},
		"a subscriber that takes no repeats of RED": {func(p, s *media) {
			withRED(p, 0)
			withRED(s, 0).payloads[ptRED].repair = noPayload
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := testMedia(10), testMedia(20)
			c.change(p, s)
			q := queueUp(t, p, s, 10)
			asked := q.ask(t, q.sent[3:4])
			if relay := len(q.down.repairs) == 1; relay != c.relay || relay == (len(asked) > 0) {
				t.Errorf("the relay sent %d repeats, the publisher was asked for %v", len(q.down.repairs), asked)
			}
		})
	}
}

// TestLargeNACK: however a subscriber asks, the publisher is asked for no more
// than the relay would repeat itself, and what is counted is what was asked for.
func TestLargeNACK(t *testing.T) {
	q := queueUp(t, testMedia(10), testMedia(20), 4000)
	var apart []uint16
	for i := range 200 {
		apart = append(apart, q.sent[i*20])
	}
	for name, list := range map[string][]uint16{"in a row": q.sent[:1000], "apart": apart} {
		before := q.publisher.count.nacksSent.Load()
		asked := q.ask(t, list)
		if counted := q.publisher.count.nacksSent.Load() - before; len(asked) != maxRepairs || counted != maxRepairs {
			t.Errorf("%s: asked for %d packets and counted %d, want %d", name, len(asked), counted, maxRepairs)
		}
	}
}

// queued are two peers between whom packets queue up.
type queued struct {
	publisher, subscriber *leg
	up, down              *memory
	sent                  []uint16 // as the subscriber knows them
	now                   time.Duration
}

// queueUp wires two peers and sends so many packets.
func queueUp(t *testing.T, p, s *media, packets int) *queued {
	t.Helper()
	q := &queued{}
	q.publisher, q.up = newTestLeg(10)
	q.subscriber, q.down = newTestLeg(20)
	q.publisher.media.Store(p)
	q.subscriber.media.Store(s)
	wire(t, q.publisher, q.subscriber)
	c := newCamera(q.publisher, 500)
	c.frame(keyFrame)
	for range packets {
		c.frame(deltaFrame)
	}
	for _, p := range q.down.sent(t, video) {
		q.sent = append(q.sent, p.seq)
	}
	q.up.takeControl()
	q.publisher.to.to.Load().wide.backlog.on = true
	q.now = c.now

	return q
}

// ask has the subscriber ask for packets and returns what the publisher is asked
// for.
func (q *queued) ask(t *testing.T, list []uint16) (asked []uint16) {
	t.Helper()
	control(t, q.subscriber, q.now+time.Second, &rtcp.TransportLayerNack{MediaSSRC: 21, Nacks: rtcp.NackPairsFromSequenceNumbers(list)})
	for _, p := range q.up.takeControl() {
		if nack, ok := p.(*rtcp.TransportLayerNack); ok && nack.MediaSSRC == 500 {
			for _, pair := range nack.Nacks {
				asked = append(asked, pair.PacketList()...)
			}
		}
	}

	return asked
}
