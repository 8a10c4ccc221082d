package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/pion/rtp"
)

const (
	// clientBuffer is asked for in each direction of a client's socket, in bytes:
	// what a client loses by being slow would be counted against the server.
	clientBuffer = 1 << 20
	batchSize    = 32
	// feedbackEvery is how often a client reports what it receives.
	feedbackEvery = 100 * time.Millisecond
	// checkEvery is how often a client shows that it still wants media (RFC 7675).
	checkEvery = 2500 * time.Millisecond
	// A loop that is this far behind its plan leaves out what it missed instead of
	// sending it in one burst, which no number of real clients would.
	tooLate = 200 * time.Millisecond
	// longestWait bounds how long the loop is deaf to close.
	longestWait = 50 * time.Millisecond
)

// pump is the one loop that sends and receives for all clients: one thread,
// few system calls, nothing allocated, so that many clients fit on one core. Its
// methods, and a client's, may be called from anywhere unless they say otherwise.
type pump struct {
	epoch     time.Time
	poll      *poller
	openEvery int
	ended     chan struct{}

	mu      sync.Mutex // guards all that follows; the loop holds it except when it waits
	stopped bool
	err     error
	// spin makes the loop ask again and again instead of sleeping. Waking up who
	// sleeps is work for who sends to it: on loopback that is the server, which
	// over a real network never pays for it.
	spin bool
	// tick, if not 0, lets packets go out only at its multiples.
	tick    time.Duration
	idle    time.Duration // time in which there was nothing to do
	clients []*client     // by slot, nil where none is
	beats   []beat
	window  window
	lost    uint64 // packets that our own kernel did not take

	batch   *batch
	header  rtp.Header // one for all packets, which are looked at one by one
	plain   []byte
	sealed  [framePackets][]byte
	packets [framePackets][]byte
}

// beat does something for every client in turn, evenly spread over time, so
// that clients do not all send at once.
type beat struct {
	every time.Duration
	n     int64 // turns done since the epoch
	do    func(c *client, now time.Duration)
}

// due is when the next turn is, with that many slots.
func (b *beat) due(slots int) time.Duration {
	return time.Duration(int64(b.every) / int64(slots) * b.n)
}

// newPump starts a loop for at most slots clients, which decrypts one in
// openEvery packets.
func newPump(slots, openEvery int) (*pump, error) {
	poll, err := newPoller()
	if err != nil {
		return nil, err
	}
	p := &pump{
		epoch: time.Now(), poll: poll, openEvery: openEvery, ended: make(chan struct{}),
		clients: make([]*client, slots), batch: newBatch(batchSize, maxPacket), plain: make([]byte, maxPacket),
	}
	for i := range p.sealed {
		p.sealed[i] = make([]byte, maxPacket)
	}
	p.beats = []beat{
		{every: frameEvery, do: func(c *client, now time.Duration) {
			if c.sending != silent {
				c.frame(now)
			}
		}},
		{every: audioEvery, do: func(c *client, now time.Duration) {
			if c.sending != silent {
				c.sound(now)
			}
		}},
		{every: feedbackEvery, do: (*client).report},
		{every: checkEvery, do: func(c *client, _ time.Duration) {
			if c.ice != nil && c.ice.done() {
				c.ice.check(c.fd)
			}
		}},
	}
	go p.loop()

	return p, nil
}

// now is the time since the pump began; it never jumps.
func (p *pump) now() time.Duration { return time.Since(p.epoch) }

// loop runs until close.
func (p *pump) loop() {
	defer close(p.ended)
	runtime.LockOSThread() // and never let go: the thread ends with the loop
	comeLast()
	for {
		p.mu.Lock()
		wait := p.send()
		if p.spin {
			wait = 0
		}
		p.mu.Unlock()
		since := p.now()
		n, err := p.poll.wait(wait)
		p.mu.Lock()
		p.idle += p.now() - since
		for i := range n {
			p.receive(p.poll.slot(i))
		}
		if err != nil {
			p.err, p.stopped = err, true
		}
		stopped := p.stopped
		p.mu.Unlock()
		if stopped {
			return
		}
	}
}

// send does what is due and returns how long there is until the next turn.
func (p *pump) send() time.Duration {
	now := p.now()
	next := now + longestWait
	if p.tick > 0 {
		now = now.Truncate(p.tick)
	}
	for i := range p.beats {
		b := &p.beats[i]
		due := b.due(len(p.clients))
		for ; due <= now; due = b.due(len(p.clients)) {
			c := p.clients[b.n%int64(len(p.clients))]
			b.n++
			switch {
			case c == nil:
			case now-due > tooLate:
				p.window.skip()
			default:
				b.do(c, due)
			}
		}
		next = min(next, due)
	}
	if p.tick > 0 {
		next = max(next, now+p.tick)
	}

	return next - p.now()
}

// receive reads all that has come for the client in a slot.
func (p *pump) receive(slot int) {
	c := p.clients[slot]
	if c == nil {
		return
	}
	for {
		n := p.batch.receive(c.fd)
		now := p.now()
		for i := range n {
			c.packet(p.batch.packet(i), now)
		}
		if n < batchSize {
			return
		}
	}
}

// at returns the client in a slot, nil if there is none. The lock is held.
func (p *pump) at(slot int) *client {
	if slot < 0 || slot >= len(p.clients) {
		return nil
	}

	return p.clients[slot]
}

// add gives a client a slot and begins to listen for it.
func (p *pump) add(c *client) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for slot, other := range p.clients {
		if other != nil {
			continue
		}
		if err := p.poll.add(c.fd, slot); err != nil {
			return err
		}
		c.slot, p.clients[slot] = slot, c

		return nil
	}

	return fmt.Errorf("all %d slots for clients are taken", len(p.clients))
}

func (p *pump) remove(c *client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients[c.slot] = nil
}

// with runs f while the loop stands still; f must not block.
func (p *pump) with(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// close ends the loop and returns what broke it, if something did. Clients are
// closed by who made them.
func (p *pump) close() error {
	p.with(func() { p.stopped = true })
	<-p.ended
	err := p.poll.close()
	if p.err != nil {
		return p.err
	}

	return err
}
