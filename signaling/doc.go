// Package signaling conducts every client's session over WebSocket and HTTP: who a
// client is, the media connection it asks for, its place in the queue, its call and its chat, and
// the friends who see each other and ring.
//
// The wire protocol is described in PROTOCOL.md beside this file, with one example per
// message in testdata/protocol. The package knows neither Pion nor the sfu package: media
// is behind the [Peer] port and matching behind the [Matcher] port, and both answer only by
// return values and closed channels.
//
// # Goroutines
//
// A WebSocket has one reader and one writer (the HTTP handler's own goroutine), a keep-alive
// and a bounded queue between them and the session; a client that lets the queue fill up is dropped. A
// session has one goroutine that alone owns its state and outlives a lost WebSocket for the
// grace time. A wait in the matcher, an answer to an offer and the closing of a replaced Peer
// each have one short goroutine that the session waits for, and so has what it needs of the disk: matching never waits for that.
// Friends' presence, mail and what is only to be kept have one goroutine each while there is something. [Server.Shutdown] returns when
// all of them are gone.
//
// # What is never logged
//
// SDP, tokens, chat text, to whom mail goes, and which addresses talk to each other.
package signaling
