package sfu

import (
	"testing"
	"time"
)

// restoring is a restorer that has some packets of three bytes each.
func restoring(t testing.TB, seqs ...uint16) (s *restorer, keep func(seq uint16, pad byte)) {
	t.Helper()
	s = &restorer{}
	m := withRED(testMedia(10), 0)
	keep = func(seq uint16, pad byte) {
		var p packet
		if !p.parse(raw{pt: ptVP8, ssrc: 500, seq: seq, pad: pad}.bytes(1, 2, 3)) {
			t.Fatal("malformed")
		}
		s.keep(&p, int64(seq), &m.ext[video])
	}
	for _, seq := range seqs {
		keep(seq, 0)
	}

	return s, keep
}

// threeOf is parity over the packets base to base+2, of three bytes each; length
// is what the lengths of those add up to.
func threeOf(base uint16, length byte) []byte {
	return []byte{0, ptVP8, byte(base >> 8), byte(base), 0, 0, 0, 0, 0, length, 0, 3, 0xe0, 0, 1, 2, 3}
}

// TestPaddedPackets: parity is made over packets with their padding, which the
// relay does not keep; it does not restore by them.
func TestPaddedPackets(t *testing.T) {
	for _, pad := range []byte{0, 1, 4} {
		s, keep := restoring(t, 10)
		keep(11, pad)
		s.add(threeOf(10, 3), 13)
		if b, ok := s.next(13, 500); ok != (pad == 0) {
			t.Errorf("by a packet with %d bytes of padding: %v, %x", pad, ok, b)
		}
	}
}

// TestParityExpires: parity over what nobody waits for any more is forgotten.
func TestParityExpires(t *testing.T) {
	for _, jump := range []uint16{restoreSize - 1, restoreSize} {
		s, keep := restoring(t, 10)
		s.add(threeOf(10, 3), 13)
		if _, ok := s.next(int64(10+jump), 500); ok {
			t.Fatal("restored while two are missing")
		}
		keep(11, 0)
		if _, ok := s.next(int64(10+jump), 500); ok != (jump < restoreSize) {
			t.Errorf("%d later: restored %v", jump, ok)
		}
	}
}

// TestParityThatClaimsTooMuch: a packet cannot be longer than the parity that it
// is restored by; nothing is made up, and nothing is taken for there.
func TestParityThatClaimsTooMuch(t *testing.T) {
	for _, c := range []struct {
		length byte
		want   bool
	}{{3, true}, {4, false}, {255, false}} {
		s, _ := restoring(t, 10, 12)
		s.add(threeOf(10, c.length), 13)
		b, ok := s.next(13, 500)
		if ok != c.want || ok && len(b) != rtpHeaderSize+3 {
			t.Errorf("of length %d: %v, %x", c.length, ok, b)
		}
		s.add(threeOf(10, 3), 14) // honest parity still finds it
		if _, ok := s.next(14, 500); ok == c.want {
			t.Errorf("after length %d: restored %v", c.length, ok)
		}
	}
}

// restoreLoop returns a function that takes a packet, a lost one's parity and what
// is restored by it through a call in memory.
func restoreLoop(t testing.TB) (publisher *leg, step func()) {
	publisher, subscriber, _, _ := callRED(t, true)
	publisher.out, subscriber.out = discardSender{}, discardSender{}
	publisher.media.Load().ext = [kinds]extensions{} // feedback is not part of this
	publisher.up.nextReport, publisher.up.nextLimit, publisher.up.nextNACK = time.Hour*1e6, time.Hour*1e6, time.Hour*1e6
	body := append(append([]byte{ptVP8}, keyFrame...), make([]byte, 1100)...)
	media := raw{pt: ptRED, ssrc: 500}.bytes(body...)
	size := len(body) - 1
	fec := append([]byte{ptFEC, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(size >> 8), byte(size), 0xc0, 0}, make([]byte, size)...)
	parity := raw{pt: ptRED, ssrc: 500}.bytes(fec...)
	seq, now := uint16(100), time.Second
	send := func(b []byte, n uint16) {
		b[2], b[3] = byte(n>>8), byte(n)
		now += 10 * time.Millisecond // far from the limit
		publisher.receiveRTP(b, now, nil)
	}
	fresh := make([]byte, len(parity))

	return publisher, func() {
		seq += 3 // of the media packets the second is lost
		send(media, seq)
		copy(fresh, parity)
		fresh[rtpHeaderSize+3], fresh[rtpHeaderSize+4] = byte(seq>>8), byte(seq)
		send(fresh, seq+2)
	}
}

// TestRestoringAllocates nothing, nor does keeping what it is done by.
func TestRestoringAllocates(t *testing.T) {
	publisher, step := restoreLoop(t)
	for range 100 {
		step()
	}
	before := publisher.count.recovered.Load()
	if n := testing.AllocsPerRun(500, step); n != 0 {
		t.Errorf("%v allocations for each packet that is restored", n)
	}
	if got := publisher.count.recovered.Load() - before; got < 500 {
		t.Errorf("only %d packets were restored", got)
	}
}

// BenchmarkRestore is a packet of 1,100 bytes and a parity packet, by which
// another one is restored, on their way through the relay without the crypto.
func BenchmarkRestore(b *testing.B) {
	publisher, step := restoreLoop(b)
	step()
	before := publisher.count.recovered.Load()
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		step()
		n++
	}
	if got := publisher.count.recovered.Load() - before; got != n {
		b.Errorf("%d packets of %d were restored", got, n)
	}
}
