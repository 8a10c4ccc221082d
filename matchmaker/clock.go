package matchmaker

import (
	"time"

	"smalltalk/store"
)

// never is a deadline that does not come.
const never time.Duration = -1

// deadline returns when something is due next. The caller holds mu.
func (m *Matcher) deadline() time.Duration {
	at := never
	if !m.closed {
		at = m.line.next()
	}
	if len(m.restored)+len(m.places) > 0 && (at == never || m.graceEnd < at) {
		at = m.graceEnd
	}
	return at
}

// runClock does what is due, when it is due, until the matcher closes.
func (m *Matcher) runClock() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Stop()
		if at := m.tick(); at != never {
			timer.Reset(at - m.now())
		}
		select {
		case <-timer.C:
		case <-m.clockWake:
		case <-m.stop:
			return
		}
	}
}

// tick does what is due and returns when to call it again.
func (m *Matcher) tick() time.Duration {
	m.mu.Lock()
	defer m.release()
	if m.closed {
		return never
	}
	now := m.advance()
	if now >= m.graceEnd {
		m.endUnclaimed(now)
	}
	m.alarm = m.deadline()
	return m.alarm
}

// advance does what is due in line and returns the time. Every event of the line has it before. The caller holds mu.
func (m *Matcher) advance() time.Duration {
	now := m.now()
	if !m.closed {
		m.carryOut(m.line.tick(now))
	}
	return now
}

// endUnclaimed ends the rooms from before the start to which not both members came back.
func (m *Matcher) endUnclaimed(now time.Duration) {
	for _, c := range m.restored {
		if c.ended || c.claimed[0] && c.claimed[1] {
			continue
		}
		by := store.SessionID("") // neither
		if c.claimed[0] || c.claimed[1] {
			lost := c.sides[0]
			if c.claimed[0] {
				lost = c.sides[1]
			}
			by = lost.Self().Session
		}
		m.end(c, reasonLost, by)
		m.line.parted(now, c.record.Members[0].User, c.record.Members[1].User, "")
	}
	m.restored = nil
	m.dropPlaces()
	clear(m.gone)
}
