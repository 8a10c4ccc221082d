package matchmaker

import "time"

// histogram counts durations in steps of 10 ms, up to an hour.
type histogram struct {
	bins []uint32
	n    int
	sum  time.Duration
}

const histogramStep = 10 * time.Millisecond

func (h *histogram) add(d time.Duration) {
	if h.bins == nil {
		h.bins = make([]uint32, time.Hour/histogramStep+1)
	}
	h.bins[min(d, time.Hour)/histogramStep]++
	h.n++
	h.sum += d
}

func (h *histogram) mean() time.Duration {
	return (h.sum / time.Duration(max(1, h.n))).Round(histogramStep)
}

// at returns a percentile, p between 0 and 1.
func (h *histogram) at(p float64) time.Duration {
	rank, seen := min(int(p*float64(h.n)), h.n-1), 0
	for i, n := range h.bins {
		if seen += int(n); seen > rank {
			return time.Duration(i) * histogramStep
		}
	}
	return 0
}
