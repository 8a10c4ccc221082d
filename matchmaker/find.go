package matchmaker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"smalltalk/store"
)

// Ticket says who looks for a partner, and for what kind.
type Ticket struct {
	Session store.SessionID
	User    store.UserID
	Topics  []store.Category // one of them must be shared; empty takes any
	Langs   []string         // if both name some, one must be shared
	Since   time.Time        // the place in line; zero or in the future means now
}

// request is one call of Find that waits.
type request struct {
	done chan struct{} // closed, under mu, when room or err is set
	room *Room
	err  error
}

// Find waits for a partner and returns the room with him, or an error, never both: ErrAlreadyWaiting, ErrInRoom, ErrUnknownTopic,
// ErrClosed, or that of ctx. Cancelling ctx leaves the line; if that comes at the moment of a match, the room is left
// for the reason "left". A room returned must be left with Room.Leave sometime.
//
// A member of a room from before a restart who calls Find before Resume has given that room up; it ends for the reason "left".
func (m *Matcher) Find(ctx context.Context, t Ticket) (*Room, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t, err := m.normal(t)
	if err != nil {
		return nil, err
	}
	room, f, err := m.join(t)
	if f == nil {
		return room, err
	}
	select {
	case <-f.done:
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		m.abandon(t.Session, f)
		return nil, err
	}
	return f.room, f.err
}

// normal checks a ticket and returns a copy whose lists are sorted.
func (m *Matcher) normal(t Ticket) (Ticket, error) {
	if t.Session == "" || t.User == "" {
		return t, errors.New("matchmaker: ticket without session or user")
	}
	t.Topics, t.Langs = sortedSet(t.Topics), sortedSet(t.Langs)
	if len(m.topics) > 0 {
		for _, topic := range t.Topics {
			if _, ok := slices.BinarySearch(m.topics, topic); !ok {
				return t, fmt.Errorf("%w: %q", ErrUnknownTopic, topic)
			}
		}
	}
	return t, nil
}

// join returns the room if somebody is there to be matched, a request to wait on if not, or an error.
func (m *Matcher) join(t Ticket) (*Room, *request, error) {
	m.mu.Lock()
	defer m.release()
	if err := m.mayJoin(t); err != nil {
		return nil, nil, err
	}
	waited := time.Duration(0)
	if !t.Since.IsZero() {
		waited = max(0, time.Since(t.Since))
	}
	if mt, ok := m.line.join(m.now(), t, waited); ok {
		m.meet(mt)
		return m.bySess[t.Session], nil, nil
	}
	r := &request{done: make(chan struct{})}
	m.requests[t.Session] = r
	return nil, r, nil
}

func (m *Matcher) mayJoin(t Ticket) error {
	if m.closed {
		return ErrClosed
	}
	if m.line.waits(t.Session, t.User) {
		return ErrAlreadyWaiting
	}
	if r := m.byUser[t.User]; r != nil && !r.call.claimed[r.self] {
		m.end(r.call, reasonLeft, r.Self().Session)
		m.line.parted(m.now(), r.Self().User, r.Partner().User)
	}
	if m.byUser[t.User] != nil || m.bySess[t.Session] != nil {
		return ErrInRoom
	}
	return nil
}

// abandon undoes a Find whose ctx has ended, whether it was matched meanwhile or not.
func (m *Matcher) abandon(s store.SessionID, f *request) {
	m.mu.Lock()
	defer m.release()
	switch {
	case f.room != nil:
		// They have not met, so nothing keeps them from meeting the next moment.
		if !f.room.call.ended {
			m.end(f.room.call, reasonLeft, s)
		}
	case f.err == nil:
		m.line.cancel(s)
		delete(m.requests, s)
		m.stats.Cancelled++
	}
}

// meet makes the room of a match and hands it to those of the two who wait in Find.
func (m *Matcher) meet(mt match) {
	a, b := mt.a.ticket, mt.b.ticket
	c := newCall(m, store.Room{
		ID: store.NewRoomID(),
		Members: [2]store.Member{
			{Session: a.Session, User: a.User, Node: m.node},
			{Session: b.Session, User: b.User, Node: m.node},
		},
		Topics:  sharedTopics(a.Topics, b.Topics),
		Langs:   common(a.Langs, b.Langs),
		Created: time.Now().UTC(),
	})
	c.claimed = [2]bool{true, true}
	m.stats.Matches++
	m.enter(c)
	m.touch(c)
	for _, side := range c.sides {
		s := side.Self().Session
		if f := m.requests[s]; f != nil {
			delete(m.requests, s)
			f.room = side
			close(f.done)
		}
	}
}

// sortedSet returns a sorted copy without repetitions.
func sortedSet[T cmp.Ordered](s []T) []T {
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}
