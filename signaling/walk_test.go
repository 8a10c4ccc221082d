package signaling_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/signaling"
)

const (
	walkers   = 200
	walkSteps = 20
)

// TestRandomWalk lets 200 clients find, widen, cancel, talk, press Next, leave, ask back, make friends, block, drop and resume at
// random, and holds what each of them sees against the model of a walker.
func TestRandomWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, config: func(c *signaling.Config) { c.Limits = unlimited }})
		book := &callBook{t: t, seen: map[string]map[string]string{}, asked: map[string]map[string]bool{}, blocked: map[[2]string]string{}}
		var all sync.WaitGroup
		for i := range walkers {
			all.Go(func() {
				w := &walker{
					t: t, e: e, book: book,
					rnd: rand.New(rand.NewPCG(uint64(i), 2)),
					c:   e.join(fmt.Sprintf("w%d", i)),
				}
				w.walk()
			})
		}
		all.Wait()
		time.Sleep(time.Minute) // the grace time of those who were dropped
		synctest.Wait()
		if s := e.srv.Stats(); s.Sessions != 0 || s.Matches < walkers {
			t.Errorf("after the walk: %+v", s)
		}
		if s := e.matcher.Stats(); s.Waiting != 0 || s.Rooms != 0 {
			t.Errorf("matcher after the walk: %+v", s)
		}
		book.check(e.media)
		if book.undone == 0 {
			t.Error("nobody who asked back was asked back too")
		}
		if len(book.blocked) == 0 {
			t.Error("nobody has blocked anybody")
		}
	})
}

// callBook has what all walkers were told of their calls.
type callBook struct {
	t    *testing.T
	mu   sync.Mutex
	seen map[string]map[string]string // call -> walker -> name of the partner

	asked  map[string]map[string]bool // call that has ended -> walkers who asked for its partner back
	undone int                        // calls of two who both asked

	blocked map[[2]string]string // who knows that the block is made, and whom -> their last call
}

// block notes that somebody has been told that the partner of a call is blocked.
func (b *callBook) block(call, me, partner string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.blocked[[2]string{me, partner}] = call
}

// apart says if one of the two has blocked the other, in another call than this one.
func (b *callBook) apart(call, me, partner string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, pair := range [][2]string{{me, partner}, {partner, me}} {
		if last, ok := b.blocked[pair]; ok && last != call {
			return true
		}
	}
	return false
}

// ask notes who wants the partner of that call back.
func (b *callBook) ask(call, me string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asked[call] == nil {
		b.asked[call] = map[string]bool{}
	}
	b.asked[call][me] = true
}

// mayMeetIdle says if somebody who is not in line may be in a call with that partner: both asked for each other after that call. The news
// of that call may have been lost with a connection, so that one knows of it by its end only.
func (b *callBook) mayMeetIdle(call, me, partner string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	ok := b.asked[call][me] && b.asked[call][partner] && b.mayHave(call, me, partner) && b.mayHave(call, partner, me)
	if ok {
		b.undone++
	}
	return ok
}

// mayHave says if somebody was told of that partner in a call, or of none. The caller holds mu.
func (b *callBook) mayHave(call, me, partner string) bool {
	told, ok := b.seen[call][me]
	return !ok || told == partner
}

func (b *callBook) note(call, me, partner string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seen[call] == nil {
		b.seen[call] = map[string]string{}
	}
	b.seen[call][me] = partner
}

// check sees that each call had two people who were told of each other, and that nobody else's
// media was ever in its room.
func (b *callBook) check(m *fakeMedia) {
	for call, who := range b.seen {
		for me, partner := range who {
			if back, ok := who[partner]; ok && back != me {
				b.t.Errorf("call %s: %s has %s, who has %s", call, me, partner, back)
			}
			for _, owner := range m.owners(call) {
				if owner != me && owner != partner {
					b.t.Errorf("call of %s and %s had media of %s", me, partner, owner)
				}
			}
		}
		if len(who) > 2 {
			b.t.Errorf("call %s was told to %v", call, who)
		}
	}
}

// walker is one client and what it must be true of it.
type walker struct {
	t    *testing.T
	e    *env
	book *callBook
	rnd  *rand.Rand
	c    *client

	phase string // idle, queued, call
	peer  string // name of the partner
	call  string
	next  string // the call in which Next was pressed last
	over  string // the call that ended last, if its partner may be asked back
	asked bool   // who was asked back
	gone  bool   // left the line; a match may cross that
	lost  bool   // a connection was lost, and with it maybe the end of a call
	n     int64
	lines int
}

func (w *walker) walk() {
	w.phase = "idle"
	for range walkSteps {
		pause := time.NewTimer(time.Duration(w.rnd.IntN(400)) * time.Millisecond)
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

// act does something that the state allows.
func (w *walker) act() {
	dice := w.rnd.IntN(100)
	switch {
	case dice < 8:
		w.dropAndResume()
	case w.phase != "call" && w.over != "" && dice < 45:
		w.ask()
	case w.phase == "idle" && w.asked && dice < 70: // for the last partner only
	case w.phase == "idle":
		w.c.send(message{
			"type": "queue.join", "topics": []any{"any", []string{"gaming"}, []string{"music"}, []string{"gaming", "Music"}}[w.rnd.IntN(4)],
			"langs":  [][]string{{}, {}, {"en"}, {"de", "en-GB"}}[w.rnd.IntN(4)],
			"strict": w.rnd.IntN(8) == 0, "widen_after_ms": []int{0, 1000, 60_000}[w.rnd.IntN(3)],
		})
		w.phase, w.gone = "queued", false
	case w.phase == "queued" && dice < 25:
		w.c.send(message{"type": "queue.leave"})
		w.phase, w.gone = "idle", true // a match may cross this; take sees to it
		w.asked = false
	case w.phase == "queued" && dice < 60:
		w.c.send(message{"type": "queue.widen", "topics": true, "langs": dice < 40})
	case w.phase == "call" && dice < 40:
		w.next = w.call
		w.c.send(message{"type": "call.next", "call": w.call})
	case w.phase == "call" && dice < 55:
		w.c.send(message{"type": "call.leave", "call": w.call})
	case w.phase == "call" && dice < 59:
		w.c.send(message{"type": "block", "id": "block " + w.call + " " + w.peer, "call": w.call})
	case w.phase == "call" && dice < 65:
		w.c.send(message{"type": "friend.request", "call": w.call})
	case w.phase == "call" && dice < 85:
		w.lines++
		w.c.send(message{"type": "chat", "cid": fmt.Sprint(w.lines), "text": w.call + " " + w.c.name, "call": w.call})
	}
}

// ask wants the partner of the last call back.
func (w *walker) ask() {
	w.book.ask(w.over, w.c.name)
	w.asked = true
	w.c.send(message{"type": "call.undo", "call": w.over})
}

// take holds a message against the model.
func (w *walker) take(m message) {
	if n := m.num("n"); n <= w.n {
		w.t.Errorf("%s: n went from %d to %d", w.c.name, w.n, n)
	} else {
		w.n = n
	}
	switch m.str("type") {
	case "match":
		w.met(m)
	case "call.end":
		if m.str("call") != w.call {
			w.t.Errorf("%s: end of %q while in %q", w.c.name, m.str("call"), w.call)
		}
		if w.e.media.roomOf(w.c.name) == m.str("call") {
			w.t.Errorf("%s: media still in the room at the end of the call", w.c.name)
		}
		w.ended(m)
		w.call, w.phase = "", "idle"
		if m["requeued"] == true && m.str("reason") == "blocked" {
			w.t.Errorf("%s: %v", w.c.name, m)
		}
		if m["requeued"] == true {
			w.phase = "queued"
		}
	case "call.undo":
		if w.lost {
			w.over, w.lost = m.str("call"), false
		}
		if m.str("call") != w.over || m.num("undo_ms") <= 0 || m.num("undo_ms") > 10_000 {
			w.t.Errorf("%s: %v after %q", w.c.name, m, w.over)
		}
		if w.rnd.IntN(4) > 0 && w.over != "" {
			w.ask()
		}
	case "chat":
		call, from, _ := strings.Cut(m.str("text"), " ")
		if call != w.call || from == w.c.name {
			w.t.Errorf("%s: chat of %s in %q while in %q", w.c.name, from, call, w.call)
		}
	case "queue.state":
		if w.call != "" {
			w.t.Errorf("%s: queued while in %q", w.c.name, w.call)
		}
	case "error":
		// Words that crossed with the partner's on the way; the next message sets them right.
		switch m.str("code") {
		case "not_in_call", "not_queued", "already_queued":
		default:
			w.t.Errorf("%s: %v", w.c.name, m)
		}
	case "ok":
		if blocked, found := strings.CutPrefix(m.str("re"), "block "); found {
			call, partner, _ := strings.Cut(blocked, " ")
			w.book.block(call, w.c.name, partner)
		}
	case "peer.state", "rtc.state", "rtc.answer", "friend.request", "friend.added", "friend.removed", "friend.presence":
	default:
		w.t.Errorf("%s: unexpected %v", w.c.name, m)
	}
}

func (w *walker) met(m message) {
	if w.call != "" {
		w.t.Errorf("%s: match %q while in %q", w.c.name, m.str("call"), w.call)
	}
	partner := m.sub("peer").str("name")
	w.peer = partner
	if w.book.apart(m.str("call"), w.c.name, partner) {
		w.t.Errorf("%s: met %s, and one has blocked the other", w.c.name, partner)
	}
	gaveUp := w.phase == "idle"
	if gaveUp && !w.gone && !w.book.mayMeetIdle(w.over, w.c.name, partner) {
		w.t.Errorf("%s: match with %s while not in line, after %q", w.c.name, partner, w.over)
	}
	if gaveUp && w.asked { // that is what it was idle for
		gaveUp = false
	}
	w.call, w.phase = m.str("call"), "call"
	w.over, w.asked, w.gone, w.lost = "", false, false, false
	w.book.note(w.call, w.c.name, partner)
	if gaveUp {
		w.c.send(message{"type": "call.leave", "call": w.call})
	}
}

// ended notes whether the partner may be asked back.
func (w *walker) ended(m message) {
	w.over, w.asked, w.gone, w.lost = "", false, false, false
	byChoice := m.str("reason") == "next" || m.str("reason") == "left"
	if undo := m.num("undo_ms"); byChoice != (undo > 0) || undo > 10_000 {
		w.t.Errorf("%s: %v", w.c.name, m)
	}
	if byChoice {
		w.over = m.str("call")
	}
}

// dropAndResume loses the connection, sees what had come, and comes back: mostly in time. Some connections have brought nothing for a
// while by then, so that what the server said is lost.
func (w *walker) dropAndResume() {
	dead := w.rnd.IntN(3) == 0
	if dead {
		time.Sleep(time.Duration(w.rnd.IntN(1000)) * time.Millisecond)
	}
	w.c.drop()
	for m := range w.c.in {
		if !dead {
			w.take(m)
		}
	}
	away := time.Duration(w.rnd.IntN(3000)) * time.Millisecond
	if w.rnd.IntN(10) == 0 {
		away = 40 * time.Second
	}
	time.Sleep(away)
	old := w.c
	w.c = old.again()
	welcome := w.c.hello(message{"resume": old.resume})
	if welcome["resumed"] == true && welcome.num("n") <= w.n {
		w.t.Errorf("%s: n went from %d to %d", w.c.name, w.n, welcome.num("n"))
	}
	w.n = welcome.num("n")
	w.adopt(welcome.sub("state"))
	if welcome.str("media") == "new" {
		w.c.gen++
		w.c.send(message{"type": "rtc.offer", "sdp": "offer " + w.c.name, "gen": w.c.gen})
	}
}

// adopt takes the snapshot for the truth, as far as it can be.
func (w *walker) adopt(state message) {
	was := w.call
	w.phase, w.call, w.lost = state.str("phase"), "", true
	if ended := state.sub("ended"); ended != nil {
		w.over, w.asked = "", false
		if ended.num("undo_ms") > 0 {
			w.over = ended.str("call")
		}
	}
	if w.phase == "call" {
		w.call = state.sub("call").str("call")
		w.peer = state.sub("call").sub("peer").str("name")
		w.over, w.asked, w.gone = "", false, false
		w.book.note(w.call, w.c.name, state.sub("call").sub("peer").str("name"))
	}
	if was != "" && w.call != was && w.next != was { // Next may have led to another call that was over as soon
		if ended := state.sub("ended").str("call"); ended != "" && ended != was {
			w.t.Errorf("%s: was in %q, and %q has ended", w.c.name, was, ended)
		}
	}
}
