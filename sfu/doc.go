// Package sfu relays media between the two peers that joined the same room.
//
// It knows no user, account, topic or signaling: an [Engine] makes a [Peer] for
// each client, [Peer.Answer] turns the client's one offer into an answer, and
// [Peer.Join] says who talks to whom, by the name of a room. What happens comes
// back as return values and closed channels; nothing is called upward.
//
// A Peer is made before its first partner is known and outlives all of them.
// What a client receives is, for the whole life of its connection, one audio
// and one video stream with the same SSRCs and unbroken numbers, so that Next
// costs neither SDP nor ICE nor DTLS: two pointers are swapped.
//
// # Two planes
//
// SDP, ICE and DTLS are Pion's. What is between a client's datagram and its leg
// (leg.go), there and back, is a plane; serve.go chooses one for each connection
// when that is connected:
//
//   - fast: SRTP never enters Pion. The keys are learnt from the handshake
//     (keycapture.go; capturecheck.go tries it when an Engine starts).
//   - pion: by way of Pion's SRTP session, its BufferFactory and its tracks.
//     For where the keys cannot be had.
//
// On the fast plane Pion must send no SRTP: it holds the same keys, and nonces
// would repeat. There are no interceptors, nothing is written to its tracks, and
// group.go and inbox.go drop and count what it would send all the same.
//
// # One packet's way
//
// On the fast plane a datagram comes in through one of Config.UDP. Each socket
// has a worker (group.go), which reads as many as there are with one call of the
// system (batch.go, batch_linux.go). What is not SRTP goes to ICE (mux.go), and
// so does one datagram of each client a second, as a sign of life; what comes
// from an address that ICE has selected (addresses.go) goes to the client's lane
// (lane.go), which decrypts it in place. A client that comes by TCP or TURN
// reaches its lane through inbox.go.
//
// On the pion plane it comes through Pion's ICE and the SRTP session of its
// peer, whose goroutine decrypts it and hands it to Write in buffer.go.
//
// All that follows runs in that worker, or that goroutine, with no lock, no
// allocation and no hand-over of ours:
//
//   - leg.go, receiveRTP: police.go admits it, rtp.go parses it in place, its
//     payload type (codec.go) says what it is, rtx.go unwraps it if it is a
//     retransmission and red.go if it is in RED, loss.go tells new from late
//     from repeated, and receive.go counts it for receiver reports. What the
//     peer's link has lost restore.go brings back by the peer's parity, and it
//     goes the same way.
//   - gate.go: the route to the partner, or nil. Who re-wires takes the route
//     away and waits until nobody is inside; so Leave can promise that no
//     packet read after it crosses, and a route's state has one owner.
//   - route.go, forward: video waits for a key frame (keyframe.go, keyrequest.go);
//     rewrite.go sets the numbers that continue the partner's stream, none of them
//     twice, in time by the line that clock.go keeps and asks the publisher for
//     reports for; span.go remembers what was added;
//     extension.go writes the header extensions, the server's own, what the
//     picture needs and the number that feedback is about, and nothing else of
//     the sender's; fec.go makes parity anew, over what was sent. What may have to
//     be sent again is written into ring.go, which keeps it.
//   - lane.go, sendRTP: encrypted into the worker's burst (burst.go), which is
//     written with one call of the system for all that was read with one
//     (batch_write_linux.go). Or track.go: into the partner's SRTP session, which
//     encrypts and sends it.
//   - uplink.go, feedback: what the peer is owed as a sender, and its partner
//     does not give it, is sent when it is due, driven by its own packets: NACKs
//     for what is missing, a bandwidth limit (REMB; estimate.go), a key frame
//     request; arrival times for its rate control (arrivals.go) of what went no
//     further, and receiver reports while nobody else makes any.
//
// RTCP takes the same way in, on the pion plane through the SRTCP session's
// goroutine, to control.go: NACKs are answered from the ring and key frame requests are passed
// to the publisher; and so are the NACKs where packets queue up on the way to the
// subscriber (backlog.go). What else a subscriber says about its partner's packets
// goes back through a gate of its own: transport-wide feedback in wide.go
// (transportcc.go has its format), receiver reports in report.go, each in the
// numbers and the time of whom it is for. So the publisher's rate control sees the
// whole path, and the relay has none. A publisher's sender reports go no further:
// they set the clocks by which forward tells the subscriber the times of its streams.
//
// # Who may touch what
//
// A leg is fed by two goroutines, media and control, and each owns its part of
// it; what both read is atomic. On the fast plane one goroutine at a time is
// both: who comes second in the same instant is dropped. rooms.go has the one lock of the wiring; it is
// never on a packet's way, and under it nothing is sent. peer.go has the
// connection's life, offer.go and negotiate.go its SDP. What is counted is atomic
// (stats.go, streamstats.go, planestats.go); of that meter.go makes bitrates and
// pairs.go both sides of a call for whoever asks.
//
// The files rtp, extension, keyframe, codec, receive, loss, restore, ring, rtx, red, fec,
// rewrite, clock, span, gate, route, rooms, arrivals, transportcc, wide, backlog, report, meter,
// keyrequest, estimate and police know nothing of Pion; leg, uplink and control
// use its RTCP packets; lane its SRTP contexts; the others are what binds them to
// its PeerConnection.
package sfu
