package store

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// pair is two people in this order.
type pair [2]UserID

// model says of relations between people what the store should, in plain maps and without any index.
type model struct {
	guest    map[UserID]bool // of all who are there
	friends  map[pair]bool   // both ways
	requests map[pair]time.Time
	blocks   map[pair]string // the name
	partners map[pair][]time.Time
	missed   map[UserID][]missedCall
	emails   map[string]UserID
}

func (m *model) unfriend(a, b UserID) {
	for _, p := range []pair{{a, b}, {b, a}} {
		delete(m.friends, p)
		m.missed[p[0]] = slices.DeleteFunc(m.missed[p[0]], func(c missedCall) bool { return c.From == p[1] })
	}
}

func (m *model) request(from, to UserID, now time.Time) (Asked, error) {
	waits := func(from, to UserID) bool {
		at, ok := m.requests[pair{from, to}]
		return ok && now.Sub(at) < RequestTime
	}
	_, blocks := m.blocks[pair{from, to}]
	_, blocked := m.blocks[pair{to, from}]
	switch {
	case from == to:
		return 0, ErrSelf
	case !m.there(from) || !m.there(to):
		return 0, ErrNotFound
	case blocks || blocked:
		return 0, ErrBlocked
	case m.friends[pair{from, to}]:
		return FriendsBefore, nil
	case waits(to, from):
		m.befriend(from, to)
		return FriendsNow, nil
	case waits(from, to):
		return AskedBefore, nil
	}
	m.requests[pair{from, to}] = now
	return AskedNow, nil
}

func (m *model) befriend(a, b UserID) {
	for _, p := range []pair{{a, b}, {b, a}} {
		m.friends[p] = true
		delete(m.requests, p)
	}
}

func (m *model) block(from, whom UserID, name string) error {
	if from == whom {
		return ErrSelf
	}
	if _, ok := m.blocks[pair{from, whom}]; ok && m.there(from) {
		return nil
	}
	if !m.there(from) || !m.there(whom) {
		return ErrNotFound
	}
	m.unfriend(from, whom)
	delete(m.requests, pair{from, whom})
	delete(m.requests, pair{whom, from})
	m.blocks[pair{from, whom}] = name
	return nil
}

func (m *model) delete(id UserID) error {
	if !m.there(id) {
		return ErrNotFound
	}
	delete(m.guest, id)
	for p := range m.friends {
		if p[0] == id {
			m.unfriend(p[0], p[1])
		}
	}
	for p := range m.blocks {
		if p[0] == id {
			delete(m.blocks, p)
		} else if p[1] == id {
			m.blocks[p] = ""
		}
	}
	maps.DeleteFunc(m.requests, func(p pair, _ time.Time) bool { return p[0] == id || p[1] == id })
	maps.DeleteFunc(m.partners, func(p pair, _ []time.Time) bool { return p[0] == id || p[1] == id })
	delete(m.missed, id)
	maps.DeleteFunc(m.emails, func(_ string, owner UserID) bool { return owner == id })
	return nil
}

func (m *model) setEmail(id UserID, email string) error {
	owner, taken := m.emails[email]
	switch {
	case !m.there(id):
		return ErrNotFound
	case m.guest[id]:
		return ErrGuest
	case taken && owner != id:
		return ErrEmailTaken
	}
	maps.DeleteFunc(m.emails, func(_ string, owner UserID) bool { return owner == id })
	if email != "" {
		m.emails[email] = id
	}
	return nil
}

func (m *model) sweep(now time.Time) {
	maps.DeleteFunc(m.requests, func(_ pair, at time.Time) bool { return now.Sub(at) >= RequestTime })
	for id := range m.missed {
		m.missed[id] = slices.DeleteFunc(m.missed[id], func(c missedCall) bool { return missedOver(c, now) })
	}
}

func (m *model) there(id UserID) bool { _, ok := m.guest[id]; return ok }

// walk is one random walk: the same steps in the store and in the model, which must agree after each.
type walk struct {
	t      *testing.T
	db     *DB
	m      model
	rng    *rand.Rand
	now    time.Time
	people []UserID // also some who are gone
	names  int
	emails int // how often an address was given or taken away
}

func TestRelationsWalk(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			db := unsynced(t)
			defer closeSound(t, db)
			w := &walk{t: t, db: db, rng: rand.New(rand.NewPCG(seed, 6)), now: start, m: model{
				guest: map[UserID]bool{}, friends: map[pair]bool{}, requests: map[pair]time.Time{}, blocks: map[pair]string{},
				partners: map[pair][]time.Time{}, missed: map[UserID][]missedCall{}, emails: map[string]UserID{},
			}}
			for i := range 1500 {
				what := w.step()
				w.compare(w.people[max(0, len(w.people)-reach):])
				if i%250 == 249 {
					w.compare(w.people)
					if err := checkSound(db); err != nil {
						t.Error(err)
					}
				}
				if t.Failed() {
					t.Fatalf("after step %d: %s", i, what)
				}
			}
			for email, id := range w.m.emails {
				if a, err := db.AccountByEmail(email); err != nil || a.User != id {
					t.Errorf("%s is of %s, %v; want %s", email, a.User, err, id)
				}
			}
			if w.emails == 0 || len(w.m.blocks) == 0 || len(w.people) < 20 {
				t.Error("the walk has not come far")
			}
		})
	}
}

// reach is how many people, the latest, still do something.
const reach = 8

func (w *walk) some() UserID {
	return w.people[len(w.people)-1-w.rng.IntN(min(len(w.people), reach))]
}

// step does one thing and returns what.
func (w *walk) step() string {
	w.now = w.now.Add(time.Duration(w.rng.IntN(60)) * time.Second)
	if len(w.people) < 6 {
		return w.arrive()
	}
	a, b := w.some(), w.some()
	var got, want error
	var what string
	switch n := w.rng.IntN(100); {
	case n < 4:
		return w.arrive()
	case n < 34:
		what = "request"
		asked, err := w.db.RequestFriend(a, b, w.now)
		wantAsked, wantErr := w.m.request(a, b, w.now)
		if got, want = err, wantErr; asked != wantAsked {
			w.t.Errorf("asked: %v, want %v", asked, wantAsked)
		}
	case n < 42:
		what, got, want = "accept", w.db.AcceptFriend(a, b, w.now), ErrNotFound
		if at, ok := w.m.requests[pair{b, a}]; ok && w.now.Sub(at) < RequestTime {
			want = nil
			w.m.befriend(a, b)
		}
	case n < 48:
		what, got, want = "drop request", w.db.DropRequest(a, b), ErrNotFound
		for _, p := range []pair{{a, b}, {b, a}} {
			if _, ok := w.m.requests[p]; ok {
				want = nil
				delete(w.m.requests, p)
			}
		}
	case n < 54:
		what, got, want = "unfriend", w.db.RemoveFriend(a, b), ErrNotFound
		if w.m.friends[pair{a, b}] {
			want = nil
			w.m.unfriend(a, b)
		}
	case n < 60:
		what = "block"
		name := w.name(b)
		friends := w.m.friends[pair{a, b}]
		ended, err := w.db.Block(a, b, w.now)
		if got, want = err, w.m.block(a, b, name); ended != friends {
			w.t.Errorf("ended a friendship: %v", ended)
		}
	case n < 66:
		what, got = "unblock", w.db.Unblock(a, b)
		if _, ok := w.m.blocks[pair{a, b}]; !ok {
			want = ErrNotFound
		}
		delete(w.m.blocks, pair{a, b})
	case n < 78:
		what, got = "meet", w.db.Met(Meeting{Call: NewRoomID(), Users: [2]UserID{a, b}, At: w.now})
		if a != b && w.m.there(a) && w.m.there(b) {
			for _, p := range []pair{{a, b}, {b, a}} {
				w.m.partners[p] = append(w.m.partners[p], w.now)
			}
		}
	case n < 88:
		what, got, want = "missed", w.db.AddMissed(a, b, w.now), ErrNotFound
		if w.m.friends[pair{a, b}] {
			want = nil
			w.m.missed[a] = append(w.m.missed[a], missedCall{From: b, At: w.now})
		}
	case n < 90:
		return w.upgrade(a)
	case n < 93:
		what = "delete"
		_, got = w.db.DeleteUser(a)
		want = w.m.delete(a)
	case n < 95:
		what = "time and a sweep"
		w.now = w.now.Add(time.Duration(w.rng.IntN(40*24)) * time.Hour)
		got = w.db.Sweep(w.t.Context(), w.now)
		w.m.sweep(w.now)
	case n < 97:
		what = "address"
		email := []string{"", "a@example.org", "b@example.org", "c@example.org"}[w.rng.IntN(4)]
		_, got = setEmail(w.db, a, email)
		if want = w.m.setEmail(a, email); want == nil {
			w.emails++
		}
	default:
		what = "time"
		w.now = w.now.Add(time.Duration(w.rng.IntN(48)) * time.Hour)
	}
	if !errors.Is(got, want) {
		w.t.Errorf("%s: %v, want %v", what, got, want)
	}
	return fmt.Sprintf("%s of %s and %s", what, a, b)
}

func (w *walk) name(id UserID) string {
	u, err := w.db.User(id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		w.t.Error(err)
	}
	return u.Name
}

func (w *walk) arrive() string {
	w.names++
	u := User{ID: NewUserID(), Name: fmt.Sprint("name", w.names), Guest: true, Created: w.now}
	if err := w.db.CreateUser(u); err != nil { // without a token, so no sweep forgets this guest
		w.t.Error(err)
	}
	w.m.guest[u.ID] = true
	w.people = append(w.people, u.ID)
	return "arrival"
}

func (w *walk) upgrade(id UserID) string {
	w.names++
	_, _, err := w.db.SignUp(SignUp{User: id, Name: w.name(id), Username: username(fmt.Sprint("walker", w.names)), Password: "hash", Token: spec}, w.now)
	var want error
	if w.m.there(id) && !w.m.guest[id] {
		want = ErrTaken
	}
	if !errors.Is(err, want) {
		w.t.Errorf("upgrade: %v, want %v", err, want)
	}
	w.m.guest[id] = false // an ID that nobody has is taken anew
	return "upgrade"
}

// compare asks the store all that the model knows of these people.
func (w *walk) compare(people []UserID) {
	for _, id := range people {
		for _, other := range people {
			friends, err1 := w.db.AreFriends(id, other)
			blocked, err2 := w.db.Blocked(id, other)
			_, out := w.m.blocks[pair{id, other}]
			_, in := w.m.blocks[pair{other, id}]
			if err := errors.Join(err1, err2); err != nil || friends != w.m.friends[pair{id, other}] || blocked != (in || out) {
				w.t.Errorf("%s and %s: friends %v, blocked %v, %v", id, other, friends, blocked, err)
			}
		}
		w.comparePerson(id)
	}
}

func (w *walk) comparePerson(id UserID) {
	friends, err1 := w.db.Friends(id)
	blocks, err2 := w.db.Blocks(id)
	received, sent, err3 := w.db.FriendRequests(id, w.now)
	partners, err4 := w.db.Partners(id, w.now)
	missed, err5 := w.db.Missed(id, w.now)
	got := map[string]int{"friends": len(friends), "blocks": len(blocks), "received": len(received), "sent": len(sent), "partners": len(partners), "missed": len(missed)}
	want := map[string]int{"friends": 0, "blocks": 0, "received": 0, "sent": 0, "partners": 0, "missed": 0}
	for p := range w.m.friends {
		want["friends"] += btoi(p[0] == id)
	}
	for p := range w.m.blocks {
		want["blocks"] += btoi(p[0] == id)
	}
	for p, at := range w.m.requests {
		if w.now.Sub(at) < RequestTime {
			want["received"] += btoi(p[1] == id)
			want["sent"] += btoi(p[0] == id)
		}
	}
	for p, met := range w.m.partners {
		for _, at := range met {
			want["partners"] += btoi(p[0] == id && w.now.Sub(at) < PartnerTime)
		}
	}
	want["partners"] = min(want["partners"], MaxPartners)
	for _, c := range w.m.missed[id] {
		want["missed"] += btoi(!missedOver(c, w.now))
	}
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil || !maps.Equal(got, want) {
		w.t.Errorf("%s has %v, want %v, %v", id, got, want, err)
	}
	for _, b := range blocks {
		if b.Name != w.m.blocks[pair{id, b.User}] {
			w.t.Errorf("the block of %s by %s is named %q, want %q", b.User, id, b.Name, w.m.blocks[pair{id, b.User}])
		}
	}
	for _, p := range partners {
		if !slices.ContainsFunc(w.m.partners[pair{id, p.User}], p.At.Equal) {
			w.t.Errorf("%s met %s at %v", id, p.User, p.At)
		}
	}
}
