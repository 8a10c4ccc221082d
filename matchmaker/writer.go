package matchmaker

import (
	"time"

	"smalltalk/store"
)

const (
	retryFirst = 100 * time.Millisecond // after a write that failed; doubled after each
	retryMax   = 5 * time.Second
	logEvery   = time.Minute // a failing disk is worth a line, not a flood
)

// touch marks a call as changed since it was last written. The caller holds mu.
func (m *Matcher) touch(c *call) {
	if !c.dirty {
		c.dirty = true
		m.dirty = append(m.dirty, c)
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
			m.log.Info("rooms are written again")
			told, retry = false, 0
		case err == nil:
			retry = 0
		case logged.IsZero() || time.Since(logged) >= logEvery:
			m.log.Error("cannot write rooms; matching goes on, but a crash now would lose them", "err", err)
			logged, told = time.Now(), true
			fallthrough
		default:
			retry = min(max(2*retry, retryFirst), retryMax)
		}
	}
}

// flush writes all that is not written yet, in one transaction. What failed is written again by the next flush.
func (m *Matcher) flush() error {
	batch, put, del := m.take()
	if len(put) == 0 && len(del) == 0 {
		return nil
	}
	err := m.write(put, del)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.LastWriteError = err
	if err == nil {
		m.stats.Writes++
		return nil
	}
	m.stats.WriteErrors++
	for _, c := range batch {
		m.touch(c)
	}
	return err
}

// take empties the list of what is to be written. A call that began and ended since the last time is in neither of the results.
func (m *Matcher) take() (batch []*call, put []store.Room, del []store.RoomID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.dirty {
		c.dirty = false
		switch {
		case !c.delete:
			c.stored = true // from now on it may be there, even if the write fails
			put = append(put, c.record)
		case c.stored:
			del = append(del, c.record.ID)
		default:
			continue
		}
		batch = append(batch, c)
	}
	m.dirty = nil
	return batch, put, del
}
