package sfu

import (
	"math"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func TestStepOfTime(t *testing.T) {
	const second = 90000
	for _, c := range []struct {
		name    string
		elapsed time.Duration
		line    int64
		known   bool
		want    int64
	}{
		{"nothing is known", time.Second, 77, false, second},
		{"on the line", time.Second, second + 4500, true, second + 4500},
		{"on the line, before", time.Second, second - 4500, true, second - 4500},
		{"a clock was set", time.Second, second + second/2 + 1, true, second},
		{"a clock was set back", time.Second, second/2 - 1, true, second},
		{"time never goes back", 20 * time.Millisecond, -900, true, minGapVideo},
		{"nor stands still", 0, 0, false, minGapVideo},
		{"half of all numbers later", 7 * time.Hour, 7*3600*second + 4500, true, 7*3600*second + 4500},
		{"once round", 14 * time.Hour, 14*3600*second - 4500, true, 14*3600*second - 4500},
		{"half of all numbers later, unknown", 7 * time.Hour, 0, false, 7 * 3600 * second},
	} {
		where := tail{started: true, at: time.Minute}
		if got := where.step(video, uint32(c.line), c.known, time.Minute+c.elapsed); got != uint32(c.want) {
			t.Errorf("%s: %d, want %d", c.name, got, uint32(c.want))
		}
	}
	if got := new(tail).step(audio, 4800, true, time.Minute); got != minGapAudio {
		t.Errorf("the first of all goes on by %d", got)
	}
}

func TestRTPTime(t *testing.T) {
	for _, c := range []struct {
		ntp  uint64
		rate uint64
		want uint32
	}{
		{0, 90000, 0},
		{1 << 32, 90000, 90000},
		{1 << 31, 48000, 24000},
		{math.MaxUint64 - 1<<32 + 1, 90000, ^uint32(90000 - 1)}, // a second back
		{math.MaxUint64 - 3<<31 + 1, 48000, ^uint32(72000 - 1)},
		{4_000_000_000 << 32, 90000, uint32(4_000_000_000 * 90000 & math.MaxUint32)},
	} {
		if got := rtpTime(c.ntp, c.rate); got != c.want {
			t.Errorf("%#x at %d Hz: %d, want %d", c.ntp, c.rate, got, c.want)
		}
	}
}

// TestClockOfManyReports: one report that is off moves an RTP clock little, all
// together make it, and it follows what drifts; a clock that was set is believed
// at once.
func TestClockOfManyReports(t *testing.T) {
	const ms = 90
	var c rtpClock
	if _, known := c.origin(); known {
		t.Error("a clock is known without a report")
	}
	near := func(what string, got uint32, want, slack int32) {
		t.Helper()
		if off := int32(got) - want; off < -slack || off > slack {
			t.Errorf("%s: it is %d ms off", what, off/ms)
		}
	}
	base := int32(-20 * ms) // over the wrap
	near("the first", c.hear(uint32(base), video), base, 0)
	near("the second", c.hear(uint32(base+40*ms), video), base+20*ms, 1)
	for i := range int32(200) {
		c.hear(uint32(base+i%4*10*ms), video) // 15 ms in the middle
	}
	near("a noisy one", c.hear(uint32(base+15*ms), video), base+15*ms, 5*ms)
	before, _ := c.origin()
	near("one that is off", c.hear(before+80*ms, video), int32(before)+10*ms, 2)
	for range 100 {
		c.hear(uint32(base+100*ms), video)
	}
	got, known := c.origin()
	near("what has drifted", got, base+100*ms, ms)
	near("a clock that was set", c.hear(uint32(base+700*ms), video), base+700*ms, 0)
	near("and the next", c.hear(uint32(base+710*ms), video), base+705*ms, 1)
	if !known {
		t.Error("it is not known")
	}
}

// TestShiftFollowsDrift: for the time of a wiring the shift stays, and with the
// next it is what the quickest reports have shown, whatever the clocks did.
func TestShiftFollowsDrift(t *testing.T) {
	const ms = 1 << 32 / 1000
	var s ntpShift
	for i := range uint64(100) { // the first one waited for 300 ms, and the clocks drift by 50 ms in all
		late := i % 5 * 7 * ms
		if i == 0 {
			late = 300 * ms
		}
		at := 1000<<32 + i<<32
		if got := s.hear(at, at+5<<32+late+i*ms/2); got != 5<<32+300*ms {
			t.Fatalf("report %d is shifted by %d ms", i, got/ms)
		}
	}
	s.fix()
	if got := s.hear(2000<<32, 2006<<32); got < 5<<32+44*ms || got > 5<<32+56*ms {
		t.Errorf("then by %d ms, want about 5050", got/ms)
	}
	if s.fix(); s.fixed.Load() != 6<<32 {
		t.Errorf("after the next it is %d ms, want that of its only report", s.fixed.Load()/ms)
	}
	s.hear(4000<<32, 4006<<32)
	s.hear(3000<<32, 4007<<32) // its clock was set back
	if s.fix(); s.fixed.Load() != 1007<<32 {
		t.Errorf("after its clock was set it is %d s", s.fixed.Load()>>32)
	}
	if s.fix(); s.fixed.Load() != 1007<<32 {
		t.Error("nothing was heard, and the shift is another")
	}
}

// frame sends one with the timestamp of its time, to the tick.
func frame(c *camera, payload []byte) {
	c.raw.ts -= 30
	c.frame(payload)
}

// TestPartnersOnOneLine: partners whose pictures take differently long, and whose
// clocks have nothing in common, give their subscriber sender reports on one
// line, from the first one on.
func TestPartnersOnOneLine(t *testing.T) {
	rs := newRooms()
	subscriber, down := newTestLeg(20)
	rs.setReady(subscriber, 0)
	now := time.Second
	var line []*rtcp.SenderReport
	for i, delay := range []time.Duration{10, 90, 40, 130} {
		delay *= time.Millisecond
		publisher, _ := newTestLeg(uint32(100 * (i + 1)))
		rs.setReady(publisher, 0)
		c := newCamera(publisher, 500)
		c.now, c.raw.ts = now+delay, uint32(i)*0x55555555
		skew := uint64(i) * 0x123456789abcdef
		report := func() { // it says what its clocks show, not when the last picture was taken
			at := c.now - delay + 50*time.Millisecond
			control(t, publisher, at, &rtcp.SenderReport{SSRC: 500, NTPTime: ticks(at, 1<<32) + skew, RTPTime: c.raw.ts + 4500})
		}
		frame(c, keyFrame)
		report()
		for _, l := range []*leg{subscriber, publisher} {
			if _, err := rs.join(l, "room", now); err != nil {
				t.Fatal(err)
			}
		}
		frame(c, keyFrame)
		for range 150 {
			frame(c, deltaFrame)
			if len(line)%7 == 3 {
				report()
			}
			for _, p := range down.takeControl() {
				if sr, ok := p.(*rtcp.SenderReport); ok {
					line = append(line, sr)
				}
			}
		}
		rs.leave(publisher)
		rs.leave(subscriber)
		now = c.now + 300*time.Millisecond
	}
	if len(line) < 4*4 {
		t.Fatalf("%d reports: this shows nothing", len(line))
	}
	for i, sr := range line[1:] {
		ntp := float64(int64(sr.NTPTime-line[0].NTPTime)) / (1 << 32)
		if off := float64(int32(sr.RTPTime-line[0].RTPTime))/90000 - ntp; math.Abs(off) > 0.0005 {
			t.Errorf("report %d is %.1f ms off the line of the first", i+1, off*1000)
		}
	}
}

// TestReminders: after the begin of a flow the subscriber is told of its times
// four times over, each time of the present.
func TestReminders(t *testing.T) {
	publisher, _ := newTestLeg(10)
	c := newCamera(publisher, 500)
	frame(c, keyFrame)
	control(t, publisher, c.now, &rtcp.SenderReport{SSRC: 500, NTPTime: 99 << 32, RTPTime: c.raw.ts})
	subscriber, down := newTestLeg(20)
	wire(t, publisher, subscriber)
	c.now += 7 * time.Second
	c.raw.ts += 7 * 90000
	frame(c, keyFrame)
	start := c.now
	var at []time.Duration
	for range 300 {
		for _, p := range down.takeControl() {
			sr, ok := p.(*rtcp.SenderReport)
			if !ok {
				continue
			}
			at = append(at, c.now-start)
			if ntp := subscriber.ntp(c.now); sr.NTPTime != ntp {
				t.Errorf("at %v it is told of %v before", c.now-start, time.Duration(int64(ntp-sr.NTPTime)*1e9>>32))
			}
			sent := down.sent(t, video)
			if off := int32(sr.RTPTime - sent[len(sent)-1].ts); off < -2 || off > 2 {
				t.Errorf("at %v it is told of %d when %d is sent", c.now-start, sr.RTPTime, sent[len(sent)-1].ts)
			}
		}
		frame(c, deltaFrame)
	}
	if len(at) != 4 {
		t.Fatalf("told after %v", at)
	}
	for i, want := range []time.Duration{0, 500 * time.Millisecond, 1500 * time.Millisecond, 3500 * time.Millisecond} {
		if at[i] < want || at[i] > want+100*time.Millisecond {
			t.Errorf("told after %v, the %dth should be after %v", at, i+1, want)
		}
	}
}
