package signaling

import (
	"crypto/rand"
	"strings"
	"time"

	"smalltalk/store"
)

const (
	// ringTime is how long a ring waits for an answer.
	ringTime = 40 * time.Second
	// dialTime is how long the two of an accepted ring have to get together: a device may have to come back first.
	dialTime = 10 * time.Second
)

// ring is a friend who is called and has not answered yet. But for silent, which the lobby's mu guards, it is not changed once made.
type ring struct {
	id             string
	from           *session
	caller, callee store.UserID
	name           string // the callee's
	began, expires time.Time
	// silent rings are for nobody to hear: the callee hides, and the caller must not learn that nobody is there, or not any more.
	silent bool
	timer  *time.Timer
}

// dial is an accepted ring for one of its sides.
type dial struct {
	ring    string
	partner store.UserID
	name    string
	until   time.Time
}

// friend is what the caller's side has read of the callee.
type friend struct {
	id    store.UserID
	name  string
	hides bool
}

// ringing is what came of a wish to ring: one field is set.
type ringing struct {
	ring *ring  // it rings
	end  string // why it does not; the ring was missed
	dial *dial  // the friend was ringing too
}

// ring rings a friend.
func (l *lobby) ring(s *session, to friend, now time.Time) (ringing, *failure) {
	l.mu.Lock()
	defer l.release()
	me := l.people[s.user.ID]
	if me == nil || !me.relations.friends[to.id] {
		return ringing{}, errNotFound
	}
	if r := me.ring; r != nil {
		if r.callee == s.user.ID && r.caller == to.id {
			return ringing{dial: l.connect(r, s, now)}, nil
		}
		return ringing{}, errRinging
	}
	r := &ring{
		id: strings.ToLower(rand.Text()), from: s, caller: s.user.ID, callee: to.id, name: to.name,
		began: now, expires: now.Add(ringTime),
	}
	them := l.people[to.id]
	there := them != nil && them.reachable()
	if there && them.ring != nil && them.ring.silent && them.ring.callee == s.user.ID {
		return ringing{dial: l.connect(them.ring, s, now)}, nil // who hides has not heard it, and rings back by chance
	}
	hides := to.hides || them != nil && them.relations.hides
	switch {
	case there && them.ring == nil:
		them.ring = r
		l.tellAll(r.callee, nil, func() news { return news{msg: &ringOut{head{Type: "ring"}, l.describe(r, r.callee)}} })
	case hides:
		r.silent = true
	case there:
		l.missed = append(l.missed, r)
		return ringing{ring: r, end: ringBusy}, nil
	default:
		l.missed = append(l.missed, r)
		return ringing{ring: r, end: ringOffline}, nil
	}
	me.ring = r
	l.rings[r.id] = r
	r.timer = time.AfterFunc(ringTime, func() { l.spawn(func() { l.expire(r) }) })
	return ringing{ring: r}, nil
}

// reachable says if there is a device that would ring.
func (p *resident) reachable() bool {
	for _, s := range p.sessions {
		if s.here {
			return true
		}
	}
	return false
}

// describe is a ring as one of its sides sees it. The caller holds mu.
func (l *lobby) describe(r *ring, as store.UserID) ringInfo {
	info := ringInfo{Ring: r.id, Expires: r.expires.UnixMilli()}
	if as == r.callee {
		info.From = &personRef{string(r.caller), l.nameOf(r.caller)}
	} else {
		info.To = &personRef{string(r.callee), r.name}
	}
	return info
}

// ringOf is the ring that a session rings or hears, for its snapshot; nil if there is none.
func (l *lobby) ringOf(s *session) *ringInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.people[s.user.ID]
	if p == nil || p.ring == nil || p.ring.caller == s.user.ID && p.ring.from != s {
		return nil
	}
	info := l.describe(p.ring, s.user.ID)
	return &info
}

// accept answers a ring. The first device to do so has it.
func (l *lobby) accept(s *session, id string, now time.Time) (*dial, *failure) {
	l.mu.Lock()
	defer l.release()
	r := l.rings[id]
	if r == nil || r.callee != s.user.ID || r.silent {
		return nil, errNotRinging
	}
	return l.connect(r, s, now), nil
}

// connect lets the two of a ring meet, the callee on s. The caller holds mu.
func (l *lobby) connect(r *ring, s *session, now time.Time) *dial {
	l.finishRing(r)
	if !r.silent {
		l.tellAll(r.callee, s, func() news { return endOfRing(r, ringElsewhere) })
	}
	l.takeSeat(s)
	l.takeSeat(r.from)
	until := now.Add(dialTime)
	l.tell(r.from, news{dial: &dial{ring: r.id, partner: r.callee, name: r.name, until: until}})
	return &dial{ring: r.id, partner: r.caller, name: l.nameOf(r.caller), until: until}
}

// decline refuses a ring for all devices of the person.
func (l *lobby) decline(s *session, id string) *failure {
	l.mu.Lock()
	defer l.release()
	r := l.rings[id]
	if r == nil || r.callee != s.user.ID || r.silent {
		return errNotRinging
	}
	l.endRing(r, ringDeclined, s)
	return nil
}

// cancel takes a ring back, from the device that rings.
func (l *lobby) cancel(s *session, id string) *failure {
	l.mu.Lock()
	defer l.release()
	r := l.rings[id]
	if r == nil || r.from != s {
		return errNotRinging
	}
	l.endRing(r, ringCancelled, s)
	return nil
}

// expire ends a ring that nobody has answered.
func (l *lobby) expire(r *ring) {
	l.mu.Lock()
	defer l.release()
	if l.rings[r.id] == r {
		l.endRing(r, ringTimeout, nil)
	}
}

// endRing ends a ring without an answer, and tells all but one. The caller holds mu.
func (l *lobby) endRing(r *ring, reason string, but *session) {
	l.finishRing(r)
	if r.from != but {
		l.tell(r.from, endOfRing(r, reason))
	}
	if !r.silent {
		l.tellAll(r.callee, but, func() news { return endOfRing(r, reason) })
	}
	if reason != ringDeclined {
		l.missed = append(l.missed, r)
	}
}

// finishRing forgets a ring. The caller holds mu.
func (l *lobby) finishRing(r *ring) {
	r.timer.Stop()
	delete(l.rings, r.id)
	for _, id := range []store.UserID{r.caller, r.callee} {
		if p := l.people[id]; p != nil && p.ring == r {
			p.ring = nil
		}
	}
}

func endOfRing(r *ring, reason string) news {
	return news{msg: &ringEndOut{head{Type: "ring.end"}, r.id, reason}}
}
