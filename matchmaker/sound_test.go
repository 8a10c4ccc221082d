package matchmaker

import (
	"testing"
)

// sound checks all that the line keeps against itself.
func (l *line) sound(t testing.TB) {
	t.Helper()
	links, buckets := 0, 0
	for n := range l.topics.all.top {
		for b := l.topics.all.at(n + 1).chain; b != 0; b = l.buckets.at(b).next {
			buckets++
			links += l.soundTree(t, n+1, b)
		}
	}
	if links != l.links.used() || buckets != l.buckets.used() {
		t.Fatalf("%d links in %d buckets, but %d and %d in use", links, buckets, l.links.used(), l.buckets.used())
	}
	if n := l.waiting(); l.waiters.used() != n || l.named.used() != n || len(l.alarms) > n {
		t.Fatalf("%d wait, %d waiters, %d names, %d alarms", n, l.waiters.used(), l.named.used(), len(l.alarms))
	}
	topics, langs := map[uint32]uint32{}, map[uint32]uint32{}
	l.byUser.each(func(i uint32) {
		w, u := l.waiters.at(i), l.named.at(i).user
		if l.byUser.get(u) != i || w.print != fingerprint(u) || w.person != 0 && l.people.all.at(w.person).waiter != i {
			t.Fatalf("%s: mixed up", u)
		}
		if w.alarm != 0 && l.alarms[w.alarm-1].waiter != i {
			t.Fatalf("%s: another's alarm", u)
		}
		for _, x := range w.topicSet() {
			topics[x]++
		}
		for _, x := range w.langSet() {
			langs[x]++
		}
	})
	for p := range l.alarms {
		if p > 0 && l.sooner(l.alarms[p], l.alarms[(p-1)/2]) {
			t.Fatal("alarms out of order")
		}
	}
	l.topics.sound(t, topicsReserved, topics)
	l.langs.sound(t, langsReserved, langs)
	if n := l.people.all.used(); n != l.people.byPrint.len || n > l.people.max {
		t.Fatalf("%d people remembered under %d prints", n, l.people.byPrint.len)
	}
}

// soundTree checks the tree of a bucket and returns its size.
func (l *line) soundTree(t testing.TB, topic, b uint32) int {
	t.Helper()
	k := l.buckets.at(b)
	n, last := 0, uint32(0)
	for i := k.first; i != 0; last, i = i, l.younger(i) {
		x := l.links.at(i)
		if x.bucket != b || last != 0 && (!l.before(last, i) || l.older(i) != last) || l.byUser.get(l.named.at(x.owner).user) != x.owner {
			t.Fatalf("bucket %d: bad link at %d", b, n)
		}
		if p := x.parent; p == 0 && k.root != i || p != 0 && l.rank(p) < l.rank(i) {
			t.Fatalf("bucket %d: no heap at %d", b, n)
		}
		n++
	}
	if k.last != last || k.topic != topic || n == 0 {
		t.Fatalf("bucket %d of topic %d has %d people", b, topic, n)
	}
	return n
}

// sound checks the names against how many people name each.
func (n *names) sound(t testing.TB, reserved int, refs map[uint32]uint32) {
	t.Helper()
	idle := 0
	n.byText.each(func(i uint32) {
		e := n.all.at(i)
		if n.byText.get(e.text) != i || e.waiting != refs[i] {
			t.Fatalf("%q named by %d people, should be %d", e.text, e.waiting, refs[i])
		}
		if e.waiting == 0 {
			idle++
			if e.chain != 0 {
				t.Fatalf("%q has a bucket, but nobody names it", e.text)
			}
		}
	})
	chained := 0
	for i := n.first; i != 0; i = n.all.at(i).next {
		chained++
	}
	if idle != n.idle || idle != chained || idle > idleNames || n.all.used() != reserved+n.byText.len {
		t.Fatalf("%d idle, %d counted, %d chained; %d names in use", idle, n.idle, chained, n.all.used())
	}
}
