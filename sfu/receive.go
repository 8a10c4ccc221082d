package sfu

import "time"

// reception counts what arrives of one stream, for receiver reports
// (RFC 3550 sections 6.4.1, A.3 and A.8). Not safe for concurrent use.
type reception struct {
	clock    uint64
	base     int64
	highest  int64
	received int64
	started  bool

	expectedPrior, receivedPrior int64

	transit int64
	jitter  int64 // in 1/16 timestamp units
}

// report is one reception report block without its SSRC and sender times.
type report struct {
	fraction uint8  // lost since the last report, in 1/256
	lost     int64  // since the last report; below 0 if more was found than lost
	highest  uint32 // extended sequence number
	jitter   uint32 // timestamp units
}

// record counts one packet that arrived over the network as it was first sent;
// what retransmission repaired stays counted as lost, because the publisher's
// rate control has to know.
func (r *reception) record(seq int64, ts uint32, now time.Duration) {
	arrival := int64(ticks(now, r.clock))
	transit := arrival - int64(ts)
	if !r.started {
		r.started, r.base, r.highest = true, seq, seq
		r.received, r.transit = 1, transit

		return
	}
	r.received++
	r.highest = max(r.highest, seq)
	d := int64(int32(uint32(transit - r.transit)))
	r.transit = transit
	if d < 0 {
		d = -d
	}
	r.jitter += d - (r.jitter+8)>>4
}

// report returns the block to send now and begins a new interval.
func (r *reception) report() report {
	expected := r.highest - r.base + 1
	interval := expected - r.expectedPrior
	missing := interval - (r.received - r.receivedPrior)
	r.expectedPrior, r.receivedPrior = expected, r.received
	fraction := int64(0)
	if interval > 0 && missing > 0 {
		fraction = min(missing<<8/interval, 255)
	}

	return report{
		fraction: uint8(fraction),
		lost:     missing,
		highest:  uint32(r.highest),
		jitter:   uint32(r.jitter >> 4),
	}
}
