package matchmaker

import (
	"slices"
	"time"
)

const (
	// What each shared topic and a shared language are worth in waiting. Nobody is passed over for somebody who has waited less by more
	// than all of it.
	topicBonus = 3 * time.Second
	langBonus  = 2 * time.Second
	mostBonus  = MaxTopics*topicBonus + langBonus

	// recentCrowd is how many people must be in reach for nobody to meet a recent partner again.
	recentCrowd = 8
	// recentRetry is how long after having found so many somebody looks again.
	recentRetry = 5 * time.Second
)

// search is one look for a partner.
type search struct {
	l    *line
	now  time.Duration
	self uint32
	w    *waiter
	most time.Duration // bonus that anybody can have

	best  uint32
	score time.Duration // of best: its place in line, less its bonus

	relaxed bool                // recent partners will do who have waited long enough side by side
	passed  [recentCrowd]uint32 // people passed over for being recent partners, each once
	passes  int                 // how many those are, no further than recentCrowd
	ripe    bool                // one of them has waited long enough
	again   time.Duration       // when to look at them again; 0 if there are none
}

// search returns the partner for a waiter, or 0, and when to look again at those who were passed over only for having been met just
// before, or 0. Of each bucket in reach its oldest suitable person counts, and of those the one with the best score.
func (l *line) search(now time.Duration, i uint32) (best uint32, again time.Duration) {
	w := l.waiters.at(i)
	s := search{l: l, now: now, self: i, w: w, most: time.Duration(w.topicCount) * topicBonus}
	if w.langCount > 0 {
		s.most += langBonus
	}
	s.run()
	if s.best == 0 && s.ripe && s.passes < recentCrowd {
		s.relaxed = true
		s.run()
	}
	return s.best, s.again
}

// run looks into all buckets in reach.
func (s *search) run() {
	for _, t := range s.w.topicSet() {
		s.topic(t)
	}
	switch {
	case s.w.anyTopic():
		s.topic(topicAll)
	case !s.w.topicsOnly():
		s.topic(topicAny)
	}
}

func (s *search) topic(t uint32) {
	for b := s.l.topics.all.at(t).chain; b != 0; {
		k := s.l.buckets.at(b)
		if s.speaks(k) {
			s.bucket(k)
		}
		b = k.next
	}
}

// speaks says whether the people of a bucket and the one who looks may talk.
func (s *search) speaks(b *bucket) bool {
	switch {
	case b.lang == langNone || s.w.langCount == 0:
		return true
	case b.lang == langAny:
		return !s.w.langsOnly()
	default:
		return s.w.anyLang() && !b.strict || slices.Contains(s.w.langSet(), b.lang)
	}
}

// bucket looks at the people of one bucket, the oldest first, until one suits or nobody can be better than the best so far.
func (s *search) bucket(b *bucket) {
	for k := b.first; k != 0; k = s.l.younger(k) {
		i := s.l.links.at(k).owner
		c := s.l.waiters.at(i)
		if s.best != 0 && c.since-s.most > s.score {
			return
		}
		if i == s.self || s.l.blocked(s.self, i) || s.tooSoon(i, c) {
			continue
		}
		score := c.since - s.bonus(c)
		if s.best == 0 || score < s.score || score == s.score && c.before(s.l.waiters.at(s.best)) {
			s.best, s.score = i, score
		}
		return
	}
}

// bonus returns what the one who looks and c share, as waiting time.
func (s *search) bonus(c *waiter) time.Duration {
	bonus := time.Duration(0)
	for _, t := range c.topicSet() {
		if slices.Contains(s.w.topicSet(), t) {
			bonus += topicBonus
		}
	}
	for _, lang := range c.langSet() {
		if slices.Contains(s.w.langSet(), lang) {
			return bonus + langBonus
		}
	}
	return bonus
}

// tooSoon says whether c is to be passed over for having been met just before.
func (s *search) tooSoon(i uint32, c *waiter) bool {
	until := s.l.metUntil(s.w, c)
	if until <= s.now {
		return false
	}
	due := min(until, max(s.w.joined, c.joined)+s.l.recentAfter)
	if due <= s.now && s.relaxed {
		return false
	}
	if s.relaxed {
		return true
	}
	if due <= s.now {
		s.ripe = true
		due = min(until, s.now+recentRetry)
	}
	if s.again == 0 || due < s.again {
		s.again = due
	}
	if s.passes < recentCrowd && !slices.Contains(s.passed[:s.passes], i) {
		s.passed[s.passes] = i
		s.passes++
	}
	return true
}

// blocked says whether one of the two must never meet the other.
func (l *line) blocked(a, b uint32) bool {
	return l.named.at(a).blocks(l.waiters.at(b).print) || l.named.at(b).blocks(l.waiters.at(a).print)
}
