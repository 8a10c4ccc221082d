package sfu

import (
	"runtime"
	"sync/atomic"
	"time"
)

// gate holds where a publisher's packets go, or a subscriber's feedback, so
// that they can be sent somewhere else between two packets without a lock on
// their way.
//
// Who has a packet enters, uses the route and leaves. Who re-wires calls
// clear: when it returns nobody is inside with the old route, so no packet
// read from then on takes it, and its state may be handed to the next route.
type gate struct {
	to     atomic.Pointer[route]
	inside atomic.Int32
}

// enter returns the route, nil if there is none. leave must follow.
func (g *gate) enter() *route {
	g.inside.Add(1)

	return g.to.Load()
}

func (g *gate) leave() { g.inside.Add(-1) }

func (g *gate) open(r *route) { g.to.Store(r) }

// clear takes the route away, waits until nobody uses it, and returns it. A
// packet is inside for the time of one send, so this rarely waits at all.
func (g *gate) clear() *route {
	r := g.to.Swap(nil)
	for try := 0; g.inside.Load() != 0; try++ {
		if try < 100 {
			runtime.Gosched()
		} else {
			time.Sleep(20 * time.Microsecond)
		}
	}

	return r
}
