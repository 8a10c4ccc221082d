package sfu

import (
	"sync/atomic"
	"time"
)

// arrivalWindow is how many packets of a publisher are remembered for
// transport-wide feedback: seconds at full rate. A power of two.
const arrivalWindow = 1024

// fate is who tells the publisher that a packet has arrived.
type fate uint8

const (
	fateNone     fate = iota // it has not arrived
	fateOurs                 // the relay: it went no further, or without its number
	fateTheirs               // the subscriber
	fateReported             // the relay has
)

// arrivals remembers when a publisher's packets came, by their transport-wide
// numbers (draft-holmer-rmcat-transport-wide-cc-extensions-01), and who is to
// report them. The publisher's media goroutine puts; others may look and take.
type arrivals struct {
	// An element has the low 16 bits of the number, the fate in 2 bits and the
	// time in microseconds in 46.
	ring    [arrivalWindow]atomic.Uint64
	highest int64 // extended; 0 is none yet. The media goroutine's.
	next    int64 // the relay has looked after those before; the media goroutine's
}

const (
	arrivalTimeBits = 46
	arrivalTimeMask = 1<<arrivalTimeBits - 1
)

// extend returns a transport-wide number as one that does not wrap.
func (a *arrivals) extend(number uint16) int64 {
	if a.highest == 0 {
		return 1<<16 | int64(number)
	}

	return a.highest + int64(int16(number-uint16(a.highest)))
}

// put notes that packet n came at now.
func (a *arrivals) put(n int64, now time.Duration, f fate) {
	if a.highest == 0 {
		a.next = n
	}
	a.highest = max(a.highest, n)
	if n <= a.highest-arrivalWindow {
		return
	}
	if f == fateOurs {
		a.next = min(a.next, n)
	}
	e := uint64(uint16(n))<<48 | uint64(f)<<arrivalTimeBits | uint64(now.Microseconds())&arrivalTimeMask
	a.ring[uint64(n)%arrivalWindow].Store(e)
}

func (a *arrivals) look(n int64) (entry uint64, f fate, at time.Duration) {
	e := a.ring[uint64(n)%arrivalWindow].Load()
	if uint16(e>>48) != uint16(n) {
		return 0, fateNone, 0
	}

	return e, fate(e >> arrivalTimeBits & 3), time.Duration(e&arrivalTimeMask) * time.Microsecond
}

// at returns when packet n came.
func (a *arrivals) at(n int64) (time.Duration, bool) {
	_, f, at := a.look(n)

	return at, f != fateNone
}

// take returns when packet n came if it is the relay's to report, and makes it
// reported: of those who take it at once one gets it.
func (a *arrivals) take(n int64) (time.Duration, bool) {
	e, f, at := a.look(n)
	if f != fateOurs {
		return 0, false
	}
	reported := e | uint64(fateReported)<<arrivalTimeBits

	return at, a.ring[uint64(n)%arrivalWindow].CompareAndSwap(e, reported)
}
