// Command loadtest is virtual users: clients that speak ICE, DTLS, SRTP and the
// wire protocol, a few hundred of them on one core. `loadtest relay` measures
// what the media plane costs beside other relays in one run; `loadtest pairs`
// has couples meet, talk and part on any server; `loadtest match` has thousands of
// clients without media churn, to measure how soon after a match they hear of it.
// `loadtest help` lists the flags.
//
// A client's way through the files: offer.go says what it can, connect.go makes
// ICE and DTLS, client.go and stream.go make and check its packets, pump.go is
// the one loop that all clients share. relay.go and run.go measure; child.go
// starts servers, host.go is what runs in them, one file per kind. couple.go and
// session.go are the couples. churn.go is a client of `match`, match_host.go its
// server. stats.go, table.go and report.go are the figures.
package main
