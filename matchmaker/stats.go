package matchmaker

import (
	"smalltalk/store"
)

// Count says how busy a topic is.
type Count struct {
	Category store.Category
	Online   int // people who wait or talk
	Waiting  int // people who wait
}

// Stats is what a matcher has done and holds.
type Stats struct {
	Waiting   int    // people in line
	Rooms     int    // rooms that have not ended
	Matches   uint64 // since New
	Cancelled uint64 // Finds cancelled before they were matched, since New

	Places         int    // people from before the start who are not in line again, until the grace is over
	Unwritten      int    // rooms and places in line whose last change is not on the disk yet
	Writes         uint64 // transactions since New
	Written        uint64 // changes in them
	WriteErrors    uint64 // failed ones since New
	LastWriteError error  // of the last write; nil if it went well
}

// Counts returns the topics sorted by name: those of Config.Topics, or if there were none, those that somebody is in. Who waits for any
// topic counts as waiting in each of them; two who both took any talk in none.
func (m *Matcher) Counts() []Count {
	m.mu.Lock()
	defer m.mu.Unlock()
	topics := m.topics
	if len(topics) == 0 {
		for t := range m.line.topics { // sorted below
			topics = append(topics, t)
		}
		for t := range m.talking {
			topics = append(topics, t)
		}
		topics = sortedSet(topics)
	}
	counts := make([]Count, len(topics))
	for i, t := range topics {
		waiting := m.line.any.len
		if list := m.line.topics[t]; list != nil {
			waiting += list.len
		}
		counts[i] = Count{Category: t, Online: waiting + m.talking[t], Waiting: waiting}
	}
	return counts
}

// Waiting returns how many people are in line.
func (m *Matcher) Waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.line.all.len
}

// Stats returns the numbers of this moment.
func (m *Matcher) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stats
	s.Waiting, s.Rooms, s.Unwritten = m.line.all.len, len(m.bySess)/2, m.unwritten.len()
	s.Places = len(m.places)
	return s
}
