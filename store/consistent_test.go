package store

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"go.etcd.io/bbolt"
)

// inconsistencies returns where the buckets contradict each other or hold what cannot be read. Each test ends with it.
func inconsistencies(db *DB) []error {
	var errs []error
	err := db.view(func(tx *bbolt.Tx) error {
		for _, b := range layout {
			rule, known := rules[string(b.name)]
			if !known {
				errs = append(errs, fmt.Errorf("bucket %s: no rule says what may be in it", b.name))
				continue
			}
			err := tx.Bucket(b.name).ForEach(func(k, v []byte) error {
				if rule == nil {
					return nil
				}
				if err := rule(tx, k, v); err != nil {
					errs = append(errs, fmt.Errorf("bucket %s, key %q: %w", b.name, k, err))
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		errs = append(errs, err)
	}
	return errs
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// rules say of each entry of a bucket what else must be in the file, or must not.
var rules = map[string]func(tx *bbolt.Tx, k, v []byte) error{
	"meta":    nil,
	"secrets": nil,
	"rooms":   nil,
	"tickets": nil,
	"users": func(tx *bbolt.Tx, k, v []byte) error {
		u, err := decodeUser(UserID(k), v)
		if err == nil && u.Guest && tx.Bucket(accountsBucket).Get(k) != nil {
			err = errors.New("a guest with an account")
		}
		return err
	},
	"accounts": func(tx *bbolt.Tx, k, _ []byte) error {
		a, err := accountIn(tx, UserID(k))
		return errors.Join(err, leads(tx, usernamesBucket, []byte(a.Username.Folded), k), leads(tx, skeletonsBucket, []byte(a.Username.Skeleton), k),
			unless(!a.Verified, leads(tx, emailsBucket, []byte(a.Email), k)),
			unless(a.Password != "" || countUnder(tx.Bucket(passkeysBucket), k) > 0, errors.New("no way in")))
	},
	"usernames": func(tx *bbolt.Tx, k, v []byte) error {
		a, err := accountIn(tx, UserID(v))
		return errors.Join(err, unless(a.Username.Folded == string(k), fmt.Errorf("it is %q", a.Username.Folded)))
	},
	"skeletons": func(tx *bbolt.Tx, k, v []byte) error {
		a, err := accountIn(tx, UserID(v))
		return errors.Join(err, unless(a.Username.Skeleton == string(k), fmt.Errorf("it is %q", a.Username.Skeleton)))
	},
	"emails": func(tx *bbolt.Tx, k, v []byte) error {
		a, err := accountIn(tx, UserID(v))
		return errors.Join(err, unless(a.Email == string(k) && a.Verified, fmt.Errorf("it is %q, verified %v", a.Email, a.Verified)))
	},
	"passkeys": func(tx *bbolt.Tx, k, v []byte) error {
		p, err := decodePasskey(k, v)
		_, accountErr := accountIn(tx, p.User)
		return errors.Join(err, accountErr, leads(tx, passkeyIDsBucket, p.ID, k[:idSize]), atMost(tx, passkeysBucket, k, MaxPasskeys))
	},
	"passkey_ids": func(tx *bbolt.Tx, k, v []byte) error {
		_, err := passkeyIn(tx, UserID(v), k)
		return err
	},
	"tokens": func(tx *bbolt.Tx, k, _ []byte) error {
		t, err := tokenIn(tx, [32]byte(k))
		key := expiryKey(t.Expires, [32]byte(k))
		return errors.Join(err, personIn(tx, t.User), leads(tx, tokenExpiryBucket, key, []byte(t.User)), leads(tx, devicesBucket, deviceKey(t.User, t.Device), key),
			unless(t.Idle == 0 || !t.Expires.After(t.Until), errors.New("it outlives itself")))
	},
	"token_expiry": func(tx *bbolt.Tx, k, v []byte) error {
		n := 0
		under(tx.Bucket(devicesBucket), v, func(_, key []byte) bool {
			n += btoi(bytes.Equal(k, key))
			return true
		})
		t, err := tokenOfEntry(tx, k)
		u, userErr := userIn(tx, UserID(v))
		return errors.Join(err, userErr, unless(n == 1, fmt.Errorf("%d devices", n)), unless(t.User == u.ID || t.User == "" && u.Guest, fmt.Errorf("of %s and of %s", t.User, u.ID)))
	},
	"devices": func(tx *bbolt.Tx, k, v []byte) error {
		return errors.Join(leads(tx, tokenExpiryBucket, v, k[:idSize]), atMost(tx, devicesBucket, k, MaxDevices))
	},
	"friends": func(tx *bbolt.Tx, k, v []byte) error {
		e, err := decodeEdge(k, v)
		back, found, backErr := edgeIn(tx.Bucket(friendsBucket), e.Other, e.Owner)
		return errors.Join(err, backErr, personIn(tx, e.Owner, e.Other), unless(found && back.At.Equal(e.At), errors.New("one-sided")),
			unless(!blockedIn(tx, e.Owner, e.Other), errors.New("blocked")), atMost(tx, friendsBucket, k, MaxFriends))
	},
	"friend_requests": func(tx *bbolt.Tx, k, v []byte) error {
		e, err := decodeEdge(k, v)
		return errors.Join(err, personIn(tx, e.Owner, e.Other), leads(tx, requestsSentBucket, edgeKey(e.Other, e.Owner), indexed),
			unless(!hasEdge(tx.Bucket(friendsBucket), e.Owner, e.Other), errors.New("of friends")),
			unless(!blockedIn(tx, e.Owner, e.Other), errors.New("blocked")), atMost(tx, requestsBucket, k, MaxRequests))
	},
	"friend_requests_sent": func(tx *bbolt.Tx, k, v []byte) error {
		return errors.Join(mirrored(tx, requestsBucket, k, v), atMost(tx, requestsSentBucket, k, MaxRequests))
	},
	"blocks": func(tx *bbolt.Tx, k, v []byte) error {
		e, err := decodeEdge(k, v)
		there := personIn(tx, e.Other) == nil
		return errors.Join(err, personIn(tx, e.Owner), atMost(tx, blocksBucket, k, MaxBlocks),
			unless(there || e.Name == "", errors.New("names somebody who is gone")),
			unless(e.Name == "" || hasEdge(tx.Bucket(blockedByBucket), e.Other, e.Owner), errors.New("the name could not be found to be removed")))
	},
	"blocked_by": func(tx *bbolt.Tx, k, v []byte) error {
		return errors.Join(personIn(tx, UserID(k[:idSize])), mirrored(tx, blocksBucket, k, v))
	},
	"partners": func(tx *bbolt.Tx, k, v []byte) error {
		e, err := decodeEdge(k, v)
		return errors.Join(err, personIn(tx, e.Owner, e.Other), leads(tx, partnerOfBucket, edgeKey(e.Other, e.Owner), indexed), atMost(tx, partnersBucket, k, MaxPartners))
	},
	"partner_of": func(tx *bbolt.Tx, k, v []byte) error { return mirrored(tx, partnersBucket, k, v) },
	"missed": func(tx *bbolt.Tx, k, v []byte) error {
		m, err := decodeMissed(k, v)
		return errors.Join(err, unless(hasEdge(tx.Bucket(friendsBucket), m.Owner, m.From), errors.New("of no friends")), atMost(tx, missedBucket, k, MaxMissed))
	},
	"invites": func(tx *bbolt.Tx, k, v []byte) error {
		inv, err := decodeInvite(k, v)
		if err == nil && inv.By != "" {
			_, err = accountIn(tx, inv.By)
		}
		return errors.Join(err, unless(inv.Uses > 0, errors.New("used up")))
	},
}

func unless(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}

// leads says whether an entry has this value.
func leads(tx *bbolt.Tx, bucket, key, want []byte) error {
	if got := tx.Bucket(bucket).Get(key); !bytes.Equal(got, want) || got == nil {
		return fmt.Errorf("bucket %s, key %q: value %q, want %q", bucket, key, got, want)
	}
	return nil
}

// mirrored says whether the entry of other + owner stands for one of owner + other in the bucket.
func mirrored(tx *bbolt.Tx, bucket, k, v []byte) error {
	if !hasEdge(tx.Bucket(bucket), UserID(k[idSize:]), UserID(k[:idSize])) || !bytes.Equal(v, indexed) {
		return fmt.Errorf("bucket %s has no such entry", bucket)
	}
	return nil
}

func atMost(tx *bbolt.Tx, bucket, k []byte, most int) error {
	if n := countUnder(tx.Bucket(bucket), k[:idSize]); n > most {
		return fmt.Errorf("%d of one person", n)
	}
	return nil
}

// The rules themselves must be able to fail: an entry taken away or added anywhere is seen.
func TestInconsistenciesAreFound(t *testing.T) {
	for _, b := range layout {
		name := string(b.name)
		if rules[name] == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if errs := inconsistencies(w.db); len(errs) > 0 {
				t.Fatal(errs)
			}
			err := w.db.bolt.Update(func(tx *bbolt.Tx) error {
				b := tx.Bucket(b.name)
				var keys [][]byte
				under(b, nil, func(k, _ []byte) bool {
					keys = append(keys, bytes.Clone(k))
					return true
				})
				if len(keys) == 0 {
					return errors.New("the world has nothing in it")
				}
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
			if errs := inconsistencies(w.db); len(errs) == 0 {
				t.Error("nothing was found")
			}
			w.broken = true
		})
	}
}
