package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// filled makes a database with branch pages, overflow pages, a free list and small buckets, and returns its file and its contents
// after the last transaction and before it.
func filled(t *testing.T) (file []byte, now, before contents) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "filled.db")
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var rooms []Room
	var del []RoomID
	for i := range 150 {
		r := testRoom()
		r.ID = RoomID(fmt.Sprintf("room%04d", i))
		if i%75 == 7 {
			r.Topics = make([]Category, 700) // more than a page
			for j := range r.Topics {
				r.Topics[j] = Category(fmt.Sprintf("topic%d", j))
			}
		}
		if i%3 == 0 {
			del = append(del, r.ID)
		}
		rooms = append(rooms, r)
	}
	var tickets []Ticket
	for range 60 {
		tickets = append(tickets, testTicket())
	}
	err = errors.Join(db.Write(Changes{PutRooms: rooms, PutTickets: tickets}), db.Write(Changes{DeleteRooms: del}),
		db.CreateUser(User{ID: anna, Name: "Anna", Created: time.Unix(1, 0)}))
	if err != nil {
		t.Fatal(err)
	}
	(&world{db: db, now: start}).fill(t)
	before, err = read(db)
	if err == nil {
		err = db.DeleteRoom("room0001")
	}
	if err == nil {
		now, err = read(db)
	}
	if err != nil {
		t.Fatal(err)
	}
	closeSound(t, db)
	if file, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return file, now, before
}

// anna is somebody's ID.
const anna UserID = "annaannaannaannaannaannaan"

type contents struct {
	rooms   []Room
	tickets []Ticket
	user    User
	secret  []byte
	person  Export
}

func read(db *DB) (c contents, err error) {
	var errs [6]error
	c.rooms, errs[0] = db.Rooms()
	c.tickets, errs[1] = db.Tickets()
	c.user, errs[2] = db.User(anna)
	c.secret, errs[3] = db.Secret("resume")
	paula, err := db.AccountByName("folded-paula")
	if errs[4] = err; err == nil {
		c.person, errs[5] = db.Export(paula.User)
	}
	return c, errors.Join(errs[:]...)
}

// tryDamaged opens a damaged copy. It must be refused as damaged, or give one of the right contents, or say of a record that it is
// damaged, or CheckContents must find what is wrong.
func tryDamaged(t *testing.T, what string, file []byte, right ...contents) (refused bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "damaged.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := Open(path)
	if err != nil {
		if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewerVersion) {
			t.Errorf("%s: open: %v", what, err)
		}
		return true
	}
	defer db.Close()
	got, err := read(db)
	isRight := err == nil && slices.ContainsFunc(right, func(c contents) bool { return reflect.DeepEqual(got, c) })
	found := db.CheckContents(t.Context())
	switch said := errors.Is(err, ErrDamaged) || errors.Is(err, ErrNewerVersion); {
	case found != nil && !errors.As(found, new(*Inconsistent)) && !errors.Is(found, ErrNewerVersion):
		t.Errorf("%s: check contents: %v", what, found)
	case isRight, said, found != nil && (err == nil || errors.Is(err, ErrNotFound)):
	case err != nil:
		t.Errorf("%s: read: %v", what, err)
	default:
		t.Errorf("%s: wrong contents and no error", what)
	}
	if rand.IntN(3) > 0 {
		return false // writing every time would take too long
	}
	if err := db.PutRoom(testRoom()); err != nil && !errors.Is(err, ErrDamaged) {
		t.Errorf("%s: write: %v", what, err)
	}
	return false
}

func TestDamage(t *testing.T) {
	file, now, before := filled(t)
	pageSize, pages := usedPages(t, file)
	file = file[:pages*pageSize] // the rest is room to grow
	rng := rand.New(rand.NewPCG(1, 2))
	garbage := func(b []byte) {
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
	}
	refused, tries := 0, 0
	try := func(what string, at int, damage func(b []byte) []byte) {
		right := []contents{now}
		if at < 2*pageSize {
			right = append(right, before) // a meta page that was not written whole means a crash in the last transaction
		}
		tries++
		if tryDamaged(t, what, damage(bytes.Clone(file)), right...) {
			refused++
		}
	}
	for page := range pages {
		at := page * pageSize
		try(fmt.Sprintf("cut to %d pages", page), at, func(b []byte) []byte { return b[:max(1, at)] })
		try(fmt.Sprintf("cut in page %d", page), at, func(b []byte) []byte { return b[:at+pageSize/2] })
		try(fmt.Sprintf("garbage page %d", page), at, func(b []byte) []byte { garbage(b[at : at+pageSize]); return b })
		try(fmt.Sprintf("zero page %d", page), at, func(b []byte) []byte { clear(b[at : at+pageSize]); return b })
		from := rng.IntN(pages) * pageSize
		try(fmt.Sprintf("page %d is a copy of %d", page, from/pageSize), at, func(b []byte) []byte {
			copy(b[at:at+pageSize], b[from:from+pageSize])
			return b
		})
		for range 3 { // in the head and the elements, where the shape is
			off := at + rng.IntN(128)
			try(fmt.Sprintf("byte %d of page %d", off%pageSize, page), at, func(b []byte) []byte { b[off] ^= byte(1 + rng.IntN(255)); return b })
		}
	}
	for range 60 {
		off := rng.IntN(pages * pageSize)
		try(fmt.Sprintf("bit at %d", off), off, func(b []byte) []byte { b[off] ^= 1 << rng.IntN(8); return b })
	}
	t.Logf("%d pages, %d kinds of damage, %d refused by Open", pages, tries, refused)
}

// usedPages returns the size of a page and how many there are; the rest of the file is room to grow.
func usedPages(t *testing.T, file []byte) (size, n int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "used.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	m := metaOf(t, path)
	return m.pageSize, int(m.pages)
}

func metaOf(t *testing.T, path string) boltMeta {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := readMeta(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRecordDamage(t *testing.T) {
	good, err := encode(User{ID: "u", Name: "A name"})
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(v any) []byte {
		rec, err := encode(v)
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}
	for _, c := range []struct {
		name string
		rec  []byte
		want error
	}{
		{"good", good, nil},
		{"empty", nil, ErrDamaged},
		{"no body", good[:recordHeader], ErrDamaged},
		{"cut", good[:len(good)-1], ErrDamaged},
		{"longer", append(bytes.Clone(good), 'x'), ErrDamaged},
		{"version 0", append([]byte{0}, good[1:]...), ErrDamaged},
		{"next version", append([]byte{recordVersion + 1}, good[1:]...), ErrNewerVersion},
		{"sound, but another shape", sealed([]int{1}), ErrDamaged},
	} {
		var u User
		if err := decode(c.rec, &u); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			var u User
			if decode(bad, &u) == nil {
				t.Fatalf("byte %d, bit %d: no error", i, bit)
			}
		}
	}
}

// A record under another's key is damage that no checksum of its own can show.
func TestRecordsUnderWrongKeys(t *testing.T) {
	db := mustOpen(t, filepath.Join(t.TempDir(), "test.db"))
	defer db.Close() // not sound, by purpose
	u, r := testUser(t, db), testRoom()
	if err := db.PutRoom(r); err != nil {
		t.Fatal(err)
	}
	err := db.update(func(tx *bbolt.Tx) error {
		users, rooms := tx.Bucket(usersBucket), tx.Bucket(roomsBucket)
		return errors.Join(users.Put([]byte("other"), users.Get([]byte(u.ID))), rooms.Put([]byte("other"), rooms.Get([]byte(r.ID))))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.User("other"); !errors.Is(err, ErrDamaged) {
		t.Errorf("user: %v", err)
	}
	if _, err := db.Rooms(); !errors.Is(err, ErrDamaged) {
		t.Errorf("rooms: %v", err)
	}
}

// verify reads while another process writes; it must not take the motion for damage. There is so much to read that several
// transactions pass meanwhile.
func TestOpenBesideWriter(t *testing.T) {
	db := openTemp(t)
	rooms := make([]Room, 5000)
	for i := range rooms {
		rooms[i] = testRoom()
	}
	if err := db.Write(Changes{PutRooms: rooms}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		var err error
		var rooms []Room
		for i := 0; i < 60 && err == nil; i++ {
			var del []RoomID
			for _, r := range rooms {
				del = append(del, r.ID)
			}
			rooms = nil
			for range 20 {
				rooms = append(rooms, testRoom())
			}
			err = db.Write(Changes{PutRooms: rooms, DeleteRooms: del})
		}
		done <- err
	}()
	for looks := 0; ; looks++ {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			t.Logf("%d looks", looks)
			return
		default:
		}
		if err := verify(db.Path()); err != nil {
			t.Error(err)
		}
	}
}
