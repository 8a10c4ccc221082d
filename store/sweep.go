package store

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// sweepStep is how many records one transaction of a sweep looks at.
const sweepStep = 1000

// aging is what is kept for a time only. A record that cannot be read stays, for whoever looks into the damage.
type aging struct {
	bucket []byte
	over   func(k, rec []byte, now time.Time) bool
	drop   func(tx *bbolt.Tx, k []byte, now time.Time) error
}

var agings = [...]aging{
	{partnersBucket, edgeOver(partnerOver), dropPartner},
	{requestsBucket, edgeOver(requestOver), func(tx *bbolt.Tx, k []byte, _ time.Time) error {
		return dropEdge(tx.Bucket(requestsBucket), tx.Bucket(requestsSentBucket), UserID(k[:idSize]), UserID(k[idSize:]))
	}},
	{missedBucket, func(k, rec []byte, now time.Time) bool {
		m, err := decodeMissed(k, rec)
		return err == nil && missedOver(m, now)
	}, func(tx *bbolt.Tx, k []byte, _ time.Time) error { return tx.Bucket(missedBucket).Delete(k) }},
	{invitesBucket, func(k, rec []byte, now time.Time) bool {
		inv, err := decodeInvite(k, rec)
		return err == nil && !inv.Expires.After(now)
	}, func(tx *bbolt.Tx, k []byte, _ time.Time) error { return tx.Bucket(invitesBucket).Delete(k) }},
}

func edgeOver(over func(edge, time.Time) bool) func(k, rec []byte, now time.Time) bool {
	return func(k, rec []byte, now time.Time) bool {
		e, err := decodeEdge(k, rec)
		return err == nil && over(e, now)
	}
}

// Sweep removes what has had its time: tokens and the guests who have none any more, last partners, friend requests, missed calls and
// invitations. It looks at all of them, in steps between which others write, and is to be called from time to time; nobody is shown
// what is over in the meantime. It ends early when ctx does.
func (db *DB) Sweep(ctx context.Context, now time.Time) error {
	err := db.sweepTokens(ctx, now)
	for i := 0; err == nil && i < len(agings); i++ {
		err = db.sweep(ctx, agings[i], now)
	}
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	return nil
}

func (db *DB) sweepTokens(ctx context.Context, now time.Time) error {
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := db.view(func(tx *bbolt.Tx) error { // mostly there is nothing to write
			k, _ := tx.Bucket(tokenExpiryBucket).Cursor().First()
			more = k != nil && bytes.Compare(k, expiryLimit(now)) < 0
			return nil
		})
		if err == nil && more {
			err = db.update(func(tx *bbolt.Tx) error { return pruneTokens(tx, now) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) sweep(ctx context.Context, a aging, now time.Time) error {
	for from := []byte{}; from != nil; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var over [][]byte
		err := db.view(func(tx *bbolt.Tx) error {
			c := tx.Bucket(a.bucket).Cursor()
			k, rec := c.Seek(from)
			for n := 0; k != nil && n < sweepStep; n++ {
				if a.over(k, rec, now) {
					over = append(over, bytes.Clone(k))
				}
				k, rec = c.Next()
			}
			from = bytes.Clone(k)
			return nil
		})
		if err == nil && len(over) > 0 {
			err = db.dropOver(a, over, now)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", a.bucket, err)
		}
	}
	return nil
}

// dropOver removes those of the keys that are over still.
func (db *DB) dropOver(a aging, keys [][]byte, now time.Time) error {
	return db.update(func(tx *bbolt.Tx) error {
		for _, k := range keys {
			if rec := tx.Bucket(a.bucket).Get(k); rec == nil || !a.over(k, rec, now) {
				continue
			}
			if err := a.drop(tx, k, now); err != nil {
				return err
			}
		}
		return nil
	})
}
