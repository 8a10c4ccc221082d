package matchmaker

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"smalltalk/store"
)

const eventBytes = 12

var (
	duelTopics = []store.Category{"a", "b", "c", "d", "e", "f"}
	duelLangs  = []string{"de", "en", "fr"}
)

// duel plays the same events to the line and to the oracle.
type duel struct {
	t      testing.TB
	what   string // for messages: where we are
	people int
	l      *line
	o      *oracle
	now    time.Duration

	rooms  map[store.UserID]store.UserID // who talks to whom
	digest string
	seen   map[string]int
}

func newDuel(t testing.TB, people int, hold time.Duration) *duel {
	return &duel{
		t: t, people: people, l: newLine(15*time.Second, hold), o: &oracle{after: 15 * time.Second, hold: hold},
		rooms: map[store.UserID]store.UserID{}, seen: map[string]int{},
	}
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

func (d *duel) user(n byte) store.UserID {
	return store.UserID(fmt.Sprintf("u%02d", int(n)%d.people))
}

// asking makes a ticket out of an event.
func (d *duel) asking(e []byte) asking {
	u := d.user(e[2])
	t := Ticket{
		Session: store.SessionID(u), User: u,
		Topics: pick(duelTopics, uint(e[3])|uint(e[4])<<8), Langs: pick(duelLangs, uint(e[5])),
		Strict: e[6]%4 == 0, WidenAfter: []time.Duration{0, 0, 2 * time.Second, 9 * time.Second}[e[6]/4%4],
		Widened: []Widening{0, 0, 0, 0, 0, WidenTopics, WidenLangs, WidenTopics | WidenLangs}[e[6]/16%8],
	}
	for i := range e[7] % 4 {
		if b := d.user(e[8] + 3*i); b != u {
			t.Blocks = append(t.Blocks, b)
		}
	}
	a := ask(t, time.Time{})
	if e[9]%4 == 0 {
		a.Partner = d.user(e[2] ^ 1)
		if e[9]%8 == 0 {
			a.wish = time.Duration(e[10]%16) * time.Second
		}
		a.Private = e[9]%16 == 0 && a.Partner != u
	}
	a.waited = time.Second / 4 * time.Duration(max(0, int(e[11])-170))
	if a.widens = a.waited; e[11]%2 == 0 { // the place is kept from before a call
		a.widens /= 3
	}
	return a
}

// pause returns how long after the event before it an event is: often not at all, seldom for long.
func pause(b byte) time.Duration {
	switch {
	case b < 80:
		return 0
	case b < 240:
		return time.Duration(b-80) * 25 * time.Millisecond
	case b < 254:
		return 15 * time.Second
	default:
		return 10 * time.Minute
	}
}

// step plays one event.
func (d *duel) step(e []byte) {
	d.now += pause(e[0])
	d.compare("the clock", d.l.tick(d.now), d.o.tick(d.now))
	u := d.user(e[2])
	partner, talks := d.rooms[u]
	switch kind := e[1] % 16; {
	case kind < 9 && !talks && !d.l.waits(u):
		a := d.asking(e)
		var got []effect
		if x, ok := d.l.join(d.now, a); ok {
			got = []effect{x}
		}
		d.compare("joining", got, d.o.join(d.now, a))
	case kind == 9:
		if got, want := d.l.cancel(d.now, u), d.o.cancel(u); got != want {
			d.t.Fatalf("%s: cancel says %v, should say %v", d.what, got, want)
		}
	case kind > 9 && talks:
		delete(d.rooms, u)
		delete(d.rooms, partner)
		skipper := store.UserID("")
		if kind > 11 {
			skipper = u
		}
		d.l.parted(d.now, u, partner, skipper)
		d.o.parted(d.now, u, partner, skipper)
	}
	d.check()
	d.l.sound(d.t)
}

// compare checks what the line has decided.
func (d *duel) compare(who string, got, want []effect) {
	if !slices.Equal(got, want) {
		d.t.Fatalf("%s: %s does %v, should do %v", d.what, who, got, want)
	}
	for _, e := range got {
		d.seen[fmt.Sprint(who, " ", e.kind, " ", e.again)]++
		d.digest = fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, d.digest, d.now, e)))
		if e.kind != matched {
			continue
		}
		a, b := store.UserID(e.a), store.UserID(e.b)
		if d.rooms[a] != "" || d.rooms[b] != "" || a == b {
			d.t.Fatalf("%s: %s and %s meet, but talk to %q and %q", d.what, a, b, d.rooms[a], d.rooms[b])
		}
		d.rooms[a], d.rooms[b] = b, a
	}
}

// check compares who waits, and that no two wait who should talk.
func (d *duel) check() {
	var got []store.UserID
	d.l.byUser.each(func(i uint32) { got = append(got, d.l.named.at(i).user) })
	slices.Sort(got)
	if want := d.o.waiting(); !slices.Equal(got, want) {
		d.t.Fatalf("%s: %v wait, %v should", d.what, got, want)
	}
	if d.o.unfair != "" {
		d.t.Fatalf("%s: %s", d.what, d.o.unfair)
	}
	for i, a := range d.o.people {
		for _, b := range d.o.people[:i] {
			if !a.arrived || !b.arrived || !d.o.compatible(d.now, a, b) || d.o.blocked(a, b) {
				continue
			}
			looks := a.look > 0 || b.look > 0
			if until := d.o.metUntil(a, b); until <= d.now || !looks {
				d.t.Fatalf("%s: %s and %s are left waiting: met until %v, will look: %v", d.what, a.t.User, b.t.User, until, looks)
			}
		}
	}
}

func (d *duel) play(events []byte) {
	for i := 0; i+eventBytes <= len(events); i += eventBytes {
		d.what = fmt.Sprintf("event %d at %v", i/eventBytes, d.now)
		d.step(events[i : i+eventBytes])
	}
}

func randomEvents(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 7))
	events := make([]byte, n*eventBytes)
	for i := range events {
		events[i] = byte(rng.Uint())
	}
	return events
}

func TestLineAgainstOracle(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(60) {
		people := 4 + int(seed%30)
		hold := time.Duration(seed%3) * 5 * time.Second
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			d := newDuel(t, people, hold)
			d.play(randomEvents(seed, 1500))
			for what, n := range d.seen {
				seen[what] += n
			}
		})
	}
	t.Log(seen)
	for _, what := range []string{"joining 1 false", "joining 1 true", "the clock 1 false", "the clock 1 true", "the clock 2 false"} {
		if seen[what] < 10 {
			t.Errorf("%q only %d times", what, seen[what])
		}
	}
}

func TestReplayGivesTheSameDigest(t *testing.T) {
	events := randomEvents(99, 3000)
	digest := ""
	for range 3 {
		d := newDuel(t, 25, 5*time.Second)
		d.play(events)
		if digest != "" && d.digest != digest {
			t.Fatalf("digest %s, then %s", digest, d.digest)
		}
		digest = d.digest
	}
	t.Log(digest)
}

func FuzzLine(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(byte(6+seed*5), byte(seed), randomEvents(seed, 20))
	}
	f.Fuzz(func(t *testing.T, people, hold byte, events []byte) {
		d := newDuel(t, 2+int(people)%40, time.Duration(hold%20)*time.Second)
		d.play(events[:min(len(events), 200*eventBytes)])
	})
}
