package sfu

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// Payload types of a client with RED; the subscriber's are others.
const (
	ptRED      = 119
	ptREDRTX   = 120
	ptFEC      = 121
	ptAudioRED = 63
	shifted    = 3 // the subscriber's have that much more
)

func withRED(m *media, by uint8) *media {
	m.red, m.fec = ptRED+by, ptFEC+by
	m.payloads[ptRED+by] = payload{codec: codec{name: codecRED}, repair: ptREDRTX + by}
	m.payloads[ptREDRTX+by] = payload{codec: codec{name: codecRED}, rtx: true, apt: ptRED + by, repair: noPayload}
	m.payloads[ptFEC+by] = payload{codec: codec{name: codecULPFEC}, repair: noPayload}
	m.payloads[ptAudioRED+by] = payload{codec: codec{name: codecAudioRED}, repair: noPayload}
	if by > 0 {
		m.payloads[ptVP8], m.payloads[ptVP8+by] = payload{repair: noPayload}, m.payloads[ptVP8]
		m.payloads[ptVP8+by].repair = ptRTX + by
		m.payloads[ptRTX], m.payloads[ptRTX+by] = payload{repair: noPayload}, m.payloads[ptRTX]
		m.payloads[ptRTX+by].apt = ptVP8 + by
		m.payloads[ptOpus], m.payloads[ptOpus+by] = payload{repair: noPayload}, m.payloads[ptOpus]
	}

	return m
}

// callRED wires two legs of which the publisher has RED and the subscriber may.
func callRED(t testing.TB, too bool) (publisher, subscriber *leg, up, down *memory) {
	t.Helper()
	publisher, up = newTestLeg(10)
	publisher.media.Store(withRED(testMedia(10), 0))
	subscriber, down = newTestLeg(20)
	if too {
		subscriber.media.Store(withRED(testMedia(20), shifted))
	}
	wire(t, publisher, subscriber)

	return publisher, subscriber, up, down
}

// bare is a packet in RED as a receiver's parity decoder sees it: without RED,
// mutable extensions zero.
func bare(t testing.TB, b []byte, e *extensions) []byte {
	t.Helper()
	b = bytes.Clone(b)
	var p packet
	if !p.parse(b) {
		t.Fatal("malformed")
	}
	for _, id := range []uint8{e.transportCC, e.absSendTime} {
		clear(p.find(id))
	}
	b[1] = b[1]&0x80 | p.payload[0]
	start := len(b) - len(p.payload)

	return slices.Delete(b, start, start+1)
}

// recover finds the one packet that is missing of those a parity packet
// protects, as RFC 5109 section 9.2 says, bit by bit.
func recoverFEC(t testing.TB, fec []byte, ssrc uint32, received map[uint16][]byte) (uint16, []byte) {
	t.Helper()
	base, size := binary.BigEndian.Uint16(fec[2:]), 16
	level := fec[10:]
	if fec[0]&0x40 != 0 {
		size = 48
	}
	protected := int(binary.BigEndian.Uint16(level))
	mask, body := level[2:2+size/8], level[2+size/8:]
	if len(body) != protected {
		t.Fatalf("%d bytes protect %d", len(body), protected)
	}
	head := []byte{fec[0] & 0x3f, fec[1], fec[4], fec[5], fec[6], fec[7]}
	length := binary.BigEndian.Uint16(fec[8:])
	sum := bytes.Clone(body)
	var missing []uint16
	for i := range size {
		if mask[i/8]>>(7-i%8)&1 == 0 {
			continue
		}
		b, ok := received[base+uint16(i)]
		if !ok {
			missing = append(missing, base+uint16(i))

			continue
		}
		for j, v := range []byte{b[0] & 0x3f, b[1], b[4], b[5], b[6], b[7]} {
			head[j] ^= v
		}
		length ^= uint16(len(b) - 12)
		for j, v := range b[12:] {
			sum[j] ^= v
		}
	}
	if len(missing) != 1 {
		t.Fatalf("%d are missing", len(missing))
	}
	out := append([]byte{0x80 | head[0], head[1], byte(missing[0] >> 8), byte(missing[0])}, head[2:]...)
	out = binary.BigEndian.AppendUint32(out, ssrc)

	return missing[0], append(out, sum[:length]...)
}

// TestParity: whichever packet the subscriber loses, it finds it again with the
// parity packet and the others.
func TestParity(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for round := range 300 {
		publisher, subscriber, _, down := callRED(t, true)
		r := raw{pt: ptRED, ssrc: 500, seq: uint16(random.Uint32()), ts: random.Uint32()}
		now := time.Duration(0)
		n := 1 + random.IntN(16)
		long := random.IntN(2) == 0
		if long {
			n = 1 + random.IntN(48)
		}
		base := r.seq + 1
		mask := make([]byte, 2+4*(round%2))
		if long {
			mask = make([]byte, 6)
		}
		var protected []int
		longest := 0
		for i := range n {
			now += 5 * time.Millisecond
			r.seq++
			r.ts += uint32(random.IntN(2)) * 3000
			r.marker = random.IntN(3) == 0
			r.ext = []byte{0x31, byte(i), byte(round), 0x40, byte(random.IntN(4))}
			body := append([]byte{ptVP8}, keyFrame...)
			for range random.IntN(1000) {
				body = append(body, byte(random.Uint32()))
			}
			publisher.receiveRTP(r.bytes(body...), now, nil)
			if i/8 < len(mask) && (random.IntN(2) == 0 || i == 0) {
				mask[i/8] |= 0x80 >> (i % 8)
				protected = append(protected, i)
				longest = max(longest, len(r.bytes(body...))-rtpHeaderSize-1)
			}
		}
		flags := byte(0)
		if len(mask) == 6 {
			flags = fecLongFlag
		}
		fec := append([]byte{ptFEC, flags, 0, byte(base >> 8), byte(base), 0, 0, 0, 0, 0, 0, 0, 0}, mask...)
		r.seq++
		r.ext = []byte{0x31, 99, byte(round)}
		publisher.receiveRTP(r.bytes(append(fec, make([]byte, longest)...)...), now, nil)
		sent := down.sent(t, video)
		last := &sent[len(sent)-1]
		if len(sent) != n+1 || last.pt != ptRED+shifted || last.payload[0] != ptFEC+shifted || last.seq != sent[n-1].seq+1 {
			t.Fatalf("%d packets, at last %+v", len(sent), last)
		}
		e := &subscriber.media.Load().ext[video]
		lost := protected[random.IntN(len(protected))]
		received := map[uint16][]byte{}
		for i := range n {
			if i != lost {
				received[sent[i].seq] = bare(t, down.media[video][i], e)
			}
		}
		seq, got := recoverFEC(t, last.payload[1:], 21, received)
		if want := bare(t, down.media[video][lost], e); seq != sent[lost].seq || !bytes.Equal(got, want) {
			t.Fatalf("round %d: lost %x, recovered %x", round, want, got)
		}
	}
}

// TestRoomForParity: who protects its picture is told, and let, to send that
// much more.
func TestRoomForParity(t *testing.T) {
	passed := [2]int{}
	for i, too := range []bool{false, true} {
		l, out := newTestLeg(10)
		want := uint64(defaultMaxBitrate)
		if too {
			l.negotiated(withRED(testMedia(10), 0))
			want = defaultMaxBitrate * 13 / 10
		}
		l.up.limitFrom.Store(1)
		l.receiveRTP(raw{pt: ptVP8, ssrc: 500}.bytes(keyFrame...), time.Second, nil)
		remb, ok := find[*rtcp.ReceiverEstimatedMaximumBitrate](out.takeControl())
		if !ok || uint64(remb.Bitrate) != want {
			t.Errorf("with %v: told %v", too, remb)
		}
		for n := range 10_000 { // in five seconds
			if l.up.police.admit(1200, time.Second+time.Duration(n)*500*time.Microsecond) {
				passed[i]++
			}
		}
	}
	if share := float64(passed[1]) / float64(passed[0]); share < 1.27 || share > 1.32 {
		t.Errorf("%v packets passed", passed)
	}
}

// TestParityDoesNotGrow: a few bytes that say that they are parity over a large
// packet do not make the relay send a large one.
func TestParityDoesNotGrow(t *testing.T) {
	for _, c := range []struct{ short, large int }{{3, 0}, {1205, 1}} {
		publisher, _, _, down := callRED(t, true)
		r := raw{pt: ptRED, ssrc: 500, seq: 101}
		publisher.receiveRTP(r.bytes(slices.Concat([]byte{ptVP8}, keyFrame, make([]byte, 1200))...), 0, nil)
		for range 20 {
			r.seq++
			fec := append([]byte{ptFEC, 0, 0, 0, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0}, make([]byte, c.short)...)
			publisher.receiveRTP(r.bytes(fec...), 0, nil)
		}
		large := 0
		for _, b := range down.media[video][1:] {
			if len(b) > 1200 {
				large++
			}
		}
		if len(down.media[video]) != 21 || large != 20*c.large {
			t.Errorf("%d bytes of parity: %d packets of %d are large", c.short, large, len(down.media[video])-1)
		}
	}
}

// TestParityIncomplete: where parity cannot be made there is a packet of
// nothing in its place.
func TestParityIncomplete(t *testing.T) {
	for name, c := range map[string]struct {
		too  bool
		skip uint16 // the packet that is lost on the way to the relay
		base uint16
		fec  []byte
	}{
		"the subscriber has none": {false, 0, 101, nil},
		"one is missing":          {true, 103, 101, nil},
		"before the picture":      {true, 0, 98, nil},
		"what was never sent":     {true, 0, 102, nil},
		"malformed":               {true, 0, 101, []byte{ptFEC, 0, 0}},
		"protects nothing":        {true, 0, 101, append([]byte{ptFEC}, make([]byte, 16)...)},
		"its own kind":            {true, 0, 103, nil},
	} {
		t.Run(name, func(t *testing.T) {
			publisher, subscriber, _, down := callRED(t, c.too)
			for seq := uint16(101); seq <= 104; seq++ {
				if seq != c.skip {
					r := raw{pt: ptRED, ssrc: 500, seq: seq, ts: uint32(seq)}
					publisher.receiveRTP(r.bytes(append([]byte{ptVP8}, keyFrame...)...), 0, nil)
				}
			}
			fec := c.fec
			if fec == nil {
				fec = append([]byte{ptFEC, 0, 0, 0, byte(c.base)}, make([]byte, 8)...)
				fec = append(fec, 0xf0, 0)
			}
			for seq := uint16(105); seq <= 106; seq++ {
				r := raw{pt: ptRED, ssrc: 500, seq: seq, ts: uint32(seq)}
				if publisher.receiveRTP(r.bytes(fec...), 0, nil); name == "its own kind" {
					fec[4] = 103 // over the one that was sent just now, too
				}
			}
			sent := down.sent(t, video)
			p := &sent[len(sent)-1]
			m := subscriber.media.Load()
			if p.seq != sent[0].seq+5 || p.pt != m.payloadFor(codec{name: codecVP8}) || len(p.payload) != 0 || p.padding != 1 {
				t.Errorf("got %+v", p)
			}
			if _, ok := subscriber.down[video].ring.Load().peek(p.seq, nil); ok {
				t.Error("it is kept")
			}
			if media := &sent[0]; c.too != (media.pt == ptRED+shifted) || c.too != (media.payload[0] == ptVP8+shifted) {
				t.Errorf("the picture is %+v", media)
			}
		})
	}
}

// TestRepairInRED: what is in RED is repaired in RED, on both hops.
func TestRepairInRED(t *testing.T) {
	publisher, subscriber, _, down := callRED(t, true)
	r := raw{pt: ptRED, ssrc: 500, seq: 100}
	media := append([]byte{ptVP8}, keyFrame...)
	publisher.receiveRTP(r.bytes(media...), 0, nil)
	r.seq = 102
	publisher.receiveRTP(r.bytes(media...), 0, nil)
	repair := raw{pt: ptREDRTX, ssrc: 501, seq: 1, ext: []byte{0x31, 0, 7}}
	publisher.receiveRTP(repair.bytes(append([]byte{0, 101}, media...)...), 0, nil)
	sent := down.sent(t, video)
	if len(sent) != 3 || sent[2].pt != ptRED+shifted || !bytes.Equal(sent[2].payload, append([]byte{ptVP8 + shifted}, keyFrame...)) {
		t.Fatalf("sent %+v", sent)
	}
	repair.seq, repair.ext = 2, []byte{0x31, 0, 8}
	publisher.receiveRTP(repair.bytes(append([]byte{0, 101}, media...)...), 0, nil)
	var probe packet
	if !probe.parse(down.repairs[0]) || probe.pt != ptREDRTX+shifted || probe.ssrc != 22 || !probe.unwrap(ptRED+shifted, 21) ||
		probe.seq != sent[2].seq || !bytes.Equal(probe.payload, sent[2].payload) {
		t.Errorf("the probe is %+v", probe)
	}
	control(t, subscriber, time.Second, &rtcp.TransportLayerNack{MediaSSRC: 21, Nacks: []rtcp.NackPair{{PacketID: sent[0].seq}}})
	var p packet
	if !p.parse(down.repairs[1]) || p.pt != ptREDRTX+shifted || !bytes.Equal(p.payload[2:], sent[0].payload) {
		t.Errorf("the repair is %+v", p)
	}
}

// TestRepairOfLargePackets: what fits is repeated byte for byte, whatever is put
// before its payload, and what may not fit not at all.
func TestRepairOfLargePackets(t *testing.T) {
	publisher, subscriber, _, down := callRED(t, true)
	r := raw{pt: ptRED, ssrc: 500, seq: 100, marker: true}
	now, kept := time.Duration(0), 0
	for size := ringPacket - 80; size <= ringPacket+20; size++ {
		now += 200 * time.Millisecond
		r.seq++
		r.ts += 18000
		r.ext = []byte{0x31, 0, byte(size), 0x40, 1}
		body := append(append([]byte{ptVP8}, keyFrame...), bytes.Repeat([]byte{byte(size)}, size-len(keyFrame))...)
		publisher.receiveRTP(r.bytes(body...), now, nil)
		sent := down.sent(t, video)
		if len(sent) != 1 || len(sent[0].payload) != 1+size {
			t.Fatalf("%d bytes: sent %d packets", size, len(sent))
		}
		control(t, subscriber, now+100*time.Millisecond, &rtcp.TransportLayerNack{
			MediaSSRC: 21, Nacks: []rtcp.NackPair{{PacketID: sent[0].seq}},
		})
		fits := maxHeader+size <= ringPacket
		if (len(down.repairs) == 1) != fits {
			t.Fatalf("%d bytes: %d repairs", size, len(down.repairs))
		}
		if fits {
			kept++
			var p packet
			if !p.parse(down.repairs[0]) || !p.unwrap(ptRED+shifted, 21) || p.seq != sent[0].seq || !bytes.Equal(p.payload, sent[0].payload) {
				t.Fatalf("%d bytes: the repair is %+v", size, p)
			}
		}
		down.media[video], down.repairs = nil, nil
	}
	if kept == 0 || kept > 80 {
		t.Errorf("%d sizes were kept", kept)
	}
}

// TestAudioRED: sound that repeats itself keeps doing so, or loses the repeats
// where the partner does not know them.
func TestAudioRED(t *testing.T) {
	body := []byte{0x80 | ptOpus, 0, 4, 3, ptOpus, 1, 2, 3, 7, 8, 9, 10}
	for _, too := range []bool{true, false} {
		publisher, _, _, down := callRED(t, too)
		publisher.receiveRTP(raw{pt: ptOpus, ssrc: 600, seq: 4}.bytes(4), 0, nil)
		publisher.receiveRTP(raw{pt: ptAudioRED, ssrc: 600, seq: 5, ts: 960}.bytes(slices.Clone(body)...), 0, nil)
		publisher.receiveRTP(raw{pt: ptAudioRED, ssrc: 600, seq: 6, ts: 1920}.bytes(body[:7]...), 0, nil)
		publisher.receiveRTP(raw{pt: ptOpus, ssrc: 600, seq: 7, ts: 2880}.bytes(5), 0, nil)
		sent := down.sent(t, audio)
		if len(sent) != 3 || sent[2].seq != sent[1].seq+2 || len(sent[2].payload) != 1 {
			t.Fatalf("sent %+v", sent)
		}
		want, pt := []byte{7, 8, 9, 10}, uint8(ptOpus)
		if too {
			want, pt = slices.Clone(body), ptAudioRED+shifted
			want[0], want[4] = 0x80|(ptOpus+shifted), ptOpus+shifted
		}
		if sent[1].pt != pt || !bytes.Equal(sent[1].payload, want) {
			t.Errorf("with %v: %+v", too, sent[1])
		}
	}
}

// TestAudioREDRepeatsOwnCallOnly: what was said before the match is not repeated
// to the new partner.
func TestAudioREDRepeatsOwnCallOnly(t *testing.T) {
	const oldest = 1<<14 - 1 // the most that the format knows
	publisher, _, _, down := callRED(t, true)
	r := raw{pt: ptAudioRED, ssrc: 600, seq: 5, ts: 1<<32 - 960}
	for i, tc := range []struct {
		ts   uint32 // after the first packet
		back uint32
		pass bool
	}{
		{0, 960, false}, {0, 0, true}, {960, 1920, false}, {960, 960, true}, {1920, 960, true},
		{9600, oldest, false}, {oldest - 1, oldest, false}, {oldest, oldest, true},
		{960, 1920, false},                                // late
		{1 << 31, oldest, true}, {1<<32 - 960, 960, true}, // hours later
	} {
		r.seq++
		b := r
		b.ts += tc.ts
		old := []byte{1, 2, 3}
		body := append([]byte{0x80 | ptOpus, byte(tc.back >> 6), byte(tc.back << 2), byte(len(old)), ptOpus}, old...)
		publisher.receiveRTP(b.bytes(append(body, 7, 8)...), time.Duration(i)*time.Second, nil)
		sent := down.sent(t, audio)
		if last := sent[len(sent)-1]; len(sent) != i+1 || (last.pt == ptAudioRED+shifted) != tc.pass || bytes.Contains(last.payload, old) != tc.pass {
			t.Errorf("%d: %+v", i, last)
		}
	}
}

// FuzzRED: nothing that a stranger puts into RED makes the relay panic, use a
// nonce twice or send a payload type that the subscriber does not have.
func FuzzRED(f *testing.F) {
	f.Add([]byte{ptVP8, 0x10, 0, 1}, []byte{ptFEC, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 1}, true)
	f.Add([]byte{0x80 | ptOpus, 0, 4, 3, ptOpus, 1, 2, 3, 7}, []byte{ptRED, ptRED, ptVP8, 1}, false)
	f.Fuzz(func(t *testing.T, first, second []byte, too bool) {
		publisher, subscriber, _, down := callRED(t, too)
		check := newNonces(t)
		m := subscriber.media.Load()
		down.onMedia = func(b []byte) {
			check.see(b)
			var p packet
			p.parse(b)
			if m.payloads[p.pt].codec.name == codecNone {
				t.Fatalf("payload type %d", p.pt)
			}
			if p.pt == m.red && len(p.payload) > 0 && m.payloads[p.payload[0]&0x7f].codec.name == codecNone {
				t.Fatalf("payload type %d in RED", p.payload[0])
			}
		}
		for i, body := range [][]byte{append([]byte{ptVP8}, keyFrame...), first, second, first} {
			for j, pt := range []uint8{ptRED, ptAudioRED, ptREDRTX, ptVP8} {
				r := raw{pt: pt, ssrc: uint32(600 + j), seq: uint16(100 + i), ext: []byte{0x31, 0, byte(4*i + j)}}
				publisher.receiveRTP(r.bytes(slices.Clone(body)...), time.Duration(i)*time.Millisecond, nil)
			}
		}
	})
}

func BenchmarkParity(b *testing.B) {
	for _, n := range []int{2, 8} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			publisher, subscriber, _, _ := callRED(b, true)
			subscriber.out = discardSender{}
			body := append(append([]byte{ptVP8}, keyFrame...), make([]byte, 1100)...)
			r := raw{pt: ptRED, ssrc: 500}
			for range n {
				r.seq++
				publisher.receiveRTP(r.bytes(body...), 0, nil)
			}
			fec := append([]byte{ptFEC, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff << (8 - n), 0}, make([]byte, 1100)...)
			packet := r.bytes(fec...)
			b.ReportAllocs()
			now := time.Duration(0)
			for b.Loop() {
				now += 10 * time.Millisecond // far from the limit
				r.seq++
				packet[2], packet[3] = byte(r.seq>>8), byte(r.seq)
				publisher.receiveRTP(packet, now, nil)
			}
		})
	}
}
