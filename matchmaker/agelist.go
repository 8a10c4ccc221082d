package matchmaker

import "time"

// waiter is a person in line.
type waiter struct {
	ticket Ticket        // its topics and languages sorted
	since  time.Duration // place in line: the smaller, the longer the wait
	seq    uint64        // order of arrival, decides between the same since
	joined time.Duration // when this wait began; later than since for one who kept his place
	places []place       // in every list that can lead to this person
	relax  *place        // in line.relax, if someone was passed over for having been met just before
}

// before says whether w has waited longer than o.
func (w *waiter) before(o *waiter) bool {
	if w.since != o.since {
		return w.since < o.since
	}
	return w.seq < o.seq
}

// place is one waiter's membership in one list.
type place struct {
	w          *waiter
	prev, next *place
	list       *ageList
}

// ageList is a doubly linked list of waiters, who has waited longest first. The links are in the waiters, so that nobody is searched
// for on the way out.
type ageList struct {
	head, tail *place
	len        int
}

// insert puts p where its waiter's age says. It walks from the young end, where all come in who did not bring an older place along.
func (l *ageList) insert(p *place) {
	after := l.tail
	for after != nil && p.w.before(after.w) {
		after = after.prev
	}
	l.insertAfter(p, after)
}

// push puts p at the end.
func (l *ageList) push(p *place) { l.insertAfter(p, l.tail) }

func (l *ageList) insertAfter(p, after *place) {
	p.list, p.prev = l, after
	if after == nil {
		p.next, l.head = l.head, p
	} else {
		p.next, after.next = after.next, p
	}
	if p.next == nil {
		l.tail = p
	} else {
		p.next.prev = p
	}
	l.len++
}

// remove takes p out of its list.
func (p *place) remove() {
	l := p.list
	if p.prev == nil {
		l.head = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		l.tail = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.prev, p.next, p.list = nil, nil, nil
	l.len--
}
