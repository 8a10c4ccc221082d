package sfu

import "time"

const (
	// The queue to a subscriber is judged by so many packets at a time: by the
	// quickest of them, since some are always late.
	backlogSample = 16
	// There is a backlog from backlogLong on until it is shorter than backlogShort.
	backlogLong  = 200 * time.Millisecond
	backlogShort = 100 * time.Millisecond
	// backlogDrift is how slowly the quickest way known is forgotten: clocks differ.
	backlogDrift = 1024
)

// backlog tells by a subscriber's transport-wide feedback whether packets queue
// up on the way to it, as when its link has become narrow. Not safe for
// concurrent use.
type backlog struct {
	packets int
	// delay is the quickest way to the subscriber in this sample, least in all of
	// them, both with the same unknown added.
	delay, least time.Duration
	started, on  bool
}

// arrived takes a packet whose way to the subscriber took so long.
func (q *backlog) arrived(delay time.Duration) {
	if !q.started {
		q.started, q.least = true, delay
	}
	if q.packets == 0 || delay < q.delay {
		q.delay = delay
	}
	if q.packets++; q.packets < backlogSample {
		return
	}
	q.packets = 0
	if q.delay < q.least {
		q.least = q.delay
	} else {
		q.least += (q.delay - q.least) / backlogDrift
	}
	longest := backlogLong
	if q.on {
		longest = backlogShort
	}
	q.on = q.delay-q.least > longest
}
