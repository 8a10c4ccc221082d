package sfu

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// nonces fails the test if one SSRC and sequence number is sent twice with
// different bytes: that would use a nonce of the encryption twice.
type nonces struct {
	t    testing.TB
	last map[string][]byte
	seqs []string
}

func newNonces(t testing.TB) *nonces { return &nonces{t: t, last: map[string][]byte{}} }

func (n *nonces) see(b []byte) {
	var p packet
	if !p.parse(b) {
		n.t.Fatalf("sent a malformed packet: %x", b)
	}
	key := fmt.Sprint(p.ssrc, p.seq)
	if before, ok := n.last[key]; ok && !bytes.Equal(before, b) {
		n.t.Fatalf("SSRC %d sequence %d was sent twice and differs", p.ssrc, p.seq)
	}
	n.last[key] = bytes.Clone(b)
	n.seqs = append(n.seqs, key)
	if len(n.seqs) > 1<<14 { // sequence numbers come round again
		delete(n.last, n.seqs[0])
		n.seqs = n.seqs[1:]
	}
}

// TestContinuity: over many partners, with loss, reordering and repeats on the
// way, the subscriber sees one stream in which nothing is used twice, time
// never goes back, and each picture begins with a key frame.
func TestContinuity(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { continuity(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func continuity(t *testing.T, random *rand.Rand) {
	rs := newRooms()
	subscriber, _ := newTestLeg(1)
	rs.setReady(subscriber, 0)
	check := newNonces(t)
	type point struct{ seq, ts int64 }
	var highest point
	started, waiting := false, false
	subscriber.out.(*memory).onMedia = func(b []byte) {
		check.see(b)
		var p packet
		p.parse(b)
		at := point{seq: highest.seq + int64(int16(p.seq-uint16(highest.seq))), ts: highest.ts + int64(int32(p.ts-uint32(highest.ts)))}
		if waiting && !vp8KeyFrame(p.payload) {
			t.Fatal("a picture does not begin with a key frame")
		}
		if started && waiting && (at.seq != highest.seq+1 || at.ts <= highest.ts) {
			t.Fatalf("the new picture is at %v after %v", at, highest)
		}
		if started && (at.seq > highest.seq) != (at.ts > highest.ts) && at != highest {
			t.Fatalf("sequence and time disagree: %v after %v", at, highest)
		}
		if !started || at.seq > highest.seq {
			highest = at
		}
		started, waiting = true, false
	}
	now := time.Duration(0)
	for partner := range 12 {
		publisher, _ := newTestLeg(uint32(100 * (partner + 2)))
		rs.setReady(publisher, now)
		waiting = true
		for _, l := range []*leg{subscriber, publisher} {
			if _, err := rs.join(l, "room", now); err != nil {
				t.Fatal(err)
			}
		}
		now = sendBadly(publisher, random, now)
		rs.leave(publisher)
		rs.leave(subscriber)
		now += time.Duration(random.IntN(3000)) * time.Millisecond
	}
}

// sendBadly sends some hundred frames of one packet, not all of them, not all
// in order, some twice.
func sendBadly(l *leg, random *rand.Rand, now time.Duration) time.Duration {
	r := raw{pt: ptVP8, ssrc: random.Uint32(), seq: uint16(random.Uint32()), ts: random.Uint32()}
	var held [][]byte
	for i := range 300 {
		now += 33 * time.Millisecond
		r.seq++
		r.ts += 3000
		body := deltaFrame
		if i%50 == 7 {
			body = keyFrame
		}
		b := r.bytes(body...)
		switch random.IntN(10) {
		case 0: // lost
		case 1:
			held = append(held, b)
		case 2:
			l.receiveRTP(b, now, nil)
			l.receiveRTP(b, now, nil)
		default:
			l.receiveRTP(b, now, nil)
		}
		if random.IntN(10) == 0 {
			for _, b := range held {
				l.receiveRTP(b, now, nil)
			}
			held = nil
		}
	}

	return now
}

func TestFlowKeepsElapsedTime(t *testing.T) {
	var f flow
	f.kind = video
	where := tail{started: true, seq: 65535, ts: 1<<32 - 10, at: time.Second}
	p := packet{seq: 500, ts: 77}
	f.begin(&where, &p, 65536+500, 0, false, 3*time.Second)
	f.rewrite(&where, &p, 3*time.Second)
	if want := uint32(180000 - 10); p.seq != 0 || p.ts != want {
		t.Errorf("seq %d ts %d, want 0 and %d", p.seq, p.ts, want)
	}
	if !f.before(65536+499) || f.before(65536+501) || f.before(2*65536) {
		t.Error("before is wrong")
	}
}

// TestFlowSendsNothingTwice, whatever its caller believes.
func TestFlowSendsNothingTwice(t *testing.T) {
	var f flow
	where := newTail(7)
	first := packet{seq: 500}
	f.begin(&where, &first, 500, 0, false, 0)
	for i, tc := range []struct {
		seq  uint16
		want bool
	}{{500, true}, {500, false}, {502, true}, {501, true}, {501, false}, {502, false}, {503 + lossWindow, true}, {503, false}} {
		p := packet{seq: tc.seq}
		if _, ok := f.rewrite(&where, &p, 0); ok != tc.want {
			t.Errorf("%d: packet %d: %v", i, tc.seq, ok)
		}
	}
}

func TestPlayoutDelaySequence(t *testing.T) {
	var f flow
	f.kind = video
	var where tail
	p := packet{}
	f.begin(&where, &p, 0, 0, false, 0)
	var got [3]int
	for i := range 40 {
		p := packet{seq: uint16(i), ts: uint32(i) * 3000}
		delay, ok := f.rewrite(&where, &p, 0)
		if !ok {
			t.Fatalf("packet %d may not be sent", i)
		}
		got[delay]++
	}
	if want := [3]int{40 - 2*playoutFrames, playoutFrames, playoutFrames}; got != want {
		t.Errorf("none, now, free: %v, want %v", got, want)
	}
}

// FuzzRewriteRTP feeds the relay what strangers may send: nothing may panic,
// nothing of the publisher may cross, no nonce may be used twice.
func FuzzRewriteRTP(f *testing.F) {
	key := raw{pt: ptVP8, ssrc: 7, seq: 9, ext: []byte{0x40, 1, 0x31, 0, 0}}.bytes(keyFrame...)
	f.Add(append([]byte{byte(len(key))}, key...), uint16(33))
	rtx := raw{pt: ptRTX, ssrc: 8, seq: 1, pad: 4}.bytes(append([]byte{0, 9}, keyFrame...)...)
	f.Add(append(append([]byte{byte(len(key))}, key...), append([]byte{byte(len(rtx))}, rtx...)...), uint16(1))
	f.Fuzz(func(t *testing.T, stream []byte, step uint16) {
		publisher, subscriber := pairInMemory(t)
		check := newNonces(t)
		subscriber.out.(*memory).onMedia = func(b []byte) {
			check.see(b)
			var p packet
			p.parse(b)
			m := subscriber.media.Load()
			if p.ssrc != m.ssrc[audio] && p.ssrc != m.ssrc[video] && p.ssrc != m.repair {
				t.Fatalf("SSRC %d crossed", p.ssrc)
			}
			if v := p.find(m.ext[video].transportCC); v != nil {
				n := uint16(v[0])<<8 | uint16(v[1])
				if _, ok := subscriber.from.to.Load().wide.span.Load().back(n); !ok {
					t.Fatalf("number %d is not of this wiring", n)
				}
			}
		}
		now := time.Duration(0)
		for len(stream) > 0 {
			n := min(int(stream[0]), len(stream)-1)
			publisher.receiveRTP(stream[1:1+n], now, nil)
			stream = stream[1+n:]
			now += time.Duration(step) * time.Millisecond
		}
	})
}
