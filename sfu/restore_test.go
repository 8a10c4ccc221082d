package sfu

import (
	"bytes"
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// protecting is a publisher that protects what it sends in RED.
type protecting struct {
	raw   raw
	group [][]byte // RED packets since the last parity
	base  uint16
}

// packet makes the next packet of media.
func (p *protecting) packet(random *rand.Rand, key bool) []byte {
	p.raw.seq++
	p.raw.marker = random.IntN(3) == 0
	p.raw.ts += uint32(random.IntN(2)) * 3000
	p.raw.pt = ptRED
	p.raw.ext = []byte{0x31, byte(p.raw.seq >> 8), byte(p.raw.seq), 0x40, byte(random.IntN(4))}
	if random.IntN(4) == 0 {
		p.raw.ext = p.raw.ext[:3]
	}
	body := append([]byte{ptVP8}, deltaFrame...)
	if key {
		body = append([]byte{ptVP8}, keyFrame...)
	}
	for range random.IntN(1100) {
		body = append(body, byte(random.Uint32()))
	}
	b := p.raw.bytes(body...)
	if len(p.group) == 0 {
		p.base = p.raw.seq
	}
	p.group = append(p.group, b)

	return b
}

// parity makes a packet that protects those of the group that mask names, whose
// highest of 48 bits is the first.
func (p *protecting) parity(t *testing.T, mask uint64, e *extensions) []byte {
	t.Helper()
	var sum parity
	what := protection{base: p.base, mask: mask, long: mask&(1<<32-1) != 0}
	for i, b := range p.group {
		if mask>>(47-i)&1 != 0 && !sum.add(b, ptRED, ptFEC, e) {
			t.Fatal("not to be protected")
		}
	}
	p.raw.seq++
	p.raw.pt, p.raw.ext = ptRED, []byte{0x31, byte(p.raw.seq >> 8), byte(p.raw.seq)}

	return p.raw.bytes(sum.append([]byte{ptFEC}, what)...)
}

// TestParityRestoresTheUplink: of what a publisher's link loses the subscriber
// misses nothing that parity can restore, whatever the order it comes in, and
// gets it as it was; only the numbers of the transport are not there.
func TestParityRestoresTheUplink(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 9))
	for round := range 300 {
		publisher, _, _, down := callRED(t, round%2 == 0)
		e := &publisher.media.Load().ext[video]
		p := protecting{raw: raw{ssrc: 500, seq: uint16(random.Uint32()) | 1}}
		now := time.Second
		arrive := func(b []byte) {
			now += time.Millisecond
			publisher.receiveRTP(bytes.Clone(b), now, nil)
		}
		arrive(p.packet(random, true))
		arrive(p.parity(t, 1<<47, e)) // from now on it is known that there is parity
		want := map[uint16][]byte{}
		for range 4 {
			n := 2 + random.IntN(47)
			p.group = nil
			for range n {
				b := p.packet(random, false)
				want[p.raw.seq] = b[len(b)-len(payloadOf(t, b))+1:]
			}
			even, odd := uint64(0), uint64(0)
			for i := range n {
				if i%2 == 0 {
					even |= 1 << (47 - i)
				} else {
					odd |= 1 << (47 - i)
				}
			}
			coming := append(p.group[:n:n], p.parity(t, even, e), p.parity(t, odd, e))
			coming[2*random.IntN((n+1)/2)] = nil
			coming[1+2*random.IntN(n/2)] = nil
			if round%3 == 0 { // and the network swaps neighbours
				i := random.IntN(len(coming) - 1)
				coming[i], coming[i+1] = coming[i+1], coming[i]
			}
			for _, b := range coming {
				if b != nil {
					arrive(b)
				}
			}
		}
		sent := down.sent(t, video)
		offset := publisher.to.to.Load().flows[video].seqOff
		for i := range sent {
			body := sent[i].payload
			if round%2 == 0 && len(body) > 0 {
				body = body[1:]
			}
			seq := sent[i].seq - offset
			if wanted, ok := want[seq]; ok && !bytes.Equal(body, wanted) {
				t.Fatalf("round %d: packet %d is %x, want %x", round, seq, body, wanted)
			}
			delete(want, seq)
		}
		if len(want) > 0 {
			t.Fatalf("round %d: %d packets were not restored", round, len(want))
		}
		if got := publisher.count.recovered.Load(); got != 8 {
			t.Fatalf("round %d: %d packets count as recovered", round, got)
		}
	}
}

func payloadOf(t *testing.T, b []byte) []byte {
	t.Helper()
	var p packet
	if !p.parse(b) {
		t.Fatal("malformed")
	}

	return p.payload
}

// TestPublisherHearsOfRepairedLosses: parity is made for what is lost on the
// whole path. What the subscriber never missed, because it was repaired on the
// way, is in the publisher's reports all the same; once, and not the next
// partner's.
func TestPublisherHearsOfRepairedLosses(t *testing.T) {
	publisher, subscriber, up, down := callRED(t, true)
	e := &publisher.media.Load().ext[video]
	random := rand.New(rand.NewPCG(1, 2))
	p := protecting{raw: raw{ssrc: 500, seq: 99}}
	now := time.Second
	publisher.receiveRTP(p.packet(random, true), now, nil)
	publisher.receiveRTP(p.parity(t, 1<<47, e), now, nil)
	report := func(lost uint32) rtcp.ReceptionReport {
		t.Helper()
		sent := down.sent(t, video)
		up.takeControl()
		control(t, subscriber, now, &rtcp.ReceiverReport{SSRC: 77, Reports: []rtcp.ReceptionReport{
			{SSRC: 21, TotalLost: lost, LastSequenceNumber: uint32(sent[len(sent)-1].seq)},
		}})
		rr, ok := find[*rtcp.ReceiverReport](up.takeControl())
		if !ok {
			t.Fatal("no report")
		}

		return rr.Reports[0]
	}
	report(0)
	p.group = nil
	for i := range 8 {
		if b := p.packet(random, false); i != 3 {
			publisher.receiveRTP(b, now, nil)
		}
	}
	publisher.receiveRTP(p.parity(t, 0xff<<40, e), now, nil)
	if b := report(2); b.TotalLost != 3 || b.FractionLost != 256/9 {
		t.Errorf("the report is %+v", b)
	}
	if b := report(2); b.TotalLost != 3 || b.FractionLost != 0 {
		t.Errorf("the next report is %+v", b)
	}
}

// FuzzRestorer: parity is what a stranger says it is. Whatever it says, what is
// restored fits into a packet, and a stream that begins anew knows none of it.
func FuzzRestorer(f *testing.F) {
	random := rand.New(rand.NewPCG(5, 5))
	p := protecting{raw: raw{ssrc: 500, seq: 7}}
	b := p.packet(random, true)
	f.Add(b, append([]byte{0, 0, 0, 8, 0, 0, 0, 0, 4, 0, 4, 0, 0xff, 0xff}, make([]byte, 1024)...), uint16(9))
	f.Add(b, []byte{0x40, 0, 0, 8, 0, 0, 0, 0, 0xff, 0xff, 0, 1, 0x80, 0, 0, 0, 0, 0, 1}, uint16(9))
	f.Fuzz(func(t *testing.T, media, parity []byte, seq uint16) {
		var s restorer
		m := withRED(testMedia(10), 0)
		var q packet
		if !q.parse(media) {
			return
		}
		s.keep(&q, int64(q.seq), &m.ext[video])
		s.add(parity, int64(seq))
		for n := 0; ; n++ {
			b, ok := s.next(int64(seq), 500)
			if !ok {
				break
			}
			if n > 0 || len(b) > rtpHeaderSize+fecMaxLength {
				t.Fatalf("%d packets of one parity packet, the last of %d bytes", n+1, len(b))
			}
		}
		s.reset()
		s.add(parity, int64(seq))
		var what protection
		alone := what.parse(parity) && bits.OnesCount64(what.mask) == 1
		if _, ok := s.next(int64(seq), 500); ok && !alone {
			t.Fatal("restored by what was forgotten")
		}
	})
}
