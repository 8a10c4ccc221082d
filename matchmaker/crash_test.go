package matchmaker

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/store"
)

// script is a run of a few people, in which the disk is copied before and after each write, with what each client knew then. Clients
// hear of a match before it is written; what they know is in the tokens that they hold.
type script struct {
	t   *testing.T
	m   *Matcher
	db  *store.DB
	rng *rand.Rand

	mu     sync.Mutex // guards all that follows
	people []*actor
	points []crashPoint
}

// actor is a client. With neither f nor room he does nothing.
type actor struct {
	name string
	f    *finding
	room *Room
}

// crashPoint is a moment at which the server may have been killed.
type crashPoint struct {
	name  string
	file  []byte
	knows []known
}

// known is what a client knew: that he was in line, in a room, or neither.
type known struct {
	name  string
	waits *Ticket
	room  *store.Room
}

// session is the same through all crashes.
func (k known) session() store.SessionID { return store.SessionID("s-" + k.name) }

// TestCrashAtEveryCommitPoint plays scripts of random steps. From each copy of the disk a new server starts, and everybody comes back:
// with the tokens that he holds, without them, or not at all.
func TestCrashAtEveryCommitPoint(t *testing.T) {
	var sum returns
	points := 0
	for seed := range uint64(5) {
		s := &script{rng: rand.New(rand.NewPCG(seed, 3))}
		synctest.Test(t, func(t *testing.T) { s.play(t, 40) })
		for i, p := range s.points {
			for _, tokens := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) { sum.add(comeBack(t, p, tokens, rand.New(rand.NewPCG(seed, uint64(i))))) })
			}
			synctest.Test(t, func(t *testing.T) { nobodyReturns(t, p) })
		}
		points += len(s.points)
	}
	t.Logf("%d crash points; with and without tokens %d rooms from the store and %d by proof, %d places from the store and %d by token",
		points, sum.resumed, sum.proved, sum.placed, sum.own)
	if points < 200 || sum.resumed == 0 || sum.proved == 0 || sum.placed == 0 || sum.own == 0 {
		t.Error("the scripts have not been everywhere")
	}
}

// play is a run of so many steps. Some come in the same moment or during a write, so that one write takes several.
func (s *script) play(t *testing.T, steps int) {
	s.t, s.db = t, openDB(t)
	write := func(c store.Changes) error {
		s.snapshot("before a write")
		time.Sleep(3 * time.Millisecond) // so that people do something meanwhile
		err := s.db.Write(c)
		s.snapshot("after a write")
		return err
	}
	m, err := newMatcher(Config{DB: s.db}, write)
	if err != nil {
		t.Fatal(err)
	}
	s.m = m
	for i := range 10 {
		s.people = append(s.people, &actor{name: fmt.Sprint("p", i)})
	}
	for range steps {
		s.step(s.people[s.rng.IntN(len(s.people))])
		if s.rng.IntN(3) > 0 {
			time.Sleep(time.Duration(s.rng.IntN(20)) * time.Millisecond)
		}
	}
	sleep(time.Second)
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	s.snapshot("after Close")
}

// step lets somebody join the line, leave it or wait anew in the same place, or leave a room, often for the line.
func (s *script) step(p *actor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.learn(p)
	switch n := s.rng.IntN(3); {
	case p.f != nil && n > 0:
		f := p.f
		f.cancel()
		s.mu.Unlock()
		<-f.done
		s.mu.Lock()
		if p.f = nil; f.room != nil {
			p.room = f.room
		} else if n == 1 {
			s.wait(p, f.ticket)
		}
	case p.room != nil:
		p.room.Leave("next")
		if p.room = nil; n > 0 {
			s.wait(p, s.wish(p))
		}
	case p.f == nil:
		s.wait(p, s.wish(p))
	}
}

// wish is a ticket that some others are compatible with, or nobody.
func (s *script) wish(p *actor) Ticket {
	wants := []string{"t0 t1/en", "t1 t2/en de", "t2 t3/de", "t3/fr", "only-" + p.name}
	return since(p.name, wants[s.rng.IntN(len(wants))], time.Duration(s.rng.IntN(100))*time.Second)
}

func (s *script) wait(p *actor, tk Ticket) { p.f = find(s.t, s.m, tk) }

// learn notes what has become of a person's wait and call.
func (s *script) learn(p *actor) {
	if p.f != nil {
		select {
		case <-p.f.done:
			p.room, p.f = p.f.room, nil
		default:
		}
	}
	if p.room != nil && ended(p.room) {
		p.room = nil
	}
}

func (s *script) snapshot(when string) {
	file, err := os.ReadFile(s.db.Path())
	if err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := crashPoint{name: fmt.Sprintf("%s (%d)", when, len(s.points)), file: file}
	for _, who := range s.people {
		s.learn(who)
		k := known{name: who.name}
		if who.f != nil {
			k.waits = &who.f.ticket
		}
		if who.room != nil {
			k.room = &who.room.call.record
		}
		p.knows = append(p.knows, k)
	}
	s.points = append(s.points, p)
}

// reopen starts a server on the copy of a disk, and returns what is on it.
func (p crashPoint) reopen(t *testing.T) (m *Matcher, db *store.DB, rooms map[store.SessionID]store.Room, places map[store.SessionID]store.Ticket) {
	t.Helper()
	time.Sleep(time.Hour) // a bubble begins at the same time as that of the script, which must be past
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, p.file, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(path)
	if err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	t.Cleanup(func() {
		if err := db.Check(); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	rooms, places = map[store.SessionID]store.Room{}, map[store.SessionID]store.Ticket{}
	kept, err := db.Rooms()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range kept {
		for _, who := range r.Members {
			if other, ok := rooms[who.Session]; ok {
				t.Errorf("%s: %s is in rooms %s and %s on the disk", p.name, who.Session, r.ID, other.ID)
			}
			rooms[who.Session] = r
		}
	}
	line, err := db.Tickets()
	if err != nil {
		t.Fatal(err)
	}
	for _, tk := range line {
		if r, ok := rooms[tk.Session]; ok {
			t.Errorf("%s: %s is in line and in room %s on the disk", p.name, tk.Session, r.ID)
		}
		places[tk.Session] = tk
	}
	return open(t, Config{DB: db}), db, rooms, places
}

func nobodyReturns(t *testing.T, p crashPoint) {
	m, db, rooms, places := p.reopen(t)
	if s := m.Stats(); s.Rooms*2 != len(rooms) || s.Places != len(places) {
		t.Errorf("%s: %+v, want %d members of rooms and %d places", p.name, s, len(rooms), len(places))
	}
	sleep(30*time.Second + writeGap)
	if s := m.Stats(); s.Rooms != 0 || s.Places != 0 || len(onDisk(t, db)) != 0 || len(placesOnDisk(t, db)) != 0 {
		t.Errorf("%s: after the grace %+v, on disk %v and %v", p.name, s, onDisk(t, db), placesOnDisk(t, db))
	}
}

// returns counts how people came back.
type returns struct{ resumed, proved, placed, own int }

func (a *returns) add(b returns) {
	a.resumed, a.proved, a.placed, a.own = a.resumed+b.resumed, a.proved+b.proved, a.placed+b.placed, a.own+b.own
}

// comeBack has everybody return, in any order, and checks where they are.
func comeBack(t *testing.T, p crashPoint, tokens bool, rng *rand.Rand) (n returns) {
	m, db, stored, places := p.reopen(t)
	told := map[store.RoomID]int{} // how many know of the room
	for _, k := range p.knows {
		if k.room != nil {
			told[k.room.ID]++
		}
	}
	in, waits := map[string]*Room{}, map[string]*finding{}
	for _, i := range rng.Perm(len(p.knows)) {
		k := p.knows[i]
		var room *Room
		var err error
		if tokens && k.room != nil {
			if room, err = m.Rejoin(t.Context(), *k.room, k.session()); err != nil {
				if told[k.room.ID] == 2 { // who was not told may be back in the room before, which the disk still has
					t.Errorf("%s: %s knows of room %s and is not back in it: %v", p.name, k.name, k.room.ID, err)
				}
				continue
			}
			if n.proved++; stored[k.session()].ID == room.ID() {
				n.proved--
				n.resumed++
			}
		} else if room, err = m.Resume(t.Context(), k.session()); err == nil {
			n.resumed++
		} else if _, ok := stored[k.session()]; ok && !tokens {
			t.Errorf("%s: %s was in a room on the disk: %v", p.name, k.name, err)
		}
		if room != nil {
			in[k.name] = room
			continue
		}
		tk, ok := m.Place(k.session())
		if onDisk, was := places[k.session()]; ok != was || ok && !tk.Since.Equal(onDisk.Since) {
			t.Errorf("%s: %s gets place %+v, on the disk is %+v", p.name, k.name, tk, onDisk)
		}
		switch {
		case k.waits != nil && ok && !tk.Since.Equal(k.waits.Since) && tokens:
			tk = *k.waits // the disk is one write behind
			n.own++
		case ok:
			n.placed++
		case tokens && k.waits != nil:
			tk = *k.waits
			n.own++
		default:
			continue
		}
		waits[k.name] = find(t, m, tk)
		synctest.Wait()
	}
	for _, k := range p.knows { // nobody has to be in the room of which only the other knows
		if r := in[k.name]; tokens && k.room != nil && told[k.room.ID] == 2 && (r == nil || ended(r) || r.ID() != k.room.ID || r.Partner().Session == k.session()) {
			t.Errorf("%s: %s is not with the partner in %s", p.name, k.name, k.room.ID)
		}
	}
	oneRoomEach(t, p, in, waits)
	sleep(30*time.Second + writeGap)
	oneRoomEach(t, p, in, waits)
	live := map[store.RoomID]bool{}
	for _, r := range in {
		if !ended(r) {
			live[r.ID()] = true
		}
	}
	for _, f := range waits {
		select {
		case <-f.done:
			live[f.room.ID()] = true
		default:
		}
	}
	if got := onDisk(t, db); len(got) != len(live) || m.Stats().Rooms != len(live) {
		t.Errorf("%s: on the disk %v, alive %v", p.name, got, live)
	}
	if got := placesOnDisk(t, db); len(got) != m.Waiting() {
		t.Errorf("%s: in line on the disk %v, %d wait", p.name, got, m.Waiting())
	}
	return n
}

// oneRoomEach looks at what everybody holds: both members of a room are in it, or may still come, and nobody is in two.
func oneRoomEach(t *testing.T, p crashPoint, in map[string]*Room, waits map[string]*finding) {
	t.Helper()
	synctest.Wait()
	holds := map[store.SessionID]store.RoomID{}
	note := func(r *Room) {
		if ended(r) {
			return
		}
		if other, ok := holds[r.Self().Session]; ok {
			t.Errorf("%s: %s is in rooms %s and %s", p.name, r.Self().Session, r.ID(), other)
		}
		holds[r.Self().Session] = r.ID()
	}
	for _, r := range in {
		note(r)
	}
	for _, f := range waits {
		select {
		case <-f.done:
			if f.err != nil {
				t.Errorf("%s: %s: %v", p.name, f.ticket.Session, f.err)
				continue
			}
			note(f.room)
		default:
		}
	}
	for _, r := range in {
		if other, ok := holds[r.Partner().Session]; ok && !ended(r) && other != r.ID() {
			t.Errorf("%s: %s is in room %s, the partner in %s", p.name, r.Self().Session, r.ID(), other)
		}
	}
}
