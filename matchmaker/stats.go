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
	Again     uint64 // those of two who had been partners lately, since New
	Cancelled uint64 // Finds cancelled before they were matched, since New
	Expired   uint64 // Finds that ended with ErrExpired, since New

	Places         int    // people from before the start who are not in line again, until the grace is over
	Unwritten      int    // rooms and places in line whose last change is not on the disk yet
	Writes         uint64 // transactions since New
	Written        uint64 // changes in them
	WriteErrors    uint64 // failed ones since New
	LastWriteError error  // of the last write; nil if it went well
}

// Counts returns the topics sorted by name: those of Config.Topics, or if there were none, those that somebody is in. Who waits for any
// topic from the start counts as waiting in each of them; two who both took any talk in none. Private tickets are not counted.
func (m *Matcher) Counts() []Count {
	m.mu.Lock()
	defer m.mu.Unlock()
	topics := m.topics
	if len(topics) == 0 {
		m.line.topics.each(func(n *name) { // sorted below
			if n.waiting > 0 {
				topics = append(topics, store.Category(n.text))
			}
		})
		for t := range m.talking {
			topics = append(topics, t)
		}
		topics = sortedSet(topics)
	}
	counts := make([]Count, len(topics))
	for i, t := range topics {
		counts[i] = m.count(t)
	}
	return counts
}

// Count returns how busy a topic is, whether it is one of Config.Topics or not.
func (m *Matcher) Count(t store.Category) Count {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count(t)
}

func (m *Matcher) count(t store.Category) Count {
	waiting := int(m.line.topics.all.at(topicAny).waiting)
	if e := m.line.topics.find(string(t)); e != nil {
		waiting += int(e.waiting)
	}
	return Count{Category: t, Online: waiting + m.talking[t], Waiting: waiting}
}

// Waiting returns how many people are in line.
func (m *Matcher) Waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.line.waiting()
}

// Stats returns the numbers of this moment.
func (m *Matcher) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stats
	s.Waiting, s.Rooms, s.Unwritten = m.line.waiting(), len(m.bySess)/2, m.unwritten.len()
	s.Places = len(m.places)
	return s
}
