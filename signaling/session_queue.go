package signaling

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"

	"smalltalk/matchmaker"
	"smalltalk/store"
)

// oldestPlace bounds how old a place becomes that its owner keeps from call to call.
const oldestPlace = 12 * time.Hour

// queue is the session's place in line.
type queue struct {
	ticket     matchmaker.Ticket // settings of the last queue.join
	guessed    bool              // ticket is no more than what is known of a call that a former process began
	found      chan found        // nil when no Find runs
	stop       context.CancelCauseFunc
	shownWait  queueView // what the client was told last
	voidBefore time.Time // tickets from before are used up
	early      []mail    // of a partner who has heard of the match before us
}

// queueView is what changes for a client while it waits.
type queueView struct {
	waiting int
	eta     time.Duration // zero when unknown
	widened matchmaker.Widening
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
		return errInCall
	}
	if s.dial != nil {
		return errConnecting
	}
	topics := make([]store.Category, 0, len(m.Topics))
	for _, topic := range m.Topics {
		id, ok := s.srv.words.topic(topic)
		if !ok {
			return errUnknownTopic
		}
		topics = append(topics, id)
	}
	if fail := take(s.joins, now); fail != nil {
		return fail
	}
	if !s.srv.lobby.sit(s) {
		return errElsewhere
	}
	if s.metMeanwhile() { // the partner who was asked back has come
		return errInCall
	}
	slices.Sort(topics)
	s.guessed = false
	s.ticket = matchmaker.Ticket{
		Session: s.id, User: s.user.ID, Topics: slices.Compact(topics), Langs: baseLangs(m.Langs), Since: now,
		Strict: m.Strict, WidenAfter: time.Duration(m.WidenAfterMS) * time.Millisecond,
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
		langs[i] = baseLang(tag)
	}
	slices.Sort(langs)
	return slices.Compact(langs)
}

// baseLang is the shortest code of the language: eng is en.
func baseLang(tag string) string {
	code, _, _ := strings.Cut(strings.ToLower(tag), "-")
	if base, err := language.ParseBase(code); err == nil {
		return base.String()
	}
	return code
}

// useTicket restores the place in line that the ticket stands for. A ticket that is no good
// costs the place, not the search.
func (s *session) useTicket(token string, now time.Time) {
	claims, err := s.srv.signer.openTicket(token, now)
	if err != nil || claims.Issued < later(s.voidBefore, s.srv.voids.of(s.user.ID)).UnixMilli() || !claims.fits(s.ticket) {
		s.send(&noticeMsg{
			head{Type: "notice"}, "info", "ticket_expired", "Your place in line has expired; you start at its end.",
		})
		return
	}
	s.ticket.Widened = claims.Widened
	since := later(time.UnixMilli(claims.Since), now.Add(-oldestPlace))
	if !since.Before(now) {
		return
	}
	s.ticket.Since, s.ticket.WidenFrom = since, now // the call in between was no waiting
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// signTicket makes the token for the place in line. It is empty if it cannot be made, which
// costs the client no more than the place.
func (s *session) signTicket(now time.Time) string {
	token, err := s.srv.signer.ticket(s.ticketClaims(now))
	if err != nil {
		s.log.Error("sign a ticket", "err", err)
	}
	return token
}

func (s *session) ticketClaims(now time.Time) ticketClaims {
	c := ticketClaims{
		User: s.user.ID, Topics: s.ticket.Topics, Langs: s.ticket.Langs,
		Strict: s.ticket.Strict, Widen: s.ticket.WidenAfter.Milliseconds(), Widened: s.ticket.Widened,
		Since: s.ticket.Since.UnixMilli(), Issued: now.UnixMilli(), Expires: now.Add(ticketTTL).UnixMilli(),
	}
	if from := s.ticket.WidenFrom; !from.IsZero() {
		c.From = from.UnixMilli()
	}
	return c
}

// wait is what the claims say of a person who waited before a call, for the time after it.
func (c *ticketClaims) wait(s store.SessionID) matchmaker.Ticket {
	t := matchmaker.Ticket{
		Session: s, User: c.User, Topics: c.Topics, Langs: c.Langs, Strict: c.Strict,
		WidenAfter: time.Duration(c.Widen) * time.Millisecond, Widened: c.Widened, Since: time.UnixMilli(c.Since),
	}
	if c.From != 0 {
		t.WidenFrom = time.UnixMilli(c.From)
	}
	return t
}

// joinLine starts to wait with the settings in s.ticket.
func (s *session) joinLine(re string, now time.Time) {
	s.phase = phaseQueued
	s.resumeFind()
	s.sendQueueState(re, now)
}

// resumeFind looks for a partner if the session waits in line, for the last partner or for a friend, nothing
// looks yet, and a partner would meet somebody.
func (s *session) resumeFind() {
	now := time.Now()
	waits := s.phase == phaseQueued || s.phase == phaseIdle && s.asking(now) || s.dial != nil
	if waits && s.found == nil && s.conn != nil && s.mediaReady() {
		s.startFind(now)
	}
}

func (s *session) startFind(now time.Time) {
	ctx, cancel := context.WithCancelCause(context.Background())
	result, ticket := make(chan found, 1), s.ticket
	if s.dial != nil {
		ticket = s.dialTicket(now)
	} else {
		s.wish(&ticket, s.phase == phaseQueued, now)
	}
	ticket.Blocks = s.srv.lobby.blocks(s.user.ID)
	s.found, s.stop = result, cancel
	s.work.Go(func() {
		defer cancel(nil)
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
	var why error // nil: the person waits no longer
	if s.srv.stopping() {
		why = matchmaker.ErrClosed // so that the place is there after the restart
	}
	s.stop(why)
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
	if room := s.stopFind(); room != nil && !s.srv.stopping() {
		room.Leave(endLost)
	}
}

// metMeanwhile ends the wait so that another can begin, and says if it was too late for that: then
// there is a call now.
func (s *session) metMeanwhile() bool {
	early := s.early // stopFind forgets it
	room := s.stopFind()
	if room == nil || s.shuns(room) {
		return false
	}
	s.early = early
	s.handleMatch(room)
	return true
}

func (s *session) handleFound(f found) {
	s.found = nil
	if f.err == nil {
		s.handleMatch(f.room)
		return
	}
	s.early = nil
	if s.dial != nil {
		s.handleDialFailed(f.err, time.Now())
		return
	}
	if s.phase == phaseIdle { // it was for the last partner only, who has not come
		s.asked = false
		return
	}
	s.phase = phaseIdle
	fail := errInternal
	switch {
	case errors.Is(f.err, matchmaker.ErrAlreadyWaiting), errors.Is(f.err, matchmaker.ErrInRoom):
		fail = errElsewhere
	case errors.Is(f.err, matchmaker.ErrUnknownTopic):
		fail = errUnknownTopic
	case errors.Is(f.err, matchmaker.ErrClosed):
		fail = errDraining
	default:
		s.log.Error("find a partner", "err", f.err)
	}
	s.fail("", fail)
}

// handleQueueWiden begins the wait anew at the same place, with fewer wishes.
func (s *session) handleQueueWiden(id string, m *queueWidenMsg, now time.Time) *failure {
	if s.phase != phaseQueued {
		return errNotQueued
	}
	if fail := take(s.joins, now); fail != nil {
		return fail
	}
	widened := s.ticket.Widened
	if m.Topics {
		widened |= matchmaker.WidenTopics
	}
	if m.Langs {
		widened |= matchmaker.WidenLangs
	}
	if widened != s.ticket.Widened {
		if s.metMeanwhile() {
			return errNotQueued
		}
		s.ticket.Widened = widened
		s.resumeFind()
	}
	s.sendQueueState(id, now)
	return nil
}

func (s *session) handleQueueLeave(id string, now time.Time) *failure {
	if asking := s.takeBackUndo(now); s.phase != phaseQueued && !asking {
		return errNotQueued
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
	s.showQueue(re, s.srv.counts.get(now), now)
}

// refreshQueue tells the client when something has changed.
func (s *session) refreshQueue(reading counts, now time.Time) {
	if s.viewQueue(reading, now) != s.shownWait {
		s.showQueue("", reading, now)
	}
}

func (s *session) viewQueue(reading counts, now time.Time) queueView {
	view := queueView{widened: s.ticket.WidenedAt(now)}
	topics := s.ticket.Topics
	if view.widened&matchmaker.WidenTopics != 0 {
		topics = nil
	}
	view.waiting = reading.waitingFor(topics)
	if eta, ok := s.srv.cfg.Matcher.Estimate(s.ticket); ok {
		view.eta = roundWait(eta)
	}
	return view
}

func (s *session) showQueue(re string, reading counts, now time.Time) {
	s.shownWait = s.viewQueue(reading, now)
	topics := make(topicSet, len(s.ticket.Topics))
	for i, topic := range s.ticket.Topics {
		topics[i] = string(topic)
	}
	s.send(&queueStateMsg{
		head: head{Type: "queue.state", Re: re}, Phase: phaseQueued, Ticket: s.signTicket(now),
		Since: s.ticket.Since.UnixMilli(), Waiting: s.shownWait.waiting,
		Topics: topics, Langs: append([]string{}, s.ticket.Langs...), Strict: s.ticket.Strict,
		ETAMS: s.shownWait.eta.Milliseconds(), Widened: widenedNames(s.shownWait.widened),
	})
}

// roundWait rounds an estimate up to as much as it can be trusted, so that it does not change all the time.
func roundWait(d time.Duration) time.Duration {
	step := time.Minute
	switch {
	case d <= 10*time.Second:
		step = time.Second
	case d <= time.Minute:
		step = 5 * time.Second
	case d <= 10*time.Minute:
		step = 30 * time.Second
	}
	return max((d + step - 1).Truncate(step), step)
}

func widenedNames(w matchmaker.Widening) (names []string) {
	if w&matchmaker.WidenTopics != 0 {
		names = append(names, widenedTopics)
	}
	if w&matchmaker.WidenLangs != 0 {
		names = append(names, widenedLangs)
	}
	return names
}
