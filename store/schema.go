package store

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// schemaVersion is the layout of buckets and keys that this program writes.
const schemaVersion = 3

var (
	metaBucket        = []byte("meta") // "schema" -> the version of the layout, 4 bytes big endian
	usersBucket       = []byte("users")
	tokensBucket      = []byte("tokens")
	tokenExpiryBucket = []byte("token_expiry")
	secretsBucket     = []byte("secrets")
	roomsBucket       = []byte("rooms")
	ticketsBucket     = []byte("tickets")

	devicesBucket      = []byte("devices") // user + device -> the token's key in token_expiry
	accountsBucket     = []byte("accounts")
	usernamesBucket    = []byte("usernames") // folded -> user
	skeletonsBucket    = []byte("skeletons") // skeleton -> user
	emailsBucket       = []byte("emails")    // verified ones, folded -> user
	passkeysBucket     = []byte("passkeys")  // user + credential
	passkeyIDsBucket   = []byte("passkey_ids")
	friendsBucket      = []byte("friends")              // user + friend, and friend + user
	requestsBucket     = []byte("friend_requests")      // whom + who asks
	requestsSentBucket = []byte("friend_requests_sent") // who asks + whom
	blocksBucket       = []byte("blocks")               // user + whom
	blockedByBucket    = []byte("blocked_by")           // whom + user, as long as there is a whom
	partnersBucket     = []byte("partners")             // user + partner
	partnerOfBucket    = []byte("partner_of")           // partner + user
	missedBucket       = []byte("missed")               // who was called + time + who called
	invitesBucket      = []byte("invites")              // SHA-256 of the code

	schemaKey = []byte("schema")
)

// layout lists the buckets and the schema version that brought each.
var layout = [...]struct {
	name  []byte
	since uint32
}{
	{metaBucket, 1},
	{usersBucket, 1},
	{tokensBucket, 1},
	{tokenExpiryBucket, 1},
	{secretsBucket, 1},
	{roomsBucket, 1},
	{ticketsBucket, 2},
	{devicesBucket, 3},
	{accountsBucket, 3},
	{usernamesBucket, 3},
	{skeletonsBucket, 3},
	{emailsBucket, 3},
	{passkeysBucket, 3},
	{passkeyIDsBucket, 3},
	{friendsBucket, 3},
	{requestsBucket, 3},
	{requestsSentBucket, 3},
	{blocksBucket, 3},
	{blockedByBucket, 3},
	{partnersBucket, 3},
	{partnerOfBucket, 3},
	{missedBucket, 3},
	{invitesBucket, 3},
}

// inLayout says whether this program has a bucket of this name.
func inLayout(bucket []byte) bool {
	for _, b := range layout {
		if bytes.Equal(b.name, bucket) {
			return true
		}
	}
	return false
}

// migrations bring a file to the next schema version, each from the one that its place says: the first from 1 to 2. What a version
// adds to the layout is there already when its migration runs; a version that does no more than that has nil. None is ever
// changed once a release has it: files of every age must come the same way.
var migrations = [schemaVersion - 1]func(*bbolt.Tx) error{
	nil,         // 2: people in line
	listDevices, // 3: accounts and all that a person has; tokens are listed by their users
}

// makeLayout makes the buckets that a file of schema version have lacks of those that version want has.
func makeLayout(tx *bbolt.Tx, have, want uint32) error {
	for _, b := range layout {
		if b.since <= have || b.since > want {
			continue
		}
		if _, err := tx.CreateBucket(b.name); err != nil {
			return fmt.Errorf("make bucket %s: %w", b.name, err)
		}
	}
	return putSchema(tx, want)
}

func putSchema(tx *bbolt.Tx, version uint32) error {
	return tx.Bucket(metaBucket).Put(schemaKey, binary.BigEndian.AppendUint32(nil, version))
}

// checkSchema returns the schema version of a file that has one and all that belongs to it. It is 0 for a file in which
// nothing is yet.
func checkSchema(tx *bbolt.Tx) (uint32, error) {
	if k, _ := tx.Cursor().First(); k == nil {
		return 0, nil
	}
	meta := tx.Bucket(metaBucket)
	if meta == nil {
		return 0, fmt.Errorf("%w: it has no bucket %s", ErrDamaged, metaBucket)
	}
	v := meta.Get(schemaKey)
	if len(v) != 4 {
		return 0, fmt.Errorf("%w: it names no schema version", ErrDamaged)
	}
	version := binary.BigEndian.Uint32(v)
	switch {
	case version > schemaVersion:
		return 0, fmt.Errorf("%w: schema %d, this program knows %d", ErrNewerVersion, version, schemaVersion)
	case version == 0:
		return 0, fmt.Errorf("%w: schema 0", ErrDamaged)
	}
	for _, b := range layout {
		if b.since <= version && tx.Bucket(b.name) == nil {
			return 0, fmt.Errorf("%w: it has no bucket %s", ErrDamaged, b.name)
		}
	}
	return version, nil
}

// migrate brings a file of an older version to this program's, all the way in one transaction: after a crash it is the old file
// or the new one. A copy of the old one is kept beside it.
func (db *DB) migrate(from uint32) error {
	if err := db.keepCopy(from); err != nil {
		return fmt.Errorf("keep a copy before the upgrade from schema %d to %d: %w", from, schemaVersion, err)
	}
	err := db.update(func(tx *bbolt.Tx) error {
		for v := from; v < schemaVersion; v++ {
			if err := makeLayout(tx, v, v+1); err != nil {
				return err
			}
			if step := migrations[v-1]; step != nil {
				if err := step(tx); err != nil {
					return fmt.Errorf("schema %d to %d: %w", v, v+1, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("upgrade from schema %d to %d: %w", from, schemaVersion, err)
	}
	return nil
}
