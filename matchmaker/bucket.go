package matchmaker

// The first numbers of topics and languages stand for something else.
const (
	topicAny       = 1 + iota // people who take any topic
	topicAll                  // people who may be met by those
	topicHold                 // people who may not be matched before the hold ends
	topicsReserved = iota
)

const (
	langNone      = 1 + iota // people who named no language
	langAny                  // people who named some, but now take any
	langsReserved = iota
)

// bucket is the people of one topic and one language. A strict person is in another bucket than the others of his language, because who
// takes any language may meet those but not him.
type bucket struct {
	tree
	topic, lang uint32
	strict      bool
	next        uint32 // of the same topic
}

// list puts a waiter into the buckets in which those look who may meet him.
func (l *line) list(i uint32) {
	w := l.waiters.at(i)
	if w.private {
		return
	}
	for _, t := range w.topicSet() {
		l.listTopic(i, t)
	}
	if w.anyTopic() {
		l.listTopic(i, topicAny)
	}
	if !w.topicsOnly() {
		l.listTopic(i, topicAll)
	}
}

func (l *line) listTopic(i, topic uint32) {
	w := l.waiters.at(i)
	for _, lang := range w.langSet() {
		l.enlist(i, topic, lang, w.langsOnly())
	}
	if w.langCount == 0 {
		l.enlist(i, topic, langNone, false)
	}
	if w.anyLang() {
		l.enlist(i, topic, langAny, false)
	}
}

// enlist puts a waiter into one bucket.
func (l *line) enlist(i, topic, lang uint32, strict bool) {
	b := l.bucket(topic, lang, strict)
	w := l.waiters.at(i)
	k := l.links.alloc()
	*l.links.at(k) = link{bucket: b, owner: i, sibling: w.links}
	w.links = k
	l.add(&l.buckets.at(b).tree, k)
}

// bucket returns the number of a bucket, which may be new.
func (l *line) bucket(topic, lang uint32, strict bool) uint32 {
	e := l.topics.all.at(topic)
	for b := e.chain; b != 0; b = l.buckets.at(b).next {
		if k := l.buckets.at(b); k.lang == lang && k.strict == strict {
			return b
		}
	}
	b := l.buckets.alloc()
	*l.buckets.at(b) = bucket{topic: topic, lang: lang, strict: strict, next: e.chain}
	e.chain = b
	return b
}

// unlist takes a waiter out of all his buckets, and drops those that are empty then.
func (l *line) unlist(i uint32) {
	w := l.waiters.at(i)
	for k := w.links; k != 0; {
		b := l.links.at(k).bucket
		l.take(&l.buckets.at(b).tree, k)
		if l.buckets.at(b).root == 0 {
			l.drop(b)
		}
		next := l.links.at(k).sibling
		l.links.release(k)
		k = next
	}
	w.links = 0
}

// drop removes an empty bucket from its topic.
func (l *line) drop(b uint32) {
	k := l.buckets.at(b)
	e := l.topics.all.at(k.topic)
	if e.chain == b {
		e.chain = k.next
	} else {
		p := e.chain
		for l.buckets.at(p).next != b {
			p = l.buckets.at(p).next
		}
		l.buckets.at(p).next = k.next
	}
	l.buckets.release(b)
}
