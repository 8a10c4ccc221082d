package matchmaker

import (
	"slices"
	"time"

	"smalltalk/store"
)

const (
	// recentKept is how long two people who left each other avoid each other,
	recentKept = 10 * time.Minute
	// recentOthers is how many other partners both of them have until they no longer do.
	recentOthers = 5
	// recentMax is of how many people that is remembered; beyond it the longest unchanged memory goes first.
	recentMax = 200_000

	// skipWindow and skipFree: so many skips in so long cost nothing, each further one skipCost of waiting, up to skipMost.
	skipWindow = time.Minute
	skipFree   = 20
	skipCost   = time.Second
	skipMost   = 30 * time.Second
)

// person is what is remembered of somebody who has left a room.
type person struct {
	print      uint64
	partners   [recentOthers]parting // the latest first
	skips      []time.Duration       // of the last skipWindow, no more than matter
	ready      time.Duration         // may not be matched before, for skipping so much
	changed    time.Duration
	waiter     uint32 // in line, if he is
	prev, next uint32 // by changed
}

type parting struct {
	print uint64 // of the partner
	until time.Duration
}

// people remembers whom a person left and how often. It is bounded in time and in size.
type people struct {
	max         int
	all         arena[person]
	byPrint     *index[uint64]
	first, last uint32 // the longest unchanged first
}

func newPeople(limit int) *people {
	p := &people{max: limit}
	p.byPrint = newIndex(func(i uint32) uint64 { return p.all.at(i).print })
	return p
}

// until returns when this person stops avoiding the partner; it is in the past if he does not.
func (p *person) until(print uint64) time.Duration {
	for i := range p.partners {
		if p.partners[i].print == print {
			return p.partners[i].until
		}
	}
	return 0
}

// left notes that the person has left a partner: he comes first, and of the others the last one goes.
func (p *person) left(now time.Duration, partner uint64) {
	i := 0
	for i < recentOthers-1 && p.partners[i].print != partner {
		i++
	}
	copy(p.partners[1:i+1], p.partners[:i])
	p.partners[0] = parting{partner, now + recentKept}
}

// skipped notes that the person left somebody for the next one.
func (p *person) skipped(now time.Duration) {
	old := slices.IndexFunc(p.skips, func(at time.Duration) bool { return now-at < skipWindow })
	if old < 0 {
		old = len(p.skips)
	}
	most := skipFree + int(skipMost/skipCost)
	old = max(old, len(p.skips)+1-most)
	p.skips = append(p.skips[:0], p.skips[old:]...)
	p.skips = append(p.skips, now)
	if n := len(p.skips) - skipFree; n > 0 {
		p.ready = now + time.Duration(n)*skipCost
	}
}

// parted notes that two people have left each other; skipper is the one who did so for the next one, if that was the reason.
func (l *line) parted(now time.Duration, a, b, skipper store.UserID) {
	pa, pb := fingerprint(a), fingerprint(b)
	l.people.touch(now, pa).left(now, pb)
	l.people.touch(now, pb).left(now, pa)
	if skipper != "" {
		l.people.touch(now, fingerprint(skipper)).skipped(now)
	}
	l.forget(now)
}

// touch returns what is remembered of a person, to be changed.
func (p *people) touch(now time.Duration, print uint64) *person {
	i := p.byPrint.get(print)
	if i == 0 {
		i = p.all.alloc()
		p.all.at(i).print = print
		p.byPrint.put(print, i)
	} else {
		p.unlink(i)
	}
	e := p.all.at(i)
	e.changed = now
	if e.prev, p.last = p.last, i; e.prev == 0 {
		p.first = i
	} else {
		p.all.at(e.prev).next = i
	}
	return e
}

func (p *people) unlink(i uint32) {
	e := p.all.at(i)
	if e.prev == 0 {
		p.first = e.next
	} else {
		p.all.at(e.prev).next = e.next
	}
	if e.next == 0 {
		p.last = e.prev
	} else {
		p.all.at(e.next).prev = e.prev
	}
	e.prev, e.next = 0, 0
}

// forget drops what no longer matters and what is too much.
func (l *line) forget(now time.Duration) {
	p := l.people
	for p.first != 0 {
		i := p.first
		e := p.all.at(i)
		if p.all.used() <= p.max && now-e.changed < recentKept {
			return
		}
		p.unlink(i)
		p.byPrint.remove(e.print)
		if e.waiter != 0 {
			l.waiters.at(e.waiter).person = 0
		}
		p.all.release(i)
	}
}

// metUntil returns when the two stop avoiding each other for having been partners; it is in the past if they do not.
func (l *line) metUntil(a, b *waiter) time.Duration {
	until := time.Duration(0)
	if a.person != 0 {
		until = l.people.all.at(a.person).until(b.print)
	}
	if b.person != 0 {
		until = max(until, l.people.all.at(b.person).until(a.print))
	}
	return until
}
