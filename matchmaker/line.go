package matchmaker

import (
	"slices"
	"time"

	"smalltalk/store"
)

// line is the people who wait, and the rule by which they meet. It is a pure state machine: events and the time go in, matches come out; the
// same events give the same matches. Time is counted from the matcher's start, so that setting the clock moves nobody's place.
// No two people in line are compatible, unless they have just left each other.
type line struct {
	recentAfter time.Duration
	recents     *recents

	held  bool
	until time.Duration // nobody is matched before this, if held

	seq    uint64
	all    ageList
	any    ageList                     // those who named no topic
	topics map[store.Category]*ageList // those who named this one; no empty lists
	relax  ageList                     // by joined: those who passed somebody over for having met just before
	bySess map[store.SessionID]*waiter
	byUser map[store.UserID]*waiter
}

// match is two people who shall talk, the one who waited longer first.
type match struct{ a, b *waiter }

func newLine(recentAfter time.Duration) *line {
	return &line{
		recentAfter: recentAfter,
		recents:     newRecents(max(recentKept, recentAfter), recentMax),
		topics:      map[store.Category]*ageList{},
		bySess:      map[store.SessionID]*waiter{},
		byUser:      map[store.UserID]*waiter{},
	}
}

// waits says whether this session or this user is in line.
func (l *line) waits(s store.SessionID, u store.UserID) bool {
	return l.bySess[s] != nil || l.byUser[u] != nil
}

// join gives the newcomer the longest waiting compatible person, or puts him in line. The ticket's lists must be sorted, and neither
// its session nor its user in line. The wait began waited ago.
func (l *line) join(now time.Duration, t Ticket, waited time.Duration) (match, bool) {
	l.seq++
	w := &waiter{ticket: t, since: now - waited, seq: l.seq, joined: now}
	if l.held {
		l.insert(w)
		return match{}, false
	}
	best, passed := l.search(now, w)
	if best != nil {
		l.remove(best)
		return ordered(w, best), true
	}
	l.insert(w)
	if passed {
		w.relax = &place{w: w}
		l.relax.push(w.relax)
	}
	return match{}, false
}

// cancel takes the session out of line. It reports whether it was in it.
func (l *line) cancel(s store.SessionID) bool {
	w := l.bySess[s]
	if w == nil {
		return false
	}
	l.remove(w)
	return true
}

// parted notes that two people have left each other. Neither may be in line.
func (l *line) parted(now time.Duration, a, b store.UserID) { l.recents.parted(now, a, b) }

// hold lets nobody be matched before until; tick then brings together who waits, the oldest first.
func (l *line) hold(until time.Duration) { l.held, l.until = true, until }

// release ends the hold and returns the matches of those who have gathered.
func (l *line) release(now time.Duration) []match {
	l.held = false
	var out []match
	for p := l.all.head; p != nil; {
		w := p.w
		p = p.next
		best, passed := l.search(now, w)
		if best != nil {
			l.remove(w)
			l.remove(best)
			out = append(out, ordered(w, best))
			p = l.all.head // best may have been the next one
			continue
		}
		if passed && w.relax == nil {
			w.joined, w.relax = now, &place{w: w}
			l.relax.push(w.relax)
		}
	}
	return out
}

// tick returns the matches of those who have waited long enough, with nobody else coming, to meet the same person again.
func (l *line) tick(now time.Duration) []match {
	var out []match
	if l.held {
		if now < l.until {
			return nil
		}
		out = l.release(now)
	}
	for p := l.relax.head; p != nil && p.w.joined+l.recentAfter <= now; p = l.relax.head {
		w := p.w
		// As of the moment when it was due: a late tick must not decide otherwise than a punctual one.
		best, _ := l.search(w.joined+l.recentAfter, w)
		if best == nil {
			w.relax.remove()
			w.relax = nil
			continue
		}
		l.remove(w)
		l.remove(best)
		out = append(out, ordered(w, best))
	}
	return out
}

// next returns when tick has something to do, if ever.
func (l *line) next() (time.Duration, bool) {
	if l.held {
		return l.until, true
	}
	if l.relax.head == nil {
		return 0, false
	}
	return l.relax.head.w.joined + l.recentAfter, true
}

// search returns the person in line who has waited longest of all that w may meet now, and whether one was passed over only for
// having been met just before.
func (l *line) search(now time.Duration, w *waiter) (best *waiter, passed bool) {
	look := func(list *ageList) {
		for p := list.head; p != nil && (best == nil || p.w.before(best)); p = p.next {
			switch {
			case p.w == w || !shareLang(w.ticket.Langs, p.w.ticket.Langs):
			case l.tooSoon(now, w, p.w):
				passed = true
			default:
				best = p.w
				return
			}
		}
	}
	if len(w.ticket.Topics) == 0 {
		look(&l.all)
		return best, passed
	}
	look(&l.any)
	for _, t := range w.ticket.Topics {
		if list := l.topics[t]; list != nil {
			look(list)
		}
	}
	return best, passed
}

// tooSoon says whether the two have just left each other and have not yet waited long enough beside each other.
func (l *line) tooSoon(now time.Duration, a, b *waiter) bool {
	return now < max(a.joined, b.joined)+l.recentAfter && l.recents.met(now, a.ticket.User, b.ticket.User)
}

func (l *line) insert(w *waiter) {
	w.places = make([]place, 1+max(1, len(w.ticket.Topics)))
	for i := range w.places {
		w.places[i].w = w
	}
	l.all.insert(&w.places[0])
	if len(w.ticket.Topics) == 0 {
		l.any.insert(&w.places[1])
	}
	for i, t := range w.ticket.Topics {
		list := l.topics[t]
		if list == nil {
			list = &ageList{}
			l.topics[t] = list
		}
		list.insert(&w.places[1+i])
	}
	l.bySess[w.ticket.Session] = w
	l.byUser[w.ticket.User] = w
}

func (l *line) remove(w *waiter) {
	for i := range w.places {
		w.places[i].remove()
	}
	for _, t := range w.ticket.Topics {
		if l.topics[t].len == 0 {
			delete(l.topics, t)
		}
	}
	if w.relax != nil {
		w.relax.remove()
		w.relax = nil
	}
	delete(l.bySess, w.ticket.Session)
	delete(l.byUser, w.ticket.User)
}

func ordered(a, b *waiter) match {
	if b.before(a) {
		a, b = b, a
	}
	return match{a, b}
}

// shareLang says whether two people can talk: if both name languages, one must be the same.
func shareLang(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	for _, x := range a {
		if slices.Contains(b, x) {
			return true
		}
	}
	return false
}

// sharedTopics returns what both picked; who picked nothing takes everything. It is empty for two of those.
func sharedTopics(a, b []store.Category) []store.Category {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	default:
		return common(a, b)
	}
}

// common returns what is in both; a and b are short.
func common[T comparable](a, b []T) []T {
	var out []T
	for _, x := range a {
		if slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}
