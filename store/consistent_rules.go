package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

func checkUser(tx *bbolt.Tx, k, v []byte) error {
	u, err := decodeUser(UserID(k), v)
	if err == nil && u.Guest && tx.Bucket(accountsBucket).Get(k) != nil {
		err = errors.New("a guest with an account")
	}
	return err
}

func checkAccount(tx *bbolt.Tx, k, v []byte) error {
	a, err := decodeAccount(UserID(k), v)
	if err != nil {
		return err
	}
	if a.Verified {
		err = leads(tx, emailsBucket, []byte(a.Email), k)
	}
	return firstError(err, personIn(tx, a.User),
		leads(tx, usernamesBucket, []byte(a.Username.Folded), k), leads(tx, skeletonsBucket, []byte(a.Username.Skeleton), k),
		unless(a.Password != "" || countUnder(tx.Bucket(passkeysBucket), k) > 0, "no way in"))
}

// checkIndex is for a bucket that leads from what the accounts have of their own to the accounts.
func checkIndex(of func(Account) string) func(tx *bbolt.Tx, k, v []byte) error {
	return func(tx *bbolt.Tx, k, v []byte) error {
		rec := tx.Bucket(accountsBucket).Get(v)
		if rec == nil {
			return fmt.Errorf("it leads to user %q, who has no account", v)
		}
		a, err := decodeAccount(UserID(v), rec)
		return firstError(err, unless(of(a) == string(k), fmt.Sprintf("it leads to user %q, who has another", v)))
	}
}

func verifiedEmail(a Account) string {
	if !a.Verified {
		return ""
	}
	return a.Email
}

func checkPasskey(tx *bbolt.Tx, k, v []byte) error {
	p, err := decodePasskey(k, v)
	if err != nil {
		return err
	}
	return firstError(hasAccount(tx, p.User), leads(tx, passkeyIDsBucket, p.ID, []byte(p.User)))
}

// hasAccount does not read it, which the rule of accounts does.
func hasAccount(tx *bbolt.Tx, id UserID) error {
	return unless(tx.Bucket(accountsBucket).Get([]byte(id)) != nil, fmt.Sprintf("user %q has no account", id))
}

func checkPasskeyID(tx *bbolt.Tx, k, v []byte) error {
	return unless(len(v) == idSize && tx.Bucket(passkeysBucket).Get(passkeyKey(UserID(v), k)) != nil, fmt.Sprintf("user %q has no such passkey", v))
}

func checkToken(tx *bbolt.Tx, k, _ []byte) error {
	if len(k) != sha256.Size {
		return fmt.Errorf("key of %d bytes", len(k))
	}
	t, err := tokenIn(tx, [sha256.Size]byte(k))
	if err != nil {
		return err
	}
	key := expiryKey(t.Expires, [sha256.Size]byte(k))
	return firstError(personIn(tx, t.User), leads(tx, tokenExpiryBucket, key, []byte(t.User)), leads(tx, devicesBucket, deviceKey(t.User, t.Device), key),
		unless(t.Idle == 0 || !t.Expires.After(t.Until), "it outlives itself"))
}

func checkTokenExpiry(tx *bbolt.Tx, k, v []byte) error {
	t, err := tokenOfEntry(tx, k)
	switch {
	case err != nil:
		return err
	case len(v) != idSize:
		return fmt.Errorf("user of %d bytes", len(v))
	case t.User != "":
		return firstError(unless(t.User == UserID(v), fmt.Sprintf("of user %q and of %q", t.User, v)), leads(tx, devicesBucket, deviceKey(t.User, t.Device), k))
	}
	u, err := userIn(tx, UserID(v))
	devices := 0
	under(tx.Bucket(devicesBucket), v, func(_, key []byte) bool {
		if bytes.Equal(k, key) {
			devices++
		}
		return true
	})
	return firstError(err, unless(u.Guest, fmt.Sprintf("of user %q, without a token", v)), unless(devices == 1, fmt.Sprintf("%d devices", devices)))
}

func checkDevice(tx *bbolt.Tx, k, v []byte) error {
	if len(k) != 2*idSize {
		return fmt.Errorf("key of %d bytes", len(k))
	}
	return leads(tx, tokenExpiryBucket, v, k[:idSize])
}

func checkFriend(tx *bbolt.Tx, k, v []byte) error {
	e, err := decodeEdge(k, v)
	if err != nil {
		return err
	}
	back, found, err := edgeIn(tx.Bucket(friendsBucket), e.Other, e.Owner)
	return firstError(err, personIn(tx, e.Owner, e.Other), unless(found && back.At.Equal(e.At), "one-sided"),
		unless(!blockedIn(tx, e.Owner, e.Other), "blocked"))
}

func checkRequest(tx *bbolt.Tx, k, v []byte) error {
	e, err := decodeEdge(k, v)
	if err != nil {
		return err
	}
	return firstError(personIn(tx, e.Owner, e.Other), leads(tx, requestsSentBucket, edgeKey(e.Other, e.Owner), indexed),
		unless(!hasEdge(tx.Bucket(friendsBucket), e.Owner, e.Other), "of friends"),
		unless(!blockedIn(tx, e.Owner, e.Other), "blocked"))
}

func checkRequestSent(tx *bbolt.Tx, k, v []byte) error { return mirrored(tx, requestsBucket, k, v) }

func checkBlock(tx *bbolt.Tx, k, v []byte) error {
	e, err := decodeEdge(k, v)
	if err != nil {
		return err
	}
	there := personIn(tx, e.Other) == nil
	return firstError(personIn(tx, e.Owner), unless(len(e.Other) == idSize, "of nobody"), unless(there || e.Name == "", "names somebody who is gone"),
		unless(e.Name == "" || hasEdge(tx.Bucket(blockedByBucket), e.Other, e.Owner), "the name could not be found to be removed"))
}

func checkBlockedBy(tx *bbolt.Tx, k, v []byte) error {
	err := mirrored(tx, blocksBucket, k, v)
	if err != nil {
		return err
	}
	return personIn(tx, UserID(k[:idSize]))
}

func checkPartner(tx *bbolt.Tx, k, v []byte) error {
	e, err := decodeEdge(k, v)
	if err != nil {
		return err
	}
	return firstError(personIn(tx, e.Owner, e.Other), leads(tx, partnerOfBucket, edgeKey(e.Other, e.Owner), indexed))
}

func checkPartnerOf(tx *bbolt.Tx, k, v []byte) error { return mirrored(tx, partnersBucket, k, v) }

func checkMissed(tx *bbolt.Tx, k, v []byte) error {
	m, err := decodeMissed(k, v)
	if err != nil {
		return err
	}
	return unless(hasEdge(tx.Bucket(friendsBucket), m.Owner, m.From), "of no friends")
}

func checkInvite(tx *bbolt.Tx, k, v []byte) error {
	inv, err := decodeInvite(k, v)
	if err == nil && inv.By != "" {
		err = hasAccount(tx, inv.By)
	}
	return firstError(err, unless(inv.Uses > 0, "used up"))
}

func checkSecret(_ *bbolt.Tx, k, v []byte) error {
	_, err := decodeSecret(string(k), v)
	return err
}

func checkRoom(_ *bbolt.Tx, k, v []byte) error {
	_, err := decodeRoom(k, v)
	return err
}

func checkTicket(_ *bbolt.Tx, k, v []byte) error {
	_, err := decodeTicket(k, v)
	return err
}
