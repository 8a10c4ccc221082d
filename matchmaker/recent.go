package matchmaker

import (
	"container/list"
	"time"

	"smalltalk/store"
)

const (
	// recentKept is how long it is remembered whom a person left, unless it has to be longer for Config.RecentAfter.
	recentKept = 10 * time.Minute
	// recentMax is of how many people that is remembered; beyond it the oldest memory goes first.
	recentMax = 100_000
)

// recents remembers the last partner of each person. It is bounded in time and in size.
type recents struct {
	keep  time.Duration
	max   int
	last  map[store.UserID]*list.Element // of *parting
	byAge *list.List                     // of *parting, oldest first
}

// parting is a person's last partner.
type parting struct {
	user, partner store.UserID
	at            time.Duration
}

func newRecents(keep time.Duration, limit int) *recents {
	return &recents{keep: keep, max: limit, last: map[store.UserID]*list.Element{}, byAge: list.New()}
}

// parted notes that a and b have left each other.
func (r *recents) parted(now time.Duration, a, b store.UserID) {
	r.note(&parting{a, b, now})
	r.note(&parting{b, a, now})
	for e := r.byAge.Front(); e != nil; e = r.byAge.Front() {
		p := e.Value.(*parting)
		if r.byAge.Len() <= r.max && now-p.at < r.keep {
			return
		}
		r.byAge.Remove(e)
		delete(r.last, p.user)
	}
}

func (r *recents) note(p *parting) {
	if e := r.last[p.user]; e != nil {
		r.byAge.Remove(e)
	}
	r.last[p.user] = r.byAge.PushBack(p)
}

// met says whether one of the two is the other's last partner.
func (r *recents) met(now time.Duration, a, b store.UserID) bool {
	return r.leads(now, a, b) || r.leads(now, b, a)
}

func (r *recents) leads(now time.Duration, from, to store.UserID) bool {
	e := r.last[from]
	if e == nil {
		return false
	}
	p := e.Value.(*parting)
	return p.partner == to && now-p.at < r.keep
}
