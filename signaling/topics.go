package signaling

import (
	"sync"
	"time"

	"smalltalk/matchmaker"
	"smalltalk/store"
)

// countsAge is how old the numbers shown to people may be. All sessions share one reading,
// so that a thousand watchers cost the matcher one call a second.
const countsAge = time.Second

// fewPeople is up to how many people on a topic all look the same to others: who is there alone, or
// with whom, is nobody's business.
const fewPeople = 4

// countCache reads the matcher's counts now and then. Safe for concurrent use.
type countCache struct {
	matcher Matcher
	topics  []Topic

	mu   sync.Mutex // guards last
	last counts
}

// counts is one reading. It is not changed once made.
type counts struct {
	at      time.Time
	topics  []topicInfo            // for people, rounded
	byTopic map[store.Category]int // waiting
	waiting int
}

// get returns a reading of at most countsAge before now.
func (c *countCache) get(now time.Time) counts {
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	if !last.at.IsZero() && now.Sub(last.at) < countsAge {
		return last
	}
	// The lock is not held across the matcher's own; two readings at once do no harm.
	last = c.read(now)
	c.mu.Lock()
	c.last = last
	c.mu.Unlock()
	return last
}

// read lists the topics of the operator only: what others name is between those who name it.
func (c *countCache) read(now time.Time) counts {
	list := c.matcher.Counts()
	n := counts{at: now, byTopic: make(map[store.Category]int, len(list)), waiting: c.matcher.Waiting()}
	online := make(map[store.Category]matchmaker.Count, len(list))
	for _, count := range list {
		n.byTopic[count.Category] = count.Waiting
		online[count.Category] = count
	}
	n.topics = make([]topicInfo, len(c.topics))
	for i, topic := range c.topics {
		count := online[topic.ID]
		n.topics[i] = topicInfo{
			ID: string(topic.ID), Name: topic.label(), Online: rounded(count.Online), Waiting: rounded(count.Waiting),
		}
	}
	return n
}

// rounded hides whether few people are one, two, three or four.
func rounded(people int) int {
	if people > 0 {
		return max(people, fewPeople)
	}
	return 0
}

// waitingFor is how many people wait on these topics (none means any), oneself included and rounded as all numbers
// are; 1 is nobody else, and 0 that it is not told because one of the topics is not the server's own. Somebody who waits on
// two of them may be counted twice, but never beyond all who wait.
func (n counts) waitingFor(topics []store.Category) int {
	sum := n.waiting
	if len(topics) > 0 {
		sum = 0
		for _, topic := range topics {
			waiting, listed := n.byTopic[topic]
			if !listed {
				return 0
			}
			sum += waiting
		}
		sum = min(sum, n.waiting)
	}
	if sum <= 1 { // the reading may be from just before one's own wait
		return 1
	}
	return rounded(sum)
}
