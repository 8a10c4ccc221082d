package matchmaker

import (
	"context"

	"smalltalk/store"
)

// restore takes over rooms from the store. One that cannot be, because a member is missing or in another room, is deleted: no
// state in which a matcher has been looks so. It is called before anybody else has m.
func (m *Matcher) restore(rooms []store.Room) {
	for _, record := range rooms {
		c := newCall(m, record)
		c.stored = true
		if !m.canBe(record) {
			m.log.Error("deleting a room that cannot be", "room", record.ID, "a", record.Members[0].User, "b", record.Members[1].User)
			c.delete = true
			m.touch(c)
			continue
		}
		m.enter(c)
		m.restored = append(m.restored, c)
	}
}

// canBe says whether a room has two members, neither of whom is in another one.
func (m *Matcher) canBe(record store.Room) bool {
	a, b := record.Members[0], record.Members[1]
	return a.Session != "" && b.Session != "" && a.User != b.User && a.Session != b.Session && !m.inRoom(a) && !m.inRoom(b)
}

func (m *Matcher) inRoom(who store.Member) bool {
	return m.bySess[who.Session] != nil || m.byUser[who.User] != nil
}

// Resume returns the room that this session is in: after a restart of the server, or again in the same process, the same *Room
// every time. The error is ErrNoRoom, ErrClosed, or that of ctx.
func (m *Matcher) Resume(ctx context.Context, s store.SessionID) (*Room, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.release()
	if m.closed {
		return nil, ErrClosed
	}
	r := m.bySess[s]
	if r == nil {
		return nil, ErrNoRoom
	}
	r.call.claimed[r.self] = true
	return r, nil
}

// Rejoin is Resume for a room that its member can prove and that the store has lost. It works during Config.Grace after New only, not for
// a room that has ended since New, and not if one of the members waits or is in another room; the error is then ErrNoRoom. The room ends with
// the grace if the other member does not Resume or Rejoin it.
func (m *Matcher) Rejoin(ctx context.Context, room store.Room, self store.SessionID) (*Room, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.release()
	if m.closed {
		return nil, ErrClosed
	}
	r := m.bySess[self]
	if r == nil || r.ID() != room.ID {
		if r = m.revive(room, self); r == nil {
			return nil, ErrNoRoom
		}
	}
	r.call.claimed[r.self] = true
	return r, nil
}

// revive makes a room anew that the store has lost, if that can be. It returns the side of self.
func (m *Matcher) revive(record store.Room, self store.SessionID) *Room {
	if m.now() >= m.graceEnd || record.ID == "" || m.gone[record.ID] || !m.canBe(record) {
		return nil
	}
	for _, who := range record.Members {
		if m.requests[who.Session] != nil || m.line.waits(who.User) {
			return nil
		}
	}
	c := newCall(m, record)
	for _, side := range c.sides {
		if side.Self().Session == self {
			m.enter(c)
			m.touch(c)
			m.restored = append(m.restored, c)
			return side
		}
	}
	return nil
}

// Place returns the ticket with which this session waited when a former process ended. It does so once.
func (m *Matcher) Place(s store.SessionID) (Ticket, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.places[s]
	delete(m.places, s)
	return t, ok
}
