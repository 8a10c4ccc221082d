package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
)

// verifyPages walks all pages that the meta page leads to, and the list of free ones. No page is left over: bbolt writes a list with all
// free pages, also of those that a transaction still reads, in the transaction that frees them.
func verifyPages(f *os.File, m boltMeta) error {
	w := &pageWalk{file: f, meta: m, seen: make([]bool, m.pages)}
	w.seen[0], w.seen[1] = true, true // the meta pages
	if err := w.tree(m.root, nil, keyRange{}); err != nil {
		return err
	}
	if m.freelist == noFreelist {
		return nil // bbolt takes for free what nothing leads to
	}
	if err := w.freelist(); err != nil {
		return err
	}
	if id := slices.Index(w.seen, false); id >= 0 {
		return fmt.Errorf("page %d: nothing leads to it and it is not free", id)
	}
	return nil
}

// pageWalk is one walk through the file.
type pageWalk struct {
	file *os.File
	meta boltMeta
	seen []bool // by page number: something leads there already
	buf  []byte // the page being looked at
}

// tree checks the page and all below it, which are those of a bucket; nil is the bucket of all buckets.
func (w *pageWalk) tree(id uint64, bucket []byte, keys keyRange) error {
	p, err := w.page(id)
	if err != nil {
		return err
	}
	switch p.flags() {
	case branchPage:
		return w.branch(p, bucket, keys)
	case leafPage:
		return w.leaf(p, bucket, keys)
	default:
		return fmt.Errorf("page %d: type %#x in a tree", id, p.flags())
	}
}

func (w *pageWalk) branch(p page, bucket []byte, keys keyRange) error {
	id, children := p.id(), make([]element, 0, p.count())
	err := p.tail(p.each(keys, func(e element) error {
		e.key = bytes.Clone(e.key) // the next page takes the buffer
		children = append(children, e)
		return nil
	}))
	if err == nil && len(children) == 0 {
		err = errors.New("branch without children")
	}
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	for i, c := range children {
		below := keyRange{c.key, keys.end}
		if i+1 < len(children) {
			below.end = children[i+1].key
		}
		if err := w.tree(c.child, bucket, below); err != nil {
			return err
		}
	}
	return nil
}

func (w *pageWalk) leaf(p page, bucket []byte, keys keyRange) error {
	var below []subBucket
	err := p.tail(p.entries(bucket, keys, func(b subBucket) { below = append(below, b) }))
	if err != nil {
		return fmt.Errorf("page %d: %w", p.id(), err)
	}
	for _, b := range below {
		if err := w.tree(b.root, b.name, keyRange{}); err != nil {
			return err
		}
	}
	return nil
}

// freelist checks that the pages to be written next are ones that nothing leads to.
func (w *pageWalk) freelist() error {
	p, err := w.page(w.meta.freelist)
	if err != nil {
		return err
	}
	if p.flags() != freelistPage {
		return fmt.Errorf("page %d: type %#x, should be the list of free pages", p.id(), p.flags())
	}
	ids, n := p[pageHeaderSize:], uint64(p.count())
	if n == 0xFFFF { // too many for the header: the first entry is the count
		if len(ids) < 8 {
			return fmt.Errorf("page %d: no count", p.id())
		}
		n, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids)/8) {
		return fmt.Errorf("page %d: %d free pages do not fit", p.id(), n)
	}
	for ; n > 0; n, ids = n-1, ids[8:] {
		id := binary.NativeEndian.Uint64(ids)
		if id >= w.meta.pages || w.seen[id] {
			return fmt.Errorf("page %d is listed as free", id)
		}
		w.seen[id] = true
	}
	return nil
}

// page reads a page with its overflow into w.buf and marks it as seen.
func (w *pageWalk) page(id uint64) (page, error) {
	if id >= w.meta.pages || w.seen[id] {
		return nil, fmt.Errorf("page %d of %d: out of range or led to twice", id, w.meta.pages)
	}
	size := w.meta.pageSize
	if err := w.read(id, size); err != nil {
		return nil, err
	}
	p := page(w.buf)
	if p.id() != id {
		return nil, fmt.Errorf("page %d: says that it is page %d", id, p.id())
	}
	more := uint64(p.overflow())
	if more >= w.meta.pages-id {
		return nil, fmt.Errorf("page %d: overflow of %d pages", id, more)
	}
	for i := range more + 1 {
		if w.seen[id+i] {
			return nil, fmt.Errorf("page %d: led to twice", id+i)
		}
		w.seen[id+i] = true
	}
	if more > 0 {
		if err := w.read(id, size*int(more+1)); err != nil {
			return nil, err
		}
	}
	return w.buf, nil
}

func (w *pageWalk) read(id uint64, n int) error {
	if cap(w.buf) < n {
		w.buf = make([]byte, n)
	}
	w.buf = w.buf[:n]
	if _, err := w.file.ReadAt(w.buf, int64(id)*int64(w.meta.pageSize)); err != nil {
		return fmt.Errorf("read page %d: %w", id, err)
	}
	return nil
}
