package matchmaker

// tree holds the people of one bucket by age: a treap whose nodes are links and whose priorities are hashes of the people's
// numbers, so that the same events build the same tree. The oldest is at hand, the next older or younger a step away, and who comes at the
// young end, as nearly all do, costs a step or two; who brings an old place along costs as many as the logarithm of those he
// passes.
type tree struct{ root, first, last uint32 }

// link is one person's membership in one bucket.
type link struct {
	left, right, parent uint32
	bucket              uint32
	owner               uint32 // the waiter
	sibling             uint32 // the owner's next membership
}

// before says whether the owner of link a is older than that of link b.
func (l *line) before(a, b uint32) bool {
	return l.waiters.at(l.links.at(a).owner).before(l.waiters.at(l.links.at(b).owner))
}

// rank is a link's priority in its tree.
func (l *line) rank(i uint32) uint64 { return mix(l.waiters.at(l.links.at(i).owner).seq) }

// mix spreads a counter over all bits (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// add puts link i into the tree.
func (l *line) add(t *tree, i uint32) {
	if t.root == 0 {
		t.root, t.first, t.last = i, i, i
		return
	}
	p := t.last
	for up := l.links.at(p).parent; up != 0 && l.before(i, p); up = l.links.at(p).parent {
		p = up
	}
	for {
		node := l.links.at(p)
		side := &node.right
		if l.before(i, p) {
			side = &node.left
		}
		if *side == 0 {
			*side = i
			break
		}
		p = *side
	}
	l.links.at(i).parent = p
	switch {
	case p == t.first && l.links.at(p).left == i:
		t.first = i
	case p == t.last && l.links.at(p).right == i:
		t.last = i
	}
	for rank := l.rank(i); p != 0 && l.rank(p) < rank; p = l.links.at(i).parent {
		l.lift(t, i)
	}
}

// lift rotates link i into the place of its parent.
func (l *line) lift(t *tree, i uint32) {
	node := l.links.at(i)
	p := node.parent
	parent := l.links.at(p)
	var inner uint32
	if parent.left == i {
		inner, parent.left, node.right = node.right, node.right, p
	} else {
		inner, parent.right, node.left = node.left, node.left, p
	}
	if inner != 0 {
		l.links.at(inner).parent = p
	}
	l.hang(t, parent.parent, p, i)
	parent.parent = i
}

// hang puts link i, or nothing, under parent in the place of old.
func (l *line) hang(t *tree, parent, old, i uint32) {
	switch {
	case parent == 0:
		t.root = i
	case l.links.at(parent).left == old:
		l.links.at(parent).left = i
	default:
		l.links.at(parent).right = i
	}
	if i != 0 {
		l.links.at(i).parent = parent
	}
}

// take takes link i out of the tree.
func (l *line) take(t *tree, i uint32) {
	if t.first == i {
		t.first = l.younger(i)
	}
	if t.last == i {
		t.last = l.older(i)
	}
	node := l.links.at(i)
	for node.left != 0 && node.right != 0 {
		if l.rank(node.left) > l.rank(node.right) {
			l.lift(t, node.left)
		} else {
			l.lift(t, node.right)
		}
	}
	l.hang(t, node.parent, i, node.left|node.right) // at most one of them is left
	node.left, node.right, node.parent = 0, 0, 0
}

// younger returns the link after i, or 0.
func (l *line) younger(i uint32) uint32 {
	if c := l.links.at(i).right; c != 0 {
		for left := l.links.at(c).left; left != 0; left = l.links.at(c).left {
			c = left
		}
		return c
	}
	p := l.links.at(i).parent
	for ; p != 0 && l.links.at(p).right == i; p = l.links.at(p).parent {
		i = p
	}
	return p
}

// older returns the link before i, or 0.
func (l *line) older(i uint32) uint32 {
	if c := l.links.at(i).left; c != 0 {
		for right := l.links.at(c).right; right != 0; right = l.links.at(c).right {
			c = right
		}
		return c
	}
	p := l.links.at(i).parent
	for ; p != 0 && l.links.at(p).left == i; p = l.links.at(p).parent {
		i = p
	}
	return p
}
