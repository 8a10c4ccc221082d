package signaling

import (
	"slices"
	"sync"
	"time"

	"smalltalk/matchmaker"
	"smalltalk/store"
)

// countsAge is how old the numbers shown to people may be. All sessions share one reading,
// so that a thousand watchers cost the matcher one call a second.
const countsAge = time.Second

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
	topics  []topicInfo
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

func (c *countCache) read(now time.Time) counts {
	list := c.matcher.Counts()
	n := counts{at: now, byTopic: make(map[store.Category]int, len(list)), waiting: c.matcher.Waiting()}
	online := make(map[store.Category]matchmaker.Count, len(list))
	for _, count := range list {
		n.byTopic[count.Category] = count.Waiting
		online[count.Category] = count
	}
	topics := c.topics
	if len(topics) == 0 {
		for _, count := range list {
			topics = append(topics, Topic{ID: count.Category})
		}
	}
	n.topics = make([]topicInfo, 0, len(topics))
	for _, topic := range topics {
		name := topic.Name
		if name == "" {
			name = string(topic.ID)
		}
		count := online[topic.ID]
		n.topics = append(n.topics, topicInfo{
			ID: string(topic.ID), Name: name, Online: count.Online, Waiting: count.Waiting,
		})
	}
	return n
}

// waitingFor is how many people wait on these topics (none means any), oneself included.
// Somebody who waits on two of them may be counted twice, but never beyond all who wait.
func (n counts) waitingFor(topics []store.Category) int {
	sum := n.waiting
	if len(topics) > 0 {
		sum = 0
		for _, topic := range topics {
			sum += n.byTopic[topic]
		}
		sum = min(sum, n.waiting)
	}
	return max(sum, 1) // the reading may be from just before one's own wait
}

// knows says if people may pick the topic.
func (c *countCache) knows(id store.Category) bool {
	return len(c.topics) == 0 || slices.ContainsFunc(c.topics, func(t Topic) bool { return t.ID == id })
}
