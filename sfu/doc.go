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
// # One packet's way
//
// A datagram comes in through one of Config.UDP (mux.go), Pion's ICE, and the
// SRTP session of its peer, whose goroutine decrypts it and hands it to Write
// in buffer.go. All that follows runs in that goroutine, one for each peer,
// with no lock, no allocation and no hand-over of ours:
//
//   - leg.go, receiveRTP: police.go admits it, rtp.go parses it in place, its
//     payload type (codec.go) says what it is, rtx.go unwraps it if it is a
//     retransmission and red.go if it is in RED, loss.go tells new from late
//     from repeated, and receive.go counts it for receiver reports.
//   - gate.go: the route to the partner, or nil. Who re-wires takes the route
//     away and waits until nobody is inside; so Leave can promise that no
//     packet read after it crosses, and a route's state has one owner.
//   - route.go, forward: video waits for a key frame (keyframe.go, keyrequest.go);
//     rewrite.go sets the numbers that continue the partner's stream, span.go
//     remembers what was added; extension.go writes the header extensions, the
//     server's own, what the picture needs and the number that feedback is
//     about, and nothing else of the sender's; fec.go makes parity anew, over
//     what was sent; ring.go keeps a copy.
//   - track.go: into the partner's SRTP session, which encrypts and sends it.
//   - uplink.go, feedback: what the peer is owed as a sender, and its partner
//     does not give it, is sent when it is due, driven by its own packets: NACKs
//     for what is missing, a bandwidth limit (REMB; estimate.go), a key frame
//     request; arrival times for its rate control (arrivals.go) of what went no
//     further, and receiver reports while nobody else makes any.
//
// RTCP takes the same way in, through the SRTCP session's goroutine, to
// control.go: NACKs are answered from the ring and key frame requests are passed
// to the publisher. What else a subscriber says about its partner's packets
// goes back through a gate of its own: transport-wide feedback in wide.go
// (transportcc.go has its format), sender and receiver reports in report.go,
// each in the numbers and the time of whom it is for. So the publisher's rate
// control sees the whole path, and the relay has none.
//
// # Who may touch what
//
// A leg is fed by two goroutines, media and control, and each owns its part of
// it; what both read is atomic. rooms.go has the one lock of the wiring; it is
// never on a packet's way, and under it nothing is sent. peer.go has the
// connection's life, offer.go and negotiate.go its SDP.
//
// The files rtp, extension, keyframe, codec, receive, loss, ring, rtx, red, fec,
// rewrite, span, gate, route, rooms, arrivals, transportcc, wide, report,
// keyrequest, estimate and police know nothing of Pion, so that another media
// plane can use them; leg, uplink and control use its RTCP packets; the others
// are what binds them to its PeerConnection.
package sfu
