package main

import (
	"math/bits"
	"slices"
	"time"
)

// A histogram has subBuckets buckets for each doubling, so that a value that is
// read from it is off by at most 3 %.
const (
	subBits    = 5
	subBuckets = 1 << subBits
	buckets    = (64 - subBits) * subBuckets
)

// histogram counts durations of 0 and more. The zero value is ready.
type histogram struct {
	counts [buckets]uint64
	n      uint64
	max    time.Duration
}

// bucketOf returns the bucket for a value.
func bucketOf(v uint64) int {
	if v < 2*subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1

	return shift*subBuckets + int(v>>shift)
}

// topOf returns the largest value of a bucket.
func topOf(bucket int) uint64 {
	if bucket < 2*subBuckets {
		return uint64(bucket)
	}
	shift := bucket/subBuckets - 1

	return (uint64(bucket-shift*subBuckets)+1)<<shift - 1
}

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))]++
	h.n++
	h.max = max(h.max, d)
}

// quantile returns a value that a share q of all, 0 to 1, do not exceed; 0
// without any.
func (h *histogram) quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.n))
	var seen uint64
	for i, n := range h.counts {
		if seen += n; n > 0 && seen > rank {
			return min(time.Duration(topOf(i)), h.max)
		}
	}

	return h.max
}

// spread is what several repetitions of a measurement gave.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spreadOf sums up values; without any it is all 0.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	s := slices.Sorted(slices.Values(values))
	middle := len(s) / 2
	m := s[middle]
	if len(s)%2 == 0 {
		m = (s[middle-1] + s[middle]) / 2
	}

	return spread{Median: m, Min: s[0], Max: s[len(s)-1]}
}

// ratios divides value by value: what was measured in the same repetition
// belongs together, as a machine's mood lasts longer than one measurement. A
// repetition that one of the two lacks is left out.
func ratios(of, to map[int]float64) []float64 {
	var list []float64
	for i, v := range of {
		if base, ok := to[i]; ok && base > 0 {
			list = append(list, v/base)
		}
	}

	return list
}
