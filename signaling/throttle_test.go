package signaling

import (
	"fmt"
	"testing"
	"time"
)

func TestThrottle(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	th := newThrottle(3, time.Minute, time.Hour)
	for i := range 3 {
		if wait := th.begin("a", now); wait != 0 {
			t.Fatalf("attempt %d waits %v", i, wait)
		}
	}
	for _, seconds := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
		want := time.Duration(seconds) * time.Second
		if wait := th.begin("a", now); wait != want {
			t.Fatalf("waits %v, want %v", wait, want)
		}
		if wait := th.begin("a", now.Add(want-1)); wait != 1 {
			t.Errorf("asking costs, or the wait is not counted from the last attempt: %v", wait)
		}
		now = now.Add(want)
		if wait := th.begin("a", now); wait != 0 {
			t.Errorf("after the wait: %v", wait)
		}
	}
	if wait := th.begin("b", now); wait != 0 {
		t.Errorf("another key waits %v", wait)
	}
	if wait := th.begin("a", now.Add(time.Hour)); wait != 0 {
		t.Errorf("after an hour: %v", wait)
	}
	if f := th.byKey["a"]; f.count != 1 {
		t.Errorf("an hour later %d attempts are known", f.count)
	}
}

// TestThrottleSucceeds: the right password takes its own attempt back, or all of them.
func TestThrottleSucceeds(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	th := newThrottle(3, time.Minute, time.Hour)
	for range 10 {
		if wait := th.begin("a", now); wait != 0 {
			t.Fatalf("waits %v although all was right", wait)
		}
		th.succeed("a", false)
	}
	if len(th.byKey) != 0 {
		t.Errorf("%d keys are left", len(th.byKey))
	}
	for range 3 {
		th.begin("a", now)
	}
	th.succeed("a", true)
	for i := range 3 {
		if wait := th.begin("a", now); wait != 0 {
			t.Errorf("attempt %d waits %v", i, wait)
		}
	}
}

// TestThrottleForgets keeps the memory bounded under a flood of names, and remembers who is at it.
func TestThrottleForgets(t *testing.T) {
	th := newThrottle(3, time.Minute, time.Hour)
	now := time.UnixMilli(1_000_000)
	for i := range 3 * maxThrottled {
		if wait := th.begin(fmt.Sprint("key", i), now); wait != 0 {
			t.Fatal(wait)
		}
		if len(th.byKey) > maxThrottled {
			t.Fatalf("%d keys are remembered", len(th.byKey))
		}
	}
	// After the flood it sweeps what is over.
	now = now.Add(time.Hour)
	for i := range maxThrottled {
		th.begin(fmt.Sprint("later", i), now)
	}
	if len(th.byKey) > maxThrottled {
		t.Errorf("%d keys are remembered", len(th.byKey))
	}
}

func TestMemory(t *testing.T) {
	m := newMemory(time.Hour)
	now := time.UnixMilli(1_000_000)
	m.add("a", now)
	if !m.has("a", now.Add(time.Hour-1)) || m.has("a", now.Add(time.Hour)) || m.has("b", now) {
		t.Error("it forgets at another time, or knows what it was not told")
	}
	for i := range 2 * maxThrottled {
		m.add(fmt.Sprint("key", i), now)
		if len(m.seen) > maxThrottled {
			t.Fatalf("%d keys are remembered", len(m.seen))
		}
	}
	if last := fmt.Sprint("key", 2*maxThrottled-1); !m.has(last, now) {
		t.Error("it has forgotten what it was told last")
	}
}

func FuzzThrottle(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 250, 0, 0})
	f.Fuzz(func(t *testing.T, steps []byte) {
		th := newThrottle(2, 10*time.Second, time.Minute)
		now := time.UnixMilli(1_000_000)
		allowed, since := 0, now
		for _, step := range steps {
			if step >= 128 {
				now = now.Add(time.Duration(step-127) * 100 * time.Millisecond)
				continue
			}
			wait := th.begin("k", now)
			if wait < 0 || wait > 10*time.Second {
				t.Fatalf("wait %v", wait)
			}
			if wait == 0 {
				allowed++
			}
		}
		// Nobody tries more often than the free ones and the pauses allow.
		if most := 2 + 1 + int(now.Sub(since)/time.Second); allowed > most && now.Sub(since) < time.Minute {
			t.Errorf("%d attempts in %v", allowed, now.Sub(since))
		}
	})
}
