package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
)

// bbolt trusts its file: it maps it into memory and follows the page numbers in it. A file that was cut short then ends the program with
// SIGBUS, and a garbage count asks for terabytes. So before bbolt sees it, verify reads the file with plain reads and checks what bbolt
// takes for granted. The format is that of bbolt's internal/common package, in the byte order of the machine.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeaderSize = 16 // id 8, flags 2, count 2, overflow 4
	elementSize    = 16
	metaSize       = 64
	bucketSize     = 16 // root page 8, sequence 8

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10

	bucketElement = 0x01

	minPageSize, maxPageSize = 1 << 10, 16 << 20

	noFreelist = ^uint64(0)
)

// verify checks the shape of the file at path, if there is one; a damaged one is ErrDamaged. It takes no lock. That is safe because
// bbolt never overwrites a page that the current meta page leads to: a defect is real if the meta pages are still the same after it was
// found. If they are not, some process is writing, and the file's lock will say so.
func verify(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("it is a directory")
	case info.Size() == 0:
		return nil // bbolt will fill it
	}
	const tries = 3
	for range tries {
		before, metaErr := readMeta(f)
		err := metaErr
		if err == nil {
			err = verifyPages(f, before)
		}
		if err == nil {
			return nil
		}
		if after, afterErr := readMeta(f); after.txid == before.txid && (afterErr == nil) == (metaErr == nil) {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	return nil
}

// boltMeta is the part of a meta page that matters here.
type boltMeta struct {
	pageSize int
	root     uint64
	freelist uint64
	pages    uint64 // pages from this one on do not exist yet
	txid     uint64
}

// readMeta returns the newer one of the two meta pages that is whole, as bbolt chooses it.
func readMeta(f *os.File) (boltMeta, error) {
	first, err := metaAt(f, 0)
	pageSize := first.pageSize
	if err != nil {
		// The page size stands in the first meta page; without it the second one can be at any power of two.
		for pos := int64(minPageSize); pos <= maxPageSize; pos *= 2 {
			if m, err := metaAt(f, pos); err == nil && int64(m.pageSize) == pos {
				pageSize = m.pageSize
				break
			}
		}
	}
	if pageSize == 0 {
		return boltMeta{}, err
	}
	m := first
	if second, err2 := metaAt(f, int64(pageSize)); err2 == nil && (err != nil || second.txid > first.txid) {
		m = second
	}
	info, err := f.Stat() // only now: a writer makes the file longer before it writes the meta page
	if err != nil {
		return boltMeta{}, err
	}
	switch size := info.Size(); {
	case m.pageSize != pageSize:
		return boltMeta{}, fmt.Errorf("the meta pages name page sizes %d and %d", pageSize, m.pageSize)
	case m.pages > uint64(size)/uint64(pageSize):
		return boltMeta{}, fmt.Errorf("the file has %d bytes, it should have %d pages of %d", size, m.pages, pageSize)
	case m.root < 2 || m.root >= m.pages:
		return boltMeta{}, fmt.Errorf("root page %d of %d", m.root, m.pages)
	}
	return m, nil
}

// metaAt reads the meta page at this offset and checks it by itself.
func metaAt(f *os.File, pos int64) (boltMeta, error) {
	var b [metaSize]byte
	if _, err := f.ReadAt(b[:], pos+pageHeaderSize); err != nil {
		return boltMeta{}, fmt.Errorf("read meta page: %w", err)
	}
	order := binary.NativeEndian
	if magic, version := order.Uint32(b[:]), order.Uint32(b[4:]); magic != boltMagic || version != boltVersion {
		return boltMeta{}, errors.New("it is no bbolt file")
	}
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	if sum.Sum64() != order.Uint64(b[metaSize-8:]) {
		return boltMeta{}, errors.New("the meta page has a wrong checksum")
	}
	m := boltMeta{
		pageSize: int(order.Uint32(b[8:])),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		pages:    order.Uint64(b[40:]),
		txid:     order.Uint64(b[48:]),
	}
	if m.pageSize < minPageSize || m.pageSize > maxPageSize || m.pageSize&(m.pageSize-1) != 0 {
		return boltMeta{}, fmt.Errorf("page size %d", m.pageSize)
	}
	return m, nil
}
