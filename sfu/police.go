package sfu

import "time"

const (
	// A peer may send policeFactor times what it was told, because senders
	// probe above their limit, and that much for policeBurst at once.
	policeFactor = 3
	policeBurst  = time.Second
	// policePacket is what a packet costs the partner besides its own bytes:
	// the headers below it, its authentication, the extensions that we add.
	// Without it a flood of empty packets would be six times the limit.
	policePacket = 60
	// A packet of media has policeSize bytes or more at full rate, sound has 50
	// packets a second: of smaller ones there may be as many and policeSmall more.
	policeSize  = 400
	policeSmall = 400
	// controlRate and controlPackets are bytes and packets a second of feedback,
	// several times what a browser sends that loses a tenth of everything.
	controlRate    = 64 << 10
	controlPackets = 500
)

// police drops what a peer sends far beyond its limit. The limit itself is
// only advice, which a browser follows; this is for those who do not, so that
// nobody can flood a partner through the relay. Not safe for concurrent use.
type police struct {
	rate, packets int64 // bytes and packets a second
	budget, left  int64 // bytes; packets, in 1/1e9
	at            time.Duration
}

// newControlPolice is for feedback: what a peer says about its partner's
// packets costs the partner something, too.
func newControlPolice() police {
	p := police{rate: controlRate, packets: controlPackets}
	p.refill(policeBurst)

	return p
}

func newPolice(maxBitrate uint64) police {
	rate := int64(maxBitrate) * policeFactor / 8

	p := police{rate: rate, packets: rate/policeSize + policeSmall}
	p.refill(policeBurst)

	return p
}

// refill adds what may be sent in the time passed, up to a burst.
func (p *police) refill(passed time.Duration) {
	const second, burst = int64(time.Second), int64(policeBurst)
	p.budget = min(p.budget+p.rate*int64(passed)/second, p.rate*burst/second)
	p.left = min(p.left+p.packets*int64(passed), p.packets*burst)
}

// admit reports whether a packet of that size may pass at now.
func (p *police) admit(size int, now time.Duration) bool {
	if passed := min(now-p.at, policeBurst); passed > 0 {
		p.refill(passed)
		p.at = now
	}
	cost := int64(size + policePacket)
	if p.budget < cost || p.left < int64(time.Second) {
		return false
	}
	p.budget -= cost
	p.left -= int64(time.Second)

	return true
}
