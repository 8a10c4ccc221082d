package matchmaker

import (
	"time"

	"smalltalk/store"
)

// line is the people who wait, and the rule by which they meet. It is a pure state machine: events and the time go in, effects come
// out; the same events give the same effects. Time is counted from the matcher's start, so that setting the clock moves nobody's
// place. Before each event comes tick with its time.
//
// No two people in line may meet each other, but for those who have just left each other, who may not be matched yet, or who are
// to look again at a time that is set.
type line struct {
	recentAfter time.Duration
	holdUntil   time.Duration

	seq     uint64
	waiters arena[waiter]
	named   arena[named] // of the same numbers
	links   arena[link]
	buckets arena[bucket]
	topics  *names
	langs   *names
	byUser  *index[store.UserID]
	alarms  []alarm
	people  *people
}

// effect is something that the line has decided.
type effect struct {
	kind effectKind
	a, b store.SessionID // of a match, the one who waited longer first
	// again says that they have been partners lately.
	again bool
}

type effectKind uint8

const (
	matched effectKind = 1 + iota
	expired            // a's private ticket
)

// newLine makes a line in which nobody is matched before hold has passed.
func newLine(recentAfter, hold time.Duration) *line {
	l := &line{
		recentAfter: recentAfter,
		holdUntil:   hold,
		topics:      newNames(topicsReserved),
		langs:       newNames(langsReserved),
		people:      newPeople(recentMax),
	}
	l.byUser = newIndex(func(i uint32) store.UserID { return l.named.at(i).user })
	return l
}

// hold has nobody matched before that time. A later call can only make it sooner.
func (l *line) hold(until time.Duration) {
	if l.holdUntil == 0 || until < l.holdUntil {
		l.holdUntil = until
	}
}

// waiting returns how many people are in line.
func (l *line) waiting() int { return l.byUser.len }

// waits says whether this user is in line.
func (l *line) waits(u store.UserID) bool { return l.byUser.get(u) != 0 }

// join gives the newcomer a partner, or puts him in line. The user must not be in it.
func (l *line) join(now time.Duration, a asking) (effect, bool) {
	i := l.enter(now, a)
	if now < l.holdUntil {
		l.enlist(i, topicHold, langNone, false)
		l.rearm(i)
		return effect{}, false
	}
	return l.arrive(now, i)
}

// cancel takes the user out of line. It reports whether he was in it.
func (l *line) cancel(now time.Duration, u store.UserID) bool {
	i := l.byUser.get(u)
	if i != 0 {
		l.leave(now, i, false)
	}
	return i != 0
}

// arrive matches a waiter who is in no bucket, or puts him into his.
func (l *line) arrive(now time.Duration, i uint32) (effect, bool) {
	w := l.waiters.at(i)
	if partner := l.wanted(now, i); partner != 0 {
		return l.match(now, i, partner), true
	}
	if w.ready <= now && !w.private {
		w.widen(now)
		best, again := l.search(now, i)
		if best != 0 {
			return l.match(now, i, best), true
		}
		w.look = again
		l.list(i)
	}
	l.rearm(i)
	return effect{}, false
}

// wanted returns who waits for this one in particular and is wanted by him, or 0.
func (l *line) wanted(now time.Duration, i uint32) uint32 {
	n := l.named.at(i)
	if n.more == nil || !n.wants(now, n.more.partner) {
		return 0
	}
	p := l.byUser.get(n.more.partner)
	if p == 0 || !l.named.at(p).wants(now, n.user) || l.blocked(i, p) {
		return 0
	}
	return p
}

// match takes two people out of line.
func (l *line) match(now time.Duration, i, j uint32) effect {
	a, b := l.waiters.at(i), l.waiters.at(j)
	if b.before(a) {
		i, j = j, i
	}
	e := effect{matched, l.named.at(i).session, l.named.at(j).session, l.metUntil(a, b) > now}
	l.leave(now, i, true)
	l.leave(now, j, true)
	return e
}

// enter takes a person up, in no bucket yet.
func (l *line) enter(now time.Duration, a asking) uint32 {
	l.seq++
	i := l.waiters.alloc()
	l.named.alloc() // the same number, as both give theirs back together
	*l.waiters.at(i) = waiter{
		since: now - a.waited, joined: now, seq: l.seq, print: a.print,
		widenFrom: now - a.widens, widenAfter: a.WidenAfter, widened: a.Widened, strict: a.Strict, private: a.Private,
	}
	*l.named.at(i) = named{session: a.Session, user: a.User}
	if len(a.blocks) > 0 || a.Partner != "" {
		m := &more{blocks: a.blocks, partner: a.Partner, until: never}
		if a.wish != never {
			m.until = now + a.wish
		}
		l.named.at(i).more = m
	}
	l.byUser.put(a.User, i)
	w := l.waiters.at(i)
	if p := l.people.byPrint.get(a.print); p != 0 {
		w.person, w.ready = p, l.people.all.at(p).ready
		l.people.all.at(p).waiter = i
	}
	if !w.private {
		l.name(w, a.Ticket)
	}
	l.eachName(w, func(n *name) { n.came(now) })
	return i
}

// name notes the topics and languages of a waiter.
func (l *line) name(w *waiter, t Ticket) {
	for _, topic := range t.Topics {
		w.topics[w.topicCount] = l.topics.acquire(string(topic))
		w.topicCount++
	}
	for _, lang := range t.Langs {
		w.langs[w.langCount] = l.langs.acquire(lang)
		w.langCount++
	}
}

// eachName calls f with every name for whose pace and number a waiter counts.
func (l *line) eachName(w *waiter, f func(*name)) {
	if w.private {
		return
	}
	f(l.topics.all.at(topicAll))
	if w.topicCount == 0 {
		f(l.topics.all.at(topicAny))
	}
	for _, t := range w.topicSet() {
		f(l.topics.all.at(t))
	}
	for _, lang := range w.langSet() {
		f(l.langs.all.at(lang))
	}
}

// leave takes a person out of line.
func (l *line) leave(now time.Duration, i uint32, matched bool) {
	w := l.waiters.at(i)
	l.unlist(i)
	l.setAlarm(i, never)
	l.eachName(w, func(n *name) { n.ended(now, matched) })
	for _, t := range w.topicSet() {
		l.topics.release(t)
	}
	for _, lang := range w.langSet() {
		l.langs.release(lang)
	}
	if w.person != 0 {
		l.people.all.at(w.person).waiter = 0
	}
	l.byUser.remove(l.named.at(i).user)
	l.waiters.release(i)
	l.named.release(i)
}
