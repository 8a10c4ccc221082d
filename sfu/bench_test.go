package sfu

import (
	"slices"
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
)

// pairInMemory wires two legs whose transports throw everything away.
func pairInMemory(tb testing.TB) (publisher, subscriber *leg) {
	tb.Helper()
	rs := newRooms()
	var legs [2]*leg
	for i := range legs {
		l, out := newTestLeg(uint32(1000 * (i + 1)))
		out.onMedia = func([]byte) {}
		if _, err := rs.join(l, "room", 0); err != nil {
			tb.Fatal(err)
		}
		rs.setReady(l, 0)
		legs[i] = l
	}

	return legs[0], legs[1]
}

// BenchmarkForward is one packet from the SRTP session's hand-over to the
// partner's transport, without the crypto: parsing, loss detection, rewriting,
// header extensions, the retransmission ring.
func BenchmarkForward(b *testing.B) {
	for _, bench := range []struct {
		name string
		raw  raw
		body []byte
	}{
		{"video", raw{pt: ptVP8, ssrc: 7, ext: []byte{0x40, 1, 0x31, 0, 0}}, slices.Concat(keyFrame, make([]byte, 1100))},
		{"audio", raw{pt: ptOpus, ssrc: 8, ext: []byte{0x10, 30, 0x31, 0, 0}}, make([]byte, 90)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			publisher, _ := pairInMemory(b)
			publisher.media.Load().ext = [kinds]extensions{} // feedback is not part of this, but for one request for reports a second
			publisher.up.nextReport = time.Hour * 1e6
			publisher.up.nextLimit = time.Hour * 1e6
			packet := bench.raw.bytes(bench.body...)
			b.SetBytes(int64(len(packet)))
			b.ReportAllocs()
			seq, now := uint16(0), time.Duration(0)
			for b.Loop() {
				seq++
				now += 10 * time.Millisecond // far from the limit
				packet[2], packet[3] = byte(seq>>8), byte(seq)
				publisher.receiveRTP(packet, now, nil)
			}
		})
	}
}

// BenchmarkLossDetectorGaps is the worst that a packet can cost there: each one
// leaves out as many numbers as are believed.
func BenchmarkLossDetectorGaps(b *testing.B) {
	var d lossDetector
	b.ReportAllocs()
	for seq := uint16(0); b.Loop(); seq += lossWindow {
		d.receive(seq, 0)
	}
}

// BenchmarkForwardWithFeedback is the same with transport-wide feedback,
// receiver reports and bandwidth limits sent when they are due, at 300 packets
// a second.
func BenchmarkForwardWithFeedback(b *testing.B) {
	publisher, _ := pairInMemory(b)
	publisher.out = discardSender{}
	publisher.up.police = newPolice(1 << 32)
	body := slices.Concat(keyFrame, make([]byte, 1100))
	packet := raw{pt: ptVP8, ssrc: 7, ext: []byte{0x31, 0, 0}}.bytes(body...)
	b.ReportAllocs()
	seq, now := uint16(0), time.Duration(0)
	for b.Loop() {
		seq++
		now += time.Second / 300
		packet[2], packet[3] = byte(seq>>8), byte(seq)
		packet[17], packet[18] = byte(seq>>8), byte(seq)
		publisher.receiveRTP(packet, now, nil)
	}
}

// BenchmarkRewire is leaving one partner and joining another, both directions.
func BenchmarkRewire(b *testing.B) {
	rs := newRooms()
	var legs [3]*leg
	for i := range legs {
		l, _ := newTestLeg(uint32(1000 * (i + 1)))
		l.out = discardSender{}
		rs.setReady(l, 0)
		legs[i] = l
	}
	b.ReportAllocs()
	now := time.Duration(0)
	for i := 0; b.Loop(); i++ {
		now += time.Millisecond
		other := legs[1+i%2]
		for _, l := range []*leg{legs[0], other} {
			wired, err := rs.join(l, "room", now)
			if err != nil {
				b.Fatal(err)
			}
			wired.greet(now)
		}
		rs.leave(legs[0])
		rs.leave(other)
	}
}

// BenchmarkReturnFeedback is one packet of a subscriber's transport-wide
// feedback about a hundred packets, and its receiver report, on their way to
// the publisher.
func BenchmarkReturnFeedback(b *testing.B) {
	publisher, subscriber := pairInMemory(b)
	publisher.out = discardSender{}
	recorder := twcc.NewRecorder(1)
	r := raw{pt: ptVP8, ssrc: 7}
	now := time.Second
	for i := range 100 {
		r.seq++
		now += time.Millisecond
		r.ext = []byte{0x31, 0, byte(i)}
		publisher.receiveRTP(r.bytes(keyFrame...), now, nil)
		if i%9 > 0 {
			recorder.Record(21, subscriber.number, now.Microseconds())
		}
	}
	list := append(recorder.BuildFeedbackPacket(), &rtcp.ReceiverReport{
		Reports: []rtcp.ReceptionReport{{SSRC: 2001, LastSequenceNumber: uint32(subscriber.down[video].tail.seq)}},
	})
	for i, name := range []string{"transport-wide", "receiver report"} {
		packet, err := list[i].Marshal()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				now += 10 * time.Millisecond // far from the limit
				subscriber.receiveRTCP(packet, now, nil)
			}
			if n := subscriber.count.dropped[dropExcess].Load(); n > 0 {
				b.Errorf("%d dropped", n)
			}
		})
	}
}
