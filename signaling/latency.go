package signaling

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A latency is kept as the bucket of its microseconds: 8 for each doubling, so that what is read is at most an
// eighth too much. The last one is for all beyond a minute.
const (
	latencyBits    = 3
	latencyBuckets = 24 << latencyBits
)

// latencies counts durations. The zero value is ready. Any goroutine may add at any time.
type latencies struct {
	counts [latencyBuckets]atomic.Uint64
}

func (l *latencies) add(d time.Duration) { l.counts[latencyBucket(d)].Add(1) }

func (l *latencies) read() (out Latencies) {
	for i := range l.counts {
		out.counts[i] = l.counts[i].Load()
		out.Count += out.counts[i]
	}
	return out
}

func latencyBucket(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0))
	if us < 2<<latencyBits {
		return int(us)
	}
	shift := bits.Len64(us) - latencyBits - 1
	return min(shift<<latencyBits+int(us>>shift), latencyBuckets-1)
}

// latencyTop is the largest duration of a bucket.
func latencyTop(bucket int) time.Duration {
	us := uint64(bucket) + 1
	if bucket >= 2<<latencyBits {
		shift := bucket>>latencyBits - 1
		us = (uint64(bucket-shift<<latencyBits) + 1) << shift
	}
	return time.Duration(us)*time.Microsecond - 1
}

// Latencies is how long something took, as counts of ranges that are an eighth of their value wide.
type Latencies struct {
	Count  uint64
	counts [latencyBuckets]uint64
}

// Quantile returns what a share q of all, from 0 to 1, did not exceed; 0 without any. Beyond a minute it cannot tell.
func (l Latencies) Quantile(q float64) time.Duration {
	rank, seen := uint64(q*float64(l.Count)), uint64(0)
	for i, n := range l.counts {
		if seen += n; n > 0 && (seen > rank || seen == l.Count) {
			return latencyTop(i)
		}
	}
	return 0
}

// Since returns what was counted after an earlier reading.
func (l Latencies) Since(earlier Latencies) Latencies {
	l.Count -= earlier.Count
	for i := range l.counts {
		l.counts[i] -= earlier.counts[i]
	}
	return l
}
