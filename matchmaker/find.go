package matchmaker

import (
	"context"
	"time"

	"smalltalk/store"
)

// request is one call of Find that waits.
type request struct {
	ticket Ticket
	done   chan struct{} // closed, under mu, when room or err is set
	room   *Room
	err    error
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

// join returns the room if somebody is there to be matched, a request to wait on if not, or an error.
func (m *Matcher) join(t Ticket) (*Room, *request, error) {
	m.mu.Lock()
	defer m.release()
	if err := m.mayJoin(t); err != nil {
		return nil, nil, err
	}
	if now := time.Now(); t.Since.IsZero() || t.Since.After(now) {
		t.Since = now
	}
	waited := max(0, time.Since(t.Since))
	if mt, ok := m.line.join(m.now(), t, waited); ok {
		m.meet(mt)
		return m.bySess[t.Session], nil, nil
	}
	return nil, m.enqueue(t), nil
}

// enqueue notes that a ticket waits. The caller holds mu.
func (m *Matcher) enqueue(t Ticket) *request {
	f := &request{ticket: t, done: make(chan struct{})}
	m.requests[t.Session] = f
	return f
}

// dequeue notes that a ticket waits no longer: it is matched, cancelled or expired. It is not called when the matcher closes, so that
// the next process still finds who waited. The caller holds mu.
func (m *Matcher) dequeue(f *request) {
	delete(m.requests, f.ticket.Session)
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
		m.dequeue(f)
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
			m.dequeue(f)
			f.room = side
			close(f.done)
		}
	}
}
