package sfu

import (
	"bytes"
	"math/rand/v2"
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
	asked map[uint16]int
	high  uint16
	known bool

	repairs, lost int
}

// take is the memory's onMedia.
func (l *narrow) take(b []byte, now time.Duration, random *rand.Rand) {
	var p packet
	if !p.parse(b) {
		return
	}
	if p.pt == ptRTX {
		l.repairs += len(b)
	}
	l.busy = max(l.busy, now)
	if l.busy-now > time.Second || random.Float64() < l.loss {
		if p.pt != ptRTX {
			l.lost++
		}

		return
	}
	l.busy += time.Duration(float64(8*len(b)) / l.rate * float64(time.Second))
	l.came = append(l.came, delayed{l.busy, bytes.Clone(b)})
}

// TestJam: while the queue to a subscriber runs over, repairs are kept back, and
// a key frame is asked for when it does so no longer. Loss without a queue, and
// a queue without loss, are no jam.
func TestJam(t *testing.T) {
	for name, c := range map[string]struct {
		cut    bool
		loss   float64
		jammed bool
	}{"narrow": {true, 0, true}, "lossy": {false, 0.2, false}, "clean": {false, 0, false}} {
		t.Run(name, func(t *testing.T) {
			requests, refused, lossy := throughLink(t, c.cut, c.loss)
			if c.jammed != (refused > 0) || c.jammed != (requests > 0) {
				t.Errorf("%d requests refused, %d key frames asked for", refused, requests)
			}
			if !c.jammed && lossy != (c.loss > 0) {
				t.Errorf("repairs: %v", lossy)
			}
		})
	}
}

// throughLink sends 1.6 Mb/s for two seconds over a link that becomes narrow
// after one, if so, and then little. It returns how many key frames were asked
// for, how many requests came to nothing, and whether there were repairs.
func throughLink(t *testing.T, cut bool, loss float64) (requests, refused int, repaired bool) {
	t.Helper()
	publisher, subscriber, up, down, c := call(t)
	random := rand.New(rand.NewPCG(4, 4))
	recorder := twcc.NewRecorder(20)
	l := &narrow{rate: 20e6, loss: loss, asked: map[uint16]int{}}
	down.onMedia = func(b []byte) { l.take(b, c.now, random) }
	n := uint16(0)
	send := func(size int, key bool) {
		n++
		c.raw.ext = []byte{0x31, byte(n >> 8), byte(n)}
		c.raw.seq++
		c.raw.ts += 450
		body := append(bytes.Clone(deltaFrame), make([]byte, size)...)
		if key {
			copy(body, keyFrame)
		}
		publisher.receiveRTP(c.raw.bytes(body...), c.now, nil)
	}
	send(1000, true)
	up.takeControl()
	for step := range 1000 {
		c.now += 5 * time.Millisecond
		switch {
		case step < 400:
			send(1000, false)
		case step%8 == 0:
			send(1000, false)
		}
		if step == 200 && cut {
			l.rate = 500e3
		}
		var nacks []uint16
		for len(l.came) > 0 && l.came[0].at <= c.now {
			nacks = append(nacks, l.arrive(t, recorder)...)
		}
		for seq, asks := range l.asked {
			if asks < 10 && step%8 == 0 {
				l.asked[seq]++
				nacks = append(nacks, seq)
			}
		}
		if len(nacks) > 0 {
			before := subscriber.count.resent.Load()
			control(t, subscriber, c.now, &rtcp.TransportLayerNack{MediaSSRC: 21, Nacks: rtcp.NackPairsFromSequenceNumbers(nacks)})
			if subscriber.count.resent.Load() == before && publisher.to.to.Load().wide.jam.on {
				refused += len(nacks)
			}
		}
		if step%10 == 0 {
			for _, p := range recorder.BuildFeedbackPacket() {
				control(t, subscriber, c.now, p)
			}
		}
		for _, p := range up.takeControl() {
			if _, ok := p.(*rtcp.PictureLossIndication); ok {
				requests++
				send(1000, true)
			}
		}
	}

	return requests, refused, l.repairs > 0
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
		l.asked[l.high] = 1
		missing = append(missing, l.high)
	}
	l.high, l.known = p.seq, true

	return missing
}
