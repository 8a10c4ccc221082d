package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// personal says of each bucket how many of its entries an export shows: those that name the person in any way, and must be all of them.
// What it withholds is what others keep to be safe from the person, and what friends have missed.
var personal = map[string]func(e Export) (shown, withheld int){
	"meta":                 nil,
	"secrets":              nil,
	"users":                func(Export) (int, int) { return 1, 0 },
	"tokens":               func(e Export) (int, int) { return len(e.Devices), 0 },
	"token_expiry":         func(e Export) (int, int) { return len(e.Devices), 0 },
	"devices":              func(e Export) (int, int) { return len(e.Devices), 0 },
	"accounts":             func(e Export) (int, int) { return btoi(e.Account != nil), 0 },
	"usernames":            func(e Export) (int, int) { return btoi(e.Account.Username != ""), 0 },
	"skeletons":            func(e Export) (int, int) { return btoi(e.Account.Username != ""), 0 },
	"emails":               func(e Export) (int, int) { return btoi(e.Account.Verified), 0 },
	"passkeys":             func(e Export) (int, int) { return len(e.Passkeys), 0 },
	"passkey_ids":          func(e Export) (int, int) { return len(e.Passkeys), 0 },
	"friends":              func(e Export) (int, int) { return 2 * len(e.Friends), 0 }, // on both sides
	"friend_requests":      func(e Export) (int, int) { return len(e.RequestsReceived) + len(e.RequestsSent), 0 },
	"friend_requests_sent": func(e Export) (int, int) { return len(e.RequestsReceived) + len(e.RequestsSent), 0 },
	"blocks":               func(e Export) (int, int) { return len(e.Blocks), 1 },
	"blocked_by":           func(e Export) (int, int) { return len(e.Blocks), 1 },
	"partners":             func(e Export) (int, int) { return len(e.Partners) + len(e.PartnerOf), 0 },
	"partner_of":           func(e Export) (int, int) { return len(e.Partners) + len(e.PartnerOf), 0 },
	"missed":               func(e Export) (int, int) { return len(e.Missed), 1 },
	"invites":              func(e Export) (int, int) { return len(e.Invites), 0 },
	"rooms":                func(e Export) (int, int) { return len(e.Rooms), 0 },
	"tickets":              func(e Export) (int, int) { return len(e.Tickets), 0 },
}

// walk calls f with each entry of each bucket of the file, known or not.
func (w *world) walk(t *testing.T, f func(bucket string, k, v []byte)) {
	t.Helper()
	err := w.db.view(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				f(string(name), k, v)
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// naming counts the entries by bucket that tell who the person is.
func (w *world) naming(t *testing.T) map[string]int {
	t.Helper()
	counts := map[string]int{}
	w.walk(t, func(bucket string, k, v []byte) {
		entry := append(bytes.Clone(k), v...)
		for _, what := range w.identifying {
			inJSON, err := json.Marshal([]byte(what)) // as bytes are in a record
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(entry, []byte(what)) || bytes.Contains(entry, bytes.Trim(inJSON, `"`)) {
				counts[bucket]++
				return
			}
		}
	})
	return counts
}

// A bucket that a later schema brings must be in personal, and the world must have something of the person in it.
func TestExportHasAll(t *testing.T) {
	w := newWorld(t)
	e, err := w.db.Export(w.person.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.identifying = append(w.identifying, w.hashes(t)...)
	naming := w.naming(t)
	for _, b := range layout {
		shows, known := personal[string(b.name)]
		switch {
		case !known:
			t.Errorf("bucket %s: the export does not know it", b.name)
		case shows == nil && naming[string(b.name)] > 0:
			t.Errorf("bucket %s has something of the person", b.name)
		case shows != nil:
			shown, withheld := shows(e)
			if shown == 0 || shown+withheld != naming[string(b.name)] {
				t.Errorf("bucket %s: %d entries name the person, the export shows %d and withholds %d", b.name, naming[string(b.name)], shown, withheld)
			}
		}
	}
	if len(naming) > len(personal) {
		t.Errorf("buckets that are not in the layout: %v", naming)
	}
	checkExport(t, w, e)
}

// hashes are those of the person's tokens.
func (w *world) hashes(t *testing.T) (list []string) {
	t.Helper()
	err := w.db.view(func(tx *bbolt.Tx) error {
		under(tx.Bucket(devicesBucket), []byte(w.person.ID), func(_, v []byte) bool {
			list = append(list, string(v[8:]))
			return true
		})
		return nil
	})
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	return list
}

// checkExport looks at what is in an export, and that no secret is.
func checkExport(t *testing.T, w *world, e Export) {
	t.Helper()
	a := e.Account
	if !reflect.DeepEqual(e.User, w.person) || a == nil || a.Username != "paula" || !a.Password || a.RecoveryCodes != recoveryCodes || a.Email != "paula@example.org" || !a.Verified {
		t.Errorf("user %+v, account %+v", e.User, a)
	}
	if len(e.Devices) != 2 || e.Devices[0].ID == e.Devices[1].ID || e.Devices[0].Label == e.Devices[1].Label {
		t.Errorf("devices %+v", e.Devices)
	}
	if f := e.Friends; len(f) != 1 || f[0].User != w.friend.ID || f[0].Name != "fritz" || !f[0].Since.Equal(start) {
		t.Errorf("friends %+v", f)
	}
	if in, out := e.RequestsReceived, e.RequestsSent; len(in) != 1 || in[0].User != w.asker.ID || len(out) != 1 || !out[0].At.Equal(start) {
		t.Errorf("requests %+v, %+v", in, out)
	}
	if len(e.Partners) != 4 || e.Partners[0].Name != w.guest.Name || len(e.PartnerOf) != 4 || e.PartnerOf[0].Name != "Paula Person" {
		t.Errorf("partners %+v, %+v", e.Partners, e.PartnerOf)
	}
	out, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	// Nor does it say who somebody is who is no friend and has not asked.
	for _, secret := range []string{w.secret, "argon2id", `{"of":"paula"}`, string(w.asked.ID), string(w.guest.ID), string(w.stranger.ID), string(w.blocker.ID)} {
		if strings.Contains(string(out), secret) {
			t.Errorf("%s stands in the export", secret)
		}
	}
	var back Export
	if err := json.Unmarshal(out, &back); err != nil || !reflect.DeepEqual(back.Partners, e.Partners) || !reflect.DeepEqual(back.Rooms, e.Rooms) {
		t.Errorf("JSON %s, %v", out, err)
	}
}

func TestDeleteLeavesNothing(t *testing.T) {
	w := newWorld(t)
	hashes := w.hashes(t)
	gone, err := w.db.DeleteUser(w.person.ID)
	if err != nil || !reflect.DeepEqual(gone.Friends, []UserID{w.friend.ID}) {
		t.Errorf("deleted: %+v, %v", gone, err)
	}
	w.identifying = append(w.identifying, hashes...)
	if naming := w.naming(t); len(naming) != 1 || naming["blocks"] != 1 {
		t.Errorf("what is left: %v, want one block", naming)
	}
	w.identifying = w.identifying[1:] // without the ID
	if naming := w.naming(t); len(naming) > 0 {
		t.Errorf("it names the person: %v", naming)
	}
	if b, err := w.db.Blocks(w.blocker.ID); err != nil || len(b) != 1 || b[0].User != w.person.ID || b[0].Name != "" || !b[0].At.Equal(start) {
		t.Errorf("the block of another: %+v, %v", b, err)
	}
	f, err := w.db.Friends(w.friend.ID)
	if err != nil || len(f) != 1 || f[0].User != w.guest.ID {
		t.Errorf("friends of the friend: %+v, %v", f, err)
	}
	if m, err := w.db.Missed(w.friend.ID, w.now); err != nil || len(m) != 1 || m[0].User != w.guest.ID {
		t.Errorf("missed calls of the friend: %+v, %v", m, err)
	}
	if _, err := w.db.DeleteUser(w.person.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if _, err := w.db.Export(w.person.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("exported: %v", err)
	}
	if _, err := w.db.UserByToken(w.secret, w.now); !errors.Is(err, ErrNotFound) {
		t.Errorf("token: %v", err)
	}
	again := signUp(t, w.db, "paula") // the name is free
	if b, err := w.db.Blocked(again.ID, w.blocker.ID); err != nil || b {
		t.Errorf("the next of that name is blocked: %v, %v", b, err)
	}
	if err := w.db.Unblock(w.blocker.ID, w.person.ID); err != nil {
		t.Error(err)
	}
}

// A guest who cannot come back is forgotten as somebody who has deleted the account.
func TestForgottenGuestLeavesNothing(t *testing.T) {
	w := newWorld(t)
	if _, err := w.db.Block(w.blocker.ID, w.guest.ID, start); err != nil {
		t.Fatal(err)
	}
	if _, err := w.db.CreateToken(w.person.ID, start.Add(2*time.Hour), spec); err != nil {
		t.Fatal(err)
	}
	w.identifying = []string{string(w.guest.ID), w.guest.Name}
	if naming := w.naming(t); len(naming) != 1 || naming["blocks"] != 1 {
		t.Errorf("what is left: %v, want one block", naming)
	}
	if f, err := w.db.Friends(w.friend.ID); err != nil || len(f) != 1 || f[0].User != w.person.ID {
		t.Errorf("friends of the friend: %+v, %v", f, err)
	}
}

func TestUpgradeKeepsAll(t *testing.T) {
	w := newWorld(t)
	id := w.guest.ID
	if _, err := w.db.Block(id, w.stranger.ID, start); err != nil {
		t.Fatal(err)
	}
	old, err := w.db.CreateToken(id, start, spec)
	if err != nil {
		t.Fatal(err)
	}
	ended, err := w.db.CreateToken(id, start, spec)
	if err == nil {
		err = w.db.DeleteToken(ended)
	}
	if err != nil {
		t.Fatal(err)
	}
	before, err := w.db.Export(id)
	if err != nil {
		t.Fatal(err)
	}
	u, secret, err := w.db.SignUp(SignUp{User: id, Username: username("fox"), Password: "hash", Token: spec}, w.now)
	if err != nil || u.ID != id || u.Guest || u.Name != w.guest.Name || !u.Created.Equal(w.guest.Created) {
		t.Fatalf("got %+v, %v", u, err)
	}
	after, err := w.db.Export(id)
	if err != nil {
		t.Fatal(err)
	}
	if len(after.Devices) != 1 || after.Account == nil {
		t.Errorf("devices %+v, account %+v", after.Devices, after.Account)
	}
	after.User, after.Account, after.Devices = before.User, before.Account, before.Devices
	if len(before.Friends) != 1 || len(before.Blocks) != 1 || len(before.Partners) != 1 || !reflect.DeepEqual(before, after) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if _, err := w.db.UserByToken(old, w.now); !errors.Is(err, ErrNotFound) {
		t.Errorf("the guest's token: %v", err)
	}
	if got, err := w.db.UserByToken(secret, w.now); err != nil || !reflect.DeepEqual(got, u) {
		t.Errorf("the account's token: %+v, %v", got, err)
	}
	if _, _, err := w.db.SignUp(SignUp{User: id, Username: username("again"), Password: "hash", Token: spec}, w.now); !errors.Is(err, ErrTaken) {
		t.Errorf("upgraded twice: %v", err)
	}
	if err := w.db.Sweep(t.Context(), start.Add(100*24*time.Hour)); err != nil { // its tokens expire, and it stays
		t.Error(err)
	}
	if _, err := w.db.Account(id); err != nil {
		t.Error(err)
	}
}

// Each operation is one transaction, or none if it is refused or has nothing to do: kill -9 finds all of it or nothing.
func TestOneTransactionEach(t *testing.T) {
	w := newWorld(t)
	db, id := w.db, w.person.ID
	txid := func() (n int) {
		if err := db.view(func(tx *bbolt.Tx) error { n = tx.ID(); return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, op := range []struct {
		name string
		do   func() error
		want int
	}{
		{"sign up", func() error {
			_, _, err := db.SignUp(SignUp{Username: username("new"), Password: "hash", Email: "new@example.org", Token: spec, Passkey: &Passkey{ID: []byte("new")}}, w.now)
			return err
		}, 1},
		{"sign up with somebody's address", func() error {
			if _, _, err := db.SignUp(SignUp{Username: username("newer"), Password: "hash", Email: "new@example.org", Token: spec}, w.now); !errors.Is(err, ErrEmailTaken) {
				return fmt.Errorf("got %w", err)
			}
			return nil
		}, 0},
		{"upgrade", func() error {
			_, _, err := db.SignUp(SignUp{User: w.guest.ID, Username: username("fox"), Password: "hash", Token: spec}, w.now)
			return err
		}, 1},
		{"set password", func() error {
			_, err := db.SetPassword(id, "$argon2id$paula", "other", w.now, spec)
			return err
		}, 1},
		{"change an address", func() error {
			_, err := setEmail(db, id, "paula@example.com")
			return err
		}, 1},
		{"reset a password", func() error {
			_, _, err := db.ResetPassword("paula@example.com", "newest", w.now, spec)
			return err
		}, 1},
		{"befriend", func() error {
			_, err := db.RequestFriend(w.asked.ID, id, w.now)
			return err
		}, 1},
		{"ask who has blocked one", func() error { // as long as any other
			if _, err := db.RequestFriend(w.person.ID, w.blocker.ID, w.now); !errors.Is(err, ErrBlocked) {
				return fmt.Errorf("got %w", err)
			}
			return nil
		}, 1},
		{"block a friend", func() error {
			_, err := db.Block(id, w.friend.ID, w.now)
			return err
		}, 1},
		{"meet", func() error {
			return db.Met(Meeting{Call: NewRoomID(), Users: [2]UserID{id, w.asked.ID}, At: w.now}, Meeting{Call: NewRoomID(), Users: [2]UserID{w.friend.ID, w.asked.ID}, At: w.now})
		}, 1},
		{"touch soon", func() error {
			s, err := db.CreateToken(id, w.now, spec)
			if err == nil {
				err = db.Touch(s, w.now.Add(touchEvery-1))
			}
			return err
		}, 1}, // of CreateToken
		{"delete", func() error {
			_, err := db.DeleteUser(id)
			return err
		}, 1},
		{"delete nobody", func() error {
			if _, err := db.DeleteUser(id); !errors.Is(err, ErrNotFound) {
				return fmt.Errorf("got %w", err)
			}
			return nil
		}, 0},
		{"sweep of nothing", func() error { return db.Sweep(t.Context(), w.now) }, 0},
	} {
		before := txid()
		if err := op.do(); err != nil {
			t.Errorf("%s: %v", op.name, err)
		}
		if got := txid() - before; got != op.want {
			t.Errorf("%s: %d transactions, want %d", op.name, got, op.want)
		}
	}
}

// Blocks are copied from a guest and from nobody else, and to nobody's friends.
func TestCopyBlocks(t *testing.T) {
	w := newWorld(t)
	db, guest, to := w.db, w.guest.ID, w.asker.ID
	gone := testUser(t, db)
	if copied, err := db.CopyBlocks(guest, to); err != nil || copied {
		t.Errorf("of none: %v, %v", copied, err)
	}
	for _, whom := range []UserID{w.stranger.ID, w.person.ID, w.friend.ID, w.blocker.ID, to, gone.ID} {
		if _, err := db.Block(guest, whom, start); err != nil {
			t.Fatal(err)
		}
	}
	_, err := db.Block(to, w.blocker.ID, start.Add(time.Hour))
	_, err2 := db.DeleteUser(gone.ID)
	_, err3 := db.RequestFriend(to, w.friend.ID, start)
	asked, err4 := db.RequestFriend(w.friend.ID, to, start)
	if err := errors.Join(err, err2, err3, err4); err != nil || asked != FriendsNow {
		t.Fatal(asked, err)
	}
	if copied, err := db.CopyBlocks(guest, to); err != nil || !copied {
		t.Errorf("copied: %v, %v", copied, err)
	}
	got := map[UserID]time.Time{}
	blocks, err := db.Blocks(to)
	for _, b := range blocks {
		got[b.User] = b.At
	}
	want := map[UserID]time.Time{w.stranger.ID: start, w.person.ID: start, w.blocker.ID: start.Add(time.Hour)}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("blocks %v, want %v, %v", got, want, err)
	}
	if received, _, err := db.FriendRequests(w.person.ID, start); err != nil || len(received) != 0 {
		t.Errorf("what was asked is left: %+v, %v", received, err)
	}
	if copied, err := db.CopyBlocks(guest, to); err != nil || copied {
		t.Errorf("again: %v, %v", copied, err)
	}
	if copied, err := db.CopyBlocks(w.person.ID, to); err != nil || copied {
		t.Errorf("of an account: %v, %v", copied, err)
	}
	if _, err := db.CopyBlocks(guest, guest); !errors.Is(err, ErrGuest) {
		t.Errorf("to a guest: %v", err)
	}
	if _, err := db.CopyBlocks(NewUserID(), to); !errors.Is(err, ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
	full := signUp(t, db, "full")
	err = db.update(func(tx *bbolt.Tx) error {
		for range MaxBlocks {
			if err := putEdge(tx.Bucket(blocksBucket), edge{Owner: full.ID, Other: NewUserID(), At: start}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if copied, err := db.CopyBlocks(guest, full.ID); err != nil || copied {
		t.Errorf("beyond the limit: %v, %v", copied, err)
	}
}
