package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// page is the bytes of a page, its header at least.
type page []byte

func (p page) id() uint64       { return binary.NativeEndian.Uint64(p) }
func (p page) flags() uint16    { return binary.NativeEndian.Uint16(p[8:]) }
func (p page) count() int       { return int(binary.NativeEndian.Uint16(p[10:])) }
func (p page) overflow() uint32 { return binary.NativeEndian.Uint32(p[12:]) }

// element is one of a page in a tree.
type element struct {
	key   []byte
	child uint64 // in a branch

	// In a leaf.
	flags uint64
	value []byte
}

// keyRange is where keys must lie.
type keyRange struct{ start, end []byte } // end is not in it; nil means no bound

// each checks the elements of a branch or leaf, calls f with one after the other and returns where their data ends. bbolt writes the
// keys and values one behind the other, right behind the elements (WriteInodeToPage), so what leaves a gap was not written so.
//
// A size that was raised in the last element of a branch is seen one step further down: the first key there is lower then.
func (p page) each(keys keyRange, f func(element) error) (end int, err error) {
	end = pageHeaderSize + p.count()*elementSize
	if end > len(p) {
		return 0, fmt.Errorf("%d elements do not fit", p.count())
	}
	var previous []byte
	for i := range p.count() {
		var e element
		if e, end, err = p.element(i, end); err == nil {
			err = keys.hold(e.key, previous)
		}
		if err == nil {
			err = f(e)
		}
		if err != nil {
			return 0, fmt.Errorf("element %d: %w", i, err)
		}
		previous = e.key
	}
	return end, nil
}

// element returns an element, whose data must begin at the byte from, and where its data ends.
func (p page) element(i, from int) (e element, end int, err error) {
	at := pageHeaderSize + i*elementSize
	head := p[at:]
	var pos, keySize, valueSize uint64
	if p.flags() == branchPage {
		pos, keySize, e.child = u32(head), u32(head[4:]), binary.NativeEndian.Uint64(head[8:])
	} else {
		e.flags, pos, keySize, valueSize = u32(head), u32(head[4:]), u32(head[8:]), u32(head[12:])
	}
	data := p[from:]
	switch {
	case uint64(at)+pos != uint64(from):
		return e, 0, fmt.Errorf("its data is not where that of the one before ends")
	case keySize+valueSize > uint64(len(data)):
		return e, 0, errors.New("it leads out of the page")
	case keySize == 0: // which bbolt refuses to write
		return e, 0, errors.New("no key")
	}
	e.key, e.value = data[:keySize], data[keySize:keySize+valueSize]
	return e, from + int(keySize+valueSize), nil
}

// u32 widens, so that sums of what a damaged file says cannot wrap around.
func u32(b []byte) uint64 { return uint64(binary.NativeEndian.Uint32(b)) }

func (r keyRange) hold(key, previous []byte) error {
	if bytes.Compare(key, r.start) < 0 || r.end != nil && bytes.Compare(key, r.end) >= 0 {
		return errors.New("key out of the range of its page")
	}
	if bytes.Compare(key, previous) <= 0 { // the first one is higher than none
		return errors.New("keys out of order")
	}
	return nil
}

// tail checks what is behind the data of a page, unless there is an error already: bbolt writes whole pages, from buffers that are all
// zero before (tx.write clears them before it hands them on).
func (p page) tail(end int, err error) error {
	if err == nil && bytes.Count(p[end:], []byte{0}) != len(p)-end {
		err = errors.New("something is behind the last element")
	}
	return err
}

// subBucket is a bucket that has pages of its own.
type subBucket struct {
	name []byte
	root uint64
}

// entries checks a leaf of this bucket by itself, calls f with the buckets in it, and returns where its data ends.
func (p page) entries(bucket []byte, keys keyRange, f func(subBucket)) (end int, err error) {
	var last element
	end, err = p.each(keys, func(e element) error {
		last = e
		switch {
		case e.flags == 0:
			return nil
		case e.flags != bucketElement || len(e.value) < bucketSize:
			return fmt.Errorf("flags %#x, %d bytes", e.flags, len(e.value))
		}
		root, inline := binary.NativeEndian.Uint64(e.value), e.value[bucketSize:]
		switch {
		case root == 0:
			return inlineBucket(e.key, page(inline))
		case len(inline) > 0:
			return fmt.Errorf("bucket with pages and %d bytes", len(inline))
		}
		f(subBucket{bytes.Clone(e.key), root}) // the next page takes the buffer
		return nil
	})
	if err == nil && last.key != nil && last.flags == 0 {
		err = lastValue(bucket, last.value)
	}
	return end, err
}

// inlineBucket checks a small bucket, which is a leaf page in the value of its name. It is as long as its data, and has no number.
func inlineBucket(name []byte, p page) error {
	if len(p) < pageHeaderSize || p.flags() != leafPage || p.id() != 0 || p.overflow() != 0 {
		return errors.New("small bucket without a leaf page")
	}
	buckets := 0
	end, err := p.entries(name, keyRange{}, func(subBucket) { buckets++ })
	switch {
	case err != nil:
		return fmt.Errorf("small bucket: %w", err)
	case buckets > 0:
		return errors.New("small bucket with buckets in it")
	case end != len(p):
		return fmt.Errorf("small bucket: its data ends at %d of %d bytes", end, len(p))
	}
	return nil
}

// lastValue checks the last value of a page, of which a size that was raised would take in some of the zeros behind: no value of this
// program ends in a zero byte, but for the schema version, which checkSchema looks at, and the hashes in the bucket of devices, which
// have one size. Buckets of a newer schema, which is not known yet, may do as they like under names of their own.
func lastValue(bucket, value []byte) error {
	switch {
	case bytes.Equal(bucket, devicesBucket):
		if len(value) != expiryKeySize {
			return fmt.Errorf("last value of %d bytes, should be %d", len(value), expiryKeySize)
		}
	case bytes.HasSuffix(value, []byte{0}) && inLayout(bucket) && !bytes.Equal(bucket, metaBucket):
		return errors.New("last value ends in a zero byte")
	}
	return nil
}
