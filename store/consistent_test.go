package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"
)

// There is a rule for each bucket, but for the one of the schema version.
func TestRulesAreWhole(t *testing.T) {
	for _, b := range layout {
		n := 0
		for _, r := range rules {
			if bytes.Equal(r.bucket, b.name) {
				n++
			}
		}
		if n != 1 && !bytes.Equal(b.name, metaBucket) {
			t.Errorf("bucket %s: %d rules", b.name, n)
		}
	}
}

// keysOf returns all keys of a bucket, of which there must be some.
func keysOf(t *testing.T, db *DB, bucket []byte) (keys [][]byte) {
	t.Helper()
	err := db.view(func(tx *bbolt.Tx) error {
		keys = keysUnder(tx.Bucket(bucket), nil)
		return nil
	})
	if err == nil && len(keys) == 0 {
		err = errors.New("the world has nothing in it")
	}
	if err != nil {
		t.Fatalf("bucket %s: %v", bucket, err)
	}
	return keys
}

// The rules themselves must be able to fail: an entry that is changed anywhere is seen.
func TestInconsistenciesAreFound(t *testing.T) {
	for _, r := range rules {
		t.Run(string(r.bucket), func(t *testing.T) {
			w := newWorld(t)
			if err := w.db.CheckContents(t.Context()); err != nil {
				t.Fatal(err)
			}
			keys := keysOf(t, w.db, r.bucket)
			err := w.db.bolt.Update(func(tx *bbolt.Tx) error {
				b := tx.Bucket(r.bucket)
				for _, k := range keys {
					if err := b.Put(k, append(bytes.Clone(b.Get(k)), 'x')); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			var found *Inconsistent
			if err := w.db.CheckContents(t.Context()); !errors.As(err, &found) || !errors.Is(err, ErrDamaged) || found.Entries < len(keys) {
				t.Errorf("got %v, of %d entries", err, len(keys))
			}
			w.broken = true
		})
	}
}

// moveKey puts an entry under another key.
func moveKey(db *DB, bucket, from, to []byte) error {
	return db.bolt.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		v := bytes.Clone(b.Get(from))
		return errors.Join(b.Delete(from), b.Put(to, v))
	})
}

// A bit that flips in a key is found wherever it is, and so is a key that was cut; none makes a rule panic, and no error tells a hash.
func TestDamagedKeysAreFound(t *testing.T) {
	w := newWorld(t)
	for _, r := range rules {
		keys := keysOf(t, w.db, r.bucket)
		for i := range max(len(keys), len(keys[0])) {
			k := keys[i%len(keys)]
			flipped := bytes.Clone(k)
			flipped[i%len(k)] ^= 1 << (i % 8)
			for _, bad := range [][]byte{flipped, k[:1+i%(len(k)-1)]} {
				if err := moveKey(w.db, r.bucket, k, bad); err != nil {
					t.Fatal(err)
				}
				err := w.db.CheckContents(t.Context())
				if found := new(Inconsistent); !errors.As(err, &found) { // ErrDamaged would be a panic, too
					t.Errorf("bucket %s, key %q is %q: %v", r.bucket, k, bad, err)
				}
				if hidden := r.shown(k) == ""; hidden && len(bad) > 8 && (strings.Contains(fmt.Sprint(err), string(bad)) || strings.Contains(fmt.Sprint(err), fmt.Sprintf("%q", bad))) {
					t.Errorf("bucket %s: the error tells the key: %v", r.bucket, err)
				}
				if err := moveKey(w.db, r.bucket, bad, k); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// Of so many only the first are described.
func TestManyInconsistencies(t *testing.T) {
	db := unsynced(t)
	defer db.Close() // not sound, by purpose
	for range 3 * checkStep {
		u := testUser(t, db)
		if err := moveKey(db, usersBucket, []byte(u.ID), []byte(NewUserID())); err != nil {
			t.Fatal(err)
		}
	}
	var found *Inconsistent
	if err := db.CheckContents(t.Context()); !errors.As(err, &found) || found.Entries != 3*checkStep || len(found.First) != maxFindings {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(found.Error(), "be read: 600: ") || !strings.Contains(found.First[0], "bucket users, key ") {
		t.Error(found)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.CheckContents(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	err := db.checkContents(ctx, func(context.Context, time.Duration) { cancel() })
	if found = nil; !errors.Is(err, context.Canceled) || !errors.As(err, &found) || found.Entries != checkStep {
		t.Errorf("cancelled after a step: %v", err)
	}
}

// What a newer program wrote is no damage, also to what leads there; what else there is of damage is told as well.
func TestNewerRecordsAreNoDamage(t *testing.T) {
	w := newWorld(t)
	w.broken = true
	err := w.db.bolt.Update(func(tx *bbolt.Tx) error {
		b, k := tx.Bucket(accountsBucket), []byte(w.friend.ID) // to which a username and a skeleton lead
		rec := bytes.Clone(b.Get(k))
		rec[0] = recordVersion + 1
		return b.Put(k, rec)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = w.db.CheckContents(t.Context())
	if !errors.Is(err, ErrNewerVersion) || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "read: 3, such as bucket accounts, key ") {
		t.Errorf("got %v", err)
	}
	if err := moveKey(w.db, partnersBucket, edgeKey(w.person.ID, w.friend.ID), edgeKey(w.person.ID, w.stranger.ID)); err != nil {
		t.Fatal(err)
	}
	var found *Inconsistent
	if err := w.db.CheckContents(t.Context()); !errors.Is(err, ErrNewerVersion) || !errors.As(err, &found) || found.Entries != 2 {
		t.Errorf("with damage: %v", err)
	}
}

// Who looks through a big file rests as long as a step took, and is not kept by it.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		for _, want := range []time.Duration{2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second} {
			if rest(ctx, 2*time.Second); time.Since(began) != want {
				t.Errorf("after %v, want %v", time.Since(began), want)
			}
		}
	})
	db := unsynced(t)
	defer closeSound(t, db)
	for range checkStep + 1 {
		testUser(t, db)
	}
	rests := 0
	err := db.checkContents(t.Context(), func(_ context.Context, took time.Duration) {
		if rests++; took <= 0 {
			t.Errorf("a step of %v", took)
		}
	})
	if err != nil || rests != 1 {
		t.Errorf("%d rests, %v", rests, err)
	}
}

// A release that lowers a limit does not damage what is there; a test sees what should not have become so much.
func TestMoreThanTheLimitIsNoDamage(t *testing.T) {
	for _, l := range limits {
		t.Run(string(l.bucket), func(t *testing.T) {
			w := newWorld(t)
			w.broken = true
			err := w.db.bolt.Update(func(tx *bbolt.Tx) error {
				for i := range l.most + 1 {
					if err := w.oneMore(tx, l.bucket, i); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.db.CheckContents(t.Context()); err != nil {
				t.Error(err)
			}
			if err := checkSound(w.db); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("bucket %s, user %q: ", l.bucket, w.person.ID)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// oneMore puts the i-th of what belongs to the person into the bucket, and with it what must be there then.
func (w *world) oneMore(tx *bbolt.Tx, bucket []byte, i int) error {
	p, at := w.person.ID, start.Add(time.Duration(i)*time.Second)
	u := User{ID: NewUserID(), Guest: true}
	both := func(mirror []byte, e edge) error {
		return errors.Join(putUser(tx, u), putEdge(tx.Bucket(bucket), e), tx.Bucket(mirror).Put(edgeKey(e.Other, e.Owner), indexed))
	}
	switch string(bucket) {
	case "passkeys":
		id := []byte(newID())
		return errors.Join(tx.Bucket(passkeyIDsBucket).Put(id, []byte(p)), putPasskey(tx, Passkey{ID: id, User: p}))
	case "devices":
		return putToken(tx, [sha256.Size]byte([]byte(newID()+"123456")), token{User: p, Device: newDeviceID(), Expires: at})
	case "friends":
		return errors.Join(putUser(tx, u), putEdge(tx.Bucket(bucket), edge{Owner: p, Other: u.ID, At: at}), putEdge(tx.Bucket(bucket), edge{Owner: u.ID, Other: p, At: at}))
	case "friend_requests":
		return both(requestsSentBucket, edge{Owner: p, Other: u.ID, At: at})
	case "friend_requests_sent":
		bucket = requestsBucket
		return both(requestsSentBucket, edge{Owner: u.ID, Other: p, At: at})
	case "blocks":
		return both(blockedByBucket, edge{Owner: p, Other: u.ID, At: at, Name: "x"})
	case "partners":
		return both(partnerOfBucket, edge{Owner: p, Other: u.ID, At: at})
	case "missed":
		return put(tx.Bucket(bucket), missedKey(p, w.friend.ID, at), missedCall{Owner: p, From: w.friend.ID, At: at})
	default:
		return errors.New("of which the test knows nothing")
	}
}

// Older programs put less into what they kept of secrets and invitations, by which a changed key cannot be told.
func TestOlderRecordsAreSound(t *testing.T) {
	db := openTemp(t)
	hash, inv := inviteHash("code"), Invite{Uses: 1, Created: start, Expires: start.Add(time.Hour)}
	inv.ID = inviteID(hash)
	key := bytes.Repeat([]byte{7}, secretSize)
	err := db.update(func(tx *bbolt.Tx) error {
		return errors.Join(put(tx.Bucket(invitesBucket), hash, inv), put(tx.Bucket(secretsBucket), []byte("old"), secret{Key: key}))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := db.Secret("old"); err != nil || !bytes.Equal(got, key) {
		t.Errorf("got %x, %v", got, err)
	}
	if err := db.CheckInvite("code", start); err != nil {
		t.Error(err)
	}
}

// Neither a secret nor an invitation is given out for another.
func TestRecordsOfOthers(t *testing.T) {
	db := mustOpen(t, filepath.Join(t.TempDir(), "test.db"))
	defer db.Close() // not sound, by purpose
	code, inv, err := db.CreateInvite(Invite{Uses: 1, Expires: start.Add(time.Hour)}, start)
	_, secretErr := db.Secret("one")
	other := inviteHash(code)
	other[inviteIDBytes] ^= 1 // which its ID does not tell
	if err := errors.Join(err, secretErr, moveKey(db, secretsBucket, []byte("one"), []byte("two")), moveKey(db, invitesBucket, inviteHash(code), other)); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Secret("two"); !errors.Is(err, ErrDamaged) {
		t.Errorf("secret: %v", err)
	}
	if _, err := db.Invites(start); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), inv.ID) {
		t.Errorf("invitation: %v", err)
	}
}
