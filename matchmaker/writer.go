package matchmaker

import (
	"errors"
	"syscall"
	"time"

	"smalltalk/store"
)

const (
	// writeGap is how long the writer rests after each write. What gathers meanwhile goes together: 20,000 changes a second are 100
	// transactions a second with it and 550 without (BenchmarkWriter), each of which the disk has to put down for good.
	writeGap = 5 * time.Millisecond

	retryFirst = 100 * time.Millisecond // after a write that failed; doubled after each
	retryMax   = 5 * time.Second
	logEvery   = time.Minute // a failing disk is worth a line, not a flood
)

// unwritten is what has changed since it was last written, oldest change first. Guarded by Matcher.mu.
//
// A ticket's record has its session as key. So that a session that leaves and comes back is there in the end, what removes the old record is
// never written after what puts the new one: it has changed before, and each write takes all that has changed.
type unwritten struct {
	calls   []*call
	tickets []*request
}

func (u *unwritten) len() int { return len(u.calls) + len(u.tickets) }

// touch marks a call as changed since it was last written. The caller holds mu.
func (m *Matcher) touch(c *call) {
	if !c.dirty {
		c.dirty = true
		m.unwritten.calls = append(m.unwritten.calls, c)
	}
}

// touchTicket does so for a place in line. A private ticket is none.
func (m *Matcher) touchTicket(f *request) {
	if !f.dirty && !f.ticket.Private {
		f.dirty = true
		m.unwritten.tickets = append(m.unwritten.tickets, f)
	}
}

// runWriter writes changes until the matcher closes. While one write is under way the next ones gather and go together.
func (m *Matcher) runWriter() {
	var (
		logged time.Time // when trouble was last logged
		told   bool      // whether this trouble was
		retry  time.Duration
	)
	for {
		wake := m.writeWake
		var again <-chan time.Time
		if retry > 0 {
			wake, again = nil, time.After(retry)
		}
		select {
		case <-wake:
		case <-again:
		case <-m.stop:
			return
		}
		err := m.flush()
		switch {
		case err == nil && told:
			m.log.Info("rooms and places in line are written again")
			told, retry = false, 0
		case err == nil:
			retry = 0
		case logged.IsZero() || time.Since(logged) >= logEvery:
			m.log.Error("cannot write rooms and places in line: matching goes on, and they are written when it works again, but a crash before that forgets them",
				"err", err, "unwritten", m.Stats().Unwritten, "do", remedy(err))
			logged, told = time.Now(), true
			fallthrough
		default:
			retry = min(max(2*retry, retryFirst), retryMax)
		}
		if err == nil && !m.rest() {
			return
		}
	}
}

// rest waits for writeGap. It returns false if the matcher closes.
func (m *Matcher) rest() bool {
	select {
	case <-time.After(writeGap):
		return true
	case <-m.stop:
		return false
	}
}

// remedy says what the operator does about a failed write.
func remedy(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make space on the disk of the data folder; no restart is needed"
	case errors.Is(err, store.ErrDamaged):
		return "the database was damaged while it was in use: stop the server and restore a backup"
	default:
		return "look at the disk of the data folder, and at the kernel's log (dmesg); no restart is needed"
	}
}

// flush writes all that is not written yet, in one transaction. What failed is written again by the next flush.
func (m *Matcher) flush() error {
	batch, changes := m.take()
	if changes.Empty() {
		return nil
	}
	err := m.write(changes)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.LastWriteError = err
	if err == nil {
		m.stats.Writes++
		m.stats.Written += uint64(changes.Len())
		return nil
	}
	m.stats.WriteErrors++
	m.putBack(batch)
	return err
}

// take empties the list of what is to be written. What began and ended since the last time is in neither of the results. A match is one
// change under the lock, so the end of its tickets and the beginning of its room are in the same transaction.
func (m *Matcher) take() (batch unwritten, changes store.Changes) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.unwritten.calls {
		c.dirty = false
		switch {
		case !c.delete:
			c.stored = true // from now on it may be there, even if the write fails
			changes.PutRooms = append(changes.PutRooms, c.record)
		case c.stored:
			changes.DeleteRooms = append(changes.DeleteRooms, c.record.ID)
		default:
			continue
		}
		batch.calls = append(batch.calls, c)
	}
	for _, f := range m.unwritten.tickets {
		f.dirty = false
		switch {
		case !f.gone:
			f.stored = true // likewise
			changes.PutTickets = append(changes.PutTickets, f.record())
		case f.stored:
			changes.DeleteTickets = append(changes.DeleteTickets, f.ticket.Session)
		default:
			continue
		}
		batch.tickets = append(batch.tickets, f)
	}
	m.unwritten = unwritten{}
	return batch, changes
}

// putBack marks as changed again what could not be written, as the oldest changes that they are. The caller holds mu.
func (m *Matcher) putBack(batch unwritten) {
	since := m.unwritten
	m.unwritten = unwritten{}
	for _, list := range [][]*call{batch.calls, since.calls} {
		for _, c := range list {
			c.dirty = false
			m.touch(c)
		}
	}
	for _, list := range [][]*request{batch.tickets, since.tickets} {
		for _, f := range list {
			f.dirty = false
			m.touchTicket(f)
		}
	}
}
