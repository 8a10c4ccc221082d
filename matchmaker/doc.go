// Package matchmaker decides who talks to whom, and owns a room's life from the match to its end.
//
// A person waits inside [Matcher.Find], in the caller's goroutine, and is matched at the moment when somebody compatible comes: never in
// rounds. Whoever has waited longest is taken. People who just left each other meet again only when nobody else came for a while.
//
// Who is in which room and who waits since when is kept in the store, so that a restarted server can give the same two people to each
// other again ([Matcher.Resume]) and everybody the same place in line ([Matcher.Place]). The match never waits for the disk: one goroutine
// writes behind, all changes since its last write in one transaction. What is on the disk is therefore always a state in which the
// matcher has been, at most one write old; a match is there whole or not at all. For that last write the clients' proofs stand in
// ([Matcher.Rejoin], [Ticket].Since). Nobody is matched by what the store kept, and for a moment after a start ([Config].Hold) nobody
// is matched at all if people waited, so that who has waited longest is first again.
package matchmaker
