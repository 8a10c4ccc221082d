package matchmaker

import "smalltalk/store"

// The reasons for the end of a room that the matcher knows; all but the first it gives itself.
const (
	reasonNext = "next" // given by members: they want somebody else
	reasonLeft = "left" // a Find was cancelled as it was matched, or the person looked for somebody else instead of resuming
	reasonLost = "lost" // after a restart of the server somebody did not come back in time
)

// call is what the two members' Rooms share.
type call struct {
	m      *Matcher
	record store.Room // never changed
	sides  [2]*Room
	done   chan struct{} // closed, under m.mu, when the call has ended

	// Written under m.mu before done is closed, and never after it.
	reason  string
	endedBy store.SessionID

	// Guarded by m.mu.
	ended   bool
	claimed [2]bool // has this member's session got the room from Find or Resume
	revived bool    // one member has proved that it was; the store had lost it
	dirty   bool    // is in m.unwritten
	stored  bool    // may be on the disk
	delete  bool    // shall not be on the disk; unlike ended it stays false for a room left after Close
}

func newCall(m *Matcher, record store.Room) *call {
	c := &call{m: m, record: record, done: make(chan struct{})}
	c.sides = [2]*Room{{call: c, self: 0}, {call: c, self: 1}}
	return c
}

// enter makes a call known under its members.
func (m *Matcher) enter(c *call) {
	for _, side := range c.sides {
		m.bySess[side.Self().Session] = side
		m.byUser[side.Self().User] = side
	}
	for _, t := range c.record.Topics {
		m.talking[t] += 2
	}
}

// end ends a call that has not ended. The caller holds mu.
func (m *Matcher) end(c *call, reason string, by store.SessionID) {
	for _, side := range c.sides {
		delete(m.bySess, side.Self().Session)
		delete(m.byUser, side.Self().User)
	}
	for _, t := range c.record.Topics {
		if m.talking[t] -= 2; m.talking[t] == 0 {
			delete(m.talking, t)
		}
	}
	if m.now() < m.graceEnd {
		m.gone[c.record.ID] = true
	}
	c.ended, c.reason, c.endedBy = true, reason, by
	close(c.done)
	if !m.closed { // after it the store keeps the room for the next start
		c.delete = true
		m.touch(c)
	}
}
