package sfu

import (
	"bytes"
	"math/bits"
	"math/rand/v2"
	"slices"
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
			coming := slices.Concat(p.group, [][]byte{p.parity(t, even, e), p.parity(t, odd, e)})
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
// way, is in the publisher's reports all the same.
func TestPublisherHearsOfRepairedLosses(t *testing.T) {
	publisher, subscriber, up, down := callRED(t, true)
	e := &publisher.media.Load().ext[video]
	random := rand.New(rand.NewPCG(1, 2))
	p := protecting{raw: raw{ssrc: 500, seq: 99}}
	now := time.Second
	publisher.receiveRTP(p.packet(random, true), now, nil)
	publisher.receiveRTP(p.parity(t, 1<<47, e), now, nil)
	report := func(lost uint32) rtcp.ReceptionReport { return tell(t, subscriber, up, down, now, lost) }
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

// warm has the publisher begin its picture, and be known to send parity.
func (p *protecting) warm(t *testing.T, l *leg, random *rand.Rand, now time.Duration) {
	t.Helper()
	l.receiveRTP(p.packet(random, true), now, nil)
	l.receiveRTP(p.parity(t, 1<<47, &l.media.Load().ext[video]), now, nil)
	p.group = nil
}

// repeat makes the retransmission of a packet that was made before; ext stands
// for its header extensions.
func repeat(t *testing.T, n uint16, b []byte, ext ...byte) []byte {
	t.Helper()
	var p packet
	if !p.parse(b) {
		t.Fatal("malformed")
	}
	r := raw{pt: ptREDRTX, ssrc: 501, seq: n, ts: p.ts, ext: ext}

	return r.bytes(append([]byte{byte(p.seq >> 8), byte(p.seq)}, p.payload...)...)
}

// tell has the subscriber report what it has lost in all, and returns what the
// publisher hears.
func tell(t *testing.T, subscriber *leg, up, down *memory, now time.Duration, lost uint32) rtcp.ReceptionReport {
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

// TestParityThatBeginsThePicture: the first packet of a key frame comes by
// parity. What came before it is asked for again, but not the parity, which goes
// out then and must not go out twice: its repeat is another packet.
func TestParityThatBeginsThePicture(t *testing.T) {
	publisher, _, up, down := callRED(t, true)
	e := &publisher.media.Load().ext[video]
	random := rand.New(rand.NewPCG(1, 2))
	p := protecting{raw: raw{ssrc: 500, seq: 99}}
	now := time.Second
	publisher.receiveRTP(p.packet(random, false), now, nil) // no key frame: nothing begins
	publisher.receiveRTP(p.parity(t, 1<<47, e), now, nil)
	seen := map[uint16][]byte{}
	down.onMedia = func(b []byte) {
		var q packet
		if !q.parse(b) || q.ssrc != 21 {
			return
		}
		if old, ok := seen[q.seq]; ok && !bytes.Equal(old, b) {
			t.Errorf("number %d was sent as %d bytes and as %d others", q.seq, len(old), len(b))
		}
		seen[q.seq] = bytes.Clone(b)
	}
	p.group = nil
	p.packet(random, true) // lost
	a, b := p.packet(random, false), p.packet(random, false)
	publisher.receiveRTP(bytes.Clone(a), now, nil)
	publisher.receiveRTP(bytes.Clone(b), now, nil)
	parity := p.parity(t, 7<<45, e)
	number := p.raw.seq
	publisher.receiveRTP(bytes.Clone(parity), now, nil)
	if len(seen) == 0 {
		t.Fatal("nothing was sent")
	}
	up.takeControl()
	now += 50 * time.Millisecond
	publisher.receiveRTP(p.packet(random, false), now, nil)
	asked := map[uint16]bool{}
	for _, c := range up.takeControl() {
		if nack, ok := c.(*rtcp.TransportLayerNack); ok {
			for _, pair := range nack.Nacks {
				for _, seq := range pair.PacketList() {
					asked[seq] = true
				}
			}
		}
	}
	if !asked[number-2] || !asked[number-1] || asked[number] {
		t.Errorf("asked for %v; the parity is %d", asked, number)
	}
	for i, c := range [][]byte{a, b, parity} {
		publisher.receiveRTP(repeat(t, uint16(i), c, 0x31, 9, byte(i)), now, nil)
	}
}

// TestRepeatsRestoreNothing: libwebrtc writes the header extensions of a repeat
// in another order than those of the packet that the parity was made over.
func TestRepeatsRestoreNothing(t *testing.T) {
	for _, rotation := range []byte{0, 1} {
		publisher, _, _, down := callRED(t, true)
		random := rand.New(rand.NewPCG(1, 2))
		p := protecting{raw: raw{ssrc: 500, seq: 99}}
		now := time.Second
		p.warm(t, publisher, random, now)
		send := func(ext []byte, body ...byte) []byte {
			p.raw.seq++
			p.raw.pt, p.raw.ext = ptRED, ext
			b := p.raw.bytes(append([]byte{ptVP8}, body...)...)
			if len(p.group) == 0 {
				p.base = p.raw.seq
			}
			p.group = append(p.group, b)

			return b
		}
		turned, plain := append(bytes.Clone(deltaFrame), 11, 12, 13, 14, 15, 16), append(bytes.Clone(deltaFrame), 21, 22, 23, 24, 25, 26)
		lost := send([]byte{0x22, 1, 2, 3, 0x31, 5, 5, 0x40, rotation}, turned...)
		send([]byte{0x22, 1, 2, 4, 0x31, 5, 6}, plain...) // lost too, and not repeated
		number := p.raw.seq
		came := send([]byte{0x22, 1, 2, 5, 0x31, 5, 7}, plain...)
		publisher.receiveRTP(came, now, nil)
		publisher.receiveRTP(p.parity(t, 7<<45, &publisher.media.Load().ext[video]), now, nil)
		publisher.receiveRTP(repeat(t, 1, lost, 0x22, 1, 2, 9, 0x40, rotation, 0x31, 5, 9), now, nil)
		offset := publisher.to.to.Load().flows[video].seqOff
		for _, q := range down.sent(t, video) {
			if q.seq-offset == number {
				t.Errorf("rotation %d: %x was restored by a repeat", rotation, q.payload)
			}
		}
	}
}

// TestOvertakenByParity: what parity has overtaken is not lost.
func TestOvertakenByParity(t *testing.T) {
	publisher, subscriber, up, down := callRED(t, true)
	random := rand.New(rand.NewPCG(1, 2))
	p := protecting{raw: raw{ssrc: 500, seq: 99}}
	now := time.Second
	p.warm(t, publisher, random, now)
	tell(t, subscriber, up, down, now, 0)
	for range 20 {
		p.group = nil
		a, b := p.packet(random, false), p.packet(random, false)
		for _, x := range [][]byte{a, p.parity(t, 3<<46, &publisher.media.Load().ext[video]), b} {
			now += time.Millisecond
			publisher.receiveRTP(x, now, nil)
		}
	}
	if b := tell(t, subscriber, up, down, now, 0); b.TotalLost != 0 || b.FractionLost != 0 {
		t.Errorf("nothing was lost, and the publisher hears of %+v", b)
	}
}

// TestRepairedLossesAreToldOnce: not by the relay's own report and the partner's
// too, not for the time in which nobody watched, not with the next stream, and
// not of one partner by the next.
func TestRepairedLossesAreToldOnce(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(publisher, subscriber *leg, p *protecting, random *rand.Rand, now *time.Duration)
		lost      uint32
	}{
		"the relay's own report": {func(publisher, _ *leg, p *protecting, random *rand.Rand, now *time.Duration) {
			for range 2 * partnerReports / reportInterval {
				*now += reportInterval
				publisher.receiveRTP(p.packet(random, false), *now, nil)
			}
		}, 5},
		"another stream": {func(publisher, _ *leg, p *protecting, random *rand.Rand, now *time.Duration) {
			p.raw.ssrc, p.raw.seq = 900, 7
			*now += time.Second
			publisher.receiveRTP(p.packet(random, true), *now, nil)
			publisher.receiveRTP(p.packet(random, false), *now, nil)
		}, 0},
		"another wiring": {func(publisher, _ *leg, p *protecting, random *rand.Rand, now *time.Duration) {
			publisher.to.to.Load().end()
			publisher.receiveRTP(p.packet(random, false), *now, nil)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			publisher, subscriber, up, down := callRED(t, true)
			random := rand.New(rand.NewPCG(1, 2))
			p := protecting{raw: raw{ssrc: 500, seq: 99}}
			now := time.Second
			p.warm(t, publisher, random, now)
			tell(t, subscriber, up, down, now, 0)
			p.lose(t, publisher, random, 5, &now)
			c.meanwhile(publisher, subscriber, &p, random, &now)
			if b := tell(t, subscriber, up, down, now, 0); b.TotalLost != c.lost || c.lost == 0 && b.FractionLost != 0 {
				t.Errorf("the publisher hears of %+v, want %d", b, c.lost)
			}
		})
	}
}

// lose has so many packets of the publisher lost and restored.
func (p *protecting) lose(t *testing.T, l *leg, random *rand.Rand, count int, now *time.Duration) {
	t.Helper()
	for range count {
		p.group = nil
		for i := range 9 {
			*now += 5 * time.Millisecond
			if b := p.packet(random, false); i != 3 {
				l.receiveRTP(b, *now, nil)
			}
		}
		l.receiveRTP(p.parity(t, 0x1ff<<39, &l.media.Load().ext[video]), *now, nil)
	}
}

// TestNobodyWatches: what is lost while the partner saves data is not told as
// loss of the picture that it sees later.
func TestNobodyWatches(t *testing.T) {
	publisher, subscriber, up, down := callRED(t, true)
	random := rand.New(rand.NewPCG(1, 2))
	p := protecting{raw: raw{ssrc: 500, seq: 99}}
	now := time.Second
	p.warm(t, publisher, random, now)
	tell(t, subscriber, up, down, now, 0)
	subscriber.want(video, false, now)
	p.lose(t, publisher, random, 100, &now)
	loseAndRepeat := func(n uint16) {
		late := p.packet(random, false)
		publisher.receiveRTP(p.packet(random, false), now, nil)
		now += time.Millisecond
		publisher.receiveRTP(repeat(t, n, late), now, nil)
	}
	loseAndRepeat(1)
	subscriber.want(video, true, now)
	loseAndRepeat(2) // the picture has yet to begin
	old := p.packet(random, false)
	before := publisher.up.lost[video].Load()
	publisher.receiveRTP(p.packet(random, true), now, nil)
	publisher.receiveRTP(repeat(t, 3, old), now, nil)
	for range 100 {
		now += 5 * time.Millisecond
		publisher.receiveRTP(p.packet(random, false), now, nil)
	}
	if b := tell(t, subscriber, up, down, now, 0); b.FractionLost != 0 || int64(b.TotalLost) > before {
		t.Errorf("a clean link is told as %+v; %d were lost before", b, before)
	}
}

// TestParityWaits: parity by which two are missing is there when one of them has
// come late, whatever other parity came meanwhile.
func TestParityWaits(t *testing.T) {
	publisher, _, _, _ := callRED(t, true)
	e := &publisher.media.Load().ext[video]
	random := rand.New(rand.NewPCG(1, 2))
	p := protecting{raw: raw{ssrc: 500, seq: 99}}
	now := time.Second
	p.warm(t, publisher, random, now)
	late := p.packet(random, false)
	p.packet(random, false) // lost
	lost := p.raw.seq
	publisher.receiveRTP(p.parity(t, 3<<46, e), now, nil)
	for range 2 * restoreParity {
		p.group = nil
		publisher.receiveRTP(p.packet(random, false), now, nil)
		publisher.receiveRTP(p.packet(random, false), now, nil)
		publisher.receiveRTP(p.parity(t, 3<<46, e), now, nil)
	}
	publisher.receiveRTP(late, now, nil)
	if publisher.up.streams[video].loss.lacks(lost) {
		t.Error("it was not restored")
	}
}

// TestRestoredPacketsCount: parity over a packet that never was makes two
// packets of one. All that reaches the partner is within what a peer may send.
func TestRestoredPacketsCount(t *testing.T) {
	publisher, _, _, down := callRED(t, true)
	random := rand.New(rand.NewPCG(1, 2))
	p := protecting{raw: raw{ssrc: 500, seq: 99}}
	now := time.Second
	p.warm(t, publisher, random, now)
	sent := 0
	down.onMedia = func(b []byte) { sent += len(b) }
	const seconds = 20
	for range seconds * 2000 {
		now += time.Second / 2000
		p.raw.seq += 2
		base := p.raw.seq - 1
		fec := []byte{ptFEC, 0, ptVP8, byte(base >> 8), byte(base), 0, 0, 0, 0, 1200 >> 8, 1200 & 255, 1200 >> 8, 1200 & 255, 0x80, 0}
		p.raw.pt, p.raw.ext = ptRED, []byte{0x31, byte(p.raw.seq >> 8), byte(p.raw.seq)}
		publisher.receiveRTP(p.raw.bytes(append(fec, make([]byte, 1200)...)...), now, nil)
	}
	most := (seconds*time.Second + policeBurst).Seconds() * policeFactor * float64(publisher.maxBitrate)
	if got := 8 * float64(sent); got > 1.05*most {
		t.Errorf("%.1f Mb/s were sent on, %.1f allowed", got/seconds/1e6, most/seconds/1e6)
	}
	if publisher.count.recovered.Load() == 0 {
		t.Error("nothing was restored")
	}
}

// TestContributingSources: parity protects them too, and they do not cross.
func TestContributingSources(t *testing.T) {
	var s restorer
	m := withRED(testMedia(10), 0)
	b := raw{pt: ptVP8, ssrc: 500, seq: 10}.bytes()
	b[0] |= 1
	b = append(b, 9, 9, 9, 9, 1, 2, 3)
	var p packet
	if !p.parse(b) {
		t.Fatal("malformed")
	}
	s.keep(&p, 10, &m.ext[video])
	s.add(append([]byte{1, 0, 0, 10, 0, 0, 0, 0, 0, 7, 0, 7, 0xc0, 0}, make([]byte, 7)...), 12)
	if b, ok := s.next(12, 500); ok {
		t.Errorf("restored %x", b)
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
