package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// verifyPages walks all pages that the meta page leads to, and the list of free ones.
func verifyPages(f *os.File, m boltMeta) error {
	w := &pageWalk{file: f, meta: m, seen: make([]bool, m.pages)}
	w.seen[0], w.seen[1] = true, true // the meta pages
	if err := w.tree(m.root, nil, nil); err != nil {
		return err
	}
	return w.freelist()
}

// pageWalk is one walk through the file.
type pageWalk struct {
	file *os.File
	meta boltMeta
	seen []bool // by page number: something leads there already
	buf  []byte // the page being looked at
}

// tree checks the page and all below it. Its keys must lie in [low, high); nil means no bound.
func (w *pageWalk) tree(id uint64, low, high []byte) error {
	p, err := w.page(id)
	if err != nil {
		return err
	}
	switch p.flags() {
	case branchPage:
		return w.branch(p, low, high)
	case leafPage:
		return w.leaf(p, low, high)
	default:
		return fmt.Errorf("page %d: type %#x in a tree", id, p.flags())
	}
}

func (w *pageWalk) branch(p page, low, high []byte) error {
	type child struct {
		key []byte
		id  uint64
	}
	if p.count() == 0 {
		return fmt.Errorf("page %d: branch without children", p.id())
	}
	children := make([]child, p.count())
	for i := range children {
		e, err := p.element(i)
		if err != nil {
			return err
		}
		key, err := p.span(e, u32(e), u32(e[4:]))
		if err != nil {
			return err
		}
		children[i] = child{bytes.Clone(key), binary.NativeEndian.Uint64(e[8:])} // the next page takes the buffer
	}
	for i, c := range children {
		if err := inOrder(c.key, low, high); err != nil {
			return fmt.Errorf("page %d, element %d: %w", p.id(), i, err)
		}
		next := high
		if i+1 < len(children) {
			next = children[i+1].key
			if bytes.Compare(c.key, next) >= 0 {
				return fmt.Errorf("page %d, element %d: keys out of order", p.id(), i)
			}
		}
		if err := w.tree(c.id, c.key, next); err != nil {
			return err
		}
	}
	return nil
}

func (w *pageWalk) leaf(p page, low, high []byte) error {
	roots, err := leafRoots(p, low, high)
	if err != nil {
		return err
	}
	for _, root := range roots {
		if err := w.tree(root, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// leafRoots checks a leaf page by itself and returns the root pages of the buckets in it.
func leafRoots(p page, low, high []byte) ([]uint64, error) {
	var roots []uint64
	var previous []byte
	for i := range p.count() {
		e, err := p.element(i)
		if err != nil {
			return nil, err
		}
		flags, pos, keySize, valueSize := u32(e), u32(e[4:]), u32(e[8:]), u32(e[12:])
		kv, err := p.span(e, pos, keySize+valueSize)
		if err != nil {
			return nil, err
		}
		key, value := kv[:keySize], kv[keySize:]
		if err := inOrder(key, low, high); err != nil {
			return nil, fmt.Errorf("page %d, element %d: %w", p.id(), i, err)
		}
		if i > 0 && bytes.Compare(previous, key) >= 0 {
			return nil, fmt.Errorf("page %d, element %d: keys out of order", p.id(), i)
		}
		previous = key
		switch {
		case flags == 0:
		case flags != bucketElement || len(value) < bucketSize:
			return nil, fmt.Errorf("page %d, element %d: flags %#x, %d bytes", p.id(), i, flags, len(value))
		case binary.NativeEndian.Uint64(value) != 0:
			roots = append(roots, binary.NativeEndian.Uint64(value))
		default:
			if err := inlineBucket(value[bucketSize:]); err != nil {
				return nil, fmt.Errorf("page %d, element %d: %w", p.id(), i, err)
			}
		}
	}
	return roots, nil
}

// inlineBucket checks a small bucket, which is a leaf page in the value of its name.
func inlineBucket(p page) error {
	if len(p) < pageHeaderSize || p.flags() != leafPage {
		return errors.New("small bucket without a leaf page")
	}
	roots, err := leafRoots(p, nil, nil)
	if err == nil && len(roots) > 0 {
		err = errors.New("small bucket with buckets in it")
	}
	return err
}

// freelist checks that the pages to be written next are ones that nothing leads to.
func (w *pageWalk) freelist() error {
	if w.meta.freelist == noFreelist {
		return nil // bbolt finds the free pages by itself
	}
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

// page is the bytes of a page, its header at least.
type page []byte

func (p page) id() uint64       { return binary.NativeEndian.Uint64(p) }
func (p page) flags() uint16    { return binary.NativeEndian.Uint16(p[8:]) }
func (p page) count() int       { return int(binary.NativeEndian.Uint16(p[10:])) }
func (p page) overflow() uint32 { return binary.NativeEndian.Uint32(p[12:]) }

// element returns the page from its element i on: positions in an element count from there.
func (p page) element(i int) ([]byte, error) {
	from := pageHeaderSize + i*elementSize
	if from+elementSize > len(p) {
		return nil, fmt.Errorf("page %d: %d elements do not fit", p.id(), p.count())
	}
	return p[from:], nil
}

// span returns n bytes at pos of the element e, or an error if they are not in the page.
func (p page) span(e []byte, pos, n uint64) ([]byte, error) {
	if pos > uint64(len(e)) || n > uint64(len(e))-pos {
		return nil, fmt.Errorf("page %d: an element leads out of the page", p.id())
	}
	return e[pos : pos+n], nil
}

// u32 widens, so that sums of what a damaged file says cannot wrap around.
func u32(b []byte) uint64 { return uint64(binary.NativeEndian.Uint32(b)) }

func inOrder(key, low, high []byte) error {
	if bytes.Compare(key, low) < 0 || high != nil && bytes.Compare(key, high) >= 0 {
		return errors.New("key out of the range of its page")
	}
	return nil
}
