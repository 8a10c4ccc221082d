package sfu

import (
	"errors"
	"sync"
	"time"
)

var (
	errRoomFull  = errors.New("the room has two sides already")
	errElsewhere = errors.New("the peer is in another room")
	errNoCodec   = errors.New("the two sides share no codec")
)

// rooms knows who has joined what, and wires the two sides of a room as soon
// as both are ready. It is the only place that opens and clears gates.
type rooms struct {
	mu     sync.Mutex // guards everything here and the room and ready of each leg
	byName map[string]*room
	pairs  int
}

type room struct {
	name  string
	sides [2]*leg
	wired bool
}

func newRooms() *rooms { return &rooms{byName: map[string]*room{}} }

// pair is what was wired just now; the caller greets it without the lock held.
type pair []*leg

// join puts l into the room of that name.
func (rs *rooms) join(l *leg, name string, now time.Duration) (pair, error) {
	l.prepare()
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if l.room != nil {
		if l.room.name == name {
			return nil, nil
		}

		return nil, errElsewhere
	}
	rm := rs.byName[name]
	if rm == nil {
		rm = &room{name: name}
	}
	switch {
	case rm.sides[0] != nil && rm.sides[1] != nil:
		return nil, errRoomFull
	case !rm.suits(l):
		return nil, errNoCodec
	case rm.sides[0] == nil:
		rm.sides[0] = l
	default:
		rm.sides[1] = l
	}
	rs.byName[name] = rm
	l.room = rm

	return rs.wire(rm, now), nil
}

// suits reports whether l could talk to who is in the room, as far as both
// have negotiated.
func (rm *room) suits(l *leg) bool {
	mine := l.media.Load()
	for _, other := range rm.sides {
		if other == nil || other == l || mine == nil {
			continue
		}
		if theirs := other.media.Load(); theirs != nil && !compatible(mine, theirs) {
			return false
		}
	}

	return true
}

// check reports whether l, which has negotiated just now, suits its partner.
func (rs *rooms) check(l *leg) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()

	return l.room == nil || l.room.suits(l)
}

// setReady says that l's transport is connected and its tracks can be written.
func (rs *rooms) setReady(l *leg, now time.Duration) pair {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	l.ready = true
	if l.room == nil {
		return nil
	}

	return rs.wire(l.room, now)
}

// wire connects the two sides if both are there, ready and able.
func (rs *rooms) wire(rm *room, now time.Duration) pair {
	a, b := rm.sides[0], rm.sides[1]
	if rm.wired || a == nil || b == nil || !a.ready || !b.ready || !rm.suits(a) {
		return nil
	}
	rm.wired = true
	rs.pairs++
	a.shift.fix()
	b.shift.fix()
	there, back := newRoute(a, b), newRoute(b, a)
	there.key.start(now)
	back.key.start(now)
	b.from.open(there)
	a.from.open(back)
	a.to.open(there)
	b.to.open(back)

	return pair{a, b}
}

// leave takes l out of its room. When it returns, no packet and no feedback
// that arrives from then on crosses, in either direction.
func (rs *rooms) leave(l *leg) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rm := l.room
	if rm == nil {
		return
	}
	l.room = nil
	if rm.wired {
		rm.wired = false
		rs.pairs--
		var ended [2]*route
		for i, side := range rm.sides {
			ended[i] = side.to.clear()
			side.from.clear()
		}
		for _, r := range ended {
			r.end()
		}
	}
	empty := true
	for i := range rm.sides {
		if rm.sides[i] == l {
			rm.sides[i] = nil
		}
		empty = empty && rm.sides[i] == nil
	}
	if empty {
		delete(rs.byName, rm.name)
	}
}

// counts returns how many rooms and wired pairs there are.
func (rs *rooms) counts() (rooms, pairs int) {
	rs.mu.Lock()
	defer rs.mu.Unlock()

	return len(rs.byName), rs.pairs
}

// greet asks both sides of a new pair for a key frame and lifts their limits.
func (p pair) greet(now time.Duration) {
	for _, l := range p {
		if r := l.to.enter(); r != nil {
			l.repeatKeyRequest(r, now, nil)
			l.sendLimit(l.limit(r), now, nil)
		}
		l.to.leave()
	}
}
