package matchmaker

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"smalltalk/store"
)

// town says what a server's people are like.
type town struct {
	name   string
	online float64       // people there at a time
	day    time.Duration // how long it is watched
	topics uint64
	langs  []string // each half as frequent as the one before
}

// The habits of all towns.
const (
	simStay      = 15 * time.Minute // mean time that a person is there
	simPatience  = 2 * time.Minute  // mean wait, after the first half minute, at which a person gives up
	simGlance    = 6 * time.Second  // mean length of a call that somebody skips
	simTalk      = 4 * time.Minute  // mean length of others
	simSkipped   = 0.6              // share of calls that are skipped
	simPause     = time.Second      // between a call and the next wait
	simImpatient = 50               // one person of so many skips everybody at once
)

// simPerson is somebody who comes, talks to people, and goes.
type simPerson struct {
	id       int
	t        Ticket
	restless bool // skips everybody
	leaves   time.Duration
	since    time.Duration // place in line
	joined   time.Duration
	cause    string // of this wait
	wait     int    // number of this wait, so that a change of mind about an older one is void
	met      []simMeeting
	estimate time.Duration
	inLine   bool
	willing  bool // not strict, and takes any topic in time
}

type simMeeting struct {
	who int
	at  time.Duration
}

type simEvent struct {
	at   time.Duration
	seq  int
	kind func()
}

type simEvents []simEvent

func (e simEvents) Len() int { return len(e) }
func (e simEvents) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e simEvents) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *simEvents) Push(x any)   { *e = append(*e, x.(simEvent)) }
func (e *simEvents) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// simulation is a town's day in virtual time.
type simulation struct {
	town
	rng    *rand.Rand
	zipf   *rand.Zipf
	l      *line
	now    time.Duration
	events simEvents
	seq    int
	people map[store.UserID]*simPerson

	waits               map[string]*histogram // by what came before: "new", "skipped", "skipper", "restless", "left"; "willing" are those who are neither strict nor restless and widen
	matches, repeats    int                   // repeats are with a partner of the last ten minutes and the last five
	soonest             time.Duration         // of the repeats' waits side by side, the shortest
	skips, gaveUp, came int
	lineSum             float64
	lineSteps           int
	guessed, actual     time.Duration // of waits for which there was an estimate
	guesses             int
}

func newSimulation(t town) *simulation {
	rng := rand.New(rand.NewPCG(3, 5))
	return &simulation{
		town: t, rng: rng, zipf: rand.NewZipf(rng, 1.1, 1, t.topics-1), l: newLine(15*time.Second, 0),
		people: map[store.UserID]*simPerson{}, waits: map[string]*histogram{}, soonest: time.Hour,
	}
}

func (s *simulation) after(d time.Duration, do func()) {
	s.seq++
	heap.Push(&s.events, simEvent{s.now + d, s.seq, do})
}

func (s *simulation) exp(mean time.Duration) time.Duration {
	return time.Duration(s.rng.ExpFloat64() * float64(mean))
}

// run plays the day.
func (s *simulation) run() {
	s.arrivals()
	for len(s.events) > 0 && s.events[0].at <= s.day {
		at := s.events[0].at
		if due := s.l.next(); due != never && due <= at {
			s.now = due
			s.effects(s.l.tick(due))
			continue
		}
		s.now = at
		heap.Pop(&s.events).(simEvent).kind()
	}
}

// arrivals has people come one after the other, and counts the line now and then.
func (s *simulation) arrivals() {
	s.come()
	s.lineSum += float64(s.l.waiting())
	s.lineSteps++
	s.after(s.exp(time.Duration(float64(simStay)/s.online)), s.arrivals)
}

// come is the arrival of somebody new.
func (s *simulation) come() {
	s.came++
	id := s.came
	name := fmt.Sprint("p", id)
	p := &simPerson{
		id: id, restless: s.rng.IntN(simImpatient) == 0, leaves: s.now + s.exp(simStay), cause: "new", since: s.now,
		t: Ticket{Session: store.SessionID(name), User: store.UserID(name)},
	}
	if s.rng.IntN(8) > 0 {
		for range 1 + s.rng.IntN(3) {
			p.t.Topics = append(p.t.Topics, store.Category(fmt.Sprint(s.zipf.Uint64())))
		}
	}
	for range 1 + s.rng.IntN(4)/3 {
		k := 0
		for k < len(s.langs)-1 && s.rng.IntN(2) == 0 {
			k++
		}
		p.t.Langs = append(p.t.Langs, s.langs[k])
	}
	p.t.Topics, p.t.Langs = sortedSet(p.t.Topics), sortedSet(p.t.Langs)
	p.t.Strict = s.rng.IntN(10) == 0
	if s.rng.IntN(3) > 0 {
		p.t.WidenAfter = 10 * time.Second
	}
	p.willing = !p.t.Strict && (p.t.WidenAfter > 0 || len(p.t.Topics) == 0)
	s.people[p.t.User] = p
	s.join(p)
}

func (s *simulation) join(p *simPerson) {
	if s.now >= p.leaves {
		delete(s.people, p.t.User)
		return
	}
	p.joined, p.inLine = s.now, true
	p.wait++
	a := ask(p.t, time.Time{})
	a.waited = s.now - p.since
	a.widens = a.waited
	p.estimate = s.l.estimate(s.now, p.t, p.t.Widened)
	s.effects(s.l.tick(s.now))
	e, ok := s.l.join(s.now, a)
	if ok {
		s.effects([]effect{e})
		return
	}
	wait := p.wait
	s.after(30*time.Second+s.exp(simPatience), func() {
		if p.inLine && p.wait == wait {
			s.l.cancel(s.now, p.t.User)
			p.inLine = false
			s.gaveUp++
			s.note(p)
			delete(s.people, p.t.User)
		}
	})
}

// note takes down how long a wait was.
func (s *simulation) note(p *simPerson) {
	waited := s.now - p.joined
	kinds := []string{p.cause, "all"}
	if p.restless {
		kinds[0] = "restless"
	} else if p.willing {
		kinds = append(kinds, "willing")
	}
	for _, kind := range kinds {
		h := s.waits[kind]
		if h == nil {
			h = &histogram{}
			s.waits[kind] = h
		}
		h.add(waited)
	}
	if p.estimate != never {
		s.guessed += p.estimate
		s.actual += waited
		s.guesses++
	}
}

func (s *simulation) effects(effects []effect) {
	for _, e := range effects {
		s.meet(s.people[store.UserID(e.a)], s.people[store.UserID(e.b)])
	}
}

// meet begins a call and decides how it ends.
func (s *simulation) meet(a, b *simPerson) {
	s.matches++
	if s.lately(a, b) || s.lately(b, a) {
		s.repeats++
		s.soonest = min(s.soonest, s.now-max(a.joined, b.joined))
	}
	for _, p := range []*simPerson{a, b} {
		s.note(p)
		p.inLine = false
	}
	skipper, skipped := a, b
	if s.rng.IntN(2) == 0 || b.restless {
		skipper, skipped = b, a
	}
	switch {
	case skipper.restless || skipped.restless:
		s.after(time.Second, func() { s.part(skipper, skipped, true) })
	case s.rng.Float64() < simSkipped:
		s.after(s.exp(simGlance), func() { s.part(skipper, skipped, true) })
	default:
		s.after(s.exp(simTalk), func() { s.part(skipper, skipped, false) })
	}
}

// lately says whether b was one of a's last five partners, less than ten minutes ago.
func (s *simulation) lately(a, b *simPerson) bool {
	return slices.ContainsFunc(a.met, func(m simMeeting) bool { return m.who == b.id && s.now-m.at < 10*time.Minute })
}

func (s *simulation) part(a, b *simPerson, skip bool) {
	skipper := store.UserID("")
	a.cause, b.cause = "left", "left"
	if skip {
		s.skips++
		skipper = a.t.User
		a.cause, b.cause = "skipper", "skipped"
	}
	s.l.parted(s.now, a.t.User, b.t.User, skipper)
	for _, p := range []*simPerson{a, b} {
		other := a.id + b.id - p.id
		p.met = slices.DeleteFunc(p.met, func(m simMeeting) bool { return m.who == other })
		p.met = append(p.met, simMeeting{other, s.now})
		p.met = p.met[max(0, len(p.met)-5):]
		if p == a || !skip {
			p.since = s.now // who skips goes to the end, who was skipped keeps the place
		}
		s.after(simPause, func() { s.join(p) })
	}
}

func (s *simulation) row(kind string) string {
	h := s.waits[kind]
	if h == nil {
		return ""
	}
	return fmt.Sprintf("  %-12s %10d %8v %8v %8v %8v %8v %8v\n", kind, h.n, h.mean(), h.at(0.5), h.at(0.9), h.at(0.99), h.at(0.999), h.at(1))
}

func (s *simulation) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s, %v: %d people came, %d matches, %d skips, %.3f %% repeats, %.2f %% of waits given up, %.1f in line on average",
		s.name, s.day, s.came, s.matches, s.skips, s.repeated(), s.quitters(), s.lineSum/float64(s.lineSteps))
	fmt.Fprintf(&out, "; estimated for %.0f %% of waits, %v where it was %v on average\n",
		100*float64(s.guesses)/float64(s.waits["all"].n), (s.guessed / time.Duration(max(1, s.guesses))).Round(10*time.Millisecond),
		(s.actual / time.Duration(max(1, s.guesses))).Round(10*time.Millisecond))
	fmt.Fprintf(&out, "  %-12s %10s %8s %8s %8s %8s %8s %8s\n", "waits after", "number", "mean", "p50", "p90", "p99", "p99.9", "longest")
	for _, kind := range []string{"new", "left", "skipped", "skipper", "restless", "willing", "all"} {
		out.WriteString(s.row(kind))
	}
	return out.String()
}

// repeated is the share of matches with a recent partner, quitters that of waits given up, in percent.
func (s *simulation) repeated() float64 { return 100 * float64(s.repeats) / float64(s.matches) }
func (s *simulation) quitters() float64 {
	return 100 * float64(s.gaveUp) / float64(s.waits["all"].n)
}

func TestSimulation(t *testing.T) {
	small := town{"a small server, 5 at a time", 5, 24 * time.Hour, 5, []string{"en", "es"}}
	large := town{"a large server, 2,000 at a time", 2000, 20 * time.Minute, 500, tableLangs}
	if *tables {
		large = town{"a large server, 50,000 at a time", 50_000, *simulated, 5000, tableLangs}
	}
	play := func(town town) *simulation {
		s := newSimulation(town)
		s.run()
		s.l.sound(t)
		t.Logf("\n%s", s)
		if s.soonest < 15*time.Second {
			t.Errorf("two who had met were matched again after %v side by side", s.soonest)
		}
		if guess := float64(s.guessed) / float64(s.actual); guess < 0.6 || guess > 1.6 {
			t.Errorf("estimates are %.2f of what the waits were", guess)
		}
		if skipped, skipper := s.waits["skipped"].mean(), s.waits["skipper"].mean(); skipped >= skipper {
			t.Errorf("the skipped wait for %v, those who skip for %v", skipped, skipper)
		}
		return s
	}
	s := play(small)
	if all := s.waits["all"]; all.at(0.5) > 20*time.Second || all.at(0.9) > 90*time.Second || s.quitters() > 12 {
		t.Errorf("the small server is slow")
	}
	again := newSimulation(small)
	again.run()
	if again.String() != s.String() {
		t.Errorf("the same day once more is another one:\n%s", again)
	}
	s = play(large)
	if will := s.waits["willing"]; will.at(0.5) > time.Second || will.at(0.99) > 15*time.Second || s.repeated() > 0.5 || s.quitters() > 0.5 {
		t.Errorf("the large server is slow, or people meet again: %.2f %%", s.repeated())
	}
}
