package sfu

import (
	"sync"
	"time"
)

// meterInterval is the shortest time that a bitrate is measured over.
const meterInterval = time.Second

// meter makes bitrates of a leg's counters for whoever asks: the path of the
// packets has nothing to do for it. Anybody may use it at any time.
type meter struct {
	mu       sync.Mutex // guards all
	started  bool
	at       time.Duration // when the counters stood so
	received uint64        // bytes
	sent     uint64
	in, out  uint64 // bit/s, in the interval that ended then
}

// read takes the counters of now, in bytes, and returns the bitrates since they
// were last read, or since up to meterInterval before that.
func (m *meter) read(now time.Duration, received, sent uint64) (in, out uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	passed := now - m.at
	switch {
	case !m.started:
		m.started = true
	case passed < meterInterval, received < m.received, sent < m.sent: // or somebody with newer ones was quicker
		return m.in, m.out
	default:
		m.in, m.out = bitrate(received-m.received, passed), bitrate(sent-m.sent, passed)
	}
	m.at, m.received, m.sent = now, received, sent

	return m.in, m.out
}

func bitrate(bytes uint64, passed time.Duration) uint64 {
	return uint64(float64(bytes) * 8 / passed.Seconds())
}
