package matchmaker

import (
	"context"
	"errors"
	"slices"
	"time"

	"smalltalk/store"
)

// request is one call of Find that waits.
type request struct {
	ticket Ticket
	joined time.Time     // when the wait began; ticket.Since may be earlier
	done   chan struct{} // closed, under mu, when room or err is set
	room   *Room
	err    error

	// Guarded by Matcher.mu.
	dirty  bool // is in Matcher.unwritten
	stored bool // may be on the disk
	gone   bool // shall not be on the disk
	given  bool // of a former process: Place has returned it
}

// Find waits for a partner and returns the room with him, or an error, never both: ErrAlreadyWaiting, ErrInRoom, ErrUnknownTopic,
// ErrExpired, ErrClosed, or that of ctx. Cancelling ctx leaves the line; if that comes at the moment of a match, the match stands: its
// room is returned, whatever ctx says. A room returned must be left with Room.Leave sometime.
//
// A ctx that is cancelled with ErrClosed as its cause says that the server stops: the store keeps the place in line, or the room, for
// the next start, as Close does for those who still wait.
//
// A member of a room from before a restart who calls Find before Resume has given that room up; it ends for the reason "left".
func (m *Matcher) Find(ctx context.Context, t Ticket) (*Room, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t, err := m.normal(t, time.Now())
	if err != nil {
		return nil, err
	}
	room, f, err := m.join(ask(t, time.Now()))
	if f == nil {
		return room, err
	}
	select {
	case <-f.done:
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		if room := m.abandon(f, errors.Is(context.Cause(ctx), ErrClosed)); room != nil {
			return room, nil
		}
		return nil, err
	}
	return f.room, f.err
}

// join returns the room if somebody is there to be matched, a request to wait on if not, or an error.
func (m *Matcher) join(a asking) (*Room, *request, error) {
	m.mu.Lock()
	defer m.release()
	now := m.advance()
	if err := m.mayJoin(a.Ticket); err != nil {
		return nil, nil, err
	}
	a.keep(m.oldPlace(a.Ticket), time.Now())
	if e, ok := m.line.join(now, a); ok {
		m.meet(e, a.Ticket)
		return m.bySess[a.Session], nil, nil
	}
	return nil, m.enqueue(a.Ticket), nil
}

// enqueue notes that a ticket waits. The caller holds mu.
func (m *Matcher) enqueue(t Ticket) *request {
	f := &request{ticket: t, joined: time.Now(), done: make(chan struct{})}
	m.requests[t.Session] = f
	m.touchTicket(f)
	if !t.Private {
		m.dropPlace(t.Session, t.User)
	}
	return f
}

// dequeue notes that a ticket waits no longer: it is matched, cancelled or expired. It is not called when the matcher closes, so that
// the next process still finds who waited. The caller holds mu.
func (m *Matcher) dequeue(f *request) {
	delete(m.requests, f.ticket.Session)
	f.gone = true
	m.touchTicket(f)
}

func (m *Matcher) mayJoin(t Ticket) error {
	if m.closed {
		return ErrClosed
	}
	if m.requests[t.Session] != nil || m.line.waits(t.User) {
		return ErrAlreadyWaiting
	}
	if r := m.byUser[t.User]; r != nil && !r.call.claimed[r.self] {
		m.giveUp(r)
	}
	if m.byUser[t.User] != nil || m.bySess[t.Session] != nil {
		return ErrInRoom
	}
	return nil
}

// abandon takes out of line a Find whose ctx has ended; it returns the room if that was matched meanwhile. With keep the store keeps the
// place.
func (m *Matcher) abandon(f *request, keep bool) *Room {
	m.mu.Lock()
	defer m.release()
	now := m.advance() // which may match it yet
	if f.room != nil || f.err != nil {
		return f.room
	}
	m.line.cancel(now, f.ticket.User)
	if keep {
		delete(m.requests, f.ticket.Session)
	} else {
		m.dequeue(f)
	}
	m.stats.Cancelled++
	return nil
}

// carryOut does what the line has decided. The caller holds mu.
func (m *Matcher) carryOut(effects []effect) {
	for _, e := range effects {
		switch e.kind {
		case matched:
			m.meet(e, Ticket{})
		case expired:
			f := m.requests[e.a]
			m.dequeue(f)
			m.stats.Expired++
			f.err = ErrExpired
			close(f.done)
		}
	}
}

// meet makes the room of a match and hands it to those of the two who wait in Find. One of them may be a newcomer, who does not.
func (m *Matcher) meet(e effect, newcomer Ticket) {
	ticket := func(s store.SessionID) Ticket {
		if f := m.requests[s]; f != nil {
			return f.ticket
		}
		return newcomer
	}
	a, b := ticket(e.a), ticket(e.b)
	now := time.Now()
	c := newCall(m, store.Room{
		ID: store.NewRoomID(),
		Members: [2]store.Member{
			{Session: a.Session, User: a.User, Node: m.node},
			{Session: b.Session, User: b.User, Node: m.node},
		},
		Topics:  m.sharedTopics(a, b, now),
		Langs:   common(a.Langs, b.Langs),
		Created: now.UTC(),
	})
	c.claimed = [2]bool{true, true}
	m.stats.Matches++
	if e.again {
		m.stats.Again++
	}
	m.enter(c)
	m.touch(c)
	for _, side := range c.sides {
		s := side.Self().Session
		m.dropPlace(s, side.Self().User)
		if f := m.requests[s]; f != nil {
			m.dequeue(f)
			f.room = side
			close(f.done)
		}
	}
}

// sharedTopics returns what both picked, and if that is nothing, what one of them picked of the server's own topics if only the other takes
// anything: words of one's own are not for somebody who has not said them too.
func (m *Matcher) sharedTopics(a, b Ticket, now time.Time) []store.Category {
	if both := common(a.Topics, b.Topics); len(both) > 0 {
		return both
	}
	return common(oneSided(a, b, now), m.topics)
}

// oneSided returns what one of two has picked who takes no more than that, if the other takes anything.
func oneSided(a, b Ticket, now time.Time) []store.Category {
	anyA := len(a.Topics) == 0 || a.WidenedAt(now)&WidenTopics != 0
	anyB := len(b.Topics) == 0 || b.WidenedAt(now)&WidenTopics != 0
	switch {
	case anyA && !anyB:
		return b.Topics
	case anyB && !anyA:
		return a.Topics
	case len(a.Topics) == 0:
		return b.Topics
	case len(b.Topics) == 0:
		return a.Topics
	default:
		return nil
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
