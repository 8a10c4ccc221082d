package matchmaker

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"smalltalk/store"
)

// What a ticket may hold at most.
const (
	MaxTopics = 8
	MaxLangs  = 3
	MaxBlocks = 1000
	maxName   = 64 // bytes of a topic or a language
)

// Ticket says who looks for a partner, and for what kind. The lists belong to the caller; Find copies them.
type Ticket struct {
	Session store.SessionID
	User    store.UserID

	// Topics are 1 to 8, of which one must be shared. Empty takes any.
	Topics []store.Category

	// Langs are up to 3 languages. If both people name some, one must be shared, until one of the two has widened that.
	Langs []string

	// Strict keeps the ticket to people who named one of its topics themselves: to nobody who takes any topic or has widened to
	// that. Nor does its language give way to waiting, neither its own nor the other's.
	Strict bool

	// WidenAfter is how long the person waits until any topic will do; after twice as long any language will, too. Zero is
	// never, a day is the most. It has no effect if Strict.
	WidenAfter time.Duration

	// WidenFrom is when the wait began that WidenAfter counts. Zero is Since; it is later for one who kept the place over a call.
	WidenFrom time.Time

	// Widened is what the person asked to widen at once, also if Strict.
	Widened Widening

	// Blocks are people whom this one must never meet, whoever of the two comes first. At most MaxBlocks.
	Blocks []store.UserID

	// Partner is somebody wanted in particular. Two who want each other meet at once, whatever else their tickets say and however
	// recently they have met; only blocks keep them apart. Meanwhile the ticket is one like others, unless Private.
	Partner store.UserID

	// PartnerUntil is when the wish for Partner ends. Zero is when the wait does.
	PartnerUntil time.Time

	// Private tickets meet nobody but Partner. At PartnerUntil their Find ends with ErrExpired.
	Private bool

	// Since is the place in line. Zero or in the future means now.
	Since time.Time
}

// Widening is a set of what a ticket no longer insists on.
type Widening uint8

// What can be widened.
const (
	WidenTopics Widening = 1 << iota // any topic will do
	WidenLangs                       // any language will do
)

// WidenedAt returns what the ticket no longer insists on at that moment: what its person asked for, and what the wait since
// t.WidenFrom has brought.
func (t Ticket) WidenedAt(now time.Time) Widening {
	w := t.Widened
	from := t.widenFrom()
	if t.Strict || t.WidenAfter <= 0 || from.IsZero() {
		return w
	}
	waited := now.Sub(from)
	if waited >= t.WidenAfter {
		w |= WidenTopics
	}
	if waited-t.WidenAfter >= t.WidenAfter {
		w |= WidenLangs
	}
	return w
}

func (t Ticket) widenFrom() time.Time {
	if t.WidenFrom.After(t.Since) {
		return t.WidenFrom
	}
	return t.Since
}

// normal checks a ticket and returns a copy whose lists are sorted and whose place is no later than now.
func (m *Matcher) normal(t Ticket, now time.Time) (Ticket, error) {
	if t.Since.IsZero() || t.Since.After(now) {
		t.Since = now
	}
	t.Topics, t.Langs, t.Blocks = sortedSet(t.Topics), sortedSet(t.Langs), sortedSet(t.Blocks)
	switch {
	case t.Session == "" || t.User == "":
		return t, errors.New("matchmaker: ticket without session or user")
	case len(t.Topics) > MaxTopics || len(t.Langs) > MaxLangs || len(t.Blocks) > MaxBlocks:
		return t, fmt.Errorf("matchmaker: ticket with %d topics, %d languages, %d blocks", len(t.Topics), len(t.Langs), len(t.Blocks))
	case t.WidenAfter < 0 || t.WidenAfter > 24*time.Hour:
		return t, fmt.Errorf("matchmaker: ticket that widens after %v", t.WidenAfter)
	case t.Private && t.Partner == "" || t.Partner == t.User:
		return t, fmt.Errorf("matchmaker: ticket of %q for %q", t.User, t.Partner)
	}
	for _, lang := range t.Langs {
		if lang == "" || len(lang) > maxName {
			return t, fmt.Errorf("matchmaker: ticket with a language of %d bytes", len(lang))
		}
	}
	for _, topic := range t.Topics {
		if !m.hasTopic(topic) {
			return t, fmt.Errorf("%w: %q", ErrUnknownTopic, topic)
		}
	}
	return t, nil
}

func (m *Matcher) hasTopic(topic store.Category) bool {
	if topic == "" || len(topic) > maxName {
		return false
	}
	if len(m.topics) == 0 || m.freeTopics {
		return true
	}
	_, ok := slices.BinarySearch(m.topics, topic)
	return ok
}

// sortedSet returns a sorted copy without repetitions.
func sortedSet[T cmp.Ordered](s []T) []T {
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}
