package matchmaker

// idleNames is how many topics, and how many languages, that nobody in line names are kept for the sake of their pace.
const idleNames = 4096

// name is a topic or a language that people name, or did lately.
type name struct {
	text       string
	refs       uint32 // people in line who name it
	chain      uint32 // its first bucket, if it is a topic
	prev, next uint32 // among the idle ones
	pace       pace
}

// names numbers topics or languages. Those that nobody names go, longest idle first, when there are more than idleNames of them.
type names struct {
	all         arena[name]
	byText      map[string]uint32
	first, last uint32 // the idle ones
	idle        int
}

// newNames makes a table in which the first numbers, up to reserved, have no text and never go.
func newNames(reserved int) names {
	n := names{byText: map[string]uint32{}}
	for range reserved {
		n.all.at(n.all.alloc()).refs = 1
	}
	return n
}

// acquire returns the number of a name, until release.
func (n *names) acquire(text string) uint32 {
	i := n.byText[text]
	if i == 0 {
		i = n.all.alloc()
		*n.all.at(i) = name{text: text, refs: 1}
		n.byText[text] = i
		return i
	}
	e := n.all.at(i)
	if e.refs++; e.refs == 1 {
		n.unlink(e)
	}
	return i
}

// release gives up what acquire returned.
func (n *names) release(i uint32) {
	e := n.all.at(i)
	if e.refs--; e.refs > 0 {
		return
	}
	if e.prev, n.last = n.last, i; e.prev == 0 {
		n.first = i
	} else {
		n.all.at(e.prev).next = i
	}
	if n.idle++; n.idle <= idleNames {
		return
	}
	i = n.first
	e = n.all.at(i)
	n.unlink(e)
	delete(n.byText, e.text)
	n.all.release(i)
}

// unlink takes a name out of the idle ones.
func (n *names) unlink(e *name) {
	if e.prev == 0 {
		n.first = e.next
	} else {
		n.all.at(e.prev).next = e.next
	}
	if e.next == 0 {
		n.last = e.prev
	} else {
		n.all.at(e.next).prev = e.prev
	}
	e.prev, e.next = 0, 0
	n.idle--
}

// find returns the name of that text, or nil if nobody names it or did lately.
func (n *names) find(text string) *name {
	if i := n.byText[text]; i != 0 {
		return n.all.at(i)
	}
	return nil
}
