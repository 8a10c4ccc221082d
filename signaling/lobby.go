package signaling

import (
	"slices"
	"sync"
	"time"

	"smalltalk/store"
)

// publishEvery is how often at most friends are told of somebody's presence. What is over by then they do not hear of.
const publishEvery = 250 * time.Millisecond

// lobby knows of the people who are here what they are to each other: friends, blocks, where each is, and who rings whom. Safe for
// concurrent use. It never looks at the disk: what is kept there is read by Server.refresh, when somebody comes and when
// something has changed.
type lobby struct {
	stop  <-chan struct{}    // closed when the server stops
	spawn func(func())       // starts a goroutine that Shutdown waits for, unless it has begun
	keep  func(m missedCall) // its caller is one that Shutdown waits for

	// mu guards what follows, and the lobbied of each session. Nothing is done under it but map work; release unlocks it.
	mu      sync.Mutex
	people  map[store.UserID]*resident
	rings   map[string]*ring
	reading uint64                // the number of the last reading of relations, of anybody's: one may outlast a resident
	dirty   map[store.UserID]bool // whose presence may be another one
	telling bool                  // publish runs
	woken   []*session            // who is to be woken when mu is unlocked
	missed  []*ring               // calls to be kept when mu is unlocked
}

// resident is somebody who is here, with one session or more.
type resident struct {
	sessions  []*session
	relations relations
	have      uint64 // the number of the reading that is in relations

	blocking map[store.UserID]int // blocks on their way to the disk
	name     string
	shown    string   // presence that friends were told
	seat     *session // the one that may wait or be in a call
	ring     *ring    // in which this person rings or is rung
}

// relations are what the store keeps of somebody. They are not changed once read.
type relations struct {
	friends map[store.UserID]bool
	blocks  []store.UserID // sorted
	hides   bool           // where the person is
}

// lobbied is what the lobby knows of a session and has for it. The lobby's mu guards it.
type lobbied struct {
	here      bool // has a WebSocket
	talking   bool
	news      []news
	presences map[store.UserID]sight // of friends, the last of each
}

// sight is where a friend is, and what the friend is called: by the time it is told the friend may be gone.
type sight struct{ presence, name string }

// news is what the lobby has for a session; one field is set.
type news struct {
	msg    serverMessage // for the client as it is
	dial   *dial         // a ring was accepted
	vacate bool          // another device of the person takes over
	apart  *apart
}

// apart is somebody who was blocked by the person, or who has blocked the person.
type apart struct {
	other store.UserID
	mine  bool // the block is the person's own
}

// noted is what a session has told the lobby of itself.
type noted struct{ here, talking, seated bool }

func newLobby(stop <-chan struct{}, spawn func(func()), keep func(missedCall)) *lobby {
	return &lobby{
		stop: stop, spawn: spawn, keep: keep,
		people: map[store.UserID]*resident{}, rings: map[string]*ring{}, dirty: map[store.UserID]bool{},
	}
}

// release unlocks mu, wakes who has got news and has the rest done that must not be done under it.
func (l *lobby) release() {
	woken, missed := l.woken, l.missed
	l.woken, l.missed = nil, nil
	publish := len(l.dirty) > 0 && !l.telling
	if publish {
		l.telling = true
	}
	l.mu.Unlock()
	for _, s := range woken {
		s.wake()
	}
	for _, r := range missed {
		l.keep(missedCall{callee: r.callee, caller: r.caller, at: r.began})
	}
	if publish {
		l.spawn(l.publish)
	}
}

// tell has news for a session. The caller holds mu.
func (l *lobby) tell(s *session, n news) {
	s.news = append(s.news, n)
	l.woken = append(l.woken, s)
}

// tellAll tells every session of somebody but one. The caller holds mu.
func (l *lobby) tellAll(id store.UserID, but *session, say func() news) {
	if p := l.people[id]; p != nil {
		for _, s := range p.sessions {
			if s != but {
				l.tell(s, say()) // each its own: a message is numbered by its session
			}
		}
	}
}

// collect hands out a session's news and at most limit presences of friends, and says if there are more of those.
func (l *lobby) collect(s *session, limit int) (list []news, friends []friendPresenceOut, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list, s.news = s.news, nil
	for id, seen := range s.presences {
		if len(friends) == limit {
			return list, friends, true
		}
		delete(s.presences, id)
		friends = append(friends, friendPresenceOut{User: personRef{ID: string(id), Name: seen.name}, Presence: seen.presence})
	}
	return list, friends, false
}

// nameOf is what somebody is called now. The caller holds mu.
func (l *lobby) nameOf(id store.UserID) string {
	p := l.people[id]
	if p == nil {
		return ""
	}
	if len(p.sessions) > 0 {
		p.name = p.sessions[0].known.Load().Name
	}
	return p.name
}

// enter makes a session known. Its user's relations are to be read then.
func (l *lobby) enter(s *session) {
	l.mu.Lock()
	defer l.release()
	p := l.people[s.user.ID]
	if p == nil {
		p = &resident{shown: presenceOffline, blocking: map[store.UserID]int{}}
		l.people[s.user.ID] = p
	}
	p.sessions = append(p.sessions, s)
	s.presences = map[store.UserID]sight{}
}

// leave forgets a session, and ends the ring for which it was needed.
func (l *lobby) leave(s *session) {
	l.mu.Lock()
	defer l.release()
	p := l.people[s.user.ID]
	if p == nil {
		return
	}
	p.name = l.nameOf(s.user.ID)
	p.sessions = slices.DeleteFunc(p.sessions, func(x *session) bool { return x == s })
	if p.seat == s {
		p.seat = nil
	}
	l.dirty[s.user.ID] = true
	switch r := p.ring; {
	case r == nil:
	case r.from == s:
		l.endRing(r, ringCancelled, nil)
	case r.callee == s.user.ID && len(p.sessions) == 0 && p.relations.hides:
		r.silent, p.ring = true, nil // it goes on as it would had nobody been here
	case r.callee == s.user.ID && len(p.sessions) == 0:
		l.endRing(r, ringOffline, nil)
	}
}

// note takes what has changed about a session.
func (l *lobby) note(s *session, n noted) {
	l.mu.Lock()
	defer l.release()
	p := l.people[s.user.ID]
	if p == nil {
		return
	}
	s.here, s.talking = n.here, n.talking
	switch {
	case n.seated && p.seat == nil:
		p.seat = s
	case !n.seated && p.seat == s:
		p.seat = nil
	}
	l.dirty[s.user.ID] = true
}

// sit lets a session wait or be in a call, if no other one of the person does.
func (l *lobby) sit(s *session) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.people[s.user.ID]
	if p == nil || p.seat != nil && p.seat != s {
		return false
	}
	p.seat = s
	return true
}

// takeSeat gives a session the place of any other one of the person. The caller holds mu.
func (l *lobby) takeSeat(s *session) {
	p := l.people[s.user.ID]
	if p == nil {
		return
	}
	if p.seat != nil && p.seat != s {
		l.tell(p.seat, news{vacate: true})
	}
	p.seat = s
}

// ask numbers a reading of somebody's relations. It says if the person is here, so that there is a reason for it.
func (l *lobby) ask(id store.UserID) (number uint64, here bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.people[id] == nil {
		return 0, false
	}
	l.reading++
	return l.reading, true
}

// learn takes a reading over. One that was begun later knows all that this one does.
func (l *lobby) learn(id store.UserID, number uint64, r relations) {
	l.mu.Lock()
	defer l.release()
	p := l.people[id]
	if p == nil || number <= p.have {
		return
	}
	p.have, p.relations = number, r
	l.dirty[id] = true
}

// keepApart blocks somebody in memory until settle, so that nothing need wait for the disk.
func (l *lobby) keepApart(from, whom store.UserID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.people[from]; p != nil {
		p.blocking[whom]++
	}
}

// settle is the end of keepApart: from here on the relations are right.
func (l *lobby) settle(from, whom store.UserID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.people[from]; p != nil && p.blocking[whom] > 0 {
		if p.blocking[whom]--; p.blocking[whom] == 0 {
			delete(p.blocking, whom)
		}
	}
}

// blocks lists whom somebody must not meet, for a ticket.
func (l *lobby) blocks(id store.UserID) []store.UserID {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.people[id]
	if p == nil {
		return nil
	}
	if len(p.blocking) == 0 {
		return p.relations.blocks
	}
	list := make([]store.UserID, 0, len(p.blocking)+len(p.relations.blocks))
	for whom := range p.blocking {
		list = append(list, whom)
	}
	for _, whom := range p.relations.blocks {
		if p.blocking[whom] == 0 {
			list = append(list, whom)
		}
	}
	return list[:min(len(list), store.MaxBlocks)]
}

// mayMeet says if neither of the two, as far as they are here, has blocked the other.
func (l *lobby) mayMeet(a, b store.UserID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.blocked(a, b) && !l.blocked(b, a)
}

func (l *lobby) blocked(from, whom store.UserID) bool {
	p := l.people[from]
	if p == nil {
		return false
	}
	_, found := slices.BinarySearch(p.relations.blocks, whom)
	return found || p.blocking[whom] > 0
}

// friends says if b is a friend of a, who is here.
func (l *lobby) friends(a, b store.UserID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.areFriends(a, b)
}

func (l *lobby) areFriends(a, b store.UserID) bool {
	p := l.people[a]
	return p != nil && p.relations.friends[b]
}

// presence is where somebody is, for friends.
func (l *lobby) presence(id store.UserID) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.presenceOf(id)
}

// presenceOf is presence for who holds mu.
func (l *lobby) presenceOf(id store.UserID) string {
	p := l.people[id]
	if p == nil || p.relations.hides {
		return presenceOffline
	}
	presence := presenceOffline
	for _, s := range p.sessions {
		switch {
		case s.talking: // also while its WebSocket is lost: the call goes on
			return presenceInCall
		case s.here:
			presence = presenceOnline
		}
	}
	return presence
}

// publish tells friends where people are until nothing changes any more.
func (l *lobby) publish() {
	pause := time.NewTicker(publishEvery)
	defer pause.Stop()
	for l.publishOnce() {
		select {
		case <-pause.C:
		case <-l.stop:
			return
		}
	}
}

// publishOnce says if there was anything to do.
func (l *lobby) publishOnce() bool {
	l.mu.Lock()
	defer l.release()
	if len(l.dirty) == 0 {
		l.telling = false
		return false
	}
	for id := range l.dirty {
		l.publishOne(id)
	}
	clear(l.dirty)
	return true
}

func (l *lobby) publishOne(id store.UserID) {
	p := l.people[id]
	if p == nil {
		return
	}
	if presence := l.presenceOf(id); presence != p.shown {
		p.shown = presence
		seen := sight{presence, l.nameOf(id)}
		for friend := range p.relations.friends {
			if f := l.people[friend]; f != nil {
				for _, s := range f.sessions {
					s.presences[id] = seen
					l.woken = append(l.woken, s)
				}
			}
		}
	}
	if len(p.sessions) == 0 {
		delete(l.people, id)
	}
}

// asked tells somebody of a friend request, unless the two are friends by now: both may have asked at once.
func (l *lobby) asked(from, to store.UserID, name string) {
	l.mu.Lock()
	defer l.release()
	if l.areFriends(to, from) {
		return
	}
	l.tellAll(to, nil, func() news {
		return news{msg: &friendRequestOut{head: head{Type: "friend.request"}, friendNews: friendNews{User: personRef{string(from), name}}}}
	})
}

// befriended tells two people that they are friends now, of whom both may see where the other is.
func (l *lobby) befriended(a, b store.UserID, nameA, nameB string) {
	l.mu.Lock()
	defer l.release()
	tell := func(to, other store.UserID, name string) {
		l.tellAll(to, nil, func() news {
			return news{msg: &friendAddedOut{
				head: head{Type: "friend.added"}, friendNews: friendNews{User: personRef{string(other), name}}, Presence: l.presenceOf(other),
			}}
		})
	}
	tell(a, b, nameB)
	tell(b, a, nameA)
}

// parted tells two people that they are no friends any more. Nothing of the other's presence reaches them from here on.
func (l *lobby) parted(a, b store.UserID) {
	l.mu.Lock()
	defer l.release()
	tell := func(to, other store.UserID) {
		p := l.people[to]
		if p == nil {
			return
		}
		if r := p.ring; r != nil && (r.caller == other || r.callee == other) {
			l.finishRing(r)
			l.tell(r.from, endOfRing(r, ringDeclined))
			if !r.silent {
				l.tellAll(r.callee, nil, func() news { return endOfRing(r, ringCancelled) })
			}
		}
		for _, s := range p.sessions {
			delete(s.presences, other)
			l.tell(s, news{msg: &friendRemovedOut{head{Type: "friend.removed"}, personRef{ID: string(other)}}})
		}
	}
	tell(a, b)
	tell(b, a)
}

// blockedNews has a call between the two end, and from's wait go on without the other.
func (l *lobby) blockedNews(from, whom store.UserID) {
	l.mu.Lock()
	defer l.release()
	l.tellAll(from, nil, func() news { return news{apart: &apart{whom, true}} })
	l.tellAll(whom, nil, func() news { return news{apart: &apart{from, false}} })
}
