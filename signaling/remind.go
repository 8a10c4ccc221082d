package signaling

import (
	"sync"
	"time"
)

const (
	// remindEvery is how often a complaint that strangers can cause is logged at most.
	remindEvery = time.Minute
	// quoted is how many bytes of what a stranger sent a log line has at most.
	quoted = 200
)

// remind keeps strangers from filling the log with one complaint. The zero value is ready. Safe for
// concurrent use.
type remind struct {
	mu   sync.Mutex // guards last
	last time.Time
}

// due says if it is time for the complaint, and then not again for remindEvery.
func (r *remind) due(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.last.IsZero() && now.Sub(r.last) < remindEvery {
		return false
	}
	r.last = now
	return true
}

// cut bounds what a stranger sent.
func cut(text string) string {
	if len(text) > quoted {
		return text[:quoted]
	}
	return text
}
