package signaling

import (
	"net/netip"

	"smalltalk/store"
)

// What tests of the package's surface cannot reach by it.

// Routes lists what echo answers, as "GET /api/v1/topics".
func (s *Server) Routes() []string {
	var list []string
	for _, r := range s.echo.Routes() {
		list = append(list, r.Method+" "+r.Path)
	}
	return list
}

// SetPresence gives the server the function that says who is there.
func (s *Server) SetPresence(f func(store.UserID) string) { s.people.presenceOf = f }

// OnPeople lets f hear of everything that is told of people.
func (s *Server) OnPeople(f func(what string, a, b store.UserID)) {
	s.people.onAsked = func(a, b store.UserID) { f("asked", a, b) }
	s.people.onFriends = func(a, b store.UserID) { f("friends", a, b) }
	s.people.onParted = func(a, b store.UserID) { f("parted", a, b) }
	s.people.onBlocked = func(a, b store.UserID) { f("blocked", a, b) }
	s.people.onHide = func(a store.UserID) { f("hide", a, "") }
}

// Asked has the server tell of a friend request.
func (s *Server) Asked(from, to store.UserID) { s.people.asked(from, to) }

// MayMeet says if two may meet, as far as those who are there know.
func (s *Server) MayMeet(a, b store.UserID) bool { return s.lobby.mayMeet(a, b) }

// HoldHashes lets no password be hashed until release is called, and says how many wait.
func (s *Server) HoldHashes() (waiting func() int, release func()) {
	q := s.gate.queue
	held := 0
	for turn := q.enter(netip.Prefix{}); ; turn = q.enter(netip.Prefix{}) {
		select {
		case <-turn.done:
			held++
			continue
		default:
		}
		q.abandon(netip.Prefix{}, turn)
		break
	}
	waiting = func() int {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.waiting
	}
	return waiting, func() {
		for range held {
			q.leave()
		}
	}
}

// HashLine is how many passwords are hashed, how many wait for it and how many may.
type HashLine struct {
	Running, Waiting, Most int
	of                     map[netip.Prefix]int
}

// Of is how many of an address wait.
func (l HashLine) Of(addr netip.Prefix) int { return l.of[addr] }

// HashLine is what waits for a hash now.
func (s *Server) HashLine() HashLine {
	q := s.gate.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	l := HashLine{Running: q.running, Waiting: q.waiting, Most: q.most, of: map[netip.Prefix]int{}}
	for addr, turns := range q.lines {
		l.of[addr] = len(turns)
	}
	return l
}

// Update says if golden files are to be written anew.
func Update() bool { return *update }
