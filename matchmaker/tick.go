package matchmaker

import "time"

// holdChunk is how many people one tick takes out of the hold, so that no event waits long for many of them.
const holdChunk = 512

// tick returns what is due until now. Each thing is done as of the moment when it was due: a late tick decides as a punctual one.
// If there is too much for one tick, next says that there is more.
func (l *line) tick(now time.Duration) []effect {
	var out []effect
	for len(l.alarms) > 0 && l.alarms[0].at <= min(now, l.holdUntil) {
		out = l.fire(out)
	}
	if now < l.holdUntil {
		return out
	}
	if out = l.unhold(out); l.held() != 0 {
		return out
	}
	for len(l.alarms) > 0 && l.alarms[0].at <= now {
		out = l.fire(out)
	}
	return out
}

// next returns when tick has something to do, if ever.
func (l *line) next() time.Duration {
	at := never
	if l.held() != 0 {
		at = l.holdUntil
	}
	if len(l.alarms) > 0 && (at == never || l.alarms[0].at < at) {
		at = l.alarms[0].at
	}
	return at
}

// held returns the oldest person who waits for the end of the hold, or 0.
func (l *line) held() uint32 {
	b := l.topics.all.at(topicHold).chain
	if b == 0 {
		return 0
	}
	return l.links.at(l.buckets.at(b).first).owner
}

// unhold lets people whom the hold kept back arrive, in the order of their age.
func (l *line) unhold(out []effect) []effect {
	for range holdChunk {
		i := l.held()
		if i == 0 {
			break
		}
		l.unlist(i)
		if e, ok := l.arrive(l.holdUntil, i); ok {
			out = append(out, e)
		}
	}
	return out
}

// fire does what is due for the first of the alarms.
func (l *line) fire(out []effect) []effect {
	now, i := l.alarms[0].at, l.alarms[0].waiter
	w := l.waiters.at(i)
	n := l.named.at(i)
	if w.private && n.more.until >= 0 && n.more.until <= now {
		out = append(out, effect{kind: expired, a: n.session})
		l.leave(now, i, false)
		return out
	}
	l.unlist(i) // it is not held: those have no other alarm
	if e, ok := l.arrive(now, i); ok {
		out = append(out, e)
	}
	return out
}

// rearm sets the alarm for what is due next for a waiter.
func (l *line) rearm(i uint32) {
	w := l.waiters.at(i)
	at := never
	sooner := func(t time.Duration) {
		if t != never && (at == never || t < at) {
			at = t
		}
	}
	switch {
	case w.private:
		sooner(l.named.at(i).more.until)
	case l.isHeld(w): // the end of the hold is no alarm
	case w.links == 0:
		sooner(w.ready)
	default:
		sooner(w.widens())
		if w.look != 0 {
			sooner(w.look)
		}
	}
	l.setAlarm(i, at)
}

// isHeld says whether a waiter waits for the end of the hold.
func (l *line) isHeld(w *waiter) bool {
	return w.links != 0 && l.buckets.at(l.links.at(w.links).bucket).topic == topicHold
}
