package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// shapeFile is the bytes of a database whose pages a test changes.
type shapeFile struct {
	t    *testing.T
	b    []byte
	meta boltMeta
}

// shaped makes a database with a branch and leaves of rooms, leaves of devices, small buckets, and a free list.
func shaped(t *testing.T) shapeFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shaped.db")
	db := mustOpen(t, path)
	rooms := make([]Room, 100)
	for i := range rooms {
		rooms[i] = testRoom()
	}
	err := db.Write(Changes{PutRooms: rooms})
	for range 70 {
		_, tokenErr := db.CreateToken(testUser(t, db).ID, start, spec)
		err = errors.Join(err, tokenErr)
	}
	_, secretErr := db.Secret("resume")
	if err := errors.Join(err, secretErr); err != nil {
		t.Fatal(err)
	}
	closeSound(t, db)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return shapeFile{t, b, metaOf(t, path)}
}

func (s shapeFile) page(id uint64) page { return page(s.b[int(id)*s.meta.pageSize:][:s.meta.pageSize]) }

func (s shapeFile) list(p page) (list []element) {
	s.t.Helper()
	if _, err := p.each(keyRange{}, func(e element) error {
		list = append(list, e)
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
	return list
}

// value is the root page and what else is kept of a bucket.
func (s shapeFile) value(bucket []byte) []byte {
	s.t.Helper()
	for _, e := range s.list(s.page(s.meta.root)) {
		if bytes.Equal(e.key, bucket) {
			return e.value
		}
	}
	s.t.Fatalf("no bucket %s", bucket)
	return nil
}

func (s shapeFile) branch(bucket []byte) page {
	return s.page(binary.NativeEndian.Uint64(s.value(bucket)))
}

// leaf is the first one of a bucket, which has a branch.
func (s shapeFile) leaf(bucket []byte) page { return s.page(s.list(s.branch(bucket))[0].child) }

func (s shapeFile) inline(bucket []byte) page { return page(s.value(bucket)[bucketSize:]) }

func head(p page, i int) page { return p[pageHeaderSize+i*elementSize:] }

func addCount(p page, n int) { binary.NativeEndian.PutUint16(p[10:], uint16(p.count()+n)) }

// add32 adds to a number in the head of an element.
func add32(head page, at, n int) {
	binary.NativeEndian.PutUint32(head[at:], uint32(int(u32(head[at:]))+n))
}

// What bbolt writes has one shape only; each way to leave it is seen, not only what bbolt would stumble over.
func TestShapeDamage(t *testing.T) {
	const keySize, valueSize = 8, 12 // in an element of a leaf
	first := func(p page) page { return head(p, 0) }
	last := func(p page) page { return head(p, p.count()-1) }
	sound := shaped(t)
	for _, c := range []struct {
		name   string
		damage func(s shapeFile)
		want   string
	}{
		{"nothing", func(shapeFile) {}, ""},
		{"leaf with an element less", func(s shapeFile) { addCount(s.leaf(roomsBucket), -1) }, "data is not where"},
		{"leaf with an element more", func(s shapeFile) { addCount(s.leaf(roomsBucket), 1) }, "data is not where"},
		{"leaf of no elements", func(s shapeFile) { addCount(s.leaf(roomsBucket), -s.leaf(roomsBucket).count()) }, "behind the last"},
		{"branch with an element less", func(s shapeFile) { addCount(s.branch(roomsBucket), -1) }, "data is not where"},
		{"small bucket with an element less", func(s shapeFile) { addCount(s.inline(secretsBucket), -1) }, "its data ends at"},
		{"small bucket with an element more", func(s shapeFile) { addCount(s.inline(secretsBucket), 1) }, "data is not where"},
		{"shorter key", func(s shapeFile) { add32(first(s.leaf(roomsBucket)), keySize, -1) }, "out of the range"},
		{"longer key", func(s shapeFile) { add32(first(s.leaf(roomsBucket)), keySize, 1) }, "data is not where"},
		{"shorter value", func(s shapeFile) { add32(first(s.leaf(roomsBucket)), valueSize, -1) }, "data is not where"},
		{"shorter key in a branch", func(s shapeFile) { add32(first(s.branch(roomsBucket)), 4, -1) }, "data is not where"},
		{"data elsewhere", func(s shapeFile) { add32(last(s.leaf(roomsBucket)), 4, -1) }, "data is not where"},
		{"no key", func(s shapeFile) {
			add32(first(s.leaf(roomsBucket)), keySize, -idSize)
			add32(first(s.leaf(roomsBucket)), valueSize, idSize)
		}, "no key"},
		{"no last key in a branch", func(s shapeFile) { add32(last(s.branch(roomsBucket)), 4, -idSize) }, "no key"},
		{"shorter last key", func(s shapeFile) { add32(last(s.leaf(roomsBucket)), keySize, -1) }, "behind the last"},
		{"shorter last value", func(s shapeFile) { add32(last(s.leaf(roomsBucket)), valueSize, -1) }, "behind the last"},
		{"shorter last key in a branch", func(s shapeFile) { add32(last(s.branch(roomsBucket)), 4, -1) }, "behind the last"},
		{"something behind a leaf", func(s shapeFile) { s.leaf(roomsBucket)[s.meta.pageSize-1] = 1 }, "behind the last"},
		{"something behind a branch", func(s shapeFile) { s.branch(roomsBucket)[s.meta.pageSize-1] = 1 }, "behind the last"},
		{"shorter last value of a small bucket", func(s shapeFile) { add32(last(s.inline(secretsBucket)), valueSize, -1) }, "its data ends at"},
		{"small bucket with a number", func(s shapeFile) { s.inline(secretsBucket)[0] = 9 }, "small bucket"},
		{"longer last key", func(s shapeFile) { add32(last(s.leaf(roomsBucket)), keySize, 1) }, "zero byte"},
		{"longer last value", func(s shapeFile) { add32(last(s.leaf(roomsBucket)), valueSize, 1) }, "zero byte"},
		{"longer last value of an index", func(s shapeFile) { add32(last(s.leaf(tokenExpiryBucket)), valueSize, 1) }, "zero byte"},
		{"longer last device", func(s shapeFile) { add32(last(s.leaf(devicesBucket)), valueSize, 1) }, "of 41 bytes"},
		{"longer last key in a branch", func(s shapeFile) { add32(last(s.branch(roomsBucket)), 4, 1) }, "out of the range"},
		{"bucket no more", func(s shapeFile) {
			for i, e := range s.list(s.page(s.meta.root)) {
				if bytes.Equal(e.key, roomsBucket) {
					clear(head(s.page(s.meta.root), i)[:4])
				}
			}
		}, "nothing leads to it"},
		{"a free page forgotten", func(s shapeFile) { addCount(s.page(s.meta.freelist), -1) }, "nothing leads to it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := shapeFile{t, bytes.Clone(sound.b), sound.meta}
			c.damage(s)
			path := filepath.Join(t.TempDir(), "damaged.db")
			if err := os.WriteFile(path, s.b, 0o600); err != nil {
				t.Fatal(err)
			}
			err := verify(path)
			if errors.Is(err, ErrDamaged) != (c.want != "") || c.want != "" && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// What bbolt writes is never refused, whatever is put into it and taken out: empty values, values that end in zeros and such of many
// pages, in buckets that only a newer program knows, beside a reader for whom pages are kept.
func TestSoundShapes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sound.db")
	b, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, PageSize: 1024, InitialMmapSize: 64 << 20}) // so large that no growth waits for the reader
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	var reader *bbolt.Tx
	for i := range 400 {
		if err := b.Update(func(tx *bbolt.Tx) error { return scribble(tx, rng) }); err != nil {
			t.Fatal(err)
		}
		if err := verify(path); err != nil {
			t.Fatalf("after %d transactions: %v", i+1, err)
		}
		if i%20 == 0 {
			if reader != nil {
				_ = reader.Rollback() // which cannot fail for one that reads
			}
			if reader, err = b.Begin(false); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := reader.Rollback(); err != nil {
		t.Error(err)
	}
}

// scribble changes some of three buckets.
func scribble(tx *bbolt.Tx, rng *rand.Rand) error {
	name := fmt.Appendf(nil, "later%d", rng.IntN(3))
	if tx.Bucket(name) != nil && rng.IntN(20) == 0 {
		return tx.DeleteBucket(name)
	}
	b, err := tx.CreateBucketIfNotExists(name)
	if err != nil {
		return err
	}
	for range rng.IntN(60) {
		key := make([]byte, 1+rng.IntN(3))
		key[0] = byte(rng.IntN(40)) // the rest is zeros
		if rng.IntN(2) == 0 {
			err = b.Delete(key)
		} else {
			err = b.Put(key, make([]byte, rng.IntN(20)*rng.IntN(200)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A list of more free pages than the head of a page can count has its number elsewhere.
func TestManyFreePages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "free.db")
	b, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, PageSize: 1024})
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*bbolt.Bucket) error{
		func(b *bbolt.Bucket) error { return b.Put([]byte("big"), make([]byte, 66_000<<10)) },
		func(b *bbolt.Bucket) error { return b.Delete([]byte("big")) },
	} {
		err := b.Update(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte("later"))
			if err != nil {
				return err
			}
			return change(bucket)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(path); err != nil {
			t.Error(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
