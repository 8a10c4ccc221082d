package matchmaker

import (
	"math"
	"time"
)

const (
	// paceHalf is how long ago something was that counts half.
	paceHalf = 5 * time.Minute
	// paceEnough is how many people must have been matched, as counted, for an estimate.
	paceEnough = 4
)

// pace is how fast people of one kind are matched: the seconds that all of them have spent in line, those who gave up and those who are
// still there included, over the number of them who were matched. That is the mean wait without the flattery of asking only
// those who had luck. Both fade, so that what was long ago does not count.
type pace struct {
	at      time.Duration
	spent   float32 // seconds
	matched float32
}

// bring brings the pace of people of whom so many have waited since p.at up to now.
func (p *pace) bring(now time.Duration, waiting uint32) {
	if dt := now - p.at; dt > 0 {
		keep := math.Exp2(-float64(dt) / float64(paceHalf))
		p.spent = float32(float64(p.spent)*keep + float64(waiting)*(1-keep)*paceHalf.Seconds()/math.Ln2)
		p.matched *= float32(keep)
		p.at = now
	}
}

// came notes that somebody who names it begins to wait, ended that he no longer does.
func (n *name) came(now time.Duration) {
	n.pace.bring(now, n.waiting)
	n.waiting++
}

func (n *name) ended(now time.Duration, matched bool) {
	n.pace.bring(now, n.waiting)
	n.waiting--
	if matched {
		n.pace.matched++
	}
}

// wait returns the mean wait of this kind of people, or never if too little was seen.
func (n *name) wait(now time.Duration) time.Duration {
	q := n.pace
	q.bring(now, n.waiting)
	if q.matched < paceEnough {
		return never
	}
	return time.Duration(float64(q.spent) / float64(q.matched) * float64(time.Second))
}

// estimate returns how long such a ticket waits, or never if too little was seen. It goes by the fastest of its topics, or by the slowest
// of that and of what its fastest language allows.
func (l *line) estimate(now time.Duration, t Ticket, widened Widening) time.Duration {
	if t.Private {
		return never
	}
	wait := never
	if len(t.Topics) == 0 || widened&WidenTopics != 0 {
		if wait = l.topics.all.at(topicAny).wait(now); wait == never {
			wait = l.topics.all.at(topicAll).wait(now)
		}
	}
	wait = fastest(l.topics, now, wait, t.Topics)
	if wait == never || len(t.Langs) == 0 || widened&WidenLangs != 0 {
		return wait
	}
	lang := fastest(l.langs, now, never, t.Langs)
	if lang == never {
		return never
	}
	return max(wait, lang)
}

func fastest[T ~string](n *names, now, wait time.Duration, texts []T) time.Duration {
	for _, text := range texts {
		e := n.find(string(text))
		if e == nil {
			continue
		}
		if w := e.wait(now); w != never && (wait == never || w < wait) {
			wait = w
		}
	}
	return wait
}

// Estimate returns how long such a ticket waits on average, going by what was seen in the last minutes, or false if that was too little
// to say. How long it has waited already makes no difference.
func (m *Matcher) Estimate(t Ticket) (time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	wait := m.line.estimate(m.now(), t, t.WidenedAt(time.Now()))
	return wait, wait != never
}
