package sfu

import "sync/atomic"

// PlaneStats counts what became of datagrams on the fast plane, since New.
type PlaneStats struct {
	Fast, Pion             int    // connected peers now, by the plane that serves them
	ServedFast, ServedPion uint64 // in all
	// FallenBack counts connections that the fast plane was meant for and that
	// Pion serves, because their keys or their place could not be had.
	FallenBack uint64
	// PionMedia counts SRTP and SRTCP that Pion wanted to send to clients of the
	// fast plane. It was dropped: two senders with one key repeat nonces. It
	// must stay zero.
	PionMedia uint64
	Unopened  uint64 // forged, repeated, or too old
	Strange   uint64 // media from an address that ICE has not selected
	Contended uint64 // came over two paths in the same instant
	Early     uint64 // came before the keys were known
	Unsent    uint64 // refused by the system
	Crowded   uint64 // handshakes and checks that came faster than they could be handled
}

type planeCounters struct {
	servedFast, servedPion                                                      atomic.Uint64
	fallenBack, pionMedia, unopened, strange, contended, early, unsent, crowded atomic.Uint64
}

func (c *planeCounters) snapshot() PlaneStats {
	return PlaneStats{
		ServedFast: c.servedFast.Load(), ServedPion: c.servedPion.Load(),
		FallenBack: c.fallenBack.Load(), PionMedia: c.pionMedia.Load(), Unopened: c.unopened.Load(),
		Strange: c.strange.Load(), Contended: c.contended.Load(), Early: c.early.Load(), Unsent: c.unsent.Load(), Crowded: c.crowded.Load(),
	}
}
