package sfu

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func TestStepOfTime(t *testing.T) {
	const second, least = 90000, 900
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
		{"as early as it may be", time.Second, second + second/5, true, second + second/5},
		{"too early", time.Second, second + second/5 + 1, true, second},
		{"as late as it may be", time.Second, second / 2, true, second / 2},
		{"too late", time.Second, second/2 - 1, true, second},
		{"time never goes back", 20 * time.Millisecond, -900, true, least},
		{"nor stands still", 0, 0, false, least},
		{"half of all numbers later", 7 * time.Hour, 7*3600*second + 4500, true, 7*3600*second + 4500},
		{"once round", 14 * time.Hour, 14*3600*second - 4500, true, 14*3600*second - 4500},
		{"half of all numbers later, unknown", 7 * time.Hour, 0, false, 7 * 3600 * second},
	} {
		where := tail{started: true, at: time.Minute}
		if got := where.step(video, uint32(c.line), c.known, time.Minute+c.elapsed); got != uint32(c.want) {
			t.Errorf("%s: %d, want %d", c.name, got, uint32(c.want))
		}
	}
	if got := new(tail).step(audio, 4800, true, time.Minute); got != 960 {
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

// TestClockByReports: what a report says is believed, unless it is far off; what
// is far off is believed when it comes twice, and after a time in which the clock
// may have drifted by as much.
func TestClockByReports(t *testing.T) {
	const ms = 90
	var c heardClock
	var now time.Duration
	if _, known := c.origin(); known {
		t.Error("a clock is known without a report")
	}
	base := ^uint32(0) - 20*ms // before the wrap
	hear := func(what string, off int32, believed bool, want int32) {
		t.Helper()
		if ok := c.hear(base+uint32(off*ms), video, now); ok != believed {
			t.Errorf("%s: it is believed: %v", what, ok)
		}
		if got, known := c.origin(); !known || got != base+uint32(want*ms) {
			t.Errorf("%s: it is %d ms off, want %d", what, int32(got-base)/ms, want)
		}
	}
	hear("the first", 0, true, 0)
	hear("the second", 40, true, 40)
	hear("one that was off the other way", -100, true, -100)
	hear("as far as is believed", 100, true, 100)
	hear("further", -101, false, 100)
	hear("the next is as before", 100, true, 100)
	hear("another that is far off", 400, false, 100)
	hear("and one that is off elsewhere", 700, false, 100)
	hear("which is confirmed", 710, true, 710)
	hear("and has a next", 730, true, 730)
	now += 50 * time.Second
	hear("more than drift", 329, false, 730)
	hear("as far as it may have drifted", 330, true, 330)
}

// lateClock is a peer whose reports are heard of.
type lateClock struct {
	t     *testing.T
	shift ntpShift
	now   uint64 // by its own clock
}

const ntpSecond, ntpMS = 1 << 32, 1 << 32 / 1000

// hear has it report after a while, which comes when its clock shows so much less
// than the server's. set says that it must have another shift at once.
func (s *lateClock) hear(what string, after, more uint64, set, ok bool) {
	s.t.Helper()
	s.now += after
	next, gotOK := s.shift.hear(s.now, s.now+more)
	if next != 0 {
		s.shift.fixed.Store(next)
	}
	if (next != 0) != set || gotOK != ok {
		s.t.Errorf("%s: it is set to %d, believed: %v", what, next/ntpMS, gotOK)
	}
}

func (s *lateClock) is(what string, want, slack int64) {
	s.t.Helper()
	if got := s.shift.fixed.Load(); got < want-slack || got > want+slack {
		s.t.Errorf("%s it is %d ms, want %d", what, got/ntpMS, want/ntpMS)
	}
}

// TestShift: for the time of a wiring the shift stays, and with the next it is
// what the quickest reports have shown, however late others came.
func TestShift(t *testing.T) {
	s := &lateClock{t: t, now: 1000 * ntpSecond}
	s.shift.fix()
	s.is("without a report", 0, 0)
	s.hear("the first, which waited", 0, 5*ntpSecond+300*ntpMS, true, true)
	for i := range uint64(100) { // drift by 50 ms in all
		s.hear("a report", 5*ntpSecond, 5*ntpSecond+i%5*7*ntpMS+i*ntpMS/2, false, true)
		s.is("for the time of the wiring", 5*ntpSecond+300*ntpMS, 0)
	}
	s.shift.fix()
	s.is("with the next", 5*ntpSecond+50*ntpMS, 6*ntpMS)
	for range 10 {
		s.hear("a report that waits", ntpSecond, 5*ntpSecond+350*ntpMS, false, true)
	}
	s.shift.fix()
	s.is("after some that waited", 5*ntpSecond+50*ntpMS, 16*ntpMS)
	s.hear("the first after far too late ones", ntpSecond, 4*ntpSecond, true, true)
	s.is("then", 4*ntpSecond, 0)
	var same ntpShift
	if next, _ := same.hear(s.now, s.now); next == 0 {
		t.Error("a clock like the server's is not known")
	}
}

// TestShiftOverStall: what a stall held back comes together, each a little less
// late than the one before, and is not taken for a clock that was set; reports that
// stay late for seconds are.
func TestShiftOverStall(t *testing.T) {
	const usual = 5*ntpSecond + 20*ntpMS
	s := &lateClock{t: t, now: 1000 * ntpSecond}
	s.hear("the first", 0, usual, true, true)
	for late := 2500 * uint64(ntpMS); late > 0; late -= min(late, 300*ntpMS) { // sent in turn, and all come now
		s.hear("a late one", 300*ntpMS, usual+late, false, late <= ntpSecond)
	}
	for range 20 {
		s.hear("a prompt one", 300*ntpMS, usual, false, true)
	}
	s.is("after the stall", usual, 0)
	s.shift.fix()
	s.is("with the next partner", usual, 20*ntpMS)
	for i := range 20 {
		more := uint64(usual + 2*ntpSecond)
		switch at := uint64(i) * 300 * ntpMS; {
		case at < 3*ntpSecond:
			s.hear("a clock that was set back", 300*ntpMS, more, false, false)
		default:
			s.hear("for seconds", 300*ntpMS, more, at < 3400*ntpMS, true)
		}
	}
	s.is("then", usual+2*ntpSecond, 0)
}

// TestSetClockForgets: when a peer's clock was set, what its reports said before is
// of another time; when they were only late, it is not.
func TestSetClockForgets(t *testing.T) {
	for _, ahead := range []uint64{0, 7} { // seconds that its clock was set forward
		l, _ := newTestLeg(10)
		l.hearClocks(audio, 2000*ntpSecond, 500, 1500*time.Millisecond)
		l.hearClocks(video, 2000*ntpSecond, 777, 1500*time.Millisecond)
		l.hearClocks(video, (2001+ahead)*ntpSecond, 777+90000, 1700*time.Millisecond)
		if _, known := l.clocks[audio].origin(); known != (ahead == 0) {
			t.Errorf("set by %d s, the other clock is known: %v", ahead, known)
		}
		if ts, known := l.captures(video, 1700*time.Millisecond); !known || apart(ts, 777+90000, time.Millisecond, video) {
			t.Errorf("set by %d s, it captures %d: %v", ahead, ts, known)
		}
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
	for i, delay := range []time.Duration{10 * time.Millisecond, 90 * time.Millisecond, 40 * time.Millisecond, 130 * time.Millisecond} {
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

// TestFarReportsAreNotTold: what a subscriber is told is what the last report says,
// and nothing of one that is far off.
func TestFarReportsAreNotTold(t *testing.T) {
	s, _ := newSynced(t)
	var want uint32
	told := 0
	s.onReport = func(sr *rtcp.SenderReport) {
		told++
		sent := s.down.sent(t, video)
		if last := sent[len(sent)-1].ts; apart(sr.RTPTime, last+want, time.Millisecond, video) {
			t.Errorf("it is %d beside what was sent, want %d", int32(sr.RTPTime-last), want)
		}
	}
	s.off = true
	for _, off := range []uint32{0, 4500, 90000, 0} { // 50 ms, 1 s
		control(t, s.c.leg, s.c.now, &rtcp.SenderReport{SSRC: 500, NTPTime: ticks(s.c.now, 1<<32), RTPTime: s.c.raw.ts + off})
		if off < 90000 {
			want = off
		}
		s.watch(45)
	}
	if told < 4 {
		t.Errorf("told %d times: this shows nothing", told)
	}
}

// TestRewireMakesDriftGood: the shift of both peers' time is that of their
// quickest reports when they are wired.
func TestRewireMakesDriftGood(t *testing.T) {
	const ms = int64(1<<32) / 1000
	rs := newRooms()
	var peers [2]*leg
	for i := range peers {
		peers[i], _ = newTestLeg(uint32(10 * (i + 1)))
		peers[i].up.streams[video].ssrc.Store(500)
		rs.setReady(peers[i], 0)
	}
	now := time.Second
	for _, late := range []time.Duration{300 * time.Millisecond, 10 * time.Millisecond} {
		for _, l := range peers {
			control(t, l, now+late, &rtcp.SenderReport{SSRC: 500, NTPTime: ticks(now, 1<<32)})
			if _, err := rs.join(l, "room", now); err != nil {
				t.Fatal(err)
			}
		}
		for i, l := range peers {
			if got, want := l.shift.fixed.Load()-int64(l.ntp(0)), late.Milliseconds()*ms; got < want-ms || got > want+ms {
				t.Errorf("peer %d: it is %d ms, want %v", i, got/ms, late)
			}
			rs.leave(l)
		}
		now += 10 * time.Second
	}
}

// TestOffsetIsOfKnownClocks: a flow goes on by the line only if both its ends are
// known, and the publisher's packets are of the time that its reports speak of.
func TestOffsetIsOfKnownClocks(t *testing.T) {
	publisher, subscriber, _, _, c := call(t)
	r := publisher.to.to.Load()
	offset := func(what string, ts uint32, want bool) {
		t.Helper()
		if _, known := r.offset(video, ts, c.now); known != want {
			t.Errorf("%s: the offset is known: %v", what, known)
		}
	}
	offset("nothing was reported", c.raw.ts, false)
	control(t, publisher, c.now, &rtcp.SenderReport{SSRC: 500, NTPTime: 5 << 32, RTPTime: c.raw.ts})
	offset("nothing was told", c.raw.ts, false)
	for range 3 {
		frame(c, deltaFrame)
	}
	offset("both are known", c.raw.ts, true)
	line := subscriber.down[video].line.Swap(0)
	offset("the line is not", c.raw.ts, false)
	subscriber.down[video].line.Store(line)
	offset("a packet of 0.4 s ago", c.raw.ts-36000, true)
	offset("one of 0.6 s ago", c.raw.ts-54000, false)
}

// synced is what becomes of the times of a picture.
type synced struct {
	t    *testing.T
	c    *camera
	up   *memory
	down *memory
	// answer is how long after it was asked the publisher reports, and each how often
	// by itself; 0 is never.
	answer, each time.Duration
	reports      []time.Duration // when it does
	onReport     func(*rtcp.SenderReport)
	off          bool // what it is told may be of another time than the present
}

func (s *synced) report() {
	s.t.Helper()
	control(s.t, s.c.leg, s.c.now, &rtcp.SenderReport{SSRC: s.c.raw.ssrc, NTPTime: ticks(s.c.now, 1<<32), RTPTime: s.c.raw.ts})
}

// watch sends so many frames, 30 a second, and returns when the subscriber was
// told of its times, and when the publisher was asked for them, after now, in
// milliseconds. The test fails if the subscriber is told of another time than the
// present.
func (s *synced) watch(frames int) (told, asked []int64) {
	s.t.Helper()
	start := s.c.now
	for i := range frames {
		if s.each != 0 && i%int(s.each/(33*time.Millisecond)) == 0 {
			s.reports = append(s.reports, s.c.now)
		}
		if len(s.reports) > 0 && s.c.now >= s.reports[0] {
			s.reports = s.reports[1:]
			s.report()
		}
		frame(s.c, keyFrame)
		for _, p := range s.down.takeControl() {
			if sr, ok := p.(*rtcp.SenderReport); ok {
				told = append(told, (s.c.now - start).Milliseconds())
				if !s.off {
					s.checkPresent(sr)
				}
				if s.onReport != nil {
					s.onReport(sr)
				}
			}
		}
		for _, p := range s.up.takeControl() {
			if ask, ok := p.(*rtcp.RapidResynchronizationRequest); ok {
				asked = append(asked, (s.c.now - start).Milliseconds())
				if ask.MediaSSRC != s.c.raw.ssrc || ask.SenderSSRC != s.c.leg.self() {
					s.t.Errorf("asked as %d for %d", ask.SenderSSRC, ask.MediaSSRC)
				}
				if s.answer != 0 {
					s.reports = append(s.reports, s.c.now+s.answer)
				}
			}
		}
	}

	return told, asked
}

// checkPresent checks that a report is of now, or of the frame before.
func (s *synced) checkPresent(sr *rtcp.SenderReport) {
	s.t.Helper()
	since := time.Duration(int64(s.c.leg.ntp(s.c.now)-sr.NTPTime) * 1e9 >> 32)
	if since < 0 || since > 34*time.Millisecond {
		s.t.Errorf("told of %v before", since)
	}
	sent := s.down.sent(s.t, video)
	if last := sent[len(sent)-1].ts; apart(sr.RTPTime+uint32(ticks(since, 90000)), last, 50*time.Microsecond, video) {
		s.t.Errorf("told of %d when %d is sent", sr.RTPTime, last)
	}
}

// near reports whether all times are those that are wanted, or later by as much as
// comes of that only frames move time and that it is looked at every lookGap: two
// frames for each time before, and for the first.
func near(got, want []int64) bool {
	late := int64(66)

	return slices.EqualFunc(got, want, func(a, b int64) bool {
		late += 66

		return b <= a && a <= b+late
	})
}

// newSynced is a call whose publisher has reported, 7 s ago.
func newSynced(t *testing.T) (s *synced, subscriber *leg) {
	t.Helper()
	publisher, up := newTestLeg(10)
	s = &synced{t: t, c: newCamera(publisher, 500), up: up}
	s.c.frame(keyFrame)
	s.report()
	subscriber, s.down = newTestLeg(20)
	wire(t, publisher, subscriber)
	s.c.now += 7 * time.Second
	s.c.raw.ts += 7 * 90000
	up.takeControl()

	return s, subscriber
}

// TestSynchronize: a publisher is asked for reports every second, and the subscriber
// is told what it reported, soon after it has since the two met, and again soon and
// every second; or after two seconds, and every second, what it did before. In
// another flow of the two it is told at once.
func TestSynchronize(t *testing.T) {
	asked, again := []int64{0, 1000, 2000, 3000}, []int64{0, 250, 1250, 2250, 3250}
	old := []int64{0, 1000, 2000, 3000}
	for _, c := range []struct {
		what         string
		answer, each time.Duration
		told, again  []int64
	}{
		{"silent", 0, 0, []int64{2000, 3000}, old},
		{"answers", 50 * time.Millisecond, 0, []int64{100, 350, 1350, 2350, 3350}, again},
		{"answers late", 1200 * time.Millisecond, 0, []int64{1250, 1500, 2500, 3500}, again},
		{"reports every 0.6 s", 0, 600 * time.Millisecond, []int64{600, 850, 1850, 2850}, again},
		{"reports far too often", 0, 33 * time.Millisecond, []int64{50, 300, 1300, 2300, 3300}, again},
	} {
		s, subscriber := newSynced(t)
		s.answer, s.each = c.answer, c.each
		check := func(what string, want []int64) {
			t.Helper()
			if gotTold, gotAsked := s.watch(120); !near(gotTold, want) || !near(gotAsked, asked) {
				t.Errorf("%s, %s: told after %v, asked after %v", c.what, what, gotTold, gotAsked)
			}
		}
		check("from the begin on", c.told)
		subscriber.unwanted[video].Store(true)
		s.each, s.reports = 0, nil
		if told, asked := s.watch(60); told != nil || asked != nil {
			t.Errorf("%s, not wanted: told after %v, asked after %v", c.what, told, asked)
		}
		subscriber.unwanted[video].Store(false)
		s.each = c.each
		check("wanted again", c.again)
	}
}

// TestAskedNoOftener: whoever comes and goes, a publisher is asked once a second.
func TestAskedNoOftener(t *testing.T) {
	s, subscriber := newSynced(t)
	n := 0
	for i := range 300 {
		subscriber.unwanted[video].Store(i%2 == 0)
		_, asked := s.watch(1)
		n += len(asked)
	}
	if n < 5 || n > 11 {
		t.Errorf("asked %d times in ten seconds", n)
	}
}

// timeline is what libwebrtc's receivers make of sender reports: a line through the
// last twenty, in seconds, by least squares.
type timeline struct{ ntp, rtp []float64 }

func (l *timeline) add(sr *rtcp.SenderReport) {
	l.ntp, l.rtp = append(l.ntp, float64(sr.NTPTime)/(1<<32)), append(l.rtp, float64(sr.RTPTime)/90000)
	if n := len(l.ntp) - 20; n > 0 {
		l.ntp, l.rtp = l.ntp[n:], l.rtp[n:]
	}
}

// at is the RTP time at an NTP time.
func (l *timeline) at(ntp float64) float64 {
	var x, y, xx, xy float64
	for i := range l.ntp {
		x += l.ntp[i] / float64(len(l.ntp))
		y += l.rtp[i] / float64(len(l.rtp))
	}
	for i := range l.ntp {
		xx += (l.ntp[i] - x) * (l.ntp[i] - x)
		xy += (l.ntp[i] - x) * (l.rtp[i] - y)
	}

	return y + xy/xx*(ntp-x)
}

// TestReceiverThatBegins: a receiver that knows nothing of before has the line of a
// new partner as soon as it has any, whatever that partner's clock has lost since
// its last report.
func TestReceiverThatBegins(t *testing.T) {
	for _, answer := range []time.Duration{20 * time.Millisecond, 40 * time.Millisecond, 180 * time.Millisecond, 300 * time.Millisecond, 800 * time.Millisecond, 1200 * time.Millisecond, 1800 * time.Millisecond} {
		s, _ := newSynced(t)
		s.answer = answer
		s.c.raw.ts -= 50 * 90 // 50 ms
		var line timeline
		known := 0
		s.onReport = line.add
		for range 120 {
			s.watch(1)
			if len(line.ntp) < 2 {
				continue
			}
			known++
			sent := s.down.sent(t, video)
			off := line.at(float64(s.c.leg.ntp(s.c.now))/(1<<32)) - float64(sent[len(sent)-1].ts)/90000
			if math.Abs(off) > 0.001 {
				t.Errorf("answers after %v: %d reports, and the line is %.0f ms off", answer, len(line.ntp), off*1000)
			}
		}
		if known < 50 {
			t.Errorf("answers after %v: it knows the line for %d frames of 120", answer, known)
		}
	}
}

// TestSynchronizeAnew: of a stream that begins anew nothing is told until it has
// been reported on.
func TestSynchronizeAnew(t *testing.T) {
	s, _ := newSynced(t)
	s.watch(30)
	s.c.now += time.Second
	s.c.raw.ssrc, s.c.raw.ts = 501, 77
	if told, asked := s.watch(70); told != nil || !near(asked, []int64{0, 1000, 2000}) {
		t.Errorf("told after %v, asked after %v", told, asked)
	}
	s.answer = 50 * time.Millisecond
	if told, asked := s.watch(60); len(asked) != 2 || !near(told, []int64{asked[0] + 50, asked[0] + 300, asked[0] + 1300}[:len(told)]) || len(told) < 2 {
		t.Errorf("when it answers: told after %v, asked after %v", told, asked)
	}
}

// TestLatePackets: what is reported now is told, though the packets come late, from
// the begin on or because of a queue that has built up.
func TestLatePackets(t *testing.T) {
	for _, first := range []bool{true, false} {
		s, _ := newSynced(t)
		s.off = true
		if !first {
			s.answer = 50 * time.Millisecond
			s.watch(60)
			s.reports = nil
		}
		s.c.raw.ts -= 60000 // 0.7 s
		told := 0
		s.onReport = func(sr *rtcp.SenderReport) {
			told++
			sent := s.down.sent(t, video)
			if early := sr.RTPTime - sent[len(sent)-1].ts; apart(early, 60000, 40*time.Millisecond, video) {
				t.Errorf("late from the begin on: %v; it is told of %d more than is sent", first, early)
			}
		}
		for range 120 {
			if s.c.now%(330*time.Millisecond) < 33*time.Millisecond {
				control(t, s.c.leg, s.c.now, &rtcp.SenderReport{SSRC: 500, NTPTime: ticks(s.c.now, 1<<32), RTPTime: s.c.raw.ts + 60000})
			}
			s.watch(1)
		}
		if told < 3 {
			t.Errorf("late from the begin on: %v; it is told %d times", first, told)
		}
	}
}

// TestRequestedStreams: a publisher is asked about all of its streams that its
// partner wants.
func TestRequestedStreams(t *testing.T) {
	s, subscriber := newSynced(t)
	s.c.leg.up.streams[audio].ssrc.Store(600)
	asked := func() (list []uint32) {
		s.c.now += time.Second
		frame(s.c, keyFrame)
		for _, p := range s.up.takeControl() {
			if ask, ok := p.(*rtcp.RapidResynchronizationRequest); ok {
				list = append(list, ask.MediaSSRC)
			}
		}

		return list
	}
	if got := asked(); !slices.Equal(got, []uint32{600, 500}) {
		t.Errorf("asked about %d", got)
	}
	subscriber.unwanted[audio].Store(true)
	if got := asked(); !slices.Equal(got, []uint32{500}) {
		t.Errorf("asked about %d where sound is not wanted", got)
	}
}

// TestContradictedClock: what the packets of a publisher contradict is told to
// nobody, and forgotten when it lasts.
func TestContradictedClock(t *testing.T) {
	for _, lasts := range []bool{false, true} {
		s, subscriber := newSynced(t)
		s.c.now += time.Second                   // for which its clock stood still, or the packet waited
		if told, _ := s.watch(70); told != nil { // until it is no longer waited for a report
			t.Errorf("told after %v", told)
		}
		if !subscriber.from.to.Load().flows[video].contradicted {
			t.Error("nothing was contradicted: this shows nothing")
		}
		subscriber.unwanted[video].Store(true)
		s.watch(1)
		subscriber.unwanted[video].Store(false)
		if told, _ := s.watch(20); told != nil {
			t.Errorf("told after %v when it begins again", told)
		}
		if _, known := s.c.leg.clocks[video].origin(); !known {
			t.Error("the clock is forgotten for what two flows said")
		}
		if !lasts {
			s.c.raw.ts += 90000
		}
		if told, _ := s.watch(100); (len(told) == 0) != lasts {
			t.Errorf("it lasts: %v; told after %v", lasts, told)
		}
		if _, known := s.c.leg.clocks[video].origin(); known == lasts {
			t.Errorf("it lasts: %v; the clock is known: %v", lasts, known)
		}
	}
}
