package sfu

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
)

// TestMeter: a bitrate is that of the time since the last question, which is a
// second at least.
func TestMeter(t *testing.T) {
	var m meter
	for i, c := range []struct {
		at             time.Duration
		received, sent uint64
		in, out        uint64
	}{
		{5 * time.Second, 1000, 7, 0, 0},
		{5*time.Second + time.Millisecond, 9000, 7, 0, 0},
		{6 * time.Second, 126_000, 250_007, 1_000_000, 2_000_000},
		{6*time.Second + 999*time.Millisecond, 1 << 40, 1 << 40, 1_000_000, 2_000_000},
		{8 * time.Second, 126_000, 375_007, 0, 500_000},
	} {
		if in, out := m.read(c.at, c.received, c.sent); in != c.in || out != c.out {
			t.Errorf("question %d: %d and %d bit/s, want %d and %d", i, in, out, c.in, c.out)
		}
	}
}

// TestPairs: a pair is there while it is wired, with what each hop does: bitrate,
// loss, round trips, path and plane. To ask costs the packets nothing.
func TestPairs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lossy := func() bool { return true }
		l := newLab(t, 30*time.Millisecond, 0.03, lossy)
		config := clientConfig{repairs: true, codecs: plainVP8}
		a := newLabClient(l, config)
		time.Sleep(300 * time.Millisecond) // or all would report in the same instant
		b := newLabClient(l, config)
		time.Sleep(300 * time.Millisecond)
		c := newLabClient(l, config)
		if got := l.engine.Pairs(); got == nil || len(got) != 0 {
			t.Errorf("before: %+v", got)
		}
		stop := startTalking(a, b, c)
		join(t, "room", a, b)
		if err := c.peer.Join("alone"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		l.engine.Pairs()
		c.peer.Stats()
		before := time.Now()
		packetsBefore := a.packets(video)
		time.Sleep(5 * time.Second)
		pairs := l.engine.Pairs()
		if len(pairs) != 1 || pairs[0].Room != "room" {
			t.Fatalf("pairs are %+v", pairs)
		}
		got := a.packets(video)[len(packetsBefore):]
		arrived := float64(8*sizeOf(got)) / time.Since(before).Seconds()
		for i, s := range pairs[0].Sides {
			if s.ReceiveBitrate < uint64(arrived/2) || s.SendBitrate < uint64(arrived) || s.SendBitrate > uint64(arrived*1.5) {
				t.Errorf("side %d: %d and %d bit/s; its picture has %.0f", i, s.ReceiveBitrate, s.SendBitrate, arrived)
			}
			if s.RTT < 55*time.Millisecond || s.RTT > 90*time.Millisecond || s.PathRTT < s.RTT+50*time.Millisecond || s.PathRTT > 180*time.Millisecond {
				t.Errorf("side %d: round trips of %v and %v, want 60 and 120 ms", i, s.RTT, s.PathRTT)
			}
			// Of 3 % some are counted as there again: without RTX a repair is the packet itself.
			if n, of := s.PacketsMissing, s.PacketsReceived; n < of/400 || n > of/16 {
				t.Errorf("side %d: %d packets of %d were missing", i, n, of)
			}
			if n, of := s.PacketsMissed, s.PacketsSent; n < of/400 || n > of/16 {
				t.Errorf("side %d: it missed %d packets of %d", i, n, of)
			}
			if s.Path != pathUDP || s.Plane != *testPlane {
				t.Errorf("side %d: by %q on %q", i, s.Path, s.Plane)
			}
		}
		if s := c.peer.Stats(); s.ReceiveBitrate < uint64(arrived/2) || s.SendBitrate != 0 {
			t.Errorf("who is alone has %d and %d bit/s", s.ReceiveBitrate, s.SendBitrate)
		}
		a.peer.Leave()
		if got := l.engine.Pairs(); len(got) != 0 {
			t.Errorf("after: %+v", got)
		}
		stop()
		for _, cl := range []*client{a, b, c} {
			cl.close()
		}
		for _, cl := range []*client{a, b, c} {
			<-cl.peer.Done()
		}
		l.close()
	})
}

func sizeOf(packets []rtp.Packet) (n int) {
	for i := range packets {
		n += packets[i].MarshalSize()
	}

	return n
}
