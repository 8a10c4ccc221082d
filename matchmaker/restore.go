package matchmaker

import (
	"context"
	"slices"
	"time"

	"smalltalk/store"
)

// restore takes over what the store kept of a former process. It is called before anybody else has m.
func (m *Matcher) restore(rooms []store.Room, tickets []store.Ticket, hold time.Duration) {
	for _, record := range rooms {
		m.restoreRoom(record)
	}
	for _, record := range tickets {
		m.restorePlace(record)
	}
	if len(m.places) > 0 {
		m.line.hold(m.now() + hold)
	}
}

// restoreRoom takes over a room. One that cannot be, because a member is missing or in another room, is deleted: no state in which a
// matcher has been looks so.
func (m *Matcher) restoreRoom(record store.Room) {
	c := newCall(m, record)
	c.stored = true
	a, b := record.Members[0], record.Members[1]
	if !whole(record) || m.inRoom(a.Session, a.User) || m.inRoom(b.Session, b.User) {
		m.log.Error("deleting a room that cannot be", "room", record.ID, "a", a.User, "b", b.User)
		c.delete = true
		m.touch(c)
		return
	}
	m.enter(c)
	m.restored = append(m.restored, c)
}

// whole says whether a room has two members.
func whole(record store.Room) bool {
	a, b := record.Members[0], record.Members[1]
	return record.ID != "" && a.Session != "" && b.Session != "" && a.User != b.User && a.Session != b.Session
}

func (m *Matcher) inRoom(s store.SessionID, u store.UserID) bool {
	return m.bySess[s] != nil || m.byUser[u] != nil
}

// restorePlace takes over a place in line: nobody is matched by it, but its owner finds it again. One that cannot be, because its owner
// is in a room or has another one, is deleted as such rooms are; so is one for topics that are not offered any more.
func (m *Matcher) restorePlace(record store.Ticket) {
	f := &request{ticket: ticketOf(record), joined: record.Joined, stored: true}
	t, err := m.normal(f.ticket, time.Now())
	switch {
	case err != nil:
		m.log.Warn("deleting a place in line", "session", record.Session, "err", err)
	case m.inRoom(t.Session, t.User) || m.placeOf[t.User] != nil:
		m.log.Error("deleting a place in line that cannot be", "session", t.Session, "user", t.User)
	default:
		f.ticket = t
		m.places[t.Session], m.placeOf[t.User] = f, f
		return
	}
	f.gone = true
	m.touchTicket(f)
}

// record is what the store keeps of a wait. Blocks and wishes for somebody in particular come with the next Find.
func (f *request) record() store.Ticket {
	t := f.ticket
	return store.Ticket{
		Session: t.Session, User: t.User, Topics: t.Topics, Langs: t.Langs,
		Strict: t.Strict, WidenAfter: t.WidenAfter, WidenFrom: t.WidenFrom, Widened: uint8(t.Widened), Since: t.Since, Joined: f.joined,
	}
}

func ticketOf(r store.Ticket) Ticket {
	return Ticket{
		Session: r.Session, User: r.User, Topics: r.Topics, Langs: r.Langs,
		Strict: r.Strict, WidenAfter: r.WidenAfter, WidenFrom: r.WidenFrom, Widened: Widening(r.Widened), Since: r.Since,
	}
}

// Place returns the ticket with which this session waited when a former process ended, during Config.Grace after New and once. A Find
// of the same user with the same topics, languages and strictness has that place without asking.
func (m *Matcher) Place(s store.SessionID) (Ticket, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.places[s]
	if f == nil || f.given || m.closed {
		return Ticket{}, false
	}
	f.given = true // the store keeps it until its owner is in line again
	return f.ticket, true
}

// oldPlace returns since when the ticket's owner has waited for the same, if a former process knows of it and it was not given away.
func (m *Matcher) oldPlace(t Ticket) time.Time {
	f := m.placeOf[t.User]
	if f == nil || f.given || t.Private || !f.ticket.sameWish(t) || !f.ticket.Since.Before(t.Since) {
		return t.Since
	}
	return f.ticket.Since
}

// sameWish says whether two tickets are for the same kind of partner, but for what was widened.
func (t Ticket) sameWish(o Ticket) bool {
	return t.Strict == o.Strict && slices.Equal(t.Topics, o.Topics) && slices.Equal(t.Langs, o.Langs)
}

// dropPlace deletes what a former process knew of the owner's place: he is in line again, or in a room. When that was the last one that
// was waited for, matching begins. The caller holds mu.
func (m *Matcher) dropPlace(s store.SessionID, u store.UserID) {
	if len(m.places) == 0 {
		return
	}
	for _, f := range [...]*request{m.places[s], m.placeOf[u]} {
		if f != nil && !f.gone {
			f.gone = true
			m.touchTicket(f)
			delete(m.places, f.ticket.Session)
			delete(m.placeOf, f.ticket.User)
		}
	}
}

// dropPlaces deletes the places whose owners have not come back. The caller holds mu.
func (m *Matcher) dropPlaces() {
	for _, f := range m.places { // in any order: they go in one transaction
		f.gone = true
		m.touchTicket(f)
	}
	clear(m.places)
	clear(m.placeOf)
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
	if r == nil || r.call.revived && !r.call.claimed[r.self] && !m.matchedIn(r) { // only the partner's word for it
		return nil, ErrNoRoom
	}
	m.claim(r)
	return r, nil
}

// Rejoin is Resume for a room that its member can prove: it works also where the store has lost that room. Who has a proof tries this first,
// because the store may still have a room from before.
//
// A lost room is made again during Config.Grace after New only, not if it has ended since New, and not if one of the members waits, has come
// back to another room, or was in line or in a room after it; the error is then ErrNoRoom. It ends with the grace, for the reason "lost", if
// the other member does not come back: by Rejoin, or by Resume if the store knows that he waited when the room was made. Else one
// side's word does not bring the other back, who may have left that call long ago.
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
	m.claim(r)
	return r, nil
}

// claim notes that a member is back in the room. A room that was made again goes to the store when both are: until then each
// has the proof, and the store what it knows of the other.
func (m *Matcher) claim(r *Room) {
	c := r.call
	c.claimed[r.self] = true
	if !c.revived || !c.claimed[1-r.self] {
		return
	}
	c.revived = false
	m.touch(c)
	for _, who := range c.record.Members {
		m.dropPlace(who.Session, who.User)
	}
}

// revive makes a room again that the store has lost, if that can be. It returns the side of self.
func (m *Matcher) revive(record store.Room, self store.SessionID) *Room {
	if m.now() >= m.graceEnd || m.gone[record.ID] || !whole(record) {
		return nil
	}
	var former []*Room // that the store has although they had ended
	for _, who := range record.Members {
		if m.requests[who.Session] != nil || m.line.waits(who.User) || m.waitedAfter(record, who) {
			return nil
		}
		for _, r := range [...]*Room{m.bySess[who.Session], m.byUser[who.User]} {
			if r == nil {
				continue
			}
			if r.call.claimed[r.self] || !r.call.record.Created.Before(record.Created) {
				return nil
			}
			former = append(former, r)
		}
	}
	c := newCall(m, record)
	c.revived = true
	for _, side := range c.sides {
		if side.Self().Session == self {
			for _, r := range former {
				m.giveUp(r)
			}
			m.enter(c)
			m.restored = append(m.restored, c)
			return side
		}
	}
	return nil
}

// waitedAfter says whether a former process had this member in line after the room was made, so that the room had ended.
func (m *Matcher) waitedAfter(record store.Room, who store.Member) bool {
	f := m.placeOf[who.User]
	return f != nil && f.joined.Truncate(time.Millisecond).After(record.Created) // who proves may know no more than the millisecond
}

// matchedIn says whether the member was in line when the room was made, as this same session, and nothing is known of him after it.
func (m *Matcher) matchedIn(r *Room) bool {
	f := m.places[r.Self().Session]
	return f != nil && f.ticket.User == r.Self().User && !m.waitedAfter(r.call.record, r.Self())
}

// giveUp ends a room for a member who does not come back to it.
func (m *Matcher) giveUp(r *Room) {
	if !r.call.ended {
		m.end(r.call, reasonLeft, r.Self().Session)
		m.line.parted(m.now(), r.Self().User, r.Partner().User, "")
	}
}
