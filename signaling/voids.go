package signaling

import (
	"sync"
	"time"

	"smalltalk/store"
)

// voids remembers since when the places in line of people are void whose session has ended: a new one of theirs must not
// bring back a place that was given up. Safe for concurrent use.
type voids struct {
	mu     sync.Mutex // guards before
	before map[store.UserID]time.Time
}

func newVoids() *voids { return &voids{before: map[store.UserID]time.Time{}} }

// keep notes that tickets of the user from before then are void. A ticket that old is over by itself after ticketTTL.
func (v *voids) keep(user store.UserID, then, now time.Time) {
	if now.Sub(then) >= ticketTTL {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.before) >= sweepAt {
		for u, t := range v.before {
			if now.Sub(t) >= ticketTTL {
				delete(v.before, u)
			}
		}
	}
	v.before[user] = then
}

// of returns what was kept for the user, or the zero time.
func (v *voids) of(user store.UserID) time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.before[user]
}
