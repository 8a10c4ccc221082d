package main

import "time"

// window counts the packets that are sent within a span of time, and what
// becomes of them, whenever they arrive: loss is exact, whatever is on its way at
// the span's edges. The zero value counts nothing.
type window struct {
	from, to time.Duration

	sentN, arrivedN, againN uint64
	skipped                 uint64 // turns left out because we were late
	delay                   histogram
	lateness                histogram
}

func (w *window) has(at time.Duration) bool { return at >= w.from && at < w.to }

// sent notes that n packets were sent at now.
func (w *window) sent(now time.Duration, n int) {
	if w.has(now) {
		w.sentN += uint64(n)
	}
}

// arrived notes that a packet that was sent at that time has arrived at now.
func (w *window) arrived(at, now time.Duration) {
	if w.has(at) {
		w.arrivedN++
		w.delay.add(now - at)
	}
}

// again notes that a packet has arrived a second time.
func (w *window) again(at time.Duration) {
	if w.has(at) {
		w.againN++
	}
}

// late notes by how much a turn came later than planned.
func (w *window) late(by time.Duration) {
	if w.to != 0 {
		w.lateness.add(by)
	}
}

func (w *window) skip() {
	if w.to != 0 {
		w.skipped++
	}
}

// loss is the share of packets that never arrived, 0 to 1.
func (w *window) loss() float64 {
	if w.sentN == 0 || w.arrivedN >= w.sentN {
		return 0
	}

	return 1 - float64(w.arrivedN)/float64(w.sentN)
}
