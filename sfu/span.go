package sfu

import "sync/atomic"

// span is a run of numbers that crosses the relay with a constant added, from
// one publisher to one subscriber: sequence numbers of a flow, or transport-wide
// numbers of a wiring. One goroutine moves it on; anybody may map back.
type span struct {
	first   int64 // the publisher's, extended; never 0
	offset  uint16
	highest atomic.Int64
}

// newSpan begins a span at the publisher's number first, which becomes out.
func newSpan(first int64, out uint16) *span {
	s := &span{first: first, offset: out - uint16(first)}
	s.highest.Store(first)

	return s
}

// out is what the subscriber knows n as.
func (s *span) out(n int64) uint16 { return uint16(n) + s.offset }

// extend says that n has been sent.
func (s *span) extend(n int64) {
	if n > s.highest.Load() {
		s.highest.Store(n)
	}
}

// back returns the publisher's number of what the subscriber knows as out. It
// returns false for a number of another span, which came before or has not
// been sent yet.
func (s *span) back(out uint16) (int64, bool) {
	highest := s.highest.Load()
	n := highest + int64(int16(out-s.out(highest)))

	return n, s.first <= n && n <= highest
}
