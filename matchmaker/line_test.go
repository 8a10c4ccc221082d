package matchmaker

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"smalltalk/store"
)

// oracle is the rule for who meets whom in its plainest form: it looks at everybody each time.
type oracle struct {
	after    time.Duration
	people   []oraclePerson // in the order of arrival
	partings []oracleParting
	seq      int
}

type oraclePerson struct {
	t             Ticket
	since, joined time.Duration
	seq           int
}

type oracleParting struct {
	user, partner store.UserID
	at            time.Duration
}

// met says whether one is the other's last partner, of the last ten minutes.
func (o *oracle) met(now time.Duration, a, b store.UserID) bool {
	last := func(u store.UserID) store.UserID {
		for _, p := range slices.Backward(o.partings) {
			if p.user == u {
				if now-p.at >= 10*time.Minute {
					return ""
				}
				return p.partner
			}
		}
		return ""
	}
	return last(a) == b || last(b) == a
}

func (o *oracle) compatible(a, b Ticket) bool {
	topics := len(a.Topics) == 0 || len(b.Topics) == 0
	for _, x := range a.Topics {
		topics = topics || slices.Contains(b.Topics, x)
	}
	langs := len(a.Langs) == 0 || len(b.Langs) == 0
	for _, x := range a.Langs {
		langs = langs || slices.Contains(b.Langs, x)
	}
	return topics && langs
}

// best returns the index of the person who has waited longest of those whom p may meet, or -1.
func (o *oracle) best(now time.Duration, p oraclePerson) int {
	best := -1
	for i, c := range o.people {
		if c.seq == p.seq || !o.compatible(p.t, c.t) {
			continue
		}
		if o.met(now, p.t.User, c.t.User) && now < max(p.joined, c.joined)+o.after {
			continue
		}
		if best < 0 || c.since < o.people[best].since || c.since == o.people[best].since && c.seq < o.people[best].seq {
			best = i
		}
	}
	return best
}

func (o *oracle) join(now time.Duration, t Ticket, waited time.Duration) (store.SessionID, bool) {
	o.seq++
	p := oraclePerson{t, now - waited, now, o.seq}
	if i := o.best(now, p); i >= 0 {
		partner := o.people[i].t.Session
		o.cancel(partner)
		return partner, true
	}
	o.people = append(o.people, p)
	return "", false
}

func (o *oracle) cancel(s store.SessionID) bool {
	n := len(o.people)
	o.people = slices.DeleteFunc(o.people, func(p oraclePerson) bool { return p.t.Session == s })
	return len(o.people) < n
}

func (o *oracle) parted(now time.Duration, a, b store.UserID) {
	o.partings = append(o.partings, oracleParting{a, b, now}, oracleParting{b, a, now})
}

// tick takes everybody at the moment when he has waited for o.after, one after the other.
func (o *oracle) tick(now time.Duration) (out [][2]store.SessionID) {
	for i := 0; i < len(o.people); i++ {
		p := o.people[i]
		if p.joined+o.after > now {
			break
		}
		if j := o.best(p.joined+o.after, p); j >= 0 {
			pair := [2]store.SessionID{p.t.Session, o.people[j].t.Session}
			out = append(out, pair)
			o.cancel(pair[0])
			o.cancel(pair[1])
			i = -1
		}
	}
	return out
}

// waiting returns the sessions in line, sorted.
func (o *oracle) waiting() []store.SessionID {
	var out []store.SessionID
	for _, p := range o.people {
		out = append(out, p.t.Session)
	}
	slices.Sort(out)
	return out
}

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
	if rng.IntN(200) == 0 {
		e.after = 10 * time.Minute
	}
	if rng.IntN(3) == 0 {
		e.waited = time.Duration(rng.IntN(20)) * time.Second
	}
	return e
}

// pick returns those of names whose bit is set, at most three bits' worth in most cases.
func pick[T ~string](names []T, bits uint) []T {
	var out []T
	for i, n := range names {
		if bits>>(2*i)&3 == 0 {
			out = append(out, n)
		}
	}
	return out
}

func TestLineAgainstOracle(t *testing.T) {
	topics := []store.Category{"a", "b", "c", "d", "e", "f"}
	langs := []string{"de", "en", "fr"}
	matches, ticked := 0, 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 7))
		people := 4 + rng.IntN(30)
		l, o := newLine(10*time.Second), &oracle{after: 10 * time.Second}
		rooms := map[int]int{} // who talks to whom
		now := time.Duration(0)
		number := func(s store.SessionID) (n int) {
			if _, err := fmt.Sscanf(string(s), "s%d", &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		user := func(n int) store.UserID { return store.UserID(fmt.Sprint("u", n)) }
		meet := func(a, b store.SessionID) {
			matches++
			rooms[number(a)], rooms[number(b)] = number(b), number(a)
		}
		for step := range 1500 {
			e := randomEvent(rng, people)
			now += e.after
			var got, want [][2]store.SessionID
			for _, m := range l.tick(now) {
				got = append(got, [2]store.SessionID{m.a.ticket.Session, m.b.ticket.Session})
			}
			want = o.tick(now)
			for i := range want {
				if i < len(got) {
					ticked++
					meet(want[i][0], want[i][1])
					slices.Sort(got[i][:])
					slices.Sort(want[i][:])
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, step %d: the clock pairs %v, should pair %v", seed, step, got, want)
			}
			s := store.SessionID(fmt.Sprint("s", e.person))
			partner, talks := rooms[e.person]
			waits := l.waits(s, user(e.person))
			switch {
			case e.kind <= 5 && !talks && !waits:
				tk := Ticket{Session: s, User: user(e.person), Topics: pick(topics, e.wants), Langs: pick(langs, e.langs)}
				m, ok := l.join(now, tk, e.waited)
				wantPartner, wantOK := o.join(now, tk, e.waited)
				gotPartner := store.SessionID("")
				if ok {
					if gotPartner = m.a.ticket.Session; gotPartner == s {
						gotPartner = m.b.ticket.Session
					}
					meet(s, gotPartner)
				}
				if ok != wantOK || gotPartner != wantPartner {
					t.Fatalf("seed %d, step %d: %s meets %q, should meet %q", seed, step, s, gotPartner, wantPartner)
				}
			case e.kind == 6:
				if got, want := l.cancel(s), o.cancel(s); got != want {
					t.Fatalf("seed %d, step %d: cancel says %v, should say %v", seed, step, got, want)
				}
			case e.kind >= 7 && e.kind <= 8 && talks:
				delete(rooms, e.person)
				delete(rooms, partner)
				l.parted(now, user(e.person), user(partner))
				o.parted(now, user(e.person), user(partner))
			}
			if got, want := l.waiting(), o.waiting(); !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d: %v wait, %v should", seed, step, got, want)
			}
			l.sound(t)
		}
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
		topics := []store.Category{"a", "b", "c", "d", "e", "f"}
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
			tk := Ticket{Session: store.SessionID(fmt.Sprint(e.person)), User: store.UserID(fmt.Sprint(e.person)), Topics: pick(topics, e.wants)}
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
