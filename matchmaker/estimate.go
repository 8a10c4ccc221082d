package matchmaker

import "time"

// Estimate returns how long such a ticket waits, going by what was seen lately, or false if too little was seen to say.
func (m *Matcher) Estimate(t Ticket) (time.Duration, bool) {
	return 0, false
}
