package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	last := -1
	for v := uint64(0); v < 1<<20; v++ {
		b := bucketOf(v)
		if b != last && b != last+1 {
			t.Fatalf("%d is in bucket %d, the one before in %d", v, b, last)
		}
		if top := topOf(b); top < v || float64(top) > float64(v)*(1+1.0/subBuckets) {
			t.Fatalf("%d is in bucket %d, which ends at %d", v, b, top)
		}
		last = b
	}
	if b := bucketOf(1<<63 - 1); b >= buckets {
		t.Errorf("the largest duration is in bucket %d of %d", b, buckets)
	}
}

func TestQuantile(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h histogram
	if h.quantile(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
	var all []time.Duration
	for range 20000 {
		d := time.Duration(random.ExpFloat64() * float64(time.Millisecond))
		h.add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999} {
		got, want := h.quantile(q), all[int(q*float64(len(all)))]
		if got < want || float64(got) > float64(want)*1.04+1 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := h.quantile(1); got != all[len(all)-1] {
		t.Errorf("the largest is %v, want %v", got, all[len(all)-1])
	}
	h.add(-time.Second)
	if h.quantile(0) != 0 {
		t.Error("a negative delay is not taken for none")
	}
}

func TestSpread(t *testing.T) {
	for _, tc := range []struct {
		values []float64
		want   spread
	}{
		{nil, spread{}},
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{9, 1, 4}, spread{4, 1, 9}},
		{[]float64{4, 1, 2, 9}, spread{3, 1, 9}},
	} {
		if got := spreadOf(tc.values); got != tc.want {
			t.Errorf("%v: %+v, want %+v", tc.values, got, tc.want)
		}
	}
}

// TestRatios: what belongs to the same repetition is divided, the rest is left out.
func TestRatios(t *testing.T) {
	got := ratios(map[int]float64{0: 2, 1: 9, 2: 5}, map[int]float64{0: 4, 1: 3, 3: 1})
	slices.Sort(got)
	if !slices.Equal(got, []float64{0.5, 3}) {
		t.Errorf("%v, want 0.5 and 3", got)
	}
	if got := ratios(map[int]float64{0: 2}, map[int]float64{0: 0}); len(got) > 0 {
		t.Errorf("divided by zero: %v", got)
	}
}

func TestWindow(t *testing.T) {
	var w window
	w.sent(5, 1)
	w.arrived(5, 6)
	if w.sentN+w.arrivedN > 0 {
		t.Error("the zero window counts")
	}
	w = window{from: 10, to: 20}
	for _, at := range []time.Duration{9, 10, 19, 20} {
		w.sent(at, 2)
	}
	// On its way at the window's end, and sent before it.
	w.arrived(19, 300)
	w.arrived(9, 11)
	w.again(19)
	w.again(20)
	if w.sentN != 4 || w.arrivedN != 1 || w.againN != 1 {
		t.Errorf("sent %d, arrived %d, again %d; want 4, 1, 1", w.sentN, w.arrivedN, w.againN)
	}
	if w.loss() != 0.75 {
		t.Errorf("loss %v, want 0.75", w.loss())
	}
	if d := w.delay.quantile(0.5); d != 281 {
		t.Errorf("delay %v, want 281 ns", d)
	}
}
