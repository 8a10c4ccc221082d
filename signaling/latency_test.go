package signaling

import (
	"testing"
	"time"
)

func TestLatencies(t *testing.T) {
	var l latencies
	if got := l.read(); got.Count != 0 || got.Quantile(0.5) != 0 {
		t.Errorf("of nothing: %v", got.Quantile(0.5))
	}
	for i := range 1000 {
		l.add(time.Duration(i) * time.Millisecond)
	}
	first := l.read()
	for q, want := range map[float64]time.Duration{0: 0, 0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: 999 * time.Millisecond} {
		if got := first.Quantile(q); got < want || got > want+want/8+time.Microsecond {
			t.Errorf("quantile %v is %v, want %v and at most an eighth more", q, got, want)
		}
	}
	l.add(-time.Second)
	l.add(time.Hour)
	if got := l.read().Since(first); got.Count != 2 || got.Quantile(0) != time.Microsecond-1 || got.Quantile(1) < time.Minute {
		t.Errorf("%d later, from %v to %v", got.Count, got.Quantile(0), got.Quantile(1))
	}
}

// TestLatencyBuckets has each microsecond in one bucket, whose end is no more than an eighth beyond it.
func TestLatencyBuckets(t *testing.T) {
	last := 0
	for us := range 200_000 {
		d := time.Duration(us) * time.Microsecond
		b := latencyBucket(d)
		if b < last || b > last+1 || latencyTop(b) < d || latencyTop(b) > d+d/8+time.Microsecond {
			t.Fatalf("%v is in bucket %d, which ends at %v", d, b, latencyTop(b))
		}
		last = b
	}
}
