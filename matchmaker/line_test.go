package matchmaker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"smalltalk/store"
)

func (l *line) waiting() []store.SessionID {
	var out []store.SessionID
	for p := l.all.head; p != nil; p = p.next {
		out = append(out, p.w.ticket.Session)
	}
	slices.Sort(out)
	return out
}

// sound checks the links of the lists against each other.
func (l *line) sound(t *testing.T) {
	t.Helper()
	check := func(name string, list *ageList, belongs func(*waiter) bool, before func(a, b *waiter) bool) {
		n := 0
		var prev *place
		for p := list.head; p != nil; prev, p = p, p.next {
			if p.prev != prev || p.list != list || !belongs(p.w) || l.bySess[p.w.ticket.Session] != p.w || l.byUser[p.w.ticket.User] != p.w {
				t.Fatalf("%s: bad link at %d", name, n)
			}
			if prev != nil && !before(prev.w, p.w) {
				t.Fatalf("%s: out of order at %d", name, n)
			}
			n++
		}
		if list.tail != prev || list.len != n {
			t.Fatalf("%s: %d people, it says %d", name, n, list.len)
		}
	}
	check("all", &l.all, func(*waiter) bool { return true }, (*waiter).before)
	check("any", &l.any, func(w *waiter) bool { return len(w.ticket.Topics) == 0 }, (*waiter).before)
	check("relax", &l.relax, func(w *waiter) bool { return w.relax != nil }, func(a, b *waiter) bool { return a.joined <= b.joined })
	for topic, list := range l.topics {
		check(string(topic), list, func(w *waiter) bool { return slices.Contains(w.ticket.Topics, topic) }, (*waiter).before)
		if list.len == 0 {
			t.Fatalf("%s: empty list kept", topic)
		}
	}
	if len(l.bySess) != l.all.len || len(l.byUser) != l.all.len {
		t.Fatalf("%d in line, %d sessions, %d users", l.all.len, len(l.bySess), len(l.byUser))
	}
}

// event is one thing that happens to a line; after is since the one before.
type event struct {
	after        time.Duration
	kind         int // 0..5 join, 6 cancel, 7..8 part, 9 only time
	person       int
	wants, langs uint
	waited       time.Duration
}

func randomEvent(rng *rand.Rand, people int) event {
	e := event{
		kind: rng.IntN(10), person: rng.IntN(people),
		wants: rng.Uint(), langs: rng.Uint(),
	}
	if rng.IntN(3) > 0 {
		e.after = time.Duration(rng.IntN(4000)) * time.Millisecond // often none at all: many at the same moment
	}
	switch {
	case rng.IntN(200) == 0:
		e.after = 10 * time.Minute
	case rng.IntN(20) == 0:
		e.after = 15 * time.Second // a clock that is late for several people
	}
	if rng.IntN(3) == 0 {
		e.waited = time.Duration(rng.IntN(20)) * time.Second
	}
	return e
}

// pick returns about a quarter of names, by the bits.
func pick[T ~string](names []T, bits uint) []T {
	var out []T
	for i, n := range names {
		if bits>>(2*i)&3 == 0 {
			out = append(out, n)
		}
	}
	return out
}

// duel plays the same events to the line and to the oracle.
type duel struct {
	t    *testing.T
	what string // for messages: where we are
	rng  *rand.Rand
	l    *line
	o    *oracle
	now  time.Duration

	rooms           map[store.SessionID]store.SessionID // who talks to whom
	matches, ticked int
}

// person returns the names of the n-th person.
func person(n int) (store.SessionID, store.UserID) {
	return store.SessionID(fmt.Sprint("s", n)), store.UserID(fmt.Sprint("s", n))
}

func (d *duel) meet(a, b store.SessionID) {
	d.matches++
	d.rooms[a], d.rooms[b] = b, a
}

func (d *duel) tick() {
	var got [][2]store.SessionID
	for _, m := range d.l.tick(d.now) {
		pair := [2]store.SessionID{m.a.ticket.Session, m.b.ticket.Session}
		got = append(got, pair)
		d.ticked++
		d.meet(pair[0], pair[1])
	}
	want := d.o.tick(d.now)
	for _, pairs := range [][][2]store.SessionID{got, want} {
		for i := range pairs {
			slices.Sort(pairs[i][:])
		}
	}
	if !slices.Equal(got, want) {
		d.t.Fatalf("%s: the clock pairs %v, should pair %v", d.what, got, want)
	}
}

func (d *duel) join(t Ticket, waited time.Duration) {
	var got store.SessionID
	if m, ok := d.l.join(d.now, t, waited); ok {
		if got = m.a.ticket.Session; got == t.Session {
			got = m.b.ticket.Session
		}
		d.meet(t.Session, got)
	}
	if want := d.o.join(d.now, t, waited); got != want {
		d.t.Fatalf("%s: %s meets %q, should meet %q", d.what, t.Session, got, want)
	}
}

func (d *duel) step(e event) {
	d.now += e.after
	d.tick()
	s, u := person(e.person)
	partner, talks := d.rooms[s]
	switch {
	case e.kind <= 5 && !talks && !d.l.waits(s, u):
		d.join(Ticket{Session: s, User: u, Topics: pick(duelTopics, e.wants), Langs: pick(duelLangs, e.langs)}, e.waited)
	case e.kind == 6:
		if got, want := d.l.cancel(s), d.o.cancel(s); got != want {
			d.t.Fatalf("%s: cancel says %v, should say %v", d.what, got, want)
		}
	case e.kind >= 7 && e.kind <= 8 && talks:
		delete(d.rooms, s)
		delete(d.rooms, partner)
		d.l.parted(d.now, u, store.UserID(partner))
		d.o.parted(d.now, u, store.UserID(partner))
	}
	if got, want := d.l.waiting(), d.o.waiting(); !slices.Equal(got, want) {
		d.t.Fatalf("%s: %v wait, %v should", d.what, got, want)
	}
	d.l.sound(d.t)
}

var (
	duelTopics = []store.Category{"a", "b", "c", "d", "e", "f"}
	duelLangs  = []string{"de", "en", "fr"}
)

func TestLineAgainstOracle(t *testing.T) {
	matches, ticked := 0, 0
	for seed := range uint64(100) {
		d := &duel{
			t: t, rng: rand.New(rand.NewPCG(seed, 7)),
			l: newLine(10 * time.Second), o: &oracle{after: 10 * time.Second},
			rooms: map[store.SessionID]store.SessionID{},
		}
		people := 4 + d.rng.IntN(30)
		for step := range 1500 {
			d.what = fmt.Sprintf("seed %d, step %d", seed, step)
			d.step(randomEvent(d.rng, people))
		}
		matches, ticked = matches+d.matches, ticked+d.ticked
	}
	t.Logf("%d matches, %d of them by the clock", matches, ticked)
	if ticked < 100 {
		t.Error("the clock has paired too few for this to say anything")
	}
}

// The same events must give the same matches, whatever maps do.
func TestLineIsDeterministic(t *testing.T) {
	run := func() (out []string) {
		rng := rand.New(rand.NewPCG(3, 4))
		l := newLine(time.Second)
		note := func(m match) {
			out = append(out, fmt.Sprint(m.a.ticket.Session, m.b.ticket.Session))
			l.parted(m.a.joined, m.a.ticket.User, m.b.ticket.User)
		}
		for i := range 3000 {
			e := randomEvent(rng, 300)
			now := time.Duration(i) * 20 * time.Millisecond
			for _, m := range l.tick(now) {
				note(m)
			}
			tk := Ticket{Session: store.SessionID(fmt.Sprint(e.person)), User: store.UserID(fmt.Sprint(e.person)), Topics: pick(duelTopics, e.wants)}
			if !l.waits(tk.Session, tk.User) {
				if m, ok := l.join(now, tk, e.waited); ok {
					note(m)
				}
			}
		}
		return out
	}
	first := run()
	for range 3 {
		if !slices.Equal(run(), first) {
			t.Fatal("another outcome")
		}
	}
	t.Logf("%d matches", len(first))
}
