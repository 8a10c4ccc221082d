package sfu

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// TestPeerWant: what a client asks for is its own, over all partners.
func TestPeerWant(t *testing.T) {
	p, err := newTestEngine(t).NewPeer()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		audio, video bool
		bitrate      int
		wish         uint64
	}{{true, false, 300_000, 300_000}, {false, true, 0, 0}, {true, true, -1, 0}} {
		p.Want(c.audio, c.video, c.bitrate)
		if l := p.leg; l.unwanted[audio].Load() == c.audio || l.unwanted[video].Load() == c.video || l.wish.Load() != c.wish {
			t.Errorf("%+v is kept as %v, %d", c, [2]bool{l.unwanted[audio].Load(), l.unwanted[video].Load()}, l.wish.Load())
		}
	}
}

// TestWish: a subscriber's wish is the most that its publisher is told, with
// or without transport-wide feedback, and only while the two are wired.
func TestWish(t *testing.T) {
	publisher, subscriber, up, _, c := call(t)
	up.takeControl()
	told := func() float32 {
		c.now += time.Second
		c.frame(deltaFrame)
		remb, _ := find[*rtcp.ReceiverEstimatedMaximumBitrate](up.takeControl())
		if remb == nil {
			return 0
		}

		return remb.Bitrate
	}
	subscriber.wish.Store(300_000)
	if got := told(); got != 300_000 {
		t.Errorf("the publisher was told %.0f", got)
	}
	r := publisher.to.to.Load()
	r.wide.heard.Store(true)
	if got := publisher.limit(r); got != 300_000 {
		t.Errorf("with transport-wide feedback it is %d", got)
	}
	r.wide.heard.Store(false)
	r.estimate.limit.Store(200_000)
	if got := publisher.limit(r); got != 200_000 {
		t.Errorf("with a narrow path it is %d", got)
	}
	subscriber.wish.Store(10 * defaultMaxBitrate)
	r.estimate.limit.Store(0)
	if got := publisher.limit(r); got != defaultMaxBitrate {
		t.Errorf("a wish made it %d", got)
	}
	if got := publisher.limit(nil); got != defaultMaxBitrate {
		t.Errorf("alone it is %d", got)
	}
}
