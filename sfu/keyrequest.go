package sfu

import (
	"sync/atomic"
	"time"
)

const (
	// A key frame is asked for at once after a re-wire and again every
	// keyEager, because both the request and an encoder's attention get lost;
	// after keyPatience slower, and slower still for a publisher without a camera.
	keyEager      = 60 * time.Millisecond
	keyPatience   = time.Second
	keyRepeat     = 300 * time.Millisecond
	keyResigned   = 5 * time.Second
	keyRepeatLate = time.Second
)

// keyRequest decides when to ask a publisher for a key frame. It is safe for
// concurrent use: the publisher's media goroutine repeats, the subscriber's
// control goroutine asks.
type keyRequest struct {
	wanted atomic.Bool
	since  atomic.Int64 // when the wish arose
	last   atomic.Int64 // when it was last sent
}

// start begins to want a key frame: the next due is true, whatever was asked before.
func (k *keyRequest) start(now time.Duration) {
	k.since.Store(int64(now))
	k.last.Store(int64(now - keyEager))
	k.wanted.Store(true)
}

// passed ends the wish: a key frame is on its way to the subscriber.
func (k *keyRequest) passed() {
	if k.wanted.Load() {
		k.wanted.Store(false)
	}
}

// ask takes a subscriber's request. It returns true if it is to be sent now.
func (k *keyRequest) ask(now time.Duration) bool {
	if k.wanted.CompareAndSwap(false, true) {
		// Not eager: the subscriber repeats its wish by itself.
		k.since.Store(int64(now - keyPatience))
	}

	return k.take(now, keyRepeat)
}

// due returns true if a request is to be repeated now.
func (k *keyRequest) due(now time.Duration) bool {
	if !k.wanted.Load() {
		return false
	}
	interval := keyEager
	switch waited := now - time.Duration(k.since.Load()); {
	case waited >= keyResigned:
		interval = keyRepeatLate
	case waited >= keyPatience:
		interval = keyRepeat
	}

	return k.take(now, interval)
}

func (k *keyRequest) take(now, interval time.Duration) bool {
	last := k.last.Load()

	return int64(now)-last >= int64(interval) && k.last.CompareAndSwap(last, int64(now))
}
