package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	enterTime = 10 * time.Second // to connect, say hello and have media
	matchTime = 60 * time.Second // to be matched
	endTime   = 10 * time.Second // for the server to answer Next or leave
	leaveTime = 3 * time.Second
	// againAfter is how long somebody whose session failed stays away.
	againAfter = time.Second
	// Shorter calls say nothing about media.
	judgeAfter = time.Second
)

// guest is one virtual user on a server: one goroutine, life.
type guest struct {
	*couples
	number int

	line   *line
	conn   *connection
	gen    int // of the last offer
	topics []string
	ticket string
	queued bool // the server has us in line
	// previous is the slot of the last partner, -1 before the first.
	previous int
	sent     int // chat lines
	lastID   int // of the last message that wanted a reply
}

// life goes on until ctx ends: who falls out comes back as another guest.
func (g *guest) life(ctx context.Context) {
	for ctx.Err() == nil {
		err := g.visit(ctx)
		if err != nil && ctx.Err() == nil {
			g.count.fail(err)
			_ = sleep(ctx, againAfter) // ctx ends the loop too
		}
	}
}

// visit is one session from hello to goodbye.
func (g *guest) visit(ctx context.Context) (err error) {
	if err := g.enter(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.leave(ctx)) }()
	g.count.present(1)
	defer g.count.present(-1)
	for ctx.Err() == nil {
		if err := g.call(ctx); err != nil {
			return err
		}
	}

	return nil
}

// enter connects as a new guest, with media.
func (g *guest) enter(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, enterTime)
	defer cancel()
	g.gen, g.ticket, g.queued, g.previous = 0, "", false, -1
	if g.line, err = dialLine(ctx, g.http, g.base, g.pump.now); err != nil {
		return fmt.Errorf("reach %s: %w", g.base, err)
	}
	defer func() {
		if err != nil {
			g.line.close()
		}
	}()
	welcome, err := g.ask(ctx, "welcome", map[string]any{
		"type": "hello", "versions": []int{1}, "guest": map[string]any{"fresh": true},
		"client": map[string]string{"name": "loadtest", "version": "1", "platform": "go"},
	})
	if err != nil {
		return fmt.Errorf("say hello: %w", err)
	}
	if g.topics, err = g.choose(welcome); err != nil {
		return err
	}
	began := time.Now()
	if g.conn, err = g.dialer.dial(ctx, g.offer); err != nil {
		return fmt.Errorf("connect media: %w", err)
	}
	g.count.connected(time.Since(began))
	g.pump.with(func() { g.conn.sending = trickle })

	return nil
}

// choose picks a topic of those that the server has.
func (g *guest) choose(welcome message) ([]string, error) {
	var known []string
	list, _ := welcome.Topics.([]any)
	for _, t := range list {
		if o, ok := t.(map[string]any); ok {
			if id, ok := o["id"].(string); ok && (len(g.wanted) == 0 || g.wanted[id]) {
				known = append(known, id)
			}
		}
	}
	if len(known) == 0 {
		return nil, errors.New("the server has none of the topics that --topics names")
	}

	return []string{known[rand.IntN(len(known))]}, nil
}

// offer has the server answer an offer.
func (g *guest) offer(ctx context.Context, sdp string) (string, error) {
	g.gen++
	m, err := g.ask(ctx, "rtc.answer", map[string]any{"type": "rtc.offer", "sdp": sdp, "gen": g.gen})

	return m.SDP, err
}

// ask sends a message and waits for its reply, which is of a type or an error.
func (g *guest) ask(ctx context.Context, reply string, fields map[string]any) (message, error) {
	g.lastID++
	id := fmt.Sprint(g.lastID)
	fields["id"] = id
	if err := g.line.send(ctx, fields); err != nil {
		return message{}, err
	}
	for {
		m, err := g.hear(ctx)
		if err != nil {
			return m, err
		}
		if m.Re != id {
			g.note(m)

			continue
		}
		if m.Type == "error" {
			return m, refused(m)
		}
		if m.Type != reply {
			return m, fmt.Errorf("the server answered %q with %q", fields["type"], m.Type)
		}
		g.note(m)

		return m, nil
	}
}

// hear waits for the next message. That the media connection is gone for good is
// an error.
func (g *guest) hear(ctx context.Context) (message, error) {
	m, err := g.line.next(ctx)
	if err == nil && m.Type == "rtc.state" && m.State == "failed" {
		err = &refusal{code: "media_lost", text: "the server has lost the media connection"}
	}

	return m, err
}

func refused(m message) error {
	return &refusal{code: m.Code, text: m.Message, after: time.Duration(m.RetryAfterMS) * time.Millisecond}
}

// note keeps what matters of a message that nobody waits for.
func (g *guest) note(m message) {
	switch m.Type {
	case "error":
		g.count.fail(refused(m))
	case "queue.state":
		g.ticket = m.Ticket
	case "chat":
		g.count.lineHeard()
	}
}

// leave says goodbye: the call or the line, the WebSocket, the media.
func (g *guest) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	if g.queued {
		_ = g.line.send(ctx, map[string]any{"type": "queue.leave"}) // closing does as much
	}
	g.line.close()
	g.pump.with(func() { g.count.took(&g.conn.faults, g.conn.opened) })
	closed := make(chan error, 1)
	go func() { closed <- g.conn.close() }()
	select {
	case err := <-closed:
		return err
	case <-ctx.Done():
		return errors.New("the media connection does not close")
	}
}
