package sfu

import (
	"sync/atomic"
	"time"
)

// dropReason says why a packet was not forwarded.
type dropReason uint8

const (
	dropMalformed dropReason = iota
	dropUnknown
	dropExcess
	dropAlone
	dropWaiting
	dropCodec
	dropUnwanted
	dropDuplicate
	dropStale
	dropSend
	dropReasons
)

// Dropped counts packets that were received and not forwarded, by reason.
type Dropped struct {
	Malformed uint64 // not RTP or RTCP
	Unknown   uint64 // payload type or stream was not negotiated
	Excess    uint64 // far beyond the limit that the peer was told
	Alone     uint64 // nobody to send it to
	Waiting   uint64 // video before the first key frame after a re-wire
	Codec     uint64 // the partner cannot show it
	Unwanted  uint64 // the partner does not want it for now
	Duplicate uint64 // seen before
	Stale     uint64 // far outside the window of sequence numbers
	Send      uint64 // the partner's transport refused it
}

// PeerStats is a snapshot of one Peer's counters, all since NewPeer.
type PeerStats struct {
	PacketsReceived, BytesReceived uint64 // RTP from the peer, with headers
	PacketsSent, BytesSent         uint64 // RTP to the peer, with headers
	// ReceiveBitrate and SendBitrate are what of that came and went since the
	// statistics were last asked for, by whoever, in bit/s; who asks again within
	// a second gets the same as before. They are 0 at first, and in Stats.
	ReceiveBitrate, SendBitrate uint64
	PacketsLost                 uint64 // video packets of the uplink that were asked for in vain
	NACKsSent, NACKsReceived    uint64 // sequence numbers asked for
	Retransmitted, Recovered    uint64 // sent again to the peer; repaired by the peer
	KeyFrames                   uint64 // forwarded from the peer
	KeyFrameRequests            uint64 // sent to the peer
	PLIs                        uint64 // key frame requests from the peer
	Estimate                    uint64 // bit/s the peer says it can receive; 0 is unknown
	// PacketsMissing is what of the peer's packets did not come as first sent,
	// repaired or not; PacketsMissed what the peer says of ours.
	PacketsMissing, PacketsMissed uint64
	// FractionLost is the share of video, 0 to 1, that the peer last said it
	// did not get as first sent.
	FractionLost float64
	// RTT is the round trip to the peer, PathRTT the one on to its partner and
	// back; 0 is unknown.
	RTT, PathRTT time.Duration
	// Path is how the peer comes to us now: "udp", "tcp", "tls", which is TURN
	// over TLS, or "" before it has.
	Path string
	// Plane serves the peer: "fast", "pion", or "" before it is connected.
	Plane   string
	Dropped Dropped
}

// Stats is a snapshot of an Engine.
type Stats struct {
	Peers int // open
	Rooms int // with one or two sides
	Pairs int // wired
	// Traffic sums the counters of the open peers; what is not a count is empty.
	Traffic PeerStats
	Plane   PlaneStats
	Hub     HubStats
	TCP     TCPStats
	TURN    TURNStats
}

// counters are a leg's statistics; everybody may add at any time.
type counters struct {
	packets, bytes           atomic.Uint64
	sentPackets, sentBytes   atomic.Uint64
	lost                     atomic.Uint64
	nacksSent, nacksReceived atomic.Uint64
	resent, recovered        atomic.Uint64
	keyFrames, keyRequests   atomic.Uint64
	plis                     atomic.Uint64
	missing, missed          atomic.Int64
	fractionLost             atomic.Uint32 // in 1/256
	pathRTT                  atomic.Int64
	dropped                  [dropReasons]atomic.Uint64
}

func (c *counters) snapshot() PeerStats {
	return PeerStats{
		PacketsReceived: c.packets.Load(), BytesReceived: c.bytes.Load(),
		PacketsSent: c.sentPackets.Load(), BytesSent: c.sentBytes.Load(),
		PacketsLost: c.lost.Load(),
		NACKsSent:   c.nacksSent.Load(), NACKsReceived: c.nacksReceived.Load(),
		Retransmitted: c.resent.Load(), Recovered: c.recovered.Load(),
		KeyFrames: c.keyFrames.Load(), KeyFrameRequests: c.keyRequests.Load(),
		PLIs:           c.plis.Load(),
		PacketsMissing: uint64(max(c.missing.Load(), 0)),
		PacketsMissed:  uint64(max(c.missed.Load(), 0)),
		FractionLost:   float64(c.fractionLost.Load()) / 256,
		PathRTT:        time.Duration(c.pathRTT.Load()),
		Dropped: Dropped{
			Malformed: c.dropped[dropMalformed].Load(), Unknown: c.dropped[dropUnknown].Load(),
			Excess: c.dropped[dropExcess].Load(),
			Alone:  c.dropped[dropAlone].Load(), Waiting: c.dropped[dropWaiting].Load(),
			Codec: c.dropped[dropCodec].Load(), Unwanted: c.dropped[dropUnwanted].Load(), Duplicate: c.dropped[dropDuplicate].Load(),
			Stale: c.dropped[dropStale].Load(), Send: c.dropped[dropSend].Load(),
		},
	}
}

func (s *PeerStats) add(o PeerStats) {
	s.PacketsReceived += o.PacketsReceived
	s.BytesReceived += o.BytesReceived
	s.PacketsSent += o.PacketsSent
	s.BytesSent += o.BytesSent
	s.PacketsLost += o.PacketsLost
	s.NACKsSent += o.NACKsSent
	s.NACKsReceived += o.NACKsReceived
	s.Retransmitted += o.Retransmitted
	s.Recovered += o.Recovered
	s.KeyFrames += o.KeyFrames
	s.KeyFrameRequests += o.KeyFrameRequests
	s.PLIs += o.PLIs
	s.PacketsMissing += o.PacketsMissing
	s.PacketsMissed += o.PacketsMissed
	s.Dropped.Malformed += o.Dropped.Malformed
	s.Dropped.Unknown += o.Dropped.Unknown
	s.Dropped.Excess += o.Dropped.Excess
	s.Dropped.Alone += o.Dropped.Alone
	s.Dropped.Waiting += o.Dropped.Waiting
	s.Dropped.Codec += o.Dropped.Codec
	s.Dropped.Unwanted += o.Dropped.Unwanted
	s.Dropped.Duplicate += o.Dropped.Duplicate
	s.Dropped.Stale += o.Dropped.Stale
	s.Dropped.Send += o.Dropped.Send
}
