package sfu

import (
	"slices"
	"strings"
)

// PairStats is a snapshot of a room whose two sides are wired. What a side's
// Receive... and Packets... say is about its own hop; PathRTT is about both.
type PairStats struct {
	Room  string // as in [Peer.Join]; a secret of its two sides
	Sides [2]PeerStats
}

// Pairs returns the pairs that are wired now, by the names of their rooms. It
// takes the lock of the wiring for a moment, and nothing of the packets' path.
func (e *Engine) Pairs() []PairStats {
	e.mu.Lock()
	peers := make(map[*leg]*Peer, len(e.peers))
	for p := range e.peers {
		peers[p.leg] = p
	}
	e.mu.Unlock()
	list := []PairStats{}
	for _, rm := range e.rooms.wired() {
		a, b := peers[rm.sides[0]], peers[rm.sides[1]]
		if a != nil && b != nil { // or one has come or gone meanwhile
			list = append(list, PairStats{Room: rm.name, Sides: [2]PeerStats{a.Stats(), b.Stats()}})
		}
	}
	slices.SortFunc(list, func(a, b PairStats) int { return strings.Compare(a.Room, b.Room) })

	return list
}

// wired returns copies of the rooms whose sides are wired.
func (rs *rooms) wired() []room {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	list := make([]room, 0, rs.pairs)
	for _, rm := range rs.byName {
		if rm.wired {
			list = append(list, *rm)
		}
	}

	return list
}
