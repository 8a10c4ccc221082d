// Package matchmaker decides who talks to whom, and owns a room's life from the match to its end.
//
// A person waits inside [Matcher.Find], in the caller's goroutine, and is matched at the moment when somebody compatible comes: never in
// rounds.
//
// Who is in which room and who waits since when is kept in the store, so that a restarted server can give the same two people to each
// other again ([Matcher.Resume]) and everybody the same place in line ([Matcher.Place]). The match never waits for the disk: one goroutine
// writes behind, all changes since its last write in one transaction. What is on the disk is therefore always a state in which the
// matcher has been, at most one write old; a match is there whole or not at all. For that last write the clients' proofs stand in
// ([Matcher.Rejoin], [Ticket].Since). Nobody is matched by what the store kept, and for a moment after a start ([Config].Hold) nobody
// is matched at all if people waited, so that who has waited longest is first again.
//
// # Who meets whom
//
// Two people may meet if they share a topic, or one of them takes any; and if they share a language, or one of them names none or takes
// any. Who is strict is only met by people who named one of his topics themselves, and who share his language or name none. Neither may
// have blocked the other. After [Ticket.WidenAfter] in line a person takes any topic, after twice that any language, and at once what
// he has asked for ([Ticket.Widened]).
//
// Of those whom a newcomer may meet, the one who has waited longest is taken, where each shared topic counts as three seconds of waiting
// and a shared language as two. So nobody is passed over for somebody who has waited less by more than 26 seconds.
//
// People who were partners avoid each other for ten minutes, or until both have had five others. But where fewer than eight wait whom one
// could meet, all of them such partners, 15 seconds side by side are enough. Two who name each other as [Ticket.Partner] meet at
// once.
//
// Who is skipped keeps the place in line, by the caller's [Ticket.Since]; who skips goes to its end, and who skips more than 20 people in
// a minute is not matched for a second per further one, at most 30.
//
// # How
//
// The line is a pure state machine: who came, gave up or parted goes in with the time, and matches come out. No map is walked and
// nothing is random in it, so that the same events give the same matches. Its invariant is that no two people in line may meet. It holds
// because whoever comes, or takes more than before, looks for a partner before being put in line. What else changes with time has an
// alarm in one heap: widening, meeting a recent partner after all, the end of a private ticket or of a skipper's wait.
//
// The people in line are in buckets, one for each topic and language, with more of them for those who take any topic, those who may be met
// by such people, those who named no language and those who take any. A person with three topics and one language is in four. Who looks for a
// partner walks the buckets of his topics and languages and, of each, takes the oldest who suits; of those, the best. Within a bucket
// people are in a tree by age, which has the oldest at hand, takes the youngest in a step or two, and an older one who comes back to
// his place in the logarithm of those he passes. All of it is in paged arenas whose members know each other by number, so that the
// garbage collector has little to look at.
//
// An arrival costs a look into each bucket in reach, (topics + 1) x (languages that people of these topics speak), and a step for
// each person passed over there because of a block or as a recent partner, who by the invariant are all that can be in the way. It
// does not depend on how many people are in line. A ticket names at most 8 topics, 3 languages and 1,000 blocks. Remembered are the last five partners of
// 200,000 people, and the pace of 4,096 topics that nobody names at the moment.
//
// # What it costs
//
// make bench-match, on two shared cores of which other work had the larger part. The people in line are such as could really be there, with
// 1 to 3 topics of their own and ten languages; Zipf are people with topics of a Zipf distribution, who are all held until they may meet.
//
//	          |              an arrival             | bytes a ticket | 999 blocked | end of the hold
//	  in line |    mean      p50      p99     p99.9 |  rare     Zipf |   ahead p50 |      pairs/s
//	    1,000 |  2.2 us   0.9 us   5.6 us    182 us |   667      507 |      4.8 us |      376,000
//	  100,000 |  2.7 us   1.3 us   7.2 us    196 us |   575      300 |     83   us |      263,000
//	1,000,000 |  7.3 us   1.7 us   8.5 us    228 us |   574      282 |     84   us |      273,000
//
// # What it is like
//
// make simulate: a day in virtual time of people who stay for a quarter of an hour, skip three calls of five after six seconds, talk for four
// minutes in the others and give up after two minutes and a half alone. One in ten is strict, two in three of the others widen after ten
// seconds, one in fifty skips everybody.
//
//	5 people at a time: 1,287 matches, 57 % with a recent partner, 7.5 % of waits given up
//	waits after       mean      p50      p90      p99
//	coming           41.7 s   12.1 s    123 s    319 s
//	being skipped    15.2 s   15.0 s   18.6 s     84 s
//	skipping         22.4 s   15.0 s   42.4 s    118 s
//
//	50,000 at a time, a day's first 20 minutes: 385,937 matches, 0.009 % with a recent partner, 0.06 % of waits given up
//	waits after       mean      p50      p90      p99
//	coming            1.3 s      0 s    3.0 s    7.9 s
//	being skipped     0.1 s      0 s    0.1 s    1.0 s
//	skipping          0.5 s      0 s    1.9 s    4.0 s
//
// Where a wait was estimated when it began ([Matcher.Estimate]), the mean of the estimates was 20.9 s on the small server and 0.53 s on the
// large one, and that of the waits 20.0 s and 0.40 s.
package matchmaker
