package sfu

import "time"

const (
	// A path is judged by so many packets at a time.
	jamSample = 32
	// It is jammed while its queue is longer than jamQueue and loses more than one
	// packet in jamLoss; it is free again when it loses less than one in jamFree.
	jamQueue = 200 * time.Millisecond
	jamLoss  = 8
	jamFree  = 30
	// jamLongest is for how many samples it is taken for jammed at most.
	jamLongest = 8
	// jamDrift is how slowly the shortest way known becomes longer: clocks differ.
	jamDrift = 1024
)

// jam tells by a subscriber's transport-wide feedback when the queue to it runs
// over, as when its link has become narrow: each repair would then push another
// packet out of the queue, and come too late. Not safe for concurrent use.
type jam struct {
	packets, losses int
	// delay is the least of the last packets' ways to the subscriber, least the
	// least of all, both with the same unknown added.
	delay, least time.Duration
	started      bool
	on           bool
	samples      int  // since it is on
	refused      bool // a repair, since it is on
}

// arrived takes a packet whose way to the subscriber took so long.
func (j *jam) arrived(delay time.Duration) {
	if !j.started || delay < j.least {
		j.started, j.least = true, delay
	}
	if j.packets == j.losses || delay < j.delay {
		j.delay = delay
	}
	j.packets++
	j.judge()
}

// lost takes a packet that did not reach the subscriber.
func (j *jam) lost() {
	j.packets++
	j.losses++
	j.judge()
}

func (j *jam) judge() {
	if j.packets < jamSample {
		return
	}
	if j.losses < j.packets {
		j.least += (j.delay - j.least) / jamDrift
	}
	j.samples++
	switch {
	case j.on:
		j.on = j.losses*jamFree > j.packets && j.samples < jamLongest
	case j.losses*jamLoss > j.packets && j.losses < j.packets && j.delay-j.least > jamQueue:
		j.on, j.samples = true, 0
	}
	j.packets, j.losses = 0, 0
}

// refuses reports whether a repair is not to be sent.
func (j *jam) refuses() bool {
	j.refused = j.refused || j.on

	return j.on
}

// over returns true once after a jam in which repairs were refused: what is
// missing since then only a key frame makes up for.
func (j *jam) over() bool {
	if j.on || !j.refused {
		return false
	}
	j.refused = false

	return true
}
