package signaling_test

import (
	"testing"
	"testing/synctest"
)

// TestOfferInTheMomentOfAMatch: somebody who waits offers a connection as another one comes. If that
// is the moment of their match it stands; nobody hears of a partner who is then lost.
func TestOfferInTheMomentOfAMatch(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			e := start(t, options{pipes: true})
			a, b := e.dial("a"), e.join("b")
			a.hello(nil)
			a.find("any")
			a.want("queue.state")
			go b.find("any")
			a.offerAndMeet()
			b.met()
			synctest.Wait()
			a.silent("call.end")
			b.silent("call.end")
			if a.call != b.call || e.media.roomOf("a") != a.call || e.media.roomOf("b") != a.call {
				t.Fatalf("calls %s and %s, rooms %s and %s", a.call, b.call, e.media.roomOf("a"), e.media.roomOf("b"))
			}
		})
	}
}
