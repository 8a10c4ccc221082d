package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// registry lets the two sides of a call find each other in this process, so that
// each can tell whether the media it gets is that of its partner.
type registry struct {
	mu    sync.Mutex // guards calls
	calls map[string]*callers
}

// callers are the sides of one call, as slots of the pump.
type callers struct {
	slots []int
	left  int
}

func (r *registry) enter(call string, slot int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls[call] == nil {
		r.calls[call] = &callers{}
	}
	c := r.calls[call]
	c.slots = append(c.slots, slot)
}

// leave forgets a call that everybody has left.
func (r *registry) leave(call string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.calls[call]; c != nil {
		if c.left++; c.left == len(c.slots) {
			delete(r.calls, call)
		}
	}
}

// partner returns the slot of the other side, -1 if it is nobody of ours.
func (r *registry) partner(call string, slot int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.calls[call]; c != nil {
		for _, other := range c.slots {
			if other != slot {
				return other
			}
		}
	}

	return -1
}

// call waits in line, talks with whoever comes, and goes on to the next. It
// returns an error if the session is of no more use.
func (g *guest) call(ctx context.Context) error {
	match, err := g.wait(ctx)
	if err != nil || ctx.Err() != nil {
		return err
	}
	g.queued = false
	g.calls.enter(match.Call, g.conn.slot)
	defer g.calls.leave(match.Call)
	g.count.matched()
	g.pump.with(func() {
		g.conn.talk.forget(match.at - overtakeTime)
		g.conn.sending = full
	})
	end, err := g.converse(ctx, match)
	if end.Type != "call.end" {
		return err
	}
	g.pump.with(func() { g.conn.sending = trickle })
	g.judge(match, end.at)
	g.queued = end.Requeued

	return err
}

// wait gets in line if need be, and waits for a match.
func (g *guest) wait(ctx context.Context) (message, error) {
	limit, cancel := context.WithTimeout(ctx, matchTime)
	defer cancel()
	for !g.queued {
		_, err := g.ask(limit, "queue.state", map[string]any{"type": "queue.join", "topics": g.topics, "ticket": g.ticket})
		g.queued = err == nil
		if r := (*refusal)(nil); errors.As(err, &r) && r.code == "rate_limited" {
			g.count.fail(err)
			err = sleep(limit, r.after)
		}
		if err != nil {
			return message{}, unless(ctx, err)
		}
	}
	for {
		m, err := g.hear(limit)
		if err != nil {
			if limit.Err() != nil && ctx.Err() == nil {
				err = &refusal{code: "no_match", text: fmt.Sprintf("nobody came in %v", matchTime)}
			}

			return m, unless(ctx, err)
		}
		if m.Type == "match" {
			return m, nil
		}
		g.note(m)
	}
}

// unless drops an error that is only the end of the run.
func unless(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}

	return nil
}

// converse talks until it is time for somebody else, or the partner has gone.
// It returns the end of the call, if there was one.
func (g *guest) converse(ctx context.Context, match message) (message, error) {
	// Not all at the same time, and one of the two before the other.
	length := g.talk/2 + rand.N(g.talk)
	talk, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	if err := g.say(ctx, match.Call); err != nil {
		return message{}, unless(ctx, err)
	}
	end, err := g.listen(talk, match.Call)
	if end.Type != "" || !errors.Is(err, talk.Err()) {
		return end, err
	}
	finish, stop := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer stop()
	action := "call.next"
	if ctx.Err() != nil {
		action = "call.leave"
	}
	if err := g.line.send(finish, map[string]any{"type": action, "call": match.Call}); err != nil {
		return message{}, err
	}

	return g.listen(finish, match.Call)
}

// listen reads until the call ends.
func (g *guest) listen(ctx context.Context, call string) (message, error) {
	for {
		m, err := g.hear(ctx)
		if err != nil {
			return message{}, err
		}
		if m.Type == "call.end" && m.Call == call {
			return m, nil
		}
		g.note(m)
	}
}

// say chats.
func (g *guest) say(ctx context.Context, call string) error {
	g.sent++
	g.count.lineSaid()

	return g.line.send(ctx, map[string]any{
		"type": "chat", "cid": fmt.Sprint("c-", g.sent), "text": fmt.Sprintf("Line %d of guest %d", g.sent, g.number), "call": call,
	})
}

// judge looks at what was heard in a call that has ended at a time.
func (g *guest) judge(match message, ended time.Duration) {
	partner := g.calls.partner(match.Call, g.conn.slot)
	var heard voice
	var strays uint64
	g.pump.with(func() {
		t := &g.conn.talk
		if partner < 0 && len(t.from) > 0 {
			heard = t.from[len(t.from)-1] // somebody else's guest
		} else if v := t.voice(partner); v != nil {
			heard = *v
		}
		if partner >= 0 {
			strays = t.strays(partner, g.previous, match.at, ended)
		}
		g.conn.faults.Stray += strays
		t.forget(ended - overtakeTime) // the next partner may be there already
	})
	g.previous = partner
	if heard.n[video] > 0 {
		g.count.firstMedia(heard.first[video] - match.at)
	}
	if ended-match.at < judgeAfter {
		return
	}
	g.count.judged(heard.n[audio] > 0, heard.n[video] > 0)
}
