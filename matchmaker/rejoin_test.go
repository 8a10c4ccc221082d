package matchmaker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/store"
)

// lost is a room that its two members can prove.
func lost(id store.RoomID, a, b string) store.Room {
	who := func(name string) store.Member {
		return store.Member{Session: store.SessionID("s-" + name), User: store.UserID("u-" + name), Node: "n"}
	}
	return store.Room{
		ID: id, Members: [2]store.Member{who(a), who(b)}, Topics: []store.Category{"x"}, Langs: []string{"de"},
		Created: time.Now().Add(-time.Second).UTC(),
	}
}

func rejoin(t *testing.T, m *Matcher, room store.Room, name string) *Room {
	t.Helper()
	r, err := m.Rejoin(t.Context(), room, store.SessionID("s-"+name))
	if err != nil {
		t.Fatalf("rejoin %s: %v", name, err)
	}
	return r
}

func refused(t *testing.T, m *Matcher, room store.Room, name, why string) {
	t.Helper()
	if r, err := m.Rejoin(t.Context(), room, store.SessionID("s-"+name)); r != nil || !errors.Is(err, ErrNoRoom) {
		t.Errorf("%s: %v, %v", why, r, err)
	}
}

func TestRejoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, db := lined(t, Config{}, ticket("a", "x"), ticket("w", "w"))
		room := lost("r", "a", "b")
		refused(t, m, room, "c", "who is no member")
		a := rejoin(t, m, room, "a")
		if a.ID() != "r" || a.Self().User != "u-a" || a.Partner().User != "u-b" || len(a.Topics()) != 1 || len(a.Langs()) != 1 {
			t.Errorf("%s: %v with %v about %v", a.ID(), a.Self(), a.Partner(), a.Topics())
		}
		if rejoin(t, m, room, "a") != a || resume(t, m, "s-a") != a {
			t.Error("another room the second time")
		}
		sleep(writeGap)
		if rooms, places := onDisk(t, db), placesOnDisk(t, db); len(rooms) != 0 || len(places) != 2 {
			t.Errorf("on one's word alone: rooms %v, places %v", rooms, places)
		}
		b := rejoin(t, m, room, "b")
		if b.Partner() != a.Self() || b.ID() != "r" {
			t.Errorf("b: %s with %v", b.ID(), b.Partner())
		}
		sleep(writeGap)
		if rooms, places := onDisk(t, db), placesOnDisk(t, db); len(rooms) != 1 || len(places) != 1 || places[0] != "s-w" {
			t.Errorf("both are back: rooms %v, places %v", rooms, places)
		}
		if s := m.Stats(); s.Rooms != 1 || s.Matches != 0 {
			t.Errorf("%+v", s)
		}
		sleep(time.Hour)
		if ended(a) || rejoin(t, m, room, "b") != b {
			t.Error("the room has ended")
		}
		b.Leave("next")
		sleep(writeGap)
		if !ended(a) || len(onDisk(t, db)) != 0 {
			t.Errorf("left: a's ended %v, on disk %v", ended(a), onDisk(t, db))
		}
		refused(t, m, room, "a", "ended after the grace")
	})
}

// The match was not written and the partner not told of it: the store has him in line as before, and he is in the call all the same.
func TestRejoinBringsBackWhoWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, db := lined(t, Config{}, ticket("b", "x"), ticket("c", "y"))
		early := lost("early", "c", "d")
		early.Created = early.Created.Add(-time.Minute)
		refused(t, m, early, "d", "c waited after that")
		refused(t, m, early, "c", "waited after that")
		room := lost("r", "a", "b")
		a := rejoin(t, m, room, "a")
		if b := resume(t, m, "s-b"); b.Partner() != a.Self() {
			t.Errorf("b is with %v", b.Partner())
		}
		sleep(time.Hour)
		if rooms := onDisk(t, db); ended(a) || len(rooms) != 1 {
			t.Errorf("ended %v, on disk %v", ended(a), rooms)
		}
	})
}

// One side alone: the other is not drawn in, and the room ends with the grace.
func TestRejoinAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, db := lined(t, Config{}, ticket("w", "w"))
		ab, cd := rejoin(t, m, lost("ab", "a", "b"), "a"), rejoin(t, m, lost("cd", "c", "d"), "c")
		if _, err := m.Resume(t.Context(), "s-b"); !errors.Is(err, ErrNoRoom) {
			t.Errorf("b is back in a call without having said so: %v", err)
		}
		find(t, m, ticket("b", "x"))
		if synctest.Wait(); !ended(ab) || ab.Reason() != "left" || ab.EndedBy() != "s-b" {
			t.Errorf("b looks for somebody else: ended %v, %q", ended(ab), ab.Reason())
		}
		sleep(30*time.Second - 1)
		if ended(cd) {
			t.Error("too soon")
		}
		sleep(1)
		if !ended(cd) || cd.Reason() != "lost" || cd.EndedBy() != "s-d" {
			t.Errorf("d does not come: ended %v, %q by %q", ended(cd), cd.Reason(), cd.EndedBy())
		}
		sleep(writeGap)
		if rooms, places := onDisk(t, db), placesOnDisk(t, db); len(rooms) != 0 || len(places) != 1 || places[0] != "s-b" {
			t.Errorf("rooms %v, places %v", rooms, places)
		}
	})
}

func TestRejoinRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, ab, cd := restarted(t, Config{})
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := m.Rejoin(over, lost("r", "e", "f"), "s-e"); !errors.Is(err, context.Canceled) {
			t.Errorf("over: %v", err)
		}
		for why, room := range map[string]store.Room{
			"no ID":           lost("", "e", "f"),
			"with himself":    lost("r", "e", "e"),
			"nobody":          {ID: "r"},
			"no second":       {ID: "r", Members: [2]store.Member{{Session: "s-e", User: "u-e"}}},
			"two of one user": {ID: "r", Members: [2]store.Member{{Session: "s-e", User: "u-e"}, {Session: "s-f", User: "u-e"}}},
		} {
			refused(t, m, room, "e", why)
		}

		w := find(t, m, ticket("w", "w"))
		synctest.Wait()
		refused(t, m, lost("r", "w", "e"), "w", "waits")
		refused(t, m, lost("r", "e", "w"), "e", "the other waits")
		w.stop()

		a := resume(t, m, "s-a")
		refused(t, m, lost("later", "a", "e"), "a", "is back in a room")
		refused(t, m, lost("later", "e", "a"), "e", "the other is back in a room")
		early := lost("early", "c", "e")
		early.Created = time.Now().Add(-time.Hour)
		refused(t, m, early, "c", "the store has a later room")
		refused(t, m, early, "e", "the store has a later room of the other")
		if ended(a) || a.ID() != ab || resume(t, m, "s-c").ID() != cd {
			t.Error("a refusal has changed something")
		}

		// What has ended in this process does not come back.
		made := lost("made", "g", "h")
		g := rejoin(t, m, made, "g")
		g.Leave("next")
		refused(t, m, made, "g", "has ended")
		refused(t, m, made, "h", "has ended")
		a.Leave("next")
		gone := lost(ab, "a", "b")
		refused(t, m, gone, "b", "was restored and has ended")

		sleep(30 * time.Second)
		refused(t, m, lost("r", "e", "f"), "e", "after the grace")
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if _, err := m.Rejoin(t.Context(), lost("r", "e", "f"), "s-e"); !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// The store may be one write behind: it still has the room that a and b had left, and not yet the one in which a met c.
func TestRejoinOverFormerRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, db, ab, cd := restarted(t, Config{})
		b := resume(t, m, "s-b") // his client had not heard of the end
		sleep(time.Second)
		later := lost("later", "a", "c")
		a := rejoin(t, m, later, "a")
		if a.ID() != "later" || !ended(b) || b.Reason() != "left" || b.EndedBy() != "s-a" {
			t.Errorf("a is in %s; b's ended %v, %q", a.ID(), ended(b), b.Reason())
		}
		if _, err := m.Resume(t.Context(), "s-d"); !errors.Is(err, ErrNoRoom) { // c had left d before he met a
			t.Errorf("d: %v", err)
		}
		if c := rejoin(t, m, later, "c"); c.Partner().User != "u-a" || ended(a) {
			t.Errorf("c talks to %v", c.Partner())
		}
		sleep(writeGap)
		if got := onDisk(t, db); len(got) != 1 || got[0] != "later" {
			t.Errorf("on disk %v, former ones %s %s", got, ab, cd)
		}
	})
}

// Where the store has the room, a proof is no more than Resume.
func TestRejoinOfStoredRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, ab, _ := restarted(t, Config{})
		room := lost(ab, "a", "b")
		room.Topics = []store.Category{"something else"}
		a := rejoin(t, m, room, "a")
		if resume(t, m, "s-a") != a || resume(t, m, "s-b").Partner() != a.Self() || len(a.Topics()) != 2 {
			t.Errorf("a is in %s about %v", a.ID(), a.Topics())
		}
		sleep(time.Hour)
		if ended(a) {
			t.Error("it has ended")
		}
	})
}
