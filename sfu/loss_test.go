package sfu

import (
	"slices"
	"testing"
	"time"
)

func TestLossDetectorVerdicts(t *testing.T) {
	var d lossDetector
	for i, step := range []struct {
		seq  uint16
		want verdict
	}{
		{65534, first}, {65535, fresh}, {1, fresh}, {0, late}, {0, duplicate}, {1, duplicate},
		{65533, duplicate}, // before the start nothing is missing
		{5, fresh}, {3, late}, {3, duplicate},
		{5 + lossWindow, fresh}, {5, stale},
	} {
		if _, got := d.receive(step.seq, 0); got != step.want {
			t.Errorf("step %d, sequence %d: %d, want %d", i, step.seq, got, step.want)
		}
	}
}

func TestLossDetectorRestarts(t *testing.T) {
	var d lossDetector
	d.receive(100, 0)
	for i := range uint16(restartAfter) {
		want := stale
		if i == restartAfter-1 {
			want = first
		}
		if _, got := d.receive(30000+i, 0); got != want {
			t.Errorf("packet %d of a new sequence: %d, want %d", i, got, want)
		}
	}
}

func TestLossDetectorAsks(t *testing.T) {
	const rtt = 40 * time.Millisecond
	var d lossDetector
	list := make([]uint16, 0, 8)
	at := func(now time.Duration) []uint16 { return d.due(now, rtt, list[:0]) }
	d.receive(1, 0)
	d.receive(3, 0)
	if got := at(0); len(got) != 0 {
		t.Errorf("asked at once for %v: it may only be late", got)
	}
	if got := at(reorderTime); !slices.Equal(got, []uint16{2}) {
		t.Errorf("after the reorder time: %v", got)
	}
	if got := at(reorderTime + rtt); len(got) != 0 {
		t.Errorf("asked again within a round trip: %v", got)
	}
	if got := at(reorderTime + 2*rtt); !slices.Equal(got, []uint16{2}) {
		t.Errorf("not asked again: %v", got)
	}
	d.receive(2, 0)
	if got := at(time.Second / 2); len(got) != 0 {
		t.Errorf("asked for what has come: %v", got)
	}
	d.receive(8, time.Second/2)
	if got := at(time.Second / 2); !slices.Equal(got, []uint16{4, 5}) {
		t.Errorf("not reordered, lost: %v", got)
	}
	if got := at(3 * time.Second); len(got) != 0 || d.gaps != 0 || d.lost != 4 {
		t.Errorf("did not give up: %v, %d left, %d lost", got, d.gaps, d.lost)
	}
}

// TestLossDetectorAsksLessOften: what is not repeated after a few requests, as
// parity never is, is asked for more and more rarely, but until nobody waits.
func TestLossDetectorAsksLessOften(t *testing.T) {
	var d lossDetector
	list := make([]uint16, 0, 8)
	d.receive(1, 0)
	d.receive(3, 0)
	var asked []time.Duration
	for now := time.Duration(0); now < 3*time.Second; now += time.Millisecond {
		if len(d.due(now, 20*time.Millisecond, list[:0])) > 0 {
			asked = append(asked, now)
		}
	}
	if len(asked) < 8 || len(asked) > 15 {
		t.Errorf("asked %d times, at %v", len(asked), asked)
	}
	for i := 1; i < len(asked); i++ {
		if wait := asked[i] - asked[i-1]; wait > slowAskInterval || i < quickAsks && wait > minAskInterval {
			t.Errorf("waited for %v after request %d", wait, i)
		}
	}
}

// TestLossDetectorBegin: the first packet of a key frame came late, so what
// followed it was dropped and has to come again.
func TestLossDetectorBegin(t *testing.T) {
	var d lossDetector
	for _, seq := range []uint16{10, 12, 14, 15} {
		d.receive(seq, 0)
	}
	seq, v := d.receive(13, 0)
	if v != late {
		t.Fatalf("verdict %d", v)
	}
	d.begin(seq, 0)
	if got := d.due(0, 0, make([]uint16, 0, 8)); !slices.Equal(got, []uint16{14, 15}) {
		t.Errorf("asked for %v, want 14 and 15 and not 11", got)
	}
	if _, v := d.receive(14, 0); v != late {
		t.Errorf("the repeat is %d, want late", v)
	}
}

func TestLossDetectorManyGaps(t *testing.T) {
	var d lossDetector
	d.receive(0, 0)
	for i := range 5 {
		d.receive(uint16((i+1)*lossWindow), 0)
	}
	if d.gaps != maxMissing {
		t.Errorf("%d gaps kept", d.gaps)
	}
	if got := d.missing[0].seq; got != 5*lossWindow-maxMissing {
		t.Errorf("the oldest kept is %d", got)
	}
	if got := d.due(time.Millisecond*20, 0, make([]uint16, 0, nacksAtOnce)); len(got) != nacksAtOnce {
		t.Errorf("%d asked for at once", len(got))
	}
	d.receive(5*lossWindow+3, 0)
	if got := d.missing[:d.gaps]; got[0].seq != 5*lossWindow-maxMissing+2 || got[maxMissing-1].seq != 5*lossWindow+2 {
		t.Errorf("kept %d to %d", got[0].seq, got[maxMissing-1].seq)
	}
}

func TestReception(t *testing.T) {
	r := reception{clock: 90000}
	for seq := range int64(100) {
		if seq%10 == 9 {
			continue
		}
		r.record(seq, uint32(seq*3000), time.Duration(seq)*time.Second/30)
	}
	got := r.report()
	if got.lost != 9 || got.highest != 98 || got.fraction != 9*256/99 || got.jitter > 1 {
		t.Errorf("report %+v", got)
	}
	for seq := int64(99); seq < 200; seq++ {
		r.record(seq, uint32(seq*3000), time.Duration(seq)*time.Second/30+time.Duration(seq%2)*10*time.Millisecond)
	}
	got = r.report()
	if got.fraction != 0 || got.lost != 0 || got.jitter < 800 || got.jitter > 1000 {
		t.Errorf("second report %+v, want no new loss and about 900 of jitter", got)
	}
}
