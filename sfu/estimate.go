package sfu

import "sync/atomic"

// downlinkEstimate turns what a subscriber says about its path (REMB) into a
// cap for its publisher.
//
// A receiver's estimate starts near what it happens to receive and grows by
// some 8 % a second, so as a cap from the start it would keep a new picture
// small for half a minute. It is believed once it shows congestion: when it
// falls, or when the subscriber reports heavy loss. Until then the publisher's
// own controller, fed by transport-wide feedback, finds the rate; afterwards
// the estimate rules, until it has grown past anything we would allow.
type downlinkEstimate struct {
	limit atomic.Uint64 // bit/s; 0 is no limit. Anybody reads.

	// The subscriber's control goroutine's.
	last      uint64
	congested bool
}

const (
	// fall is the share of the last estimate below which a new one means congestion.
	fall = 0.97
	// heavyLoss is the fraction lost, in 1/256, that does: libwebrtc's own 10 %.
	heavyLoss = 26
)

// report takes a new estimate in bit/s; most is what is allowed at all.
func (d *downlinkEstimate) report(bitrate, most uint64) {
	if float64(bitrate) < fall*float64(d.last) {
		d.congested = true
	}
	if bitrate >= most {
		d.congested = false
	}
	d.last = bitrate
	d.update()
}

// lost takes the fraction lost, in 1/256, from a receiver report.
func (d *downlinkEstimate) lost(fraction uint8) {
	if fraction >= heavyLoss && d.last > 0 {
		d.congested = true
		d.update()
	}
}

func (d *downlinkEstimate) update() {
	if d.congested {
		d.limit.Store(d.last)
	} else {
		d.limit.Store(0)
	}
}
