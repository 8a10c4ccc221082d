package matchmaker

// idleNames is how many topics, and how many languages, that nobody in line names are kept for the sake of their pace.
const idleNames = 4096

// name is a topic or a language that people name, or did lately.
type name struct {
	text       string
	waiting    uint32 // people in line who name it, but for private ones
	chain      uint32 // its first bucket, if it is a topic
	prev, next uint32 // among the idle ones
	pace       pace
}

// names numbers topics or languages. Those that nobody names go, longest idle first, when there are more than idleNames of them.
type names struct {
	all         arena[name]
	byText      *index[string]
	first, last uint32 // the idle ones
	idle        int
}

// newNames makes a table in which the first numbers, up to reserved, have no text and never go.
func newNames(reserved int) *names {
	n := &names{}
	n.byText = newIndex(func(i uint32) string { return n.all.at(i).text })
	for range reserved {
		n.all.alloc()
	}
	return n
}

// acquire returns the number of a name that somebody begins to name. It is idle no longer.
func (n *names) acquire(text string) uint32 {
	i := n.byText.get(text)
	if i == 0 {
		i = n.all.alloc()
		n.all.at(i).text = text
		n.byText.put(text, i)
	} else if e := n.all.at(i); e.waiting == 0 {
		n.unlink(e)
	}
	return i
}

// release notes that somebody no longer names it. If nobody does, it is idle.
func (n *names) release(i uint32) {
	e := n.all.at(i)
	if e.waiting > 0 {
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
	n.byText.remove(e.text)
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
	if i := n.byText.get(text); i != 0 {
		return n.all.at(i)
	}
	return nil
}

// each calls f with every name, in no order.
func (n *names) each(f func(*name)) {
	n.byText.each(func(i uint32) { f(n.all.at(i)) })
}
