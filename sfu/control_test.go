package sfu

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
)

// call wires two legs in memory and lets the first one send a key frame.
func call(t *testing.T) (publisher, subscriber *leg, up, down *memory, c *camera) {
	t.Helper()
	publisher, up = newTestLeg(10)
	subscriber, down = newTestLeg(20)
	wire(t, publisher, subscriber)
	c = newCamera(publisher, 500)
	c.frame(keyFrame)

	return publisher, subscriber, up, down, c
}

// wire has two peers meet.
func wire(t testing.TB, a, b *leg) {
	t.Helper()
	rs := newRooms()
	for _, l := range []*leg{a, b} {
		if _, err := rs.join(l, "room", 0); err != nil {
			t.Fatal(err)
		}
		rs.setReady(l, 0)
	}
}

func control(t *testing.T, l *leg, now time.Duration, packets ...rtcp.Packet) {
	t.Helper()
	for _, p := range packets {
		b, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		l.receiveRTCP(b, now, nil)
	}
}

// find returns the first packet of type T in the list.
func find[T rtcp.Packet](packets []rtcp.Packet) (found T, ok bool) {
	for _, p := range packets {
		if found, ok = p.(T); ok {
			return found, true
		}
	}

	return found, false
}

func TestRetransmission(t *testing.T) {
	for _, withRTX := range []bool{true, false} {
		_, subscriber, _, down, c := call(t)
		if !withRTX {
			m := testMedia(20)
			m.payloads[ptVP8].repair = noPayload
			subscriber.media.Store(m)
		}
		for range 10 {
			c.frame(deltaFrame)
		}
		lost := down.sent(t, video)[4]
		nack := &rtcp.TransportLayerNack{
			MediaSSRC: 21, Nacks: []rtcp.NackPair{{PacketID: lost.seq, LostPackets: 0b101}},
		}
		control(t, subscriber, c.now+time.Second, nack)
		if len(down.repairs) != 3 {
			t.Fatalf("%d repairs, want 3", len(down.repairs))
		}
		var p packet
		p.parse(down.repairs[0])
		switch {
		case withRTX && (p.pt != ptRTX || p.ssrc != 22 || !p.unwrap(ptVP8, 21) || p.seq != lost.seq || p.ts != lost.ts):
			t.Errorf("retransmission is %+v", p)
		case !withRTX && !bytes.Equal(down.repairs[0], down.media[video][4]):
			t.Error("the repeat is not the same bytes: its nonce is used twice")
		}
		for range 10 {
			control(t, subscriber, c.now+time.Second, nack)
		}
		if len(down.repairs) > 3*maxResends {
			t.Errorf("%d repairs of 3 packets", len(down.repairs))
		}
		control(t, subscriber, c.now, &rtcp.TransportLayerNack{
			MediaSSRC: 999, Nacks: []rtcp.NackPair{{PacketID: lost.seq}},
		})
		if got := subscriber.count.snapshot(); got.NACKsReceived != 33 || got.Retransmitted != uint64(len(down.repairs)) {
			t.Errorf("counted %+v", got)
		}
	}
}

// TestRepairBudget: however much a subscriber asks for, repairs stay a share of
// what is sent; instead of the rest there is a key frame now and then.
func TestRepairBudget(t *testing.T) {
	_, subscriber, up, down, c := call(t)
	first := down.sent(t, video)[0].seq
	sent := 0
	for i := range 4000 {
		c.frame(append(slices.Clone(deltaFrame), make([]byte, 1000)...))
		sent += 1000 + len(deltaFrame)
		control(t, subscriber, c.now+time.Second, &rtcp.TransportLayerNack{
			MediaSSRC: 21, Nacks: []rtcp.NackPair{{PacketID: first + uint16(i) + 1 - 16, LostPackets: 0xffff}},
		})
	}
	keys := 0
	for _, p := range up.takeControl() {
		if _, ok := p.(*rtcp.PictureLossIndication); ok {
			keys++
		}
	}
	if keys < 60 || keys > 140 { // in 132 s
		t.Errorf("%d key frames were asked for", keys)
	}
	repaired := 0
	for _, b := range down.repairs {
		repaired += len(b)
	}
	if least := sent/repairShare*95/100 + repairBurst; repaired < least || repaired > sent/repairShare+repairBurst+maxPacket {
		t.Errorf("%d bytes repaired %d", repaired, sent)
	}
}

func TestResendInterval(t *testing.T) {
	_, subscriber, _, down, c := call(t)
	subscriber.rtt.Store(int64(80 * time.Millisecond))
	nack := &rtcp.TransportLayerNack{
		MediaSSRC: 21, Nacks: []rtcp.NackPair{{PacketID: down.sent(t, video)[0].seq}},
	}
	for i, step := range []struct {
		after time.Duration
		want  int
	}{
		{20 * time.Millisecond, 0}, {40 * time.Millisecond, 1},
		{90 * time.Millisecond, 1}, {110 * time.Millisecond, 2},
		{220 * time.Millisecond, 2}, {240 * time.Millisecond, 3},
	} {
		control(t, subscriber, c.now+step.after, nack)
		if len(down.repairs) != step.want {
			t.Errorf("step %d: %d repairs, want %d", i, len(down.repairs), step.want)
		}
	}
}

// TestFirstRepairDespiteOldRoundTrip: a round trip that was measured in a queue
// does not keep back the first repair of what was lost when the queue is gone.
// But a request for what went out late may have been on its way before.
func TestFirstRepairDespiteOldRoundTrip(t *testing.T) {
	publisher, subscriber, _, down, c := call(t)
	subscriber.rtt.Store(int64(1200 * time.Millisecond))
	c.raw.seq++ // is late
	c.frame(deltaFrame)
	late := c.raw
	late.seq--
	publisher.receiveRTP(late.bytes(deltaFrame...), c.now, nil)
	sent := down.sent(t, video)
	ask := func(seq uint16, after time.Duration) int {
		before := len(down.repairs)
		control(t, subscriber, c.now+after, &rtcp.TransportLayerNack{MediaSSRC: 21, Nacks: []rtcp.NackPair{{PacketID: seq}}})

		return len(down.repairs) - before
	}
	if ask(sent[1].seq, 40*time.Millisecond) != 1 {
		t.Error("the first repair was kept back")
	}
	if ask(sent[1].seq, 500*time.Millisecond) != 0 || ask(sent[2].seq, 500*time.Millisecond) != 0 {
		t.Error("repaired again within a round trip")
	}
	if ask(sent[2].seq, time.Second) != 1 || ask(sent[1].seq, time.Second) != 1 {
		t.Error("not repaired")
	}
}

// TestSenderReport: the subscriber gets what the publisher reports in the terms of
// its own stream and of the server's time; the same instant has the same NTP time
// in audio and video, however long the report was on its way.
func TestSenderReport(t *testing.T) {
	publisher, subscriber, _, down, c := call(t)
	sound := raw{pt: ptOpus, ssrc: 600, seq: 1, ts: 48000}
	publisher.receiveRTP(sound.bytes(1, 2, 3), c.now, nil)
	const theirs = uint64(0xdeadbeef12345678) // the publisher's idea of the time
	control(t, publisher, c.now,
		&rtcp.SenderReport{SSRC: 500, NTPTime: theirs, RTPTime: c.raw.ts, PacketCount: 999},
		&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Source: 500, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "secret"}}}}},
	)
	const late = 20 * time.Millisecond
	control(t, publisher, c.now+late, &rtcp.SenderReport{SSRC: 600, NTPTime: theirs, RTPTime: 48000})
	instant := publisher.ntp(c.now)
	c.now += 40 * time.Millisecond
	c.frame(deltaFrame)
	sound.seq++
	publisher.receiveRTP(sound.bytes(1, 2, 3), c.now, nil)
	told := down.takeControl()
	var pictures *rtcp.SenderReport
	for _, p := range told {
		sr, ok := p.(*rtcp.SenderReport)
		if !ok {
			continue
		}
		k := audio
		if sr.SSRC == 21 {
			k, pictures = video, sr
		}
		if sr.NTPTime != publisher.ntp(c.now) || sr.PacketCount != 1 {
			t.Errorf("report %+v, want one of the present, %x", sr, publisher.ntp(c.now))
		}
		// Both were reported to be of one instant.
		at := instant + ticks(time.Duration(int32(sr.RTPTime-down.sent(t, k)[0].ts))*time.Second/time.Duration(k.clock()), 1<<32)
		if off := int64(sr.NTPTime - at); off > 1<<18 || off < -1<<18 { // 60 µs
			t.Errorf("the time of %v is %v off", k, time.Duration(off*1e9>>32))
		}
	}
	if pictures == nil || len(told) != 4 {
		t.Fatalf("told %v", told)
	}
	for i := 0; i < len(told); i += 2 {
		sr, ok := told[i].(*rtcp.SenderReport)
		d, ok2 := told[i+1].(*rtcp.SourceDescription)
		if !ok || !ok2 || d.Chunks[0].Items[0].Text != cname || d.Chunks[0].Source != sr.SSRC {
			t.Errorf("told %v with source description %v", told[i], told[i+1])
		}
	}
	control(t, subscriber, c.now+100*time.Millisecond, &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{
		SSRC: 21, LastSenderReport: uint32(pictures.NTPTime >> 16), Delay: 65536 / 50,
	}}})
	if rtt := time.Duration(subscriber.rtt.Load()); rtt < 79*time.Millisecond || rtt > 81*time.Millisecond {
		t.Errorf("round trip %v, want 80 ms", rtt)
	}
}

// TestRoundTripByEarlierReports: what a peer says about any of the last sender
// reports tells the round trip, though others have gone out since.
func TestRoundTripByEarlierReports(t *testing.T) {
	publisher, subscriber, _, down, c := call(t)
	var told []uint32
	control(t, publisher, c.now, &rtcp.SenderReport{SSRC: 500, NTPTime: ticks(c.now, 1<<32), RTPTime: c.raw.ts})
	for i := 0; len(told) < keptReports+1; i++ {
		if frame(c, deltaFrame); i > 1000 {
			t.Fatalf("told %d times", len(told))
		}
		if sr, ok := find[*rtcp.SenderReport](down.takeControl()); ok {
			told = append(told, uint32(sr.NTPTime>>16))
		}
	}
	for i, echo := range told {
		subscriber.rtt.Store(0)
		delay := publisher.middle(c.now) - echo - 65536/4 // it had the report for all but 250 ms
		control(t, subscriber, c.now, &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: 21, LastSenderReport: echo, Delay: delay}}})
		if rtt := time.Duration(subscriber.rtt.Load()); (rtt == 250*time.Millisecond) != (i > 0) || i == 0 && rtt != 0 {
			t.Errorf("by report %d of %d the round trip is %v", i, len(told), rtt)
		}
	}
}

// TestEstimate: a subscriber's estimate becomes the publisher's limit when it
// shows congestion, and is passed on at once.
func TestEstimate(t *testing.T) {
	publisher, subscriber, up, _, c := call(t)
	for i, step := range []struct{ estimate, want float32 }{ // want 0: nothing new
		{300_000, 0},       // it only says what it receives
		{700_000, 0},       // and grows
		{400_000, 400_000}, // it falls: congestion
		{450_000, 450_000},
		{3_000_000, defaultMaxBitrate},
	} {
		control(t, subscriber, c.now, &rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: step.estimate, SSRCs: []uint32{21}})
		up.takeControl()
		publisher.up.nextReport, publisher.up.nextLimit = time.Hour, 0 // no periodic one
		c.frame(deltaFrame)
		remb, ok := find[*rtcp.ReceiverEstimatedMaximumBitrate](up.takeControl())
		if ok != (step.want != 0) || ok && (remb.Bitrate < step.want*0.99 || remb.Bitrate > step.want*1.01) {
			t.Errorf("step %d: the publisher was told %v, want %v", i, remb, step.want)
		}
	}
	control(t, subscriber, c.now, &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: 21, FractionLost: heavyLoss}}})
	if r := subscriber.from.to.Load(); publisher.limit(r) != defaultMaxBitrate || r.estimate.limit.Load() != 3_000_000 {
		t.Errorf("heavy loss made a limit of %d", r.estimate.limit.Load())
	}
	if publisher.limit(nil) != defaultMaxBitrate {
		t.Errorf("alone it may send %d", publisher.limit(nil))
	}
}

// TestEstimateBeforeFeedback: a subscriber that may yet give transport-wide
// feedback does not cap its publisher by an estimate that it began with; one
// that gives none does.
func TestEstimateBeforeFeedback(t *testing.T) {
	publisher, subscriber, _, _, c := call(t)
	frames := func(n int) uint64 {
		for range n {
			c.raw.ext = []byte{0x31, 0, byte(c.raw.seq)}
			c.frame(deltaFrame)
		}

		return publisher.limit(subscriber.from.to.Load())
	}
	frames(1)
	for _, estimate := range []float32{700_000, 300_000} {
		control(t, subscriber, c.now, &rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: estimate, SSRCs: []uint32{21}})
	}
	if got := frames(10); got != defaultMaxBitrate {
		t.Errorf("the publisher may send %d", got)
	}
	if got := frames(60); got > 301_000 {
		t.Errorf("without feedback the publisher may send %d", got)
	}
}

// TestLimitIsNoStartRate: a sender with transport-wide feedback takes the first
// limit for a rate to begin with, so it gets none before it has heard of
// arrivals of its picture, and for two seconds more; a new partner changes
// nothing. One without gets it at once.
func TestLimitIsNoStartRate(t *testing.T) {
	for _, wide := range []bool{true, false} {
		l, out := newTestLeg(10)
		if !wide {
			m := testMedia(10)
			m.ext[video].transportCC = 0
			l.media.Store(m)
		}
		var told, reported time.Duration // when first
		hear := func(now time.Duration) {
			for _, p := range out.takeControl() {
				switch p := p.(type) {
				case *rtcp.ReceiverEstimatedMaximumBitrate:
					if p.Bitrate != defaultMaxBitrate {
						t.Errorf("told %v", p.Bitrate)
					}
					if told == 0 {
						told = max(now, 1)
					}
				case *rtcp.TransportLayerCC:
					if reported == 0 {
						reported = max(now, 1)
					}
				}
			}
		}
		c := newCamera(l, 500)
		for i := range 50 {
			l.receiveRTP(raw{pt: ptOpus, ssrc: 600, seq: uint16(i)}.bytes(1), time.Duration(i)*20*time.Millisecond, nil)
			hear(time.Duration(i) * 20 * time.Millisecond)
		}
		if wide && told != 0 {
			t.Errorf("told a limit at %v, before there was a picture", told)
		}
		c.now = time.Second
		for i := range 200 {
			c.raw.ext = []byte{0x31, 0, byte(i)}
			c.frame(deltaFrame)
			hear(c.now)
			if i == 5 {
				l.to.open(newRoute(l, l))
				pair{l}.greet(c.now)
				l.to.clear()
				hear(c.now)
			}
		}
		switch {
		case told == 0:
			t.Error("never told")
		case wide && (reported == 0 || told < reported+startPhase || told > reported+startPhase+2*reportInterval):
			t.Errorf("told a limit at %v, of arrivals at %v", told, reported)
		case !wide && told > 20*time.Millisecond:
			t.Errorf("told a limit at %v", told)
		}
	}
}

// TestFeedback: a publisher is told what is missing and what has arrived, alone
// and in a call.
func TestFeedback(t *testing.T) {
	alone, out := newTestLeg(10)
	lonely := newCamera(alone, 500)
	lonely.raw.ext = []byte{0x31, 0, 9}
	lonely.frame(keyFrame)
	sent := out.takeControl()
	if cc, ok := find[*rtcp.TransportLayerCC](sent); !ok || cc.BaseSequenceNumber != 9 || cc.MediaSSRC != 500 {
		t.Errorf("arrivals reported as %v", cc)
	}
	_, _, up, _, c := call(t)
	up.takeControl()
	c.raw.seq += 2
	c.frame(deltaFrame)
	c.frame(deltaFrame)
	nack, ok := find[*rtcp.TransportLayerNack](up.takeControl())
	if !ok || !slices.Equal(nack.Nacks[0].PacketList(), []uint16{c.raw.seq - 3, c.raw.seq - 2}) || nack.MediaSSRC != 500 {
		t.Errorf("asked for %v", nack)
	}
	for range 40 {
		c.frame(deltaFrame)
	}
	rr, ok := find[*rtcp.ReceiverReport](up.takeControl())
	if !ok || len(rr.Reports) != 1 || rr.Reports[0].SSRC != 500 || rr.Reports[0].TotalLost != 2 {
		t.Errorf("report %v", rr)
	}
}

// FuzzRTCP feeds both sides of a call what strangers may send.
func FuzzRTCP(f *testing.F) {
	for _, p := range []rtcp.Packet{
		&rtcp.SenderReport{SSRC: 500, Reports: []rtcp.ReceptionReport{{SSRC: 11}}},
		&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: 21}}},
		&rtcp.TransportLayerNack{MediaSSRC: 21, Nacks: []rtcp.NackPair{{LostPackets: 0xffff}}},
		&rtcp.PictureLossIndication{MediaSSRC: 21},
		&rtcp.FullIntraRequest{FIR: []rtcp.FIREntry{{SSRC: 21}}},
		&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 1e9, SSRCs: []uint32{21}},
	} {
		b, err := p.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		publisher, subscriber := pairInMemory(t)
		newCamera(publisher, 500).frame(keyFrame)
		publisher.receiveRTCP(b, time.Second, nil)
		subscriber.receiveRTCP(b, time.Second, nil)
		if limit := publisher.limit(publisher.to.to.Load()); limit > defaultMaxBitrate {
			t.Fatalf("a limit of %d was lifted", limit)
		}
	})
}

// FuzzRewriteRTCP: whatever a subscriber says, its publisher hears only of its
// own streams, and of numbers that it sent in this wiring.
func FuzzRewriteRTCP(f *testing.F) {
	recorder := twcc.NewRecorder(1)
	for i := range uint16(40) {
		if i%7 != 0 {
			recorder.Record(21, i, int64(i)*20_000)
		}
	}
	seeds := recorder.BuildFeedbackPacket()
	seeds = append(seeds, &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: 21, LastSequenceNumber: 20}, {SSRC: 20}}},
		&rtcp.SenderReport{SSRC: 21, NTPTime: 1 << 40, Reports: []rtcp.ReceptionReport{{SSRC: 20, TotalLost: 1 << 20}}})
	for _, p := range seeds {
		b, err := p.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint16(7), uint16(20))
	}
	f.Fuzz(func(t *testing.T, b []byte, out, seq uint16) {
		publisher, subscriber, up, _, c := call(t)
		const first = 5000
		number := uint16(first)
		frame := func(body []byte) {
			number++
			c.raw.ext = []byte{0x31, byte(number >> 8), byte(number)}
			c.frame(body)
		}
		subscriber.number, subscriber.down[video].tail.seq = out, seq
		frame(keyFrame)
		for range 40 {
			frame(deltaFrame)
		}
		up.takeControl()
		up.strict = t
		for i := range b {
			subscriber.receiveRTCP(b[i:], c.now, nil)
		}
		publisher.receiveRTCP(b, c.now, nil)
		c.now += time.Minute
		frame(deltaFrame)
		for _, p := range up.takeControl() {
			for _, ssrc := range p.DestinationSSRC() {
				if _, fromUs := p.(*rtcp.SenderReport); !fromUs && ssrc != 500 {
					t.Fatalf("%v is about a stream that is not the publisher's", p)
				}
			}
			if cc, ok := p.(*rtcp.TransportLayerCC); ok {
				for _, s := range statuses(cc) {
					if s.number <= first || s.number > number {
						t.Fatalf("%v tells of number %d", cc, s.number)
					}
				}
			}
		}
	})
}
