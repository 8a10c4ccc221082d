package matchmaker

import "time"

// alarm is when something is due for a waiter.
type alarm struct {
	at     time.Duration
	waiter uint32
}

// setAlarm sets, moves or, with never, removes a waiter's alarm. The alarms are a heap with what is due first at its top, the older
// waiter first of two at the same moment. Each waiter is in it at most once, and knows where.
func (l *line) setAlarm(i uint32, at time.Duration) {
	w := l.waiters.at(i)
	n := len(l.alarms)
	switch {
	case at == never && w.alarm == 0:
	case at == never:
		p := int(w.alarm) - 1
		w.alarm = 0
		last := l.alarms[n-1]
		l.alarms = l.alarms[:n-1]
		if p < n-1 {
			l.alarms[p] = last
			l.settle(p)
		}
	case w.alarm == 0:
		l.alarms = append(l.alarms, alarm{at, i})
		l.settle(n)
	default:
		l.alarms[w.alarm-1].at = at
		l.settle(int(w.alarm) - 1)
	}
}

func (l *line) sooner(a, b alarm) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	return l.waiters.at(a.waiter).before(l.waiters.at(b.waiter))
}

// settle moves the alarm at p up or down to where it belongs.
func (l *line) settle(p int) {
	h, x := l.alarms, l.alarms[p]
	for p > 0 && l.sooner(x, h[(p-1)/2]) {
		l.setAt(p, h[(p-1)/2])
		p = (p - 1) / 2
	}
	for {
		c := 2*p + 1
		if c+1 < len(h) && l.sooner(h[c+1], h[c]) {
			c++
		}
		if c >= len(h) || !l.sooner(h[c], x) {
			break
		}
		l.setAt(p, h[c])
		p = c
	}
	l.setAt(p, x)
}

func (l *line) setAt(p int, x alarm) {
	l.alarms[p] = x
	l.waiters.at(x.waiter).alarm = uint32(p + 1)
}
