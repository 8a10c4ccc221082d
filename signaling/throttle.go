package signaling

import (
	"sync"
	"time"
)

// maxThrottled is how many keys a throttle remembers at most: some 100 bytes each.
const maxThrottled = 1 << 15

// throttle makes whoever fails wait longer each time: nothing for the first few, then firstWait, then twice that, up to cap.
// An attempt counts as failed from its begin on, so that many at once are no way around; succeed takes it back. What
// is as old as forget is forgotten. All methods take the time, and are safe for concurrent use.
type throttle struct {
	free   int           // attempts without a wait
	cap    time.Duration // the longest wait
	forget time.Duration
	limit  int // of keys

	mu    sync.Mutex // guards byKey
	byKey map[string]failures
}

// failures is what a throttle knows of a key.
type failures struct {
	count int
	last  time.Time
}

func newThrottle(free int, most, forget time.Duration) *throttle {
	return &throttle{free: free, cap: most, forget: forget, limit: maxThrottled, byKey: map[string]failures{}}
}

// begin counts an attempt, or returns how long the key has to wait before its next.
func (t *throttle) begin(key string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.at(key, now)
	if wait := t.wait(f, now); wait > 0 {
		return wait
	}
	if _, known := t.byKey[key]; !known && len(t.byKey) >= t.limit {
		t.makeRoom(now)
	}
	t.byKey[key] = failures{count: f.count + 1, last: now}
	return 0
}

// ask is begin without an attempt.
func (t *throttle) ask(key string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.wait(t.at(key, now), now)
}

// succeed takes back one attempt of the key, or all that it has failed.
func (t *throttle) succeed(key string, all bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, ok := t.byKey[key]
	if f.count--; !ok || all || f.count <= 0 {
		delete(t.byKey, key)
		return
	}
	t.byKey[key] = f
}

// at is what is known of a key. The caller holds mu.
func (t *throttle) at(key string, now time.Time) failures {
	f := t.byKey[key]
	if now.Sub(f.last) >= t.forget {
		return failures{}
	}
	return f
}

// wait is how long after now an attempt is allowed.
func (t *throttle) wait(f failures, now time.Time) time.Duration {
	over := f.count - t.free
	if over < 0 {
		return 0
	}
	pause := t.cap
	if over < 32 { // more doublings than any cap needs, and none that overflows
		pause = min(firstWait<<over, t.cap)
	}
	return max(f.last.Add(pause).Sub(now), 0)
}

// makeRoom forgets what is over, and any others until an eighth is free, so that not every attempt has to look through
// all: with so many keys there is a flood from many addresses, which the bound of hashes holds. The caller holds mu.
func (t *throttle) makeRoom(now time.Time) {
	for key, f := range t.byKey {
		if now.Sub(f.last) >= t.forget {
			delete(t.byKey, key)
		}
	}
	for key := range t.byKey {
		if len(t.byKey) <= t.limit*7/8 {
			return
		}
		delete(t.byKey, key)
	}
}

// memory is a set of keys that are forgotten after a time, and earlier where there are more than maxThrottled. All methods take
// the time, and are safe for concurrent use.
type memory struct {
	forget time.Duration

	mu   sync.Mutex // guards seen
	seen map[string]time.Time
}

func newMemory(forget time.Duration) *memory {
	return &memory{forget: forget, seen: map[string]time.Time{}}
}

func (m *memory) add(key string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.seen[key]; !known && len(m.seen) >= maxThrottled {
		m.makeRoom(now)
	}
	m.seen[key] = now
}

func (m *memory) has(key string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, known := m.seen[key]
	return known && now.Sub(at) < m.forget
}

// makeRoom forgets what is over, and any others until an eighth is free, as a throttle does. The caller holds mu.
func (m *memory) makeRoom(now time.Time) {
	for key, at := range m.seen {
		if now.Sub(at) >= m.forget {
			delete(m.seen, key)
		}
	}
	for key := range m.seen {
		if len(m.seen) <= maxThrottled*7/8 {
			return
		}
		delete(m.seen, key)
	}
}
