package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	churnTopics = 50   // of which the k-th is picked with 1/k^1.1, as people do
	churnShare  = 0.75 // of calls that somebody ends by Next; others leave and come back
	churnPause  = 2 * time.Second
	// perAddress is how many connections are made from one loopback address: a system has at least 16,000 ports for them.
	perAddress = 15_000
	// atOnce is how many clients connect at the same time.
	atOnce = 64
)

func churnTopic(i int) string { return fmt.Sprintf("topic-%d", i+1) }

var churnLangs = [...]string{"en", "es", "zh", "hi", "ar"}

// churn is what all clients of one run share.
type churn struct {
	base    string
	talk    time.Duration // after which a side ends its call, on average and at least half of it
	began   time.Time
	clients []*http.Client // one for each address to connect from
	topics  []float64      // sums of the topics' shares, for picking one

	mu      sync.Mutex // guards what follows
	count   bool       // the measurement runs
	matches uint64     // seen, two for each call
	seen    histogram  // from started_at until the message was read
	errors  map[string]int
	first   map[string]string
}

// newChurn makes clients for a server. Only to a server on a loopback address more than one address of ours is needed, and there.
func newChurn(base string, clients int, talk time.Duration, loopback bool) *churn {
	c := &churn{base: base, talk: talk, began: time.Now(), errors: map[string]int{}, first: map[string]string{}}
	for i := range (clients + perAddress - 1) / perAddress {
		dialer := &net.Dialer{Timeout: enterTime}
		if loopback && i > 0 {
			dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i))}
		}
		c.clients = append(c.clients, &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}})
	}
	sum := 0.0
	for i := range churnTopics {
		sum += math.Pow(float64(i+1), -1.1)
		c.topics = append(c.topics, sum)
	}

	return c
}

func (c *churn) do(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *churn) fail(err error) {
	c.do(func() {
		code := codeOf(err)
		if c.errors[code]++; c.errors[code] == 1 {
			c.first[code] = err.Error()
		}
	})
}

// matched notes a match as its client saw it.
func (c *churn) matched(startedAt int64) {
	after := time.Since(time.UnixMilli(startedAt))
	c.do(func() {
		if c.count {
			c.matches++
			c.seen.add(after)
		}
	})
}

// churner is one client without media: it joins, is matched, talks for a while, presses Next or leaves, and so on.
type churner struct {
	*churn
	number int
	rnd    *rand.Rand
	line   *line
	ticket string
	call   string // the running one
}

// enter says hello as a new guest.
func (c *churner) enter(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, enterTime)
	defer cancel()
	now := func() time.Duration { return time.Since(c.began) }
	if c.line, err = dialLine(ctx, c.clients[c.number/perAddress], c.base, now); err != nil {
		return err
	}
	err = c.line.send(ctx, map[string]any{
		"type": "hello", "versions": []int{1}, "guest": map[string]any{"fresh": true},
		"client": map[string]string{"name": "loadtest", "version": "1", "platform": "go"},
	})
	if err == nil {
		var m message
		if m, err = c.line.next(ctx); err == nil && m.Type != "welcome" {
			err = refused(m)
		}
	}
	if err != nil {
		c.line.close()
	}

	return err
}

// live goes on until ctx ends or the server says no.
func (c *churner) live(ctx context.Context) error {
	wants := c.wants()
	// Nobody begins at the same moment.
	if sleep(ctx, time.Duration(c.rnd.Float64()*float64(c.talk))) != nil {
		return nil
	}
	for ctx.Err() == nil {
		if err := c.join(ctx, wants); err != nil {
			return err
		}
		if err := c.meet(ctx); err != nil {
			return err
		}
	}

	return nil
}

// wants are topics and languages, the same for all of a client's life: 1 to 3 topics, for one in ten any; for half a language.
func (c *churner) wants() map[string]any {
	topics := map[string]bool{}
	for range 1 + c.rnd.IntN(3) {
		topics[c.pick()] = true
	}
	list := make([]string, 0, len(topics))
	for t := range topics {
		list = append(list, t)
	}
	m := map[string]any{"type": "queue.join", "topics": list}
	if c.rnd.IntN(10) == 0 {
		m["topics"] = "any"
	}
	if c.rnd.IntN(2) == 0 {
		m["langs"] = []string{churnLangs[c.rnd.IntN(len(churnLangs))]}
	}

	return m
}

// pick picks a topic by the topics' shares.
func (c *churner) pick() string {
	at := c.rnd.Float64() * c.topics[len(c.topics)-1]
	for i, sum := range c.topics {
		if at < sum {
			return churnTopic(i)
		}
	}

	return churnTopic(len(c.topics) - 1)
}

func (c *churner) join(ctx context.Context, wants map[string]any) error {
	delete(wants, "ticket")
	if c.ticket != "" {
		wants["ticket"] = c.ticket
	}

	return c.line.send(ctx, wants)
}

// meet waits in line and talks, until the client is out of line again.
func (c *churner) meet(ctx context.Context) error {
	talk := time.NewTimer(math.MaxInt64)
	defer talk.Stop()
	for {
		select {
		case m, ok := <-c.line.heard:
			if !ok {
				return c.line.err
			}
			switch m.Type {
			case "error":
				return refused(m)
			case "queue.state":
				c.ticket = m.Ticket
			case "match":
				c.matched(m.StartedAt)
				c.call = m.Call
				talk.Reset(time.Duration((1 + c.rnd.ExpFloat64()) / 2 * float64(c.talk)))
			case "call.end":
				talk.Stop()
				if c.call = ""; !m.Requeued {
					return nil
				}
			}
		case <-talk.C:
			if c.rnd.Float64() < churnShare {
				if err := c.line.send(ctx, map[string]any{"type": "call.next", "call": c.call}); err != nil {
					return err
				}

				continue
			}

			return c.goAway(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// goAway leaves the call and comes back after a while, at the end of the line.
func (c *churner) goAway(ctx context.Context) error {
	if err := c.line.send(ctx, map[string]any{"type": "call.leave", "call": c.call}); err != nil {
		return err
	}
	for { // the partner may have been quicker, so that this is the answer to nothing
		m, err := c.line.next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case m.Type == "error":
			return refused(m)
		case m.Type == "call.end":
			c.call, c.ticket = "", ""
			_ = sleep(ctx, time.Duration(c.rnd.ExpFloat64()*float64(churnPause))) // ctx ends the loop too

			return nil
		}
	}
}

// enterAll connects clients, some at a time. The error is the first one's.
func (c *churn) enterAll(ctx context.Context, n int) ([]*churner, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	clients := make([]*churner, n)
	var entering sync.WaitGroup
	next := make(chan int)
	for range min(atOnce, n) {
		entering.Go(func() {
			for i := range next {
				client := &churner{churn: c, number: i, rnd: rand.New(rand.NewPCG(uint64(i), 5))}
				if err := client.enter(ctx); err != nil {
					cancel(fmt.Errorf("client %d: %w", i+1, err))
					continue
				}
				clients[i] = client
			}
		})
	}
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	entering.Wait()
	err := context.Cause(ctx)
	if err != nil {
		c.leaveAll(clients)
	}

	return clients, err
}

// leaveAll closes the WebSockets of all clients there are.
func (c *churn) leaveAll(clients []*churner) {
	var leaving sync.WaitGroup
	next := make(chan *churner)
	for range atOnce {
		leaving.Go(func() {
			for client := range next {
				client.line.close()
			}
		})
	}
	for _, client := range clients {
		if client != nil {
			next <- client
		}
	}
	close(next)
	leaving.Wait()
}

// run has the clients live for the warm-up and then for the measurement; begin and end are called at its ends.
func (c *churn) run(ctx context.Context, clients []*churner, warmup, measure time.Duration, begin, end func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	var living sync.WaitGroup
	defer living.Wait()
	defer cancel()
	for _, client := range clients {
		living.Go(func() {
			if err := client.live(ctx); err != nil && ctx.Err() == nil {
				c.fail(err)
			}
		})
	}
	if err := sleep(ctx, warmup); err != nil {
		return err
	}
	if err := begin(); err != nil {
		return err
	}
	c.do(func() { c.count = true })
	stopped := sleep(ctx, measure)
	c.do(func() { c.count = false })

	return errors.Join(stopped, end())
}
