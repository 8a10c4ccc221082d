package signaling

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Mail is one as [Config.SendMail] takes it: plain text to one person.
type Mail struct {
	To      string // the address, without a name
	Subject string
	Text    string
}

// ErrMailRefused says that the mail server does not take this mail, and will not later.
var ErrMailRefused = errors.New("the mail server refuses this mail")

const (
	// maxPost is how many letters wait at most.
	maxPost = 256
	// sendTime bounds one attempt to send.
	sendTime = 30 * time.Second
)

// sendPauses are how long to wait after each attempt that has failed; after the last there is no more. A code is still good then.
var sendPauses = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute}

// letter is a mail to be written and sent.
type letter struct {
	// write makes the mail, or says that there is none to send. It is asked when the letter's turn comes, and not by
	// whose request it is, so that the time which that takes does not tell whether an address is known.
	write func(now time.Time) (m Mail, send bool, err error)

	mail  Mail
	tries int
	due   time.Time // not before; zero for one that was not tried
}

// post sends letters, one after the other, in a goroutine that there is while letters wait. Nobody waits for it, and what
// is too much is lost. Safe for concurrent use.
type post struct {
	send  func(context.Context, Mail) error
	log   *slog.Logger
	stop  <-chan struct{}
	spawn func(func())

	sent, lost atomic.Uint64
	failing    remind // of letters that could not be sent yet, or at all
	refusing   remind // of those that the mail server does not take
	flooded    remind // of those for which there was no room

	mu      sync.Mutex // guards what follows
	waiting []*letter  // the one in work is not among them
	running bool
	more    chan struct{} // has one when letters have come
}

func newPost(send func(context.Context, Mail) error, log *slog.Logger, stop <-chan struct{}, spawn func(func())) *post {
	return &post{send: send, log: log, stop: stop, spawn: spawn, more: make(chan struct{}, 1)}
}

// add takes a letter, or says that there are too many.
func (p *post) add(l *letter) bool {
	p.mu.Lock()
	taken := len(p.waiting) < maxPost
	if taken {
		p.waiting = append(p.waiting, l)
	}
	begin := taken && !p.running
	if begin {
		p.running = true
	}
	p.mu.Unlock()
	switch {
	case begin:
		p.spawn(p.work)
	case taken:
		select {
		case p.more <- struct{}{}:
		default:
		}
	default:
		p.lost.Add(1)
		if p.flooded.due(time.Now()) {
			p.log.Warn("mail is lost: too much of it waits (said once a minute at most)", "waiting", maxPost)
		}
	}
	return taken
}

// work sends until nothing is left or the server stops.
func (p *post) work() {
	ctx, cancel := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-p.stop:
			cancel()
		case <-ctx.Done():
		}
	})
	defer watch.Wait()
	defer cancel()
	for {
		next, wait := p.next(time.Now())
		switch {
		case next != nil:
			p.deliver(ctx, next)
		case wait == 0:
			return
		case !p.pause(ctx, wait):
			p.log.Warn("stopping with mail that could not be sent")
			return
		}
	}
}

// next takes the letter whose turn it is, or says how long there is none; zero if there is none at all, and then the
// caller ends.
func (p *post) next(now time.Time) (*letter, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		p.running = false
		return nil, 0
	}
	first := 0
	for i, l := range p.waiting {
		if l.due.Before(p.waiting[first].due) {
			first = i
		}
	}
	next := p.waiting[first]
	if wait := next.due.Sub(now); wait > 0 {
		return nil, wait
	}
	p.waiting = slices.Delete(p.waiting, first, first+1)
	return next, 0
}

// pause waits until there is something to do, or is false when the server stops.
func (p *post) pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.more:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// deliver writes a letter and sends it, or puts it back for later.
func (p *post) deliver(ctx context.Context, l *letter) {
	if l.tries == 0 {
		mail, send, err := l.write(time.Now())
		if err != nil {
			p.lost.Add(1)
			p.log.Error("write a mail", "err", err)
		}
		if err != nil || !send {
			return
		}
		l.mail = mail
	}
	try, cancel := context.WithTimeout(ctx, sendTime)
	err := p.send(try, l.mail)
	cancel()
	if err == nil {
		p.sent.Add(1)
		return
	}
	// What the mail server says often has the address in it, which is nobody's business.
	cause := strings.ReplaceAll(err.Error(), l.mail.To, "...@"+emailDomain(l.mail.To))
	l.tries++
	switch {
	case errors.Is(err, ErrMailRefused):
		p.lost.Add(1)
		if p.refusing.due(time.Now()) {
			p.log.Warn("a mail was refused (said once a minute at most)", "err", cause)
		}
	case l.tries > len(sendPauses):
		p.lost.Add(1)
		p.log.Error("a mail could not be sent and is given up", "err", cause)
	default:
		l.due = time.Now().Add(sendPauses[l.tries-1])
		if p.failing.due(time.Now()) {
			p.log.Warn("a mail could not be sent yet; smalltalk doctor examines the mail server (said once a minute at most)", "err", cause)
		}
		p.mu.Lock()
		p.waiting = append(p.waiting, l) // at most one more than maxPost
		p.mu.Unlock()
	}
}
