package signaling_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/store"
)

// TestRingWalk lets friends with two devices each ring, answer, wait, talk and drop at random. No device is in two calls, no
// ring is left over, and in the end everybody is free.
func TestRingWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const people, steps = 10, 40
		e := start(t, options{pipes: true, config: loose})
		var ids []string
		for i := range people {
			id := store.NewUserID()
			if err := e.db.CreateUser(store.User{ID: id, Name: fmt.Sprint(i), Created: time.Now()}); err != nil {
				t.Fatal(err)
			}
			for _, other := range ids {
				for _, pair := range [][2]store.UserID{{id, store.UserID(other)}, {store.UserID(other), id}} {
					if _, err := e.db.RequestFriend(pair[0], pair[1], time.Now()); err != nil {
						t.Fatal(err)
					}
				}
			}
			ids = append(ids, string(id))
		}
		var all sync.WaitGroup
		var mu sync.Mutex // guards seen
		seen := map[string]int{}
		for i, id := range ids {
			for device := range 2 {
				all.Go(func() {
					w := &ringWalker{t: t, ids: ids, c: e.device(id, fmt.Sprintf("%d.%d", i, device)), rnd: rand.New(rand.NewPCG(uint64(i), uint64(device))), seen: map[string]int{}}
					w.walk(steps)
					mu.Lock()
					defer mu.Unlock()
					for what, n := range w.seen {
						seen[what] += n
					}
				})
			}
		}
		all.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := e.srv.Stats(); s.Sessions != 0 {
			t.Errorf("after the walk: %+v", s)
		}
		if s := e.matcher.Stats(); s.Waiting != 0 || s.Rooms != 0 {
			t.Errorf("matcher after the walk: %+v", s)
		}
		for _, what := range []string{"match", "ring", "declined", "cancelled", "busy", "answered_elsewhere"} {
			if seen[what] == 0 {
				t.Errorf("no %s in %v", what, seen)
			}
		}
		for _, id := range ids {
			c := e.device(id, "last")
			if state := c.welcome.sub("state"); state.str("phase") != "idle" || state["ring"] != nil {
				t.Errorf("state %v", state)
			}
		}
	})
}

// ringWalker is one device and what it must be true of it.
type ringWalker struct {
	t    *testing.T
	ids  []string
	c    *client
	rnd  *rand.Rand
	call string
	in   string // the ring it hears
	out  string // the ring it rings
	seen map[string]int
}

func (w *ringWalker) walk(steps int) {
	for range steps {
		pause := time.NewTimer(time.Duration(w.rnd.IntN(2000)) * time.Millisecond)
		for waiting := true; waiting; {
			select {
			case m, ok := <-w.c.in:
				if !ok {
					w.t.Errorf("%s: closed with %d", w.c.name, w.c.code)
					return
				}
				w.take(m)
			case <-pause.C:
				waiting = false
			}
		}
		w.act()
	}
	if w.rnd.IntN(2) == 0 {
		w.c.leave()
	} else {
		w.c.drop()
	}
}

func (w *ringWalker) act() {
	dice := w.rnd.IntN(100)
	switch {
	case dice < 5:
		w.c.drop()
		for m := range w.c.in {
			w.take(m)
		}
		time.Sleep(time.Second)
		w.c = w.c.resumes()
		state := w.c.welcome.sub("state")
		w.call, w.in, w.out = state.sub("call").str("call"), "", ""
		if ring := state.sub("ring"); ring["from"] != nil {
			w.in = ring.str("ring")
		} else {
			w.out = ring.str("ring")
		}
	case w.in != "" && dice < 50:
		w.c.send(message{"type": "ring.accept", "ring": w.in})
	case w.in != "" && dice < 70:
		w.c.send(message{"type": "ring.decline", "ring": w.in})
	case w.out != "" && dice < 40:
		w.c.send(message{"type": "ring.cancel", "ring": w.out})
	case w.call != "" && dice < 45:
		w.c.send(message{"type": []string{"call.next", "call.leave"}[dice%2], "call": w.call})
	case dice < 60:
		w.c.send(message{"type": "ring", "user": w.ids[w.rnd.IntN(len(w.ids))]})
	case dice < 85:
		w.c.send(message{"type": "queue.join", "topics": "any"})
	default:
		w.c.send(message{"type": "queue.leave"})
	}
}

func (w *ringWalker) take(m message) {
	w.seen[m.str("type")]++
	w.seen[m.str("reason")]++
	switch m.str("type") {
	case "match":
		if w.call != "" {
			w.t.Errorf("%s: match %q while in %q", w.c.name, m.str("call"), w.call)
		}
		if m.sub("peer")["friend"] != true {
			w.t.Errorf("%s: %v among friends", w.c.name, m)
		}
		w.call = m.str("call")
	case "call.end":
		if m.str("call") != w.call {
			w.t.Errorf("%s: end of %q while in %q", w.c.name, m.str("call"), w.call)
		}
		w.call = ""
	case "ring":
		if m["from"] != nil {
			w.in = m.str("ring")
		} else {
			w.out = m.str("ring")
		}
	case "ring.end":
		switch m.str("ring") {
		case w.in:
			w.in = ""
		case w.out:
			w.out = ""
		}
	case "error":
		switch m.str("code") {
		case "not_ringing", "already_ringing", "already_queued", "not_queued", "not_in_call", "not_found":
		default:
			w.t.Errorf("%s: %v", w.c.name, m)
		}
	}
}
