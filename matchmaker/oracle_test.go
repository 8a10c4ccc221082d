package matchmaker

import (
	"slices"
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

// join returns whom the newcomer meets, if anybody.
func (o *oracle) join(now time.Duration, t Ticket, waited time.Duration) store.SessionID {
	o.seq++
	p := oraclePerson{t, now - waited, now, o.seq}
	if i := o.best(now, p); i >= 0 {
		partner := o.people[i].t.Session
		o.cancel(partner)
		return partner
	}
	o.people = append(o.people, p)
	return ""
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
