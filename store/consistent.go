package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// checkStep is how many entries one transaction of CheckContents looks at, in some ms: the file cannot grow while one reads.
	checkStep = 200
	// maxFindings is how many of them an Inconsistent describes.
	maxFindings = 20
)

// Inconsistent is the error for a file whose shape is sound and whose entries contradict each other or cannot be read. It is ErrDamaged.
type Inconsistent struct {
	Entries int      // how many do
	First   []string // what is wrong with the first ones; nothing in it is secret
}

// Error says how many entries it is about, and all of First.
func (e *Inconsistent) Error() string {
	return fmt.Sprintf("%v: entries that contradict others or cannot be read: %d: %s", ErrDamaged, e.Entries, strings.Join(e.First, "; "))
}

// Unwrap returns ErrDamaged.
func (e *Inconsistent) Unwrap() error { return ErrDamaged }

// CheckContents looks through all entries for what Open does not see: records that cannot be read, and buckets that contradict each
// other, as they do when a key was changed in the file. The error is an *Inconsistent then, and also ErrNewerVersion if there are records
// in a format that only a newer program knows: those are not damaged, and what seems to contradict them need not be. Others read and
// write meanwhile; it goes in steps, rests between them for as long as they took, and ends early, with the error of ctx beside what it has
// found, when that does. It takes some 8 s for each 100,000 accounts with a token.
func (db *DB) CheckContents(ctx context.Context) error {
	if err := db.checkContents(ctx, rest); err != nil {
		return fmt.Errorf("check contents of database %s: %w", db.path, err)
	}
	return nil
}

// checkContents is CheckContents with what to do between its steps.
func (db *DB) checkContents(ctx context.Context, between func(ctx context.Context, took time.Duration)) error {
	var found findings
	for _, r := range rules {
		if err := db.checkBucket(ctx, r, &found, between); err != nil {
			return errors.Join(err, found.err())
		}
	}
	return found.err()
}

func (db *DB) checkBucket(ctx context.Context, r rule, found *findings, between func(ctx context.Context, took time.Duration)) error {
	for from := []byte{}; from != nil; {
		if err := ctx.Err(); err != nil {
			return err
		}
		began := time.Now()
		err := db.view(func(tx *bbolt.Tx) error {
			c := tx.Bucket(r.bucket).Cursor()
			k, v := c.Seek(from)
			for n := 0; k != nil && n < checkStep; n++ {
				if err := r.check(tx, k, v); err != nil {
					found.add(fmt.Errorf("bucket %s%s: %w", r.bucket, r.shown(k), err))
				}
				k, v = c.Next()
			}
			from = bytes.Clone(k)
			return nil
		})
		if err != nil {
			return err
		}
		if from != nil {
			between(ctx, time.Since(began))
		}
	}
	return nil
}

// rest waits for so long, or until ctx ends: who looks through a big file beside other work must not keep a core to itself.
func rest(ctx context.Context, took time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(took):
	}
}

// goOn is for who has nothing else to do.
func goOn(context.Context, time.Duration) {}

// findings are what the rules have found so far.
type findings struct {
	damage Inconsistent
	newer  int   // entries that only a newer program can read
	first  error // about one of them
}

func (f *findings) add(err error) {
	if !errors.Is(err, ErrNewerVersion) {
		f.damage.add(err.Error())
		return
	}
	if f.newer++; f.newer == 1 {
		f.first = err
	}
}

// err is about all of them.
func (f *findings) err() error {
	var newer, damage error
	if f.newer > 0 {
		newer = fmt.Errorf("entries that this program is too old to read: %d, such as %w", f.newer, f.first)
	}
	if f.damage.Entries > 0 {
		damage = &f.damage
	}
	return errors.Join(newer, damage)
}

func (e *Inconsistent) add(finding string) {
	if e.Entries++; len(e.First) < maxFindings {
		e.First = append(e.First, finding)
	}
}

// rule says of each entry of a bucket what else must be in the file, or must not. Keys may be anything: what an entry is under was
// changed, if it is damaged. How many a person may have is in no rule: a release may lower that, and nothing is damaged then.
type rule struct {
	bucket []byte
	shown  func(k []byte) string // what an error tells of the key
	check  func(tx *bbolt.Tx, k, v []byte) error
}

// rules are those of all buckets but the one of the schema version, which is checked when the file is opened.
var rules = [...]rule{
	{usersBucket, wholeKey, checkUser},
	{accountsBucket, wholeKey, checkAccount},
	{usernamesBucket, wholeKey, checkIndex(func(a Account) string { return a.Username.Folded })},
	{skeletonsBucket, wholeKey, checkIndex(func(a Account) string { return a.Username.Skeleton })},
	{emailsBucket, noKey, checkIndex(verifiedEmail)},
	{passkeysBucket, ownerOfKey, checkPasskey},
	{passkeyIDsBucket, noKey, checkPasskeyID},
	{tokensBucket, noKey, checkToken},
	{tokenExpiryBucket, noKey, checkTokenExpiry},
	{devicesBucket, ownerOfKey, checkDevice},
	{friendsBucket, wholeKey, checkFriend},
	{requestsBucket, wholeKey, checkRequest},
	{requestsSentBucket, wholeKey, checkRequestSent},
	{blocksBucket, wholeKey, checkBlock},
	{blockedByBucket, wholeKey, checkBlockedBy},
	{partnersBucket, wholeKey, checkPartner},
	{partnerOfBucket, wholeKey, checkPartnerOf},
	{missedBucket, ownerOfKey, checkMissed},
	{invitesBucket, noKey, checkInvite},
	{secretsBucket, wholeKey, checkSecret},
	{roomsBucket, wholeKey, checkRoom},
	{ticketsBucket, wholeKey, checkTicket},
}

func wholeKey(k []byte) string { return fmt.Sprintf(", key %q", k) }

// ownerOfKey is the person to whom the entry belongs.
func ownerOfKey(k []byte) string { return fmt.Sprintf(", user %q", k[:min(len(k), idSize)]) }

// noKey is for hashes, and for what others know a person by elsewhere.
func noKey([]byte) string { return "" }

// firstError returns the first one that is one.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// unless is the error, with this text, of what should be so and is not.
func unless(ok bool, text string) error {
	if ok {
		return nil
	}
	return errors.New(text)
}

// leads says whether an entry is there and has this value.
func leads(tx *bbolt.Tx, bucket, key, want []byte) error {
	switch got := tx.Bucket(bucket).Get(key); {
	case got == nil:
		return fmt.Errorf("bucket %s has no entry for it", bucket)
	case !bytes.Equal(got, want):
		return fmt.Errorf("bucket %s leads to another", bucket)
	}
	return nil
}

// mirrored says whether the entry of other + owner stands for one of owner + other in the bucket.
func mirrored(tx *bbolt.Tx, bucket, k, v []byte) error {
	if len(k) != 2*idSize || !bytes.Equal(v, indexed) || !hasEdge(tx.Bucket(bucket), UserID(k[idSize:]), UserID(k[:idSize])) {
		return fmt.Errorf("bucket %s has no such entry", bucket)
	}
	return nil
}
