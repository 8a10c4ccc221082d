package signaling

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"smalltalk/matchmaker"
	"smalltalk/store"
)

// queue is the session's place in line.
type queue struct {
	ticket     matchmaker.Ticket // settings of the last queue.join
	found      chan found        // nil when no Find runs
	stop       context.CancelFunc
	waiting    int       // number the client was told last
	voidBefore time.Time // tickets from before are used up
	early      []mail    // of a partner who has heard of the match before us
}

// found is how a Find ended.
type found struct {
	room *matchmaker.Room
	err  error
}

func (s *session) handleQueueJoin(id string, m *queueJoinMsg, now time.Time) *failure {
	switch s.phase {
	case phaseQueued:
		return &failure{Code: codeAlreadyQueued, Message: "You are waiting already.", Retry: retryNever}
	case phaseCall:
		return &failure{Code: codeAlreadyQueued, Message: "You are in a call; leave it first.", Retry: retryNever}
	}
	topics := make([]store.Category, 0, len(m.Topics))
	for _, topic := range m.Topics {
		if !s.srv.counts.knows(store.Category(topic)) {
			return &failure{Code: codeUnknownTopic, Message: "There is no such topic.", Retry: retryNever}
		}
		topics = append(topics, store.Category(topic))
	}
	if fail := take(s.joins, now); fail != nil {
		return fail
	}
	slices.Sort(topics)
	s.ticket = matchmaker.Ticket{
		Session: s.id, User: s.user.ID, Topics: slices.Compact(topics), Langs: baseLangs(m.Langs), Since: now,
	}
	if m.Ticket != "" {
		s.useTicket(m.Ticket, now)
	}
	s.joinLine(id, now)
	return nil
}

// baseLangs reduces language tags to their languages, so that en-GB talks with en-US.
func baseLangs(tags []string) []string {
	langs := make([]string, len(tags))
	for i, tag := range tags {
		langs[i], _, _ = strings.Cut(strings.ToLower(tag), "-")
	}
	slices.Sort(langs)
	return slices.Compact(langs)
}

// useTicket restores the place in line that the ticket stands for. A ticket that is no good
// costs the place, not the search.
func (s *session) useTicket(token string, now time.Time) {
	claims, err := s.srv.signer.openTicket(token, now)
	if err != nil || claims.Issued < s.voidBefore.UnixMilli() ||
		!claims.fits(s.user.ID, s.ticket.Topics, s.ticket.Langs) {
		s.send(&noticeMsg{
			head{Type: "notice"}, "info", "ticket_expired", "Your place in line has expired; you start at its end.",
		})
		return
	}
	if since := time.UnixMilli(claims.Since); since.Before(now) {
		s.ticket.Since = since
	}
}

// signTicket makes the token for the place in line. It is empty if it cannot be made, which
// costs the client no more than the place.
func (s *session) signTicket(now time.Time) string {
	token, err := s.srv.signer.ticket(ticketClaims{
		User: s.user.ID, Topics: s.ticket.Topics, Langs: s.ticket.Langs,
		Since: s.ticket.Since.UnixMilli(), Issued: now.UnixMilli(), Expires: now.Add(ticketTTL).UnixMilli(),
	})
	if err != nil {
		s.log.Error("sign a ticket", "err", err)
	}
	return token
}

// joinLine starts to wait with the settings in s.ticket.
func (s *session) joinLine(re string, now time.Time) {
	s.phase = phaseQueued
	s.resumeFind()
	s.sendQueueState(re, now)
}

// resumeFind looks for a partner if the session waits in line, nothing looks yet, and a
// partner would meet somebody.
func (s *session) resumeFind() {
	if s.phase == phaseQueued && s.found == nil && s.conn != nil && s.mediaReady() {
		s.startFind()
	}
}

func (s *session) startFind() {
	ctx, cancel := context.WithCancel(context.Background())
	result, ticket := make(chan found, 1), s.ticket
	s.found, s.stop = result, cancel
	s.work.Go(func() {
		defer cancel()
		room, err := s.srv.cfg.Matcher.Find(ctx, ticket)
		result <- found{room, err}
	})
}

// stopFind ends the wait and waits for that, which takes no longer than the matcher's lock.
// It returns the room of a match in that very moment, which nobody has seen yet.
func (s *session) stopFind() *matchmaker.Room {
	if s.found == nil {
		return nil
	}
	s.stop()
	f := <-s.found
	s.found, s.early = nil, nil
	if f.err != nil {
		return nil
	}
	return f.room
}

// pauseFind ends the wait of a client that is away, or whose media is: nobody is to be matched
// with somebody who is not there. The place in line stays.
func (s *session) pauseFind() {
	if room := s.stopFind(); room != nil {
		room.Leave(endLost)
	}
}

func (s *session) handleFound(f found) {
	s.found = nil
	if f.err == nil {
		s.handleMatch(f.room)
		return
	}
	s.phase, s.early = phaseIdle, nil
	fail := errInternal
	switch {
	case errors.Is(f.err, matchmaker.ErrAlreadyWaiting), errors.Is(f.err, matchmaker.ErrInRoom):
		fail = &failure{
			Code: codeAlreadyQueued, Message: "You are waiting or talking elsewhere.", Retry: retryLater, RetryAfterMS: 1000,
		}
	case errors.Is(f.err, matchmaker.ErrUnknownTopic):
		fail = &failure{Code: codeUnknownTopic, Message: "There is no such topic.", Retry: retryNever}
	case errors.Is(f.err, matchmaker.ErrClosed):
		fail = errDraining
	default:
		s.log.Error("find a partner", "err", f.err)
	}
	s.fail("", fail)
}

func (s *session) handleQueueLeave(id string, now time.Time) *failure {
	if s.phase != phaseQueued {
		return &failure{Code: codeNotQueued, Message: "You are not waiting.", Retry: retryNever}
	}
	s.voidBefore = now
	s.leaveLine()
	s.ok(id)
	return nil
}

// leaveLine ends the wait for good. On the way down of the server a room that was made in
// that moment stays, as all rooms do.
func (s *session) leaveLine() {
	if room := s.stopFind(); room != nil && !s.srv.stopping() {
		room.Leave(endLeft)
	}
	if s.phase == phaseQueued {
		s.phase = phaseIdle
	}
}

func (s *session) sendQueueState(re string, now time.Time) {
	s.waiting = s.srv.counts.get(now).waitingFor(s.ticket.Topics)
	topics := make(topicSet, len(s.ticket.Topics))
	for i, topic := range s.ticket.Topics {
		topics[i] = string(topic)
	}
	s.send(&queueStateMsg{
		head: head{Type: "queue.state", Re: re}, Phase: phaseQueued, Ticket: s.signTicket(now),
		Since: s.ticket.Since.UnixMilli(), Waiting: s.waiting, Topics: topics, Langs: append([]string{}, s.ticket.Langs...),
	})
}

// refreshQueue tells the client when the number of people waiting has changed.
func (s *session) refreshQueue(reading counts) {
	if reading.waitingFor(s.ticket.Topics) != s.waiting {
		s.sendQueueState("", reading.at)
	}
}
