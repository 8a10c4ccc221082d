package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestWholeServer is an evening on a bad network: two minutes of call with 5 %
// of the media lost each way and 40 ms of delay, Next, somebody who vanishes
// without a word, and the server's stop. The bubble fails the test when any
// goroutine is left.
func TestWholeServer(t *testing.T) {
	for _, plane := range []string{"fast", "pion"} {
		t.Run(plane, func(t *testing.T) { wholeServer(t, plane) })
	}
}

func wholeServer(t *testing.T, plane string) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 40*time.Millisecond, "--media-plane", plane)
		a, b, c := newCamera(t, l, 'A'), newCamera(t, l, 'B'), newCamera(t, l, 'C')
		ssrcs := talk(t, l, a, b)
		next(t, a, b, c, ssrcs)
		vanish(t, l, a, b, c)

		if s := l.srv.relay.Stats().Plane; s.PionMedia != 0 || (s.ServedFast > 0) != (plane == "fast") || (s.ServedPion > 0) != (plane == "pion") {
			t.Errorf("the media plane counts %+v", s)
		}

		l.shutdown()
		a.expect("drain")
		b.expect("drain")
		for _, cam := range []*camera{a, b, c} {
			cam.drop()
			cam.close()
		}
		l.end()
	})
}

// talk has a and b meet and talk for two minutes, and returns the SSRCs that a
// received on.
func talk(t *testing.T, l *lab, a, b *camera) map[uint32]bool {
	t.Helper()
	a.queue("gaming", "news")
	a.expect("queue.state")
	b.queue("gaming")
	a.expect("match")
	b.expect("match")
	time.Sleep(time.Second) // the first key frame arrives whole
	l.loss.Store(5)
	time.Sleep(2 * time.Minute)
	l.loss.Store(0)
	time.Sleep(time.Second) // the last repairs

	const frames, audio = 2 * 60 * 25, 2 * 60 * 50
	for _, tc := range []struct {
		name string
		got  tally
	}{{"a from b", a.from('B')}, {"b from a", b.from('A')}} {
		if !tc.got.keyFirst {
			t.Errorf("%s: the first video packet was not of a key frame", tc.name)
		}
		// Two legs of 5 % would leave 90 %; repair on each leg leaves nearly all.
		if min := 2 * frames * 98 / 100; tc.got.video < min {
			t.Errorf("%s: %d video packets of %d, want at least %d", tc.name, tc.got.video, 2*frames, min)
		}
		if min := audio * 85 / 100; tc.got.audio < min {
			t.Errorf("%s: %d audio packets of %d, want at least %d", tc.name, tc.got.audio, audio, min)
		}
	}
	for _, cam := range []*camera{a, b} {
		cam.mu.Lock()
		if cam.repeats > 0 {
			t.Errorf("%c got %d video packets twice", cam.id, cam.repeats)
		}
		if len(cam.got) != 1 {
			t.Errorf("%c got media of %d people, want 1", cam.id, len(cam.got))
		}
		if len(cam.ssrcs) != 2 {
			t.Errorf("%c got SSRCs %v, want one for audio and one for video", cam.id, cam.ssrcs)
		}
		cam.mu.Unlock()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	ssrcs := map[uint32]bool{}
	for s := range a.ssrcs {
		ssrcs[s] = true
	}
	return ssrcs
}

// next has c come and a press Next: a meets c on the connection it has, and b
// hears nothing more of a.
func next(t *testing.T, a, b, c *camera, ssrcs map[uint32]bool) {
	t.Helper()
	c.queue("news")
	c.expect("queue.state")
	a.mu.Lock()
	lastSeq, lastTS := a.lastV.SequenceNumber, a.lastV.Timestamp
	a.mu.Unlock()
	begin := time.Now()
	a.send(map[string]any{"type": "call.next", "call": a.call})
	if end := b.expect("call.end"); end.Reason != "next" || end.Requeued {
		t.Errorf("b: call.end with reason %q, requeued %v", end.Reason, end.Requeued)
	}
	heard := time.Now()
	a.expect("match")
	c.expect("match")
	for a.from('C').video == 0 {
		if time.Since(begin) > 5*time.Second {
			t.Fatal("a sees nothing of c")
		}
		time.Sleep(5 * time.Millisecond)
	}
	// Request, key frame and picture cross a link of 40 ms; a packet may wait
	// for the next frame. A new connection would need six crossings more.
	if took := time.Since(begin); took > 300*time.Millisecond {
		t.Errorf("%v from Next to the new partner's picture", took)
	}
	time.Sleep(5 * time.Second)

	if !a.from('C').keyFirst || !c.from('A').keyFirst {
		t.Error("the picture did not begin with a key frame")
	}
	// What was on its way when b was told may still arrive; nothing after.
	if last := b.from('A').last; last.After(heard.Add(50 * time.Millisecond)) {
		t.Errorf("b got media of a %v after the end of their call", last.Sub(heard))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for s := range a.ssrcs {
		if !ssrcs[s] {
			t.Errorf("a new SSRC %d after Next", s)
		}
	}
	if gap := a.lastV.SequenceNumber - lastSeq; gap == 0 || gap > 1000 {
		t.Errorf("sequence numbers jumped by %d over Next", gap)
	}
	elapsed := float64(a.lastV.Timestamp-lastTS) / videoClock
	if real := time.Since(begin).Seconds(); elapsed < real-1 || elapsed > real+1 {
		t.Errorf("timestamps advanced by %.2f s in %.2f s", elapsed, real)
	}
}

// vanish has c die in silence while talking to a: a is told that c is
// reconnecting, then that the call is lost; then a meets b again.
func vanish(t *testing.T, l *lab, a, b, c *camera) {
	t.Helper()
	begin := time.Now()
	l.kill(c.host)
	c.drop()
	for m := a.expect("peer.state"); m.Connected != "reconnecting"; {
		m = a.expect("peer.state")
	}
	if end := a.expect("call.end"); end.Reason != "lost" {
		t.Errorf("a: call.end with reason %q", end.Reason)
	}
	if took := time.Since(begin); took < 9*time.Second || took > 40*time.Second {
		t.Errorf("the call was given up after %v, the grace is 10s", took)
	}
	a.queue("gaming")
	b.queue("gaming")
	a.expect("match")
	b.expect("match")
	before := a.from('B').video
	time.Sleep(2 * time.Second)
	if a.from('B').video == before {
		t.Error("a sees nothing of b after they met again")
	}
}
