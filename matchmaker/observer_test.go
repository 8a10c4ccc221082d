package matchmaker

import (
	"testing/synctest"
	"time"

	"smalltalk/store"
)

// observe checks, when everything has come to rest, what all the clients hold against the rules and against the disk.
func (w *walk) observe() {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	holders := map[store.RoomID][]*walker{}
	for _, c := range w.clients {
		if c.room != nil && c.of == w.m && !ended(c.room) {
			holders[c.room.ID()] = append(holders[c.room.ID()], c)
		}
	}
	w.observeRooms(holders)
	if !w.d.broken.Load() {
		w.observeDisk(holders)
	}
	w.observeWaiting()
}

// observeRooms: nobody in two rooms, no half room, both see the same.
func (w *walk) observeRooms(holders map[store.RoomID][]*walker) {
	users := map[store.UserID]bool{}
	for id, hs := range holders {
		for _, c := range hs {
			if users[c.user] {
				w.t.Errorf("%s is in two rooms", c.user)
			}
			users[c.user] = true
			if c.room.Self().Session != c.session || c.waiting != nil {
				w.t.Errorf("%s: the room of %s, waiting %v", c.session, c.room.Self().Session, c.waiting)
			}
		}
		switch {
		case len(hs) == 2:
			a, b := hs[0].room, hs[1].room
			if a.Self() != b.Partner() || b.Self() != a.Partner() {
				w.t.Errorf("room %s: %v with %v, and %v with %v", id, a.Self(), a.Partner(), b.Self(), b.Partner())
			}
		case len(hs) == 1 && w.mayComeBack(id):
		default:
			w.t.Errorf("room %s has %d people", id, len(hs))
		}
	}
}

// mayComeBack says whether members of a room from before the crash still have time to resume.
func (w *walk) mayComeBack(id store.RoomID) bool {
	_, ok := w.leftover[id]
	return ok && time.Since(w.restarted) < walkGrace
}

// wereTogether says whether the two were in a room when the matcher crashed; its end is not always seen by a client.
func (w *walk) wereTogether(a, b store.UserID) bool {
	for _, r := range w.leftover {
		if u, v := r.Members[0].User, r.Members[1].User; u == a && v == b || u == b && v == a {
			return true
		}
	}
	return false
}

// observeDisk: the rooms on the disk are those that live.
func (w *walk) observeDisk(holders map[store.RoomID][]*walker) {
	if s := w.m.Stats(); s.Unwritten > 0 || s.LastWriteError != nil {
		return // repaired a moment ago, not written yet
	}
	rooms, err := w.d.db.Rooms()
	if err != nil {
		w.t.Fatal(err)
	}
	found := map[store.RoomID]bool{}
	users := map[store.UserID]bool{}
	for _, r := range rooms {
		found[r.ID] = true
		if len(holders[r.ID]) < 2 && !w.mayComeBack(r.ID) {
			w.t.Errorf("ghost room %s on the disk", r.ID)
		}
		for _, m := range r.Members {
			if users[m.User] {
				w.t.Errorf("%s is in two rooms on the disk", m.User)
			}
			users[m.User] = true
		}
	}
	for id := range holders {
		if !found[id] {
			w.t.Errorf("room %s is not on the disk", id)
		}
	}
	w.observePlaces(users)
}

// observePlaces: the places on the disk are those of people who wait, and for a while those from before a crash; nobody in a room has one.
func (w *walk) observePlaces(inRoom map[store.UserID]bool) {
	tickets, err := w.d.db.Tickets()
	if err != nil {
		w.t.Fatal(err)
	}
	found := map[store.SessionID]store.Ticket{}
	for _, tk := range tickets {
		found[tk.Session] = tk
		if inRoom[tk.User] {
			w.t.Errorf("%s is in a room and in line on the disk", tk.User)
		}
	}
	for _, c := range w.clients {
		if c.waiting == nil {
			continue
		}
		if _, ok := found[c.waiting.Session]; !ok {
			w.t.Errorf("%s waits, which is not on the disk", c.user)
		}
		delete(found, c.waiting.Session)
	}
	if len(found) > 0 && time.Since(w.restarted) > walkGrace {
		w.t.Errorf("places on the disk of people who do not wait: %v", found)
	}
}

// observeWaiting: no two who could talk both wait, unless they have just left each other; and nobody waits who has gone.
func (w *walk) observeWaiting() {
	var waiting []*walker
	users := map[store.UserID]bool{}
	for _, c := range w.clients {
		if c.waiting == nil {
			continue
		}
		if users[c.user] {
			w.t.Errorf("%s waits twice", c.user)
		}
		users[c.user] = true
		waiting = append(waiting, c)
	}
	if got := w.m.Waiting(); got != len(waiting) {
		w.t.Errorf("%d in line, %d clients wait", got, len(waiting))
	}
	if len(waiting) > recentCrowd {
		w.crowded = time.Now()
	}
	if time.Since(w.restarted) <= walkHold {
		return // nobody is matched yet, perhaps
	}
	rule := &oracle{}
	for i, a := range waiting {
		for _, b := range waiting[:i] {
			if !rule.compatible(0, &oraclePerson{t: *a.waiting}, &oraclePerson{t: *b.waiting}) {
				continue
			}
			beside := min(time.Since(a.joined), time.Since(b.joined))
			met := w.met(a.user, b.user) || w.wereTogether(a.user, b.user)
			// In a crowd they look for each other only now and then; observe has not seen every moment of it.
			crowded := time.Since(w.crowded) < recentRetry+2*time.Second
			if !met || beside >= walkRecentAfter && !crowded {
				w.t.Errorf("%s and %s wait beside each other for %v, met before: %v", a.user, b.user, beside, met)
			}
		}
	}
}

// met says whether the two have left each other since the last start.
func (w *walk) met(a, b store.UserID) bool {
	return w.lefts[[2]store.UserID{a, b}] || w.lefts[[2]store.UserID{b, a}]
}
