package main

import (
	"testing"
	"time"
)

const ms = time.Millisecond

func TestTalk(t *testing.T) {
	var k talk
	k.heard(1, video, 10*ms)
	k.heard(1, audio, 12*ms)
	k.heard(1, video, 14*ms)
	k.heard(2, audio, 900*ms)
	v := k.voice(1)
	if v == nil || v.n != [kinds]int{1, 2} || v.first != [kinds]time.Duration{12 * ms, 10 * ms} || v.last != 14*ms {
		t.Errorf("heard %+v", v)
	}
	for _, tc := range []struct {
		name              string
		partner, previous int
		to                time.Duration
		want              uint64
	}{
		{"the other was the partner before", 2, 1, 2000 * ms, 0},
		{"the other was nobody", 2, -1, 2000 * ms, 1},
		{"the other came after the call", 1, -1, 800 * ms, 0},
		{"the other overtook the end of the call", 1, -1, 901 * ms, 0},
		{"the other came in the call", 1, -1, 1000 * ms, 1},
		{"both are nobody", 3, -1, 2000 * ms, 2},
	} {
		if n := k.strays(tc.partner, tc.previous, 5*ms, tc.to); n != tc.want {
			t.Errorf("%s: %d strays, want %d", tc.name, n, tc.want)
		}
	}
	k.forget(11 * ms)
	if k.voice(1) != nil || k.voice(2) == nil {
		t.Error("the wrong one is forgotten")
	}
}

// TestLinger: the partner before may be heard for a moment, not longer.
func TestLinger(t *testing.T) {
	var k talk
	k.heard(1, video, 10*ms)
	if n := k.strays(2, 1, 5*ms, time.Second); n != 0 {
		t.Errorf("%d strays, want none", n)
	}
	k.heard(1, video, 5*ms+lingerTime)
	if n := k.strays(2, 1, 5*ms, time.Second); n != 1 {
		t.Errorf("%d strays, want one", n)
	}
}
