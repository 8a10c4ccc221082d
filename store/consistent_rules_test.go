package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// gone is the ID of nobody.
var gone = UserID(strings.Repeat("g", idSize))

// spoiler puts what is sound by itself where it contradicts something. All its methods return the key, for which the finding is
// expected, and end the test on an error.
type spoiler struct {
	*world
	t  *testing.T
	tx *bbolt.Tx
}

func (s spoiler) put(bucket []byte, k, v []byte) []byte {
	s.t.Helper()
	if err := s.tx.Bucket(bucket).Put(k, v); err != nil {
		s.t.Fatal(err)
	}
	return k
}

func (s spoiler) record(bucket, k []byte, v any) []byte {
	s.t.Helper()
	rec, err := encode(v)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.put(bucket, k, rec)
}

func (s spoiler) remove(bucket, k []byte) {
	s.t.Helper()
	if b := s.tx.Bucket(bucket); b.Get(k) == nil || b.Delete(k) != nil {
		s.t.Fatalf("bucket %s, key %q cannot be removed", bucket, k)
	}
}

func (s spoiler) edge(bucket []byte, owner, other UserID, name string) []byte {
	s.t.Helper()
	return s.record(bucket, edgeKey(owner, other), edge{Owner: owner, Other: other, At: start, Name: name})
}

// mirrored puts an edge and the entry that leads to it.
func (s spoiler) mirrored(bucket, mirror []byte, owner, other UserID, name string) []byte {
	s.t.Helper()
	s.put(mirror, edgeKey(other, owner), indexed)
	return s.edge(bucket, owner, other, name)
}

func (s spoiler) friends(a, b UserID) {
	s.t.Helper()
	s.edge(friendsBucket, a, b, "")
	s.edge(friendsBucket, b, a, "")
}

func (s spoiler) account(id UserID, change func(*Account)) []byte {
	s.t.Helper()
	a, err := accountIn(s.tx, id)
	if err != nil {
		s.t.Fatal(err)
	}
	change(&a)
	return s.record(accountsBucket, []byte(id), a)
}

// token puts a token into the three buckets, and returns its key in tokens and that in token_expiry.
func (s spoiler) token(t token) (k, expiry []byte) {
	s.t.Helper()
	hash := sha256.Sum256([]byte("spoiler"))
	if t.Device == "" {
		t.Device = "device-of-twenty-six-bytes"
	}
	if t.Expires.IsZero() {
		t.Expires = start
	}
	if err := putToken(s.tx, hash, t); err != nil {
		s.t.Fatal(err)
	}
	return hash[:], expiryKey(t.Expires, hash)
}

// contradictions are one for each condition of the rules: the bucket of the entry with which the condition is not met, and what is told.
var contradictions = []struct {
	bucket []byte
	want   string
	spoil  func(s spoiler) (k []byte)
}{
	{usersBucket, "a guest with an account", func(s spoiler) []byte {
		return s.record(usersBucket, []byte(s.person.ID), User{ID: s.person.ID, Guest: true})
	}},

	{accountsBucket, "bucket emails has no entry for it", func(s spoiler) []byte {
		s.remove(emailsBucket, []byte("paula@example.org"))
		return []byte(s.person.ID)
	}},
	{accountsBucket, "bucket emails leads to another", func(s spoiler) []byte {
		s.put(emailsBucket, []byte("paula@example.org"), []byte(s.friend.ID))
		return []byte(s.person.ID)
	}},
	{accountsBucket, "not found", func(s spoiler) []byte {
		s.remove(usersBucket, []byte(s.person.ID))
		return []byte(s.person.ID)
	}},
	{accountsBucket, "bucket usernames has no entry for it", func(s spoiler) []byte {
		s.remove(usernamesBucket, []byte("folded-paula"))
		return []byte(s.person.ID)
	}},
	{accountsBucket, "bucket skeletons has no entry for it", func(s spoiler) []byte {
		s.remove(skeletonsBucket, []byte("skeleton-paula"))
		return []byte(s.person.ID)
	}},
	{accountsBucket, "no way in", func(s spoiler) []byte {
		return s.account(s.friend.ID, func(a *Account) { a.Password = "" })
	}},

	{usernamesBucket, "who has no account", func(s spoiler) []byte { return s.put(usernamesBucket, []byte("x"), []byte(s.guest.ID)) }},
	{usernamesBucket, "who has another", func(s spoiler) []byte { return s.put(usernamesBucket, []byte("x"), []byte(s.friend.ID)) }},
	{skeletonsBucket, "who has another", func(s spoiler) []byte { return s.put(skeletonsBucket, []byte("folded-fritz"), []byte(s.friend.ID)) }},
	{emailsBucket, "who has another", func(s spoiler) []byte { return s.put(emailsBucket, []byte("x"), []byte(s.person.ID)) }},
	{emailsBucket, "who has another", func(s spoiler) []byte {
		s.account(s.person.ID, func(a *Account) { a.Verified = false })
		return []byte("paula@example.org")
	}},

	{passkeysBucket, "has no account", func(s spoiler) []byte {
		s.put(passkeyIDsBucket, []byte("x"), []byte(s.guest.ID))
		return s.record(passkeysBucket, passkeyKey(s.guest.ID, []byte("x")), Passkey{ID: []byte("x"), User: s.guest.ID})
	}},
	{passkeysBucket, "bucket passkey_ids has no entry for it", func(s spoiler) []byte {
		return s.record(passkeysBucket, passkeyKey(s.friend.ID, []byte("x")), Passkey{ID: []byte("x"), User: s.friend.ID})
	}},
	{passkeyIDsBucket, "has no such passkey", func(s spoiler) []byte { return s.put(passkeyIDsBucket, []byte("x"), []byte(s.person.ID)) }},
	{passkeyIDsBucket, "has no such passkey", func(s spoiler) []byte { // the two are one key of passkeys, cut elsewhere
		k := passkeyKey(s.person.ID, s.passkey)
		return s.put(passkeyIDsBucket, k[idSize-1:], k[:idSize-1])
	}},

	{tokensBucket, "key of 3 bytes", func(s spoiler) []byte { return s.record(tokensBucket, []byte("abc"), token{User: s.person.ID}) }},
	{tokensBucket, "not found", func(s spoiler) []byte {
		k, _ := s.token(token{User: gone})
		return k
	}},
	{tokensBucket, "bucket token_expiry has no entry for it", func(s spoiler) []byte {
		k, expiry := s.token(token{User: s.person.ID})
		s.remove(tokenExpiryBucket, expiry)
		return k
	}},
	{tokensBucket, "bucket token_expiry leads to another", func(s spoiler) []byte {
		k, expiry := s.token(token{User: s.person.ID})
		s.put(tokenExpiryBucket, expiry, []byte(s.friend.ID))
		return k
	}},
	{tokensBucket, "bucket devices has no entry for it", func(s spoiler) []byte {
		k, _ := s.token(token{User: s.person.ID})
		s.remove(devicesBucket, deviceKey(s.person.ID, "device-of-twenty-six-bytes"))
		return k
	}},
	{tokensBucket, "it outlives itself", func(s spoiler) []byte {
		k, _ := s.token(token{User: s.person.ID, Idle: time.Hour, Expires: start.Add(1), Until: start})
		return k
	}},

	{tokenExpiryBucket, "token expiry key of 3 bytes", func(s spoiler) []byte { return s.put(tokenExpiryBucket, []byte("abc"), []byte(s.person.ID)) }},
	{tokenExpiryBucket, "user of 3 bytes", func(s spoiler) []byte {
		return s.put(tokenExpiryBucket, expiryKey(start, [sha256.Size]byte{}), []byte("abc"))
	}},
	{tokenExpiryBucket, `" and of "`, func(s spoiler) []byte {
		_, expiry := s.token(token{User: s.person.ID})
		return s.put(tokenExpiryBucket, expiry, []byte(s.friend.ID))
	}},
	{tokenExpiryBucket, "bucket devices has no entry for it", func(s spoiler) []byte {
		_, expiry := s.token(token{User: s.person.ID})
		s.remove(devicesBucket, deviceKey(s.person.ID, "device-of-twenty-six-bytes"))
		return expiry
	}},
	{tokenExpiryBucket, "not found", func(s spoiler) []byte {
		k, expiry := s.token(token{User: gone})
		s.remove(tokensBucket, k)
		return expiry
	}},
	{tokenExpiryBucket, "without a token", func(s spoiler) []byte {
		k, expiry := s.token(token{User: s.person.ID})
		s.remove(tokensBucket, k)
		return expiry
	}},
	{tokenExpiryBucket, "0 devices", func(s spoiler) []byte {
		return s.put(tokenExpiryBucket, expiryKey(start, [sha256.Size]byte{}), []byte(s.guest.ID))
	}},
	{tokenExpiryBucket, "2 devices", func(s spoiler) []byte {
		k, expiry := s.token(token{User: s.guest.ID})
		s.remove(tokensBucket, k)
		s.put(devicesBucket, deviceKey(s.guest.ID, newDeviceID()), expiry)
		return expiry
	}},

	{devicesBucket, "key of 3 bytes", func(s spoiler) []byte {
		_, expiry := s.token(token{User: s.person.ID})
		return s.put(devicesBucket, []byte("abc"), expiry)
	}},
	{devicesBucket, "bucket token_expiry has no entry for it", func(s spoiler) []byte {
		return s.put(devicesBucket, deviceKey(s.person.ID, newDeviceID()), expiryKey(start, [sha256.Size]byte{}))
	}},
	{devicesBucket, "bucket token_expiry leads to another", func(s spoiler) []byte {
		_, expiry := s.token(token{User: s.person.ID})
		return s.put(devicesBucket, deviceKey(s.friend.ID, newDeviceID()), expiry)
	}},

	{friendsBucket, "not found", func(s spoiler) []byte {
		s.friends(gone, s.asker.ID)
		return edgeKey(gone, s.asker.ID)
	}},
	{friendsBucket, "not found", func(s spoiler) []byte {
		s.friends(gone, s.asker.ID)
		return edgeKey(s.asker.ID, gone)
	}},
	{friendsBucket, "one-sided", func(s spoiler) []byte { return s.edge(friendsBucket, s.asker.ID, s.asked.ID, "") }},
	{friendsBucket, "one-sided", func(s spoiler) []byte { // of another time than the other's
		return s.record(friendsBucket, edgeKey(s.person.ID, s.friend.ID), edge{Owner: s.person.ID, Other: s.friend.ID, At: start.Add(1)})
	}},
	{friendsBucket, "blocked", func(s spoiler) []byte {
		s.friends(s.person.ID, s.stranger.ID)
		return edgeKey(s.person.ID, s.stranger.ID)
	}},
	{friendsBucket, "blocked", func(s spoiler) []byte {
		s.friends(s.person.ID, s.stranger.ID)
		return edgeKey(s.stranger.ID, s.person.ID) // who has not blocked
	}},

	{requestsBucket, "not found", func(s spoiler) []byte { return s.mirrored(requestsBucket, requestsSentBucket, gone, s.asker.ID, "") }},
	{requestsBucket, "not found", func(s spoiler) []byte { return s.mirrored(requestsBucket, requestsSentBucket, s.asker.ID, gone, "") }},
	{requestsBucket, "bucket friend_requests_sent has no entry for it", func(s spoiler) []byte { return s.edge(requestsBucket, s.asker.ID, s.asked.ID, "") }},
	{requestsBucket, "of friends", func(s spoiler) []byte {
		return s.mirrored(requestsBucket, requestsSentBucket, s.person.ID, s.friend.ID, "")
	}},
	{requestsBucket, "blocked", func(s spoiler) []byte {
		return s.mirrored(requestsBucket, requestsSentBucket, s.person.ID, s.stranger.ID, "")
	}},
	{requestsSentBucket, "bucket friend_requests has no such entry", func(s spoiler) []byte {
		return s.put(requestsSentBucket, edgeKey(s.asker.ID, s.asked.ID), indexed)
	}},
	{requestsSentBucket, "bucket friend_requests has no such entry", func(s spoiler) []byte {
		return s.put(requestsSentBucket, edgeKey(s.asker.ID, s.person.ID), []byte("x")) // which would do but for the value
	}},
	{requestsSentBucket, "bucket friend_requests has no such entry", func(s spoiler) []byte { return s.put(requestsSentBucket, []byte("abc"), indexed) }},

	{blocksBucket, "not found", func(s spoiler) []byte { return s.mirrored(blocksBucket, blockedByBucket, gone, s.stranger.ID, "x") }},
	{blocksBucket, "of nobody", func(s spoiler) []byte { return s.edge(blocksBucket, s.person.ID, "abc", "") }},
	{blocksBucket, "names somebody who is gone", func(s spoiler) []byte {
		return s.mirrored(blocksBucket, blockedByBucket, s.person.ID, gone, "x")
	}},
	{blocksBucket, "the name could not be found to be removed", func(s spoiler) []byte { return s.edge(blocksBucket, s.asker.ID, s.stranger.ID, "x") }},
	{blockedByBucket, "bucket blocks has no such entry", func(s spoiler) []byte {
		return s.put(blockedByBucket, edgeKey(s.stranger.ID, s.asker.ID), indexed)
	}},
	{blockedByBucket, "not found", func(s spoiler) []byte {
		s.mirrored(blocksBucket, blockedByBucket, s.person.ID, gone, "")
		return edgeKey(gone, s.person.ID)
	}},

	{partnersBucket, "not found", func(s spoiler) []byte { return s.mirrored(partnersBucket, partnerOfBucket, gone, s.person.ID, "") }},
	{partnersBucket, "not found", func(s spoiler) []byte { return s.mirrored(partnersBucket, partnerOfBucket, s.person.ID, gone, "") }},
	{partnersBucket, "bucket partner_of has no entry for it", func(s spoiler) []byte { return s.edge(partnersBucket, s.person.ID, s.stranger.ID, "") }},
	{partnerOfBucket, "bucket partners has no such entry", func(s spoiler) []byte {
		return s.put(partnerOfBucket, edgeKey(s.person.ID, s.stranger.ID), indexed)
	}},

	{missedBucket, "of no friends", func(s spoiler) []byte {
		return s.record(missedBucket, missedKey(s.person.ID, s.asker.ID, start), missedCall{Owner: s.person.ID, From: s.asker.ID, At: start})
	}},

	{invitesBucket, "has no account", func(s spoiler) []byte {
		hash := inviteHash("x")
		return s.record(invitesBucket, hash, Invite{ID: inviteID(hash), Uses: 1, By: s.guest.ID})
	}},
	{invitesBucket, "used up", func(s spoiler) []byte {
		hash := inviteHash("x")
		return s.record(invitesBucket, hash, Invite{ID: inviteID(hash)})
	}},

	{secretsBucket, `record says it is "y"`, func(s spoiler) []byte {
		return s.record(secretsBucket, []byte("x"), secret{Name: "y", Key: make([]byte, secretSize)})
	}},
	{secretsBucket, "key of 3 bytes", func(s spoiler) []byte {
		return s.record(secretsBucket, []byte("x"), secret{Name: "x", Key: []byte("abc")})
	}},
	{roomsBucket, `record says it is "y"`, func(s spoiler) []byte { return s.record(roomsBucket, []byte("x"), Room{ID: "y"}) }},
	{ticketsBucket, `record says it is of "y"`, func(s spoiler) []byte { return s.record(ticketsBucket, []byte("x"), Ticket{Session: "y"}) }},
}

// Each condition of the rules is one that can fail, with an entry that is sound but for it.
func TestContradictionsAreFound(t *testing.T) {
	for _, c := range contradictions {
		t.Run(string(c.bucket)+": "+c.want, func(t *testing.T) {
			w := newWorld(t)
			w.broken = true
			if err := w.db.CheckContents(t.Context()); err != nil {
				t.Fatal(err)
			}
			r := rules[slices.IndexFunc(rules[:], func(r rule) bool { return bytes.Equal(r.bucket, c.bucket) })]
			at := "bucket " + string(c.bucket)
			err := w.db.bolt.Update(func(tx *bbolt.Tx) error {
				at += r.shown(c.spoil(spoiler{w, t, tx})) + ": "
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			err = w.db.CheckContents(t.Context())
			var found *Inconsistent
			if !errors.As(err, &found) || !slices.ContainsFunc(found.First, func(f string) bool {
				return strings.HasPrefix(f, at) && strings.Contains(f[len(at):], c.want)
			}) {
				t.Errorf("want %s... %s; got %v", at, c.want, err)
			}
		})
	}
}
