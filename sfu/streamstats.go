package sfu

import "sync/atomic"

// HubStats counts, since New, what became of datagrams of clients that come by
// TCP or TURN.
type HubStats struct {
	Forged      uint64 // came by UDP from an address that only the hub gives out
	Unproven    uint64 // from who has not shown to know a password of ours
	Overflowed  uint64 // came faster than they could be decrypted
	Unreachable uint64 // to an address that leads to nobody any more
	CaughtUp    uint64 // times that a key frame was asked for after a queue had to be thinned
}

// TCPStats counts ICE-TCP connections.
type TCPStats struct {
	Open      int    // now
	Strangers int    // now, that have not proved yet who they are
	Accepted  uint64 // proved who they are
	Refused   uint64 // did not
	Displaced uint64 // of those, the oldest strangers, closed for new ones
	Evicted   uint64 // the client's oldest, closed for a new one
	Dropped   uint64 // datagrams that a client did not read in time
}

// TURNStats counts what TURN clients did and tried.
type TURNStats struct {
	Allocations        int    // now
	Connections        int    // now
	Allocated          uint64 // since New
	Evicted            uint64 // connections without an allocation, the oldest, closed for new ones
	RefusedConnections uint64 // too many with an allocation from one address
	RefusedCredentials uint64 // unknown, expired, revoked or wrong
	RefusedAllocations uint64 // too many, or not of UDP
	RefusedPermissions uint64 // for a host that is not ours, or too many
	RefusedSends       uint64 // to a port of ours that takes no media
	Dropped            uint64 // datagrams that a client did not read in time
}

type queueCounters struct{ dropped atomic.Uint64 }

type hubCounters struct{ forged, unproven, overflowed, unreachable, caughtUp, evicted atomic.Uint64 }

func (c *hubCounters) snapshot() HubStats {
	return HubStats{
		Forged: c.forged.Load(), Unproven: c.unproven.Load(), Overflowed: c.overflowed.Load(),
		Unreachable: c.unreachable.Load(), CaughtUp: c.caughtUp.Load(),
	}
}

type tcpCounters struct {
	accepted, refused, displaced atomic.Uint64
	queue                        queueCounters
}

type turnCounters struct {
	allocations, evicted                                 atomic.Uint64
	refusedConnections, refusedCredentials               atomic.Uint64
	refusedAllocations, refusedPermissions, refusedSends atomic.Uint64
	queue                                                queueCounters
}
