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
)

// police drops what a peer sends far beyond its limit. The limit itself is
// only advice, which a browser follows; this is for those who do not, so that
// nobody can flood a partner through the relay. Not safe for concurrent use.
type police struct {
	rate   int64 // bytes a second
	budget int64 // bytes
	at     time.Duration
}

func newPolice(maxBitrate uint64) police {
	rate := int64(maxBitrate) * policeFactor / 8

	return police{rate: rate, budget: rate * int64(policeBurst) / int64(time.Second)}
}

// admit reports whether a packet of that size may pass at now.
func (p *police) admit(size int, now time.Duration) bool {
	if passed := min(now-p.at, policeBurst); passed > 0 {
		p.budget = min(p.budget+p.rate*int64(passed)/int64(time.Second), p.rate*int64(policeBurst)/int64(time.Second))
		p.at = now
	}
	cost := int64(size + policePacket)
	if p.budget < cost {
		return false
	}
	p.budget -= cost

	return true
}
