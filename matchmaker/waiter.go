package matchmaker

import (
	"slices"
	"time"

	"smalltalk/store"
)

// asking is a ticket as the line wants it, made before any lock is taken.
type asking struct {
	Ticket               // its lists sorted
	print  uint64        // of User
	blocks []uint64      // prints of Blocks, sorted
	waited time.Duration // since Since
	widens time.Duration // since WidenFrom
	wish   time.Duration // until PartnerUntil, or never
}

// longestWait is what a wait counts at most.
const longestWait = 100 * 365 * 24 * time.Hour

func ask(t Ticket, now time.Time) asking {
	a := asking{Ticket: t, print: fingerprint(t.User), wish: never}
	a.keep(t.Since, now)
	if !t.PartnerUntil.IsZero() {
		a.wish = max(0, t.PartnerUntil.Sub(now))
	}
	if len(t.Blocks) > 0 {
		a.blocks = make([]uint64, len(t.Blocks))
		for i, u := range t.Blocks {
			a.blocks[i] = fingerprint(u)
		}
		slices.Sort(a.blocks)
	}
	return a
}

// keep sets the place in line.
func (a *asking) keep(since, now time.Time) {
	a.Since, a.waited = since, min(max(0, now.Sub(since)), longestWait)
	a.widens = min(max(0, now.Sub(a.widenFrom())), longestWait)
}

// fingerprint stands for a user where only inequality must be sure: two people with the same one, one pair in 2^64, would avoid those
// whom the other one avoids, and nothing worse (FNV-1a).
func fingerprint(u store.UserID) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(u) {
		h = (h ^ uint64(u[i])) * 1099511628211
	}
	return h
}

// waiter is a person in line. It has no pointers, so that a million of them cost the garbage collector nothing.
type waiter struct {
	since      time.Duration // place in line: the smaller, the longer the wait
	joined     time.Duration // when this wait began; later than since for one who kept his place
	seq        uint64        // order of arrival, decides between the same since
	print      uint64
	widenFrom  time.Duration // since, or later for one who kept his place
	widenAfter time.Duration
	ready      time.Duration // not to be matched before
	look       time.Duration // when to look again at those passed over for having been met just before; 0 if there are none
	topics     [MaxTopics]uint32
	langs      [MaxLangs]uint32
	links      uint32 // the first membership in a bucket; 0 while not to be matched
	person     uint32 // what is remembered of him, if anything
	alarm      uint32 // place in line.alarms, from 1
	topicCount uint8
	langCount  uint8
	widened    Widening
	strict     bool
	private    bool
}

// named is what a waiter has that the search seldom needs.
type named struct {
	session store.SessionID
	user    store.UserID
	more    *more // of few people
}

type more struct {
	blocks  []uint64
	partner store.UserID
	until   time.Duration // end of the wish for partner; never if negative
}

func (n *named) blocks(print uint64) bool {
	if n.more == nil {
		return false
	}
	_, found := slices.BinarySearch(n.more.blocks, print)
	return found
}

// wants says whether the person waits for that user in particular.
func (n *named) wants(now time.Duration, u store.UserID) bool {
	return n.more != nil && n.more.partner == u && (n.more.until < 0 || now < n.more.until)
}

// before says whether w has waited longer than o.
func (w *waiter) before(o *waiter) bool {
	if w.since != o.since {
		return w.since < o.since
	}
	return w.seq < o.seq
}

func (w *waiter) topicSet() []uint32 { return w.topics[:w.topicCount] }
func (w *waiter) langSet() []uint32  { return w.langs[:w.langCount] }

// anyTopic says whether he takes people who name none of his topics.
func (w *waiter) anyTopic() bool { return w.topicCount == 0 || w.widened&WidenTopics != 0 }

// topicsOnly says whether he takes nobody but people who name one of his topics themselves.
func (w *waiter) topicsOnly() bool { return w.strict && !w.anyTopic() }

// anyLang says whether he named languages and yet takes people who name none of them.
func (w *waiter) anyLang() bool { return w.langCount > 0 && w.widened&WidenLangs != 0 }

// langsOnly says whether he takes nobody but people who name one of his languages, or none at all.
func (w *waiter) langsOnly() bool { return w.strict && w.langCount > 0 && !w.anyLang() }

// widen brings w.widened up to date. It reports whether that has changed.
func (w *waiter) widen(now time.Duration) bool {
	old := w.widened
	if !w.strict && w.widenAfter > 0 {
		if now >= w.widenFrom+w.widenAfter {
			w.widened |= WidenTopics
		}
		if now >= w.widenFrom+2*w.widenAfter {
			w.widened |= WidenLangs
		}
	}
	return w.widened != old
}

// widens returns when widen has something to do next, or never.
func (w *waiter) widens() time.Duration {
	switch {
	case w.strict || w.widenAfter == 0:
		return never
	case w.widened&WidenTopics == 0:
		return w.widenFrom + w.widenAfter
	case w.widened&WidenLangs == 0:
		return w.widenFrom + 2*w.widenAfter
	default:
		return never
	}
}
