package matchmaker

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestIndexAgainstMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	texts := make([]string, 40_000)
	for i := range texts {
		texts[i] = fmt.Sprint(i)
	}
	x, want := newIndex(func(i uint32) string { return texts[i] }), map[string]uint32{}
	for round, size := range []int{40_000, 200, 40_000, 0} { // grows, shrinks, grows, is empty
		for range 300_000 {
			i := uint32(1 + rng.IntN(len(texts)-1))
			k := texts[i]
			switch grow := rng.IntN(max(1, size)) > len(want); {
			case x.get(k) != want[k]:
				t.Fatalf("%q is %d, should be %d", k, x.get(k), want[k])
			case grow && want[k] == 0:
				x.put(k, i)
				want[k] = i
			case !grow:
				x.remove(k)
				delete(want, k)
			}
			if x.len != len(want) {
				t.Fatalf("%d keys, should be %d", x.len, len(want))
			}
		}
		t.Logf("round %d: %d keys", round, x.len)
	}
	slots := 0
	for i := range x.shards {
		slots += len(x.shards[i].slots)
	}
	if slots > 20*shards {
		t.Errorf("%d slots for %d keys", slots, x.len)
	}
}
