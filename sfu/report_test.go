package sfu

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// TestReceiverReportEndToEnd: the publisher hears what the subscriber says
// about it, in its own terms: numbers, losses since they met, and the echo of
// its own report, by which it measures the whole round trip.
func TestReceiverReportEndToEnd(t *testing.T) {
	publisher, subscriber, up, down, c := call(t)
	for range 10 {
		c.frame(deltaFrame)
	}
	const theirs = uint64(0xdeadbeef12345678)
	control(t, publisher, c.now, &rtcp.SenderReport{SSRC: 500, NTPTime: theirs, RTPTime: c.raw.ts})
	heard := publisher.ntp(c.now)
	for range 3 {
		c.frame(deltaFrame)
	}
	sr, ok := find[*rtcp.SenderReport](down.takeControl())
	if !ok {
		t.Fatal("no sender report")
	}
	held := uint32((sr.NTPTime - heard) >> 16) // for which the publisher's was here
	last := down.sent(t, video)[13].seq
	report := func(highest uint16, lost uint32, fraction uint8) *rtcp.ReceptionReport {
		t.Helper()
		up.takeControl()
		control(t, subscriber, c.now, &rtcp.ReceiverReport{SSRC: 77, Reports: []rtcp.ReceptionReport{
			{SSRC: 999},
			{
				SSRC: 21, FractionLost: fraction, TotalLost: lost, Jitter: 5,
				LastSequenceNumber: 3<<16 | uint32(highest), LastSenderReport: uint32(sr.NTPTime >> 16), Delay: 1234,
			},
		}})
		rr, ok := find[*rtcp.ReceiverReport](up.takeControl())
		if !ok {
			return nil
		}
		if rr.SSRC != publisher.self() || len(rr.Reports) != 1 || rr.Reports[0].SSRC != 500 {
			t.Fatalf("report %v", rr)
		}

		return &rr.Reports[0]
	}
	// The subscriber has lost 1000 of earlier partners' packets.
	if b := report(last, 1000, 99); b == nil || b.TotalLost != 0 || b.FractionLost != 0 ||
		uint16(b.LastSequenceNumber) != c.raw.seq || b.Jitter != 5 || held == 0 || b.Delay-1234-held > 1 || b.LastSenderReport != uint32(theirs>>16&0xffffffff) {
		t.Errorf("first report %+v", b)
	}
	if b := report(last, 1003, 7); b == nil || b.TotalLost != 3 || b.FractionLost != 7 {
		t.Errorf("second report %+v", b)
	}
	if b := report(last-20, 1003, 7); b != nil {
		t.Errorf("a report about another partner's packets became %+v", b)
	}
	if b := report(last+1, 1003, 7); b != nil {
		t.Errorf("a report about what was not sent became %+v", b)
	}
	sr.NTPTime++
	sr.NTPTime += 1 << 16
	if b := report(last, 1003, 7); b == nil || b.LastSenderReport != 0 || b.Delay != 0 {
		t.Errorf("the echo of another sender's report became %+v", b)
	}
	publisher.rtt.Store(int64(time.Second))
	subscriber.rtt.Store(int64(time.Second / 2))
	report(last, 1004, 64)
	if s := subscriber.count.snapshot(); s.FractionLost != 0.25 || s.PacketsMissed != 1004 || s.PathRTT != time.Second*3/2 {
		t.Errorf("counted %+v", s)
	}
	// The relay's own reports begin again when the partner is silent, and go on counting.
	c.raw.seq += 5
	c.now += partnerReports
	up.takeControl()
	for range 40 {
		c.frame(deltaFrame)
	}
	rr, ok := find[*rtcp.ReceiverReport](up.takeControl())
	if !ok || len(rr.Reports) != 1 || rr.Reports[0].TotalLost != 9 {
		t.Errorf("the relay's own report is %v", rr)
	}
}

// TestLossesThatCannotBe: a subscriber that reports more lost than was sent does
// not spoil what its publisher is told for the rest of its life.
func TestLossesThatCannotBe(t *testing.T) {
	publisher, subscriber, up, down, c := call(t)
	for _, lost := range []uint32{0x7fffff, 0x800001} { // the most and the least
		for i := range uint32(20) {
			c.frame(deltaFrame)
			sent := down.sent(t, video)
			control(t, subscriber, c.now, &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{
				{SSRC: 21, TotalLost: lost * i & 0xffffff, LastSequenceNumber: uint32(sent[len(sent)-1].seq)},
			}})
		}
		if got := publisher.up.lost[video].Load(); got > 2000 || got < -2000 {
			t.Errorf("%d packets of %d were lost", got, len(down.sent(t, video)))
		}
	}
	if got := subscriber.count.missed.Load(); got > 50*lossWindow || got < -50*lossWindow {
		t.Errorf("counted %d as missed", got)
	}
	up.takeControl()
}

// TestStreamRestartForgetsClocks: what a publisher's report said of a stream that
// it has begun anew since is told to nobody.
func TestStreamRestartForgetsClocks(t *testing.T) {
	rs := newRooms()
	publisher, up := newTestLeg(10)
	c := newCamera(publisher, 500)
	c.frame(keyFrame)
	control(t, publisher, c.now, &rtcp.SenderReport{SSRC: 500, NTPTime: 1 << 40, RTPTime: c.raw.ts})
	c.now += time.Second
	c.raw.ssrc, c.raw.ts = 501, 77
	c.frame(keyFrame)
	subscriber, down := newTestLeg(20)
	for _, l := range []*leg{publisher, subscriber} {
		if _, err := rs.join(l, "room", 0); err != nil {
			t.Fatal(err)
		}
		rs.setReady(l, 0)
	}
	c.frame(keyFrame)
	if sr, ok := find[*rtcp.SenderReport](down.takeControl()); ok {
		t.Errorf("the partner was told %v", sr)
	}
	up.takeControl()
	c.now += 2 * time.Second
	c.frame(deltaFrame)
	if rr, ok := find[*rtcp.ReceiverReport](up.takeControl()); !ok || len(rr.Reports) != 1 || rr.Reports[0].LastSenderReport != 0 {
		t.Errorf("the publisher was told %v", rr)
	}
}

// TestReportsInSync: of a partner whose clocks are known the new subscriber is told
// for each stream, even if it reports no more, and both are of one clock.
func TestReportsInSync(t *testing.T) {
	rs := newRooms()
	publisher, _ := newTestLeg(10)
	subscriber, down := newTestLeg(20)
	picture, sound := newCamera(publisher, 500), raw{pt: ptOpus, ssrc: 600, ts: 1 << 31}
	picture.frame(keyFrame)
	publisher.receiveRTP(sound.bytes(1), picture.now, nil)
	const theirs = uint64(0xdeadbeef12345678)
	pictureTS := picture.raw.ts // the same instant as the sound's
	control(t, publisher, picture.now, &rtcp.SenderReport{SSRC: 500, NTPTime: theirs, RTPTime: pictureTS})
	control(t, publisher, picture.now+time.Second, &rtcp.SenderReport{SSRC: 600, NTPTime: theirs + 1<<32, RTPTime: sound.ts + 48000})
	for _, l := range []*leg{publisher, subscriber} {
		if _, err := rs.join(l, "room", 0); err != nil {
			t.Fatal(err)
		}
		rs.setReady(l, 0)
	}
	picture.now += 7 * time.Second
	picture.raw.ts += 7 * 90000
	sound.seq++
	sound.ts += 7 * 48000
	for range 70 { // it reports no more: it is told after two seconds
		publisher.receiveRTP(sound.bytes(1), picture.now, nil)
		picture.frame(keyFrame)
		sound.seq++
		sound.ts += 33 * 48
	}
	var at [kinds]float64 // when the first packets were captured, in the reports' clock
	for _, p := range down.takeControl() {
		if sr, ok := p.(*rtcp.SenderReport); ok {
			k, rate := video, 90000.0
			if sr.SSRC == 20 {
				k, rate = audio, 48000
			}
			at[k] = float64(sr.NTPTime)/(1<<32) + float64(int32(down.sent(t, k)[0].ts-sr.RTPTime))/rate
		}
	}
	// The picture's packet is 33 ms later than the sound's.
	if d := at[video] - at[audio]; at[audio] == 0 || d < 0.032 || d > 0.035 {
		t.Errorf("the picture is %v s after the sound, want 0.033: %v", d, at)
	}
	if _, _, ok := (&reportRoute{}).original(video, 0); ok {
		t.Error("no report was taken for one")
	}
}
