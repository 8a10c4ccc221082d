package sfu

import (
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
)

// TestOneClockOverAllPartners: the arrival times that a publisher is told have
// no step where a partner's feedback begins or ends, so that its probes and its
// measure of throughput live on. The partners' clocks and delays are different.
func TestOneClockOverAllPartners(t *testing.T) {
	rs := newRooms()
	publisher, up := newTestLeg(10)
	rs.setReady(publisher, 0)
	c := newCamera(publisher, 500)
	c.now = time.Second
	came := map[uint16]time.Duration{}
	var offset time.Duration // of what is told from when it came
	told, number := 0, uint16(7)
	hear := func(where string) {
		for _, p := range up.takeControl() {
			cc, ok := p.(*rtcp.TransportLayerCC)
			if !ok {
				continue
			}
			for _, s := range statuses(cc) {
				now := s.at - came[s.number]
				if told++; !s.arrived || told > 1 && (now-offset).Abs() > 2*time.Millisecond {
					t.Fatalf("%s: packet %d, %v, is told %v after it came, the one before %v", where, s.number, s.arrived, now, offset)
				}
				offset = now
			}
		}
	}
	talk := func(where string, subscriber *leg, delay time.Duration) {
		recorder := twcc.NewRecorder(1)
		if subscriber != nil {
			subscriber.out.(*memory).onMedia = func(b []byte) {
				var p packet
				if p.parse(b); len(p.find(3)) == 2 {
					recorder.Record(21, uint16(p.find(3)[0])<<8|uint16(p.find(3)[1]), (c.now + delay).Microseconds())
				}
			}
		}
		for i := range 60 {
			c.now -= 29 * time.Millisecond // it is 4 ms after the one before
			number++
			c.raw.ext = []byte{0x31, byte(number >> 8), byte(number)}
			came[number] = c.now + 33*time.Millisecond
			body := deltaFrame
			if i == 0 {
				body = keyFrame
			}
			c.frame(body)
			if subscriber != nil && i%10 == 9 {
				for _, p := range recorder.BuildFeedbackPacket() {
					control(t, subscriber, c.now, p)
				}
			}
			hear(where)
		}
	}
	talk("alone", nil, 0)
	for i, delay := range []time.Duration{time.Hour, 20 * time.Millisecond, 9 * time.Second} {
		subscriber, _ := newTestLeg(20)
		rs.setReady(subscriber, c.now)
		for _, l := range []*leg{publisher, subscriber} {
			if _, err := rs.join(l, "room", c.now); err != nil {
				t.Fatal(err)
			}
		}
		before := told
		talk("with a partner", subscriber, delay)
		if told < before+50 {
			t.Errorf("told of %d packets", told-before)
		}
		rs.leave(publisher)
		rs.leave(subscriber)
		talk("after a partner", nil, 0)
		if i == 0 && told < 150 {
			t.Errorf("told of %d packets", told)
		}
	}
}
