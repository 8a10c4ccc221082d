package sfu

import (
	"net/netip"
	"testing"
	"time"
)

// TestSendQueue: bounded; loses old video first and sound last; nothing old.
func TestSendQueue(t *testing.T) {
	var count queueCounters
	start := time.Now()
	drain := func(q *sendQueue, now time.Time) (sizes []int) {
		for {
			batch, _ := q.take(nil, batchBytes, now)
			if len(batch) == 0 {
				return sizes
			}
			for _, p := range batch {
				sizes = append(sizes, len(p.datagram()))
				p.free()
			}
		}
	}
	q := newSendQueue(&count)
	for i := range 1000 {
		q.push(make([]byte, 1000+i%10), netip.AddrPort{}, true, start)
		if i < 100 {
			q.push(make([]byte, 100), netip.AddrPort{}, false, start)
		}
		if q.bytes > queueLimit {
			t.Fatalf("%d bytes", q.bytes)
		}
	}
	sizes := drain(q, start)
	sound := 0
	for i, n := range sizes {
		if n == 100 {
			sound++
			if i >= 100 {
				t.Error("sound waits behind video")
			}
		}
	}
	if sound != 100 || sizes[len(sizes)-1] != 1009 || !q.video.empty() || q.bytes != 0 {
		t.Errorf("%d of sound, the last is %d, %d bytes left", sound, sizes[len(sizes)-1], q.bytes)
	}
	if int(count.dropped.Load()) != 1100-len(sizes) {
		t.Errorf("%d dropped of %d", count.dropped.Load(), len(sizes))
	}

	q = newSendQueue(&count)
	q.push(make([]byte, 100), netip.AddrPort{}, true, start)
	if batch, thinned := q.take(nil, 1, start.Add(queueAge+1)); len(batch) != 0 || !thinned {
		t.Errorf("%d old ones, %v", len(batch), thinned)
	}
	if _, thinned := q.take(nil, 1, start); thinned {
		t.Error("thinned twice")
	}
	for range 1000 {
		q.push(make([]byte, 1000), netip.AddrPort{}, false, start)
	}
	q.push(make([]byte, 1000), netip.AddrPort{}, true, start) // displaces no sound
	q.push(make([]byte, parcelSize), netip.AddrPort{}, false, start)
	if n := len(drain(q, start)); n != queueLimit/1002 {
		t.Errorf("%d of sound", n)
	}
	q.push([]byte{1}, netip.AddrPort{}, false, start)
	q.close()
	q.push([]byte{1}, netip.AddrPort{}, false, start)
	if got := drain(q, start); got != nil || q.bytes != 0 {
		t.Errorf("%v after it was closed", got)
	}
}

// TestTinyDatagramsFillMemory: small datagrams, each of which has the memory of
// a large one, do not make a queue larger than large ones do.
func TestTinyDatagramsFillMemory(t *testing.T) {
	for _, isVideo := range []bool{true, false} {
		var count queueCounters
		q := newSendQueue(&count)
		for range 10_000 {
			q.push(make([]byte, 20), netip.AddrPort{}, isVideo, time.Now())
		}
		if n := q.video.len() + q.other.len(); n != queueParcels || count.dropped.Load() != 10_000-queueParcels {
			t.Errorf("video %v: %d wait, %d were dropped", isVideo, n, count.dropped.Load())
		}
	}
}

// TestFifo: a queue that is never empty does not grow.
func TestFifo(t *testing.T) {
	var f fifo
	f.push(&parcel{n: 0})
	for i := range 10_000 {
		f.push(&parcel{n: i + 1})
		if got := f.pop().n; got != i {
			t.Fatalf("%d came as %d", i, got)
		}
	}
	if cap(f.items) > 16 {
		t.Errorf("room for %d", cap(f.items))
	}
}

// TestIsVideo: video and its retransmissions, and nothing else.
func TestIsVideo(t *testing.T) {
	l, _ := newTestLeg(1000)
	rtp := func(pt uint8, ssrc uint32) []byte { return raw{pt: pt, ssrc: ssrc}.bytes(1, 2, 3) }
	for name, c := range map[string]struct {
		b    []byte
		want bool
	}{
		"audio": {rtp(ptOpus, 1000), false}, "video": {rtp(ptVP8, 1001), true}, "repair": {rtp(ptRTX, 1002), true},
		"another": {rtp(ptVP8, 7), false}, "zero": {rtp(ptVP8, 0), false},
		"control": {append([]byte{0x80, 200, 0, 6, 0, 0, 0, 0}, rtp(ptVP8, 1001)[8:]...), false},
		"check":   {make([]byte, 100), false}, "short": {[]byte{0x80, 96}, false},
	} {
		if got := l.isVideo(c.b); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if (*leg)(nil).isVideo(rtp(ptVP8, 1001)) || newLeg(discardSender{}, 1, 0, random).isVideo(rtp(ptVP8, 1001)) {
		t.Error("video of nobody")
	}
}
