package sfu

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestThousandSwitches: a subscriber goes through a thousand partners. Whatever
// is lost, comes late, is repaired, restored by parity or wraps meanwhile, it sees
// one stream of each kind with no number and no time out of place, gets nothing
// of a partner that it has left and no nonce twice; and each publisher hears of
// its own packets only, by its own numbers, as far as they got.
func TestThousandSwitches(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			red, rtx := seed%2 == 0, seed%4 < 2
			s := newStage(t, rand.New(rand.NewPCG(seed, 6)), red, rtx)
			s.lossUp, s.lossDown, s.held = 0.06, 0.05, 0.08
			for range 1000 {
				s.turn(4 + s.random.IntN(16))
			}
			t.Logf("%+v", s.seen)
			x := &s.seen
			for what, n := range map[string]int{
				"packets of media": x.media / 50, "filler": x.filler, "restored by parity": x.restored,
				"repairs": x.repairs, "late packets of former publishers": x.late,
				"pictures that began within a group": x.midGroup,
				"arrivals that were told":            x.told / 50, "losses that were told": x.denied,
			} {
				if n < 100 {
					t.Errorf("%s: only %d; this shows nothing", what, n)
				}
			}
			if red != (x.parity > 100) || rtx != (x.probes > 100) {
				t.Errorf("%d packets of parity and %d probes came", x.parity, x.probes)
			}
			if x.seqWraps < 2 || x.timeWraps < 2 || x.numberWraps == 0 || rtx != (x.repeatWraps > 0) {
				t.Errorf("%d, %d, %d and %d wraps: this shows nothing", x.seqWraps, x.timeWraps, x.numberWraps, x.repeatWraps)
			}
		})
	}
}
