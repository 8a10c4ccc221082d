package signaling

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func addrOf(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)}), 32)
}

// hashers has a queue of two, in which a hash takes a second.
type hashers struct {
	*hashQueue
	work    sync.WaitGroup
	atOnce  atomic.Int32
	peak    atomic.Int32
	refused atomic.Int32

	mu   sync.Mutex // guards done
	done []string   // in which order
}

// line is what the queue holds.
type line struct{ running, waiting, addresses, order int }

func (q *hashQueue) line() line {
	q.mu.Lock()
	defer q.mu.Unlock()
	return line{q.running, q.waiting, len(q.lines), len(q.order)}
}

func (h *hashers) hash(ctx context.Context, addr netip.Prefix, name string) {
	h.work.Go(func() {
		fail := h.do(ctx, addr, func() {
			n := h.atOnce.Add(1)
			h.peak.Store(max(h.peak.Load(), n))
			time.Sleep(time.Second)
			h.atOnce.Add(-1)
			h.mu.Lock()
			h.done = append(h.done, name)
			h.mu.Unlock()
		})
		if fail != nil {
			h.refused.Add(1)
		}
	})
	synctest.Wait() // so that they stand in the order of the calls
}

// TestHashFlood: one address asks for far too much; another one's hash comes next.
func TestHashFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hashers{hashQueue: newHashQueue(2)}
		for i := range 100 {
			h.hash(t.Context(), addrOf(1), fmt.Sprint("flood ", i))
		}
		if n := h.refused.Load(); n != 100-2-maxHashOfOne {
			t.Errorf("%d refused", n)
		}
		began := time.Now()
		h.hash(t.Context(), addrOf(2), "person")
		h.work.Wait()
		at := slices.Index(h.done, "person")
		if at < 0 || at > 4 {
			t.Errorf("the person came after %d others", at)
		}
		if h.peak.Load() != 2 || time.Since(began) > 10*time.Second {
			t.Errorf("%d at once, all done after %v", h.peak.Load(), time.Since(began))
		}
		if left := h.line(); left != (line{}) {
			t.Errorf("left: %+v", left)
		}
	})
}

// TestHashFloodOfMany: a few addresses fill the whole line; one that has nothing in it still gets a place.
func TestHashFloodOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hashers{hashQueue: newHashQueue(2)}
		for i := range 10 * maxHashOfOne {
			h.hash(t.Context(), addrOf(i%10), fmt.Sprint("flood ", i))
		}
		if n := h.line().waiting; n != h.most {
			t.Fatalf("%d wait, want %d", n, h.most)
		}
		before := h.refused.Load()
		h.hash(t.Context(), addrOf(99), "person")
		if n := h.line().waiting; n != h.most || h.refused.Load() != before+1 {
			t.Errorf("%d wait, %d more were refused", n, h.refused.Load()-before)
		}
		h.work.Wait()
		if at := slices.Index(h.done, "person"); at < 0 || at > 14 {
			t.Errorf("the person came after %d others", at)
		}
	})
}

// TestHashLineIsBounded: as many addresses as there are places do not make more of them.
func TestHashLineIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hashers{hashQueue: newHashQueue(2)}
		for i := range 1000 {
			h.hash(t.Context(), addrOf(i), "x")
		}
		if n := h.line().waiting; n != h.most || int(h.refused.Load()) != 1000-2-h.most {
			t.Errorf("%d wait, %d refused", n, h.refused.Load())
		}
		h.work.Wait()
	})
}

// TestHashGivenUp: who goes away frees the place.
func TestHashGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hashers{hashQueue: newHashQueue(1)}
		h.hash(t.Context(), addrOf(1), "first")
		ctx, cancel := context.WithCancel(t.Context())
		h.hash(ctx, addrOf(2), "gone")
		h.hash(t.Context(), addrOf(2), "last")
		h.hash(ctx, addrOf(3), "gone too")
		cancel()
		synctest.Wait()
		if l := h.line(); l != (line{running: 1, waiting: 1, addresses: 1, order: 1}) || h.refused.Load() != 2 {
			t.Errorf("%+v, %d gave up", l, h.refused.Load())
		}
		h.work.Wait()
		if !slices.Equal(h.done, []string{"first", "last"}) || h.line() != (line{}) {
			t.Errorf("done %v, left %+v", h.done, h.line())
		}
	})
}

// TestHashRace lets everything happen at once, for the race detector and the counts.
func TestHashRace(t *testing.T) {
	q := newHashQueue(3)
	var work sync.WaitGroup
	var ran, most, now atomic.Int32
	for i := range 200 {
		work.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*time.Millisecond)
			defer cancel()
			_ = q.do(ctx, addrOf(i%9), func() {
				if n := now.Add(1); n > 3 {
					most.Store(n)
				}
				time.Sleep(100 * time.Microsecond)
				now.Add(-1)
				ran.Add(1)
			})
		})
	}
	work.Wait()
	if left := q.line(); left != (line{}) || most.Load() != 0 || ran.Load() == 0 {
		t.Errorf("left %+v, %d at once, %d ran", left, most.Load(), ran.Load())
	}
}
