package matchmaker

import (
	"fmt"
	"slices"
	"time"

	"smalltalk/store"
)

// oracle is the rule for who meets whom in its plainest form: it looks at everybody each time.
type oracle struct {
	after, hold time.Duration
	people      []*oraclePerson // in the order of arrival
	partings    []oracleParting
	skips       []oracleParting
	seq         int
	unfair      string // somebody older was passed over for more than the bonus
}

type oraclePerson struct {
	t             Ticket
	until         time.Duration // of the wish for a partner; never
	since, joined time.Duration
	widenFrom     time.Duration
	seq           int
	ready         time.Duration
	look          time.Duration // 0 if there is nothing to look at again
	acted         time.Duration // when he last looked for a partner
	held, arrived bool          // back from the hold; among those who can be met
}

type oracleParting struct {
	user, partner store.UserID
	at            time.Duration
}

// older is the order of age.
func (p *oraclePerson) older(q *oraclePerson) bool {
	return p.since < q.since || p.since == q.since && p.seq < q.seq
}

func (p *oraclePerson) wide(now time.Duration, what Widening, after time.Duration) bool {
	return p.t.Widened&what != 0 || !p.t.Strict && p.t.WidenAfter > 0 && now >= p.widenFrom+after
}

func (p *oraclePerson) anyTopic(now time.Duration) bool {
	return len(p.t.Topics) == 0 || p.wide(now, WidenTopics, p.t.WidenAfter)
}

func (p *oraclePerson) anyLang(now time.Duration) bool {
	return p.wide(now, WidenLangs, 2*p.t.WidenAfter)
}

// remembers returns until when a avoids b: b is one of the last five whom a left.
func (o *oracle) remembers(a, b store.UserID) time.Duration {
	var met []store.UserID
	for _, p := range slices.Backward(o.partings) {
		if p.user != a || slices.Contains(met, p.partner) {
			continue
		}
		if p.partner == b {
			return p.at + 10*time.Minute
		}
		if met = append(met, p.partner); len(met) == 5 {
			break
		}
	}
	return 0
}

func (o *oracle) metUntil(a, b *oraclePerson) time.Duration {
	return max(o.remembers(a.t.User, b.t.User), o.remembers(b.t.User, a.t.User))
}

func (o *oracle) blocked(a, b *oraclePerson) bool {
	return slices.Contains(a.t.Blocks, b.t.User) || slices.Contains(b.t.Blocks, a.t.User)
}

// compatible says whether two may talk, going by what they want.
func (o *oracle) compatible(now time.Duration, a, b *oraclePerson) bool {
	return o.topicsFit(now, a, b) && o.langsFit(now, a, b)
}

func (o *oracle) topicsFit(now time.Duration, a, b *oraclePerson) bool {
	if len(common(a.t.Topics, b.t.Topics)) > 0 {
		return true
	}
	insistA, insistB := a.t.Strict && !a.anyTopic(now), b.t.Strict && !b.anyTopic(now)
	return a.anyTopic(now) && !insistB || b.anyTopic(now) && !insistA
}

func (o *oracle) langsFit(now time.Duration, a, b *oraclePerson) bool {
	if len(a.t.Langs) == 0 || len(b.t.Langs) == 0 || len(common(a.t.Langs, b.t.Langs)) > 0 {
		return true
	}
	insistA, insistB := a.t.Strict && !a.anyLang(now), b.t.Strict && !b.anyLang(now)
	return a.anyLang(now) && !insistB || b.anyLang(now) && !insistA
}

// reasons returns for what c can be found by p: each pair of one for the topic and one for the language. Of those found for the same
// reason only the oldest counts.
func (o *oracle) reasons(now time.Duration, p, c *oraclePerson) (out []string) {
	if !o.compatible(now, p, c) {
		return nil
	}
	var topics, langs []string
	for _, t := range common(p.t.Topics, c.t.Topics) {
		topics = append(topics, string(t))
	}
	if p.anyTopic(now) && (c.anyTopic(now) || !c.t.Strict) || c.anyTopic(now) && !p.t.Strict {
		topics = append(topics, "open")
	}
	insists := c.t.Strict && !c.anyLang(now)
	for _, l := range c.t.Langs {
		if len(p.t.Langs) == 0 || slices.Contains(p.t.Langs, l) || p.anyLang(now) && !insists {
			langs = append(langs, fmt.Sprint(l, insists))
		}
	}
	if len(c.t.Langs) == 0 {
		langs = append(langs, "none")
	}
	if len(c.t.Langs) > 0 && c.anyLang(now) && (len(p.t.Langs) == 0 || !p.t.Strict || p.anyLang(now)) {
		langs = append(langs, "any")
	}
	for _, t := range topics {
		for _, l := range langs {
			out = append(out, t+"/"+l)
		}
	}
	return out
}

func (o *oracle) score(p, c *oraclePerson) time.Duration {
	score := c.since - time.Duration(len(common(p.t.Topics, c.t.Topics)))*3*time.Second
	if len(common(p.t.Langs, c.t.Langs)) > 0 {
		score -= 2 * time.Second
	}
	return score
}

// best returns the partner for p, and when p is to look again.
func (o *oracle) best(now time.Duration, p *oraclePerson) (*oraclePerson, time.Duration) {
	var fit, ripe []*oraclePerson
	recent, again := 0, time.Duration(0)
	for _, c := range o.people {
		if c == p || !c.arrived || !o.compatible(now, p, c) || o.blocked(p, c) {
			continue
		}
		until := o.metUntil(p, c)
		if until <= now {
			fit = append(fit, c)
			continue
		}
		recent++
		due := min(until, max(p.joined, c.joined)+o.after)
		if due <= now {
			ripe = append(ripe, c)
			due = min(until, now+5*time.Second)
		}
		if again == 0 || due < again {
			again = due
		}
	}
	if len(fit) == 0 && recent < 8 {
		fit = ripe
	}
	heads := map[string]*oraclePerson{}
	for _, c := range fit {
		for _, why := range o.reasons(now, p, c) {
			if h := heads[why]; h == nil || c.older(h) {
				heads[why] = c
			}
		}
	}
	var best *oraclePerson
	for _, c := range heads {
		if best == nil || o.score(p, c) < o.score(p, best) || o.score(p, c) == o.score(p, best) && c.older(best) {
			best = c
		}
	}
	for _, c := range fit {
		if c.since < best.since-mostBonus {
			o.unfair = fmt.Sprintf("%s meets %s, but %s has waited for %v more", p.t.User, best.t.User, c.t.User, best.since-c.since)
		}
	}
	return best, again
}

func (o *oracle) effect(now time.Duration, a, b *oraclePerson) effect {
	if b.older(a) {
		a, b = b, a
	}
	o.remove(a)
	o.remove(b)
	return effect{matched, a.t.Session, b.t.Session, o.metUntil(a, b) > now}
}

func (o *oracle) remove(p *oraclePerson) {
	o.people = slices.DeleteFunc(o.people, func(q *oraclePerson) bool { return p == q })
}

func (o *oracle) wants(now time.Duration, a, b *oraclePerson) bool {
	return a.t.Partner == b.t.User && (a.until == never || now < a.until)
}

// arrive has p look for a partner.
func (o *oracle) arrive(now time.Duration, p *oraclePerson) []effect {
	p.acted = now
	for _, c := range o.people {
		if o.wants(now, p, c) && o.wants(now, c, p) && !o.blocked(p, c) {
			return []effect{o.effect(now, p, c)}
		}
	}
	if p.t.Private || p.ready > now {
		return nil
	}
	p.arrived = false
	best, again := o.best(now, p)
	if best != nil {
		return []effect{o.effect(now, p, best)}
	}
	p.look, p.arrived = again, true
	return nil
}

func (o *oracle) join(now time.Duration, a asking) []effect {
	o.seq++
	p := &oraclePerson{t: a.Ticket, until: never, since: now - a.waited, widenFrom: now - a.widens, joined: now, seq: o.seq, acted: now}
	if a.wish != never {
		p.until = now + a.wish
	}
	p.ready = o.penalty(a.User)
	o.people = append(o.people, p)
	if now < o.hold {
		p.held = true
		return nil
	}
	return o.arrive(now, p)
}

// penalty returns when the user may be matched, for having skipped more than 20 people in a minute.
func (o *oracle) penalty(u store.UserID) time.Duration {
	ready := time.Duration(0)
	for i, s := range o.skips {
		n := 0
		for _, before := range o.skips[:i+1] {
			if before.user == u && s.at-before.at < time.Minute {
				n++
			}
		}
		if s.user == u && n > 20 {
			ready = s.at + min(time.Duration(n-20)*time.Second, 30*time.Second)
		}
	}
	return ready
}

func (o *oracle) cancel(u store.UserID) bool {
	n := len(o.people)
	o.people = slices.DeleteFunc(o.people, func(p *oraclePerson) bool { return p.t.User == u })
	return len(o.people) < n
}

func (o *oracle) parted(now time.Duration, a, b, skipper store.UserID) {
	o.partings = append(o.partings, oracleParting{a, b, now}, oracleParting{b, a, now})
	if skipper != "" {
		o.skips = append(o.skips, oracleParting{skipper, "", now})
	}
}

// due returns when p has something to do next, or never.
func (o *oracle) due(p *oraclePerson) time.Duration {
	var times []time.Duration
	switch {
	case p.t.Private:
		times = append(times, p.until)
	case p.held:
	case !p.arrived:
		times = append(times, p.ready)
	default:
		if p.t.WidenAfter > 0 && !p.t.Strict && p.t.Widened&WidenTopics == 0 && p.widenFrom+p.t.WidenAfter > p.acted {
			times = append(times, p.widenFrom+p.t.WidenAfter)
		}
		if p.t.WidenAfter > 0 && !p.t.Strict && p.t.Widened&WidenLangs == 0 && p.widenFrom+2*p.t.WidenAfter > p.acted {
			times = append(times, p.widenFrom+2*p.t.WidenAfter)
		}
		if p.look > 0 {
			times = append(times, p.look)
		}
	}
	at := never
	for _, t := range times {
		if t != never && (at == never || t < at) {
			at = t
		}
	}
	return at
}

// run does what is due until now, one thing after the other.
func (o *oracle) run(now time.Duration) (out []effect) {
	for {
		var p *oraclePerson
		for _, q := range o.people {
			if o.due(q) == never || o.due(q) > now {
				continue
			}
			if p == nil || o.due(q) < o.due(p) || o.due(q) == o.due(p) && q.older(p) {
				p = q
			}
		}
		if p == nil {
			return out
		}
		at := o.due(p)
		if p.t.Private {
			o.remove(p)
			out = append(out, effect{kind: expired, a: p.t.Session})
			continue
		}
		out = append(out, o.arrive(at, p)...)
	}
}

func (o *oracle) tick(now time.Duration) []effect {
	if now < o.hold {
		return o.run(now)
	}
	out := o.run(o.hold)
	for {
		var p *oraclePerson
		for _, q := range o.people {
			if q.held && (p == nil || q.older(p)) {
				p = q
			}
		}
		if p == nil {
			break
		}
		p.held = false
		out = append(out, o.arrive(o.hold, p)...)
	}
	return append(out, o.run(now)...)
}

// waiting returns the users in line, sorted.
func (o *oracle) waiting() []store.UserID {
	var out []store.UserID
	for _, p := range o.people {
		out = append(out, p.t.User)
	}
	slices.Sort(out)
	return out
}
