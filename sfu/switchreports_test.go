package sfu

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// TestReportsOverSwitches: over a thousand partners, what the subscriber's
// receiver reports say reaches who it is about, in its own numbers: the highest
// that arrived, what was lost since the two met, and which of its own reports is
// echoed. And its sender reports reach the subscriber with one shift of their
// time for sound and picture, and on one line with those of all partners before,
// so that lips stay in sync.
func TestReportsOverSwitches(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newStage(t, rand.New(rand.NewPCG(seed, 7)), seed > 0, seed < 2)
			s.lossDown = 0.05 // of the way there nothing is lost, so that what is told is exact
			for range 1000 {
				s.turn(0)
				for range 4 + s.random.IntN(16) {
					s.step(s.on, nil)
					s.hearReports()
					if s.random.IntN(4) == 0 {
						s.on.report(pick(s.random))
					}
					if s.random.IntN(4) == 0 {
						s.report()
					}
				}
			}
			t.Logf("%+v", s.seen)
			if x := &s.seen; x.reports < 1000 || x.senderReports < 1000 || x.echoes < 300 || x.seqWraps < 2 || x.timeWraps < 2 || x.lines < 500 || x.clamped < 10 {
				t.Errorf("%+v: this shows nothing", *x)
			}
		})
	}
}

// report sends an actor's sender report about one of its streams.
func (a *actor) report(k kind) {
	ssrc := a.picture.ssrc
	if k == audio {
		ssrc = a.sound.ssrc
	}
	ntp := a.skew + ticks(a.s.now-a.born, 1<<32)
	a.reported[k], a.ntp[k], a.heard[k] = true, uint32(ntp>>16), a.leg.middle(a.s.now)
	control(a.s.t, a.leg, a.s.now, &rtcp.SenderReport{SSRC: ssrc, NTPTime: ntp, RTPTime: a.time(k)})
}

// hearReports takes what the subscriber is told of the time.
func (s *stage) hearReports() {
	for _, p := range s.out.takeControl() {
		sr, ok := p.(*rtcp.SenderReport)
		if !ok {
			continue
		}
		k, rate := video, int64(90000)
		if sr.SSRC == 20 {
			k, rate = audio, 48000
		}
		s.onLine(k, sr)
		f, a := &s.flows[k], s.on
		if f.wiring != s.wiring {
			s.t.Fatalf("a report about %v came before the stream: %v", k, sr)
		}
		s.seen.senderReports++
		// What the actor's clock showed when that was captured, by our clock and
		// not by the report's.
		ago := int64(int32(a.time(k) - (sr.RTPTime - f.tsOff)))
		captured := a.skew + ticks(s.now-a.born, 1<<32) - uint64(ago<<32/rate)
		shift := int64(sr.NTPTime - captured)
		if a.shift == 0 {
			a.shift = shift
		}
		if off := shift - a.shift; off > 1<<18 || off < -1<<18 { // 60 µs
			s.t.Fatalf("the times of %v are shifted by %v more than those before", k, time.Duration(off*1e9>>32))
		}
		theirs := uint32(sr.NTPTime >> 16)
		f.echo = echo{theirs: theirs, ours: a.ntp[k], held: theirs - a.heard[k]}
	}
}

// onLine checks that what is said of the time of a stream is on one line with all
// that was said before, whoever it was of.
func (s *stage) onLine(k kind, sr *rtcp.SenderReport) {
	f := &s.flows[k]
	since := sr.NTPTime - s.leg.ntp(0)
	at := sr.RTPTime - uint32(since>>32*k.clock()+since&0xffffffff*k.clock()>>32)
	if f.line != nil && !f.loose {
		if off := int32(at - *f.line); off < -3 || off > 3 {
			s.t.Fatalf("a report about %v is %d beside the line of those before", k, off)
		}
	}
	f.line, f.loose = &at, false
}

// report sends the subscriber's receiver report, and works out what the publisher
// has to hear.
func (s *stage) report() {
	a := s.on
	a.hear()
	var blocks []rtcp.ReceptionReport
	var want [kinds]*rtcp.ReceptionReport
	for k := range kinds {
		f := &s.flows[k]
		if !f.seq.started {
			continue
		}
		lost := f.seq.highest - f.base + 1 - f.received
		block := rtcp.ReceptionReport{
			SSRC: 20 + uint32(k), LastSequenceNumber: uint32(f.seq.highest), TotalLost: uint32(lost) & 0xffffff,
			LastSenderReport: f.echo.theirs, Delay: 77, Jitter: uint32(k),
		}
		stale := f.wiring == s.wiring && s.random.IntN(8) == 0
		if stale { // it was on its way when the wiring began
			block.LastSequenceNumber = uint32(f.first - 1 - int64(s.random.IntN(20)))
		}
		blocks = append(blocks, block)
		if f.wiring == s.wiring && !stale {
			if f.reported == s.wiring {
				a.lost[k] += lost - f.told
			}
			f.reported = s.wiring
			block.SSRC = a.sound.ssrc
			if k == video {
				block.SSRC = a.picture.ssrc
			}
			block.LastSequenceNumber = uint32(f.seq.highest - f.seqOff)
			block.TotalLost = uint32(a.lost[k]) & 0xffffff
			block.LastSenderReport, block.Delay = f.echo.ours, 77+f.echo.held
			want[k] = &block
		}
		f.told = lost
	}
	control(s.t, s.leg, s.now, &rtcp.ReceiverReport{SSRC: 77, Reports: blocks})
	for _, p := range a.out.takeControl() {
		rr, ok := p.(*rtcp.ReceiverReport)
		if !ok {
			continue
		}
		for _, b := range rr.Reports {
			k := video
			if b.SSRC == a.sound.ssrc {
				k = audio
			}
			w := want[k]
			if w == nil || b.SSRC != w.SSRC || b.LastSequenceNumber != w.LastSequenceNumber || b.TotalLost != w.TotalLost || b.Jitter != w.Jitter {
				s.t.Fatalf("the publisher hears %+v, want %+v", b, w)
			}
			if b.LastSenderReport != w.LastSenderReport || b.LastSenderReport != 0 && b.Delay != w.Delay || b.LastSenderReport == 0 && b.Delay != 0 {
				s.t.Fatalf("the publisher hears the echo %x after %d, want %x after %d", b.LastSenderReport, b.Delay, w.LastSenderReport, w.Delay)
			}
			if b.LastSenderReport != 0 {
				s.seen.echoes++
			}
			s.seen.reports++
			want[k] = nil
		}
	}
	if want[audio] != nil || want[video] != nil {
		s.t.Fatalf("the publisher did not hear %+v %+v", want[audio], want[video])
	}
}

// hearReport takes a report that nobody has waited for: the relay's own.
func (a *actor) hearReport(p *rtcp.ReceiverReport) {
	for _, b := range p.Reports {
		k := video
		if b.SSRC == a.sound.ssrc {
			k = audio
		}
		if n := int64(int32(b.LastSequenceNumber - uint32(a.seq[k]))); n > 0 {
			a.s.t.Fatalf("the relay says that %d came, sent up to %d", b.LastSequenceNumber, a.seq[k])
		}
		if a.s.lossUp == 0 && a.s.held == 0 && int64(int32(b.TotalLost)<<8>>8) != a.lost[k] {
			a.s.t.Fatalf("the relay says that %d were lost, the subscriber %d", b.TotalLost, a.lost[k])
		}
	}
}
