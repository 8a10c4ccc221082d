package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func TestUsernamesAreUnique(t *testing.T) {
	db := openTemp(t)
	u := signUp(t, db, "paula")
	like := username("pauIa")
	like.Skeleton = username("paula").Skeleton
	for _, c := range []struct {
		name string
		n    Username
		want error
	}{
		{"the same", username("paula"), ErrTaken},
		{"looks the same", like, ErrLookAlike},
		{"another", username("petra"), nil},
	} {
		if _, _, err := db.SignUp(SignUp{Username: c.n, Password: "hash", Token: spec}, start); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	for n, want := range map[Username]error{username("petra"): ErrTaken, like: nil, username("pia"): nil} {
		if err := db.SetUsername(u.ID, n); !errors.Is(err, want) {
			t.Errorf("change to %q: %v, want %v", n.Name, err, want)
		}
	}
	if err := db.SetUsername(u.ID, username("pia")); err != nil {
		t.Error(err)
	}
	if a, err := db.AccountByName("folded-pia"); err != nil || a.User != u.ID || a.Username != username("pia") {
		t.Errorf("got %+v, %v", a, err)
	}
	if _, err := db.AccountByName("folded-paula"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the old name: %v", err)
	}
	signUp(t, db, "paula") // is free
	for _, n := range []Username{{}, {Name: "x"}, {Name: "x", Folded: "x"}} {
		if err := db.SetUsername(u.ID, n); err == nil {
			t.Errorf("%+v is a name", n)
		}
	}
	guest := testUser(t, db)
	if err := db.SetUsername(guest.ID, username("guest")); !errors.Is(err, ErrGuest) {
		t.Errorf("of a guest: %v", err)
	}
	if err := db.SetHidePresence("nobody", true); !errors.Is(err, ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
	people, err := db.People("", 2, false)
	if err != nil || len(people) != 2 || people[0].Username == "" || people[0].ID >= people[1].ID || !people[0].Seen.Equal(start) {
		t.Errorf("people %+v, %v", people, err)
	}
	more, err := db.People(people[1].ID, 100, true)
	if rest, err2 := db.People("", 100, true); err != nil || err2 != nil || len(rest) != 4 || len(more) > 2 || !slices.ContainsFunc(rest, func(p Person) bool { return p.ID == guest.ID && p.Username == "" }) {
		t.Errorf("more %+v, rest %+v, %v, %v", more, rest, err, err2)
	}
}

// A refused sign-up changes nothing: no guest is upgraded, no invitation used, no name taken.
func TestRefusedSignUp(t *testing.T) {
	db := openTemp(t)
	taken := signUp(t, db, "paula")
	if _, err := setEmail(db, taken.ID, "p@example.org"); err != nil {
		t.Fatal(err)
	}
	guest := testUser(t, db)
	code, _, err := db.CreateInvite(Invite{Uses: 1, Expires: start.Add(time.Hour)}, start)
	if err != nil {
		t.Fatal(err)
	}
	key := func(id string) *Passkey { return &Passkey{ID: []byte(id), Credential: json.RawMessage("{}")} }
	for _, c := range []struct {
		name string
		s    SignUp
		want error
	}{
		{"name", SignUp{User: guest.ID, Username: username("paula"), Password: "hash", Invite: code}, ErrTaken},
		{"invitation", SignUp{User: guest.ID, Username: username("pia"), Password: "hash", Email: "q@example.org", Invite: "wrong"}, ErrInvite},
		{"e-mail address", SignUp{User: guest.ID, Username: username("pia"), Password: "hash", Email: "p@example.org", Invite: code}, ErrEmailTaken},
		{"no way in", SignUp{User: guest.ID, Username: username("pia"), Invite: code}, nil},
		{"no id", SignUp{User: "x", Username: username("pia"), Password: "hash", Invite: code}, nil},
		{"empty credential", SignUp{User: guest.ID, Username: username("pia"), Passkey: key(""), Invite: code}, nil},
		{"long credential", SignUp{User: guest.ID, Username: username("pia"), Passkey: key(strings.Repeat("x", 1024)), Invite: code}, nil},
		{"no lifetime", SignUp{User: guest.ID, Username: username("pia"), Password: "hash", Invite: code, Token: TokenSpec{Idle: 1}}, nil},
	} {
		if c.s.Token.Idle == 0 {
			c.s.Token = spec
		}
		if _, secret, err := db.SignUp(c.s, start); err == nil || secret != "" || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %q, %v, want %v", c.name, secret, err, c.want)
		}
	}
	if u, err := db.User(guest.ID); err != nil || !reflect.DeepEqual(u, guest) {
		t.Errorf("the guest: %+v, %v", u, err)
	}
	u, _, err := db.SignUp(SignUp{User: guest.ID, Name: "Pia", Username: username("pia"), Passkey: key("c"), Email: "q@example.org", Invite: code, Token: spec}, start)
	if err != nil || u.Name != "Pia" {
		t.Errorf("at last: %+v, %v", u, err)
	}
	if a, err := db.AccountByEmail("q@example.org"); err != nil || a.User != u.ID || !a.Verified {
		t.Errorf("by the address: %+v, %v", a, err)
	}
	if err := db.CheckInvite(code, start); !errors.Is(err, ErrInvite) {
		t.Errorf("the invitation: %v", err)
	}
}

func TestEmail(t *testing.T) {
	db := openTemp(t)
	a, b := signUp(t, db, "paula"), signUp(t, db, "pia")
	for _, c := range []struct {
		name  string
		id    UserID
		email string
		old   string
		want  error
	}{
		{"the first", a.ID, "p@example.org", "", nil},
		{"again", a.ID, "p@example.org", "p@example.org", nil},
		{"somebody's", b.ID, "p@example.org", "", ErrEmailTaken},
		{"another", a.ID, "q@example.org", "p@example.org", nil},
		{"the one that is free now", b.ID, "p@example.org", "", nil},
		{"none", a.ID, "", "q@example.org", nil},
		{"none again", a.ID, "", "", nil},
		{"of nobody", "nobody", "r@example.org", "", ErrNotFound},
		{"of a guest", testUser(t, db).ID, "r@example.org", "", ErrGuest},
	} {
		if old, err := setEmail(db, c.id, c.email); old != c.old || !errors.Is(err, c.want) {
			t.Errorf("%s: %q, %v, want %q, %v", c.name, old, err, c.old, c.want)
		}
	}
	if got, err := db.AccountByEmail("p@example.org"); err != nil || got.User != b.ID || got.Email != "p@example.org" || !got.Verified {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, email := range []string{"q@example.org", "r@example.org", ""} {
		if _, err := db.AccountByEmail(email); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", email, err)
		}
	}
	if got, err := db.Account(a.ID); err != nil || got.Email != "" || got.Verified {
		t.Errorf("without one: %+v, %v", got, err)
	}
	if _, err := db.DeleteUser(b.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := setEmail(db, a.ID, "p@example.org"); err != nil {
		t.Errorf("after the first is gone: %v", err)
	}
}

func TestResetPassword(t *testing.T) {
	db := openTemp(t)
	u := signUp(t, db, "paula")
	before, err := db.CreateToken(u.ID, start, spec)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := setEmail(db, u.ID, "p@example.org"); err != nil {
		t.Fatal(err)
	}
	for _, email := range []string{"", "q@example.org"} {
		if _, _, err := db.ResetPassword(email, "new", start, spec); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", email, err)
		}
	}
	if _, _, err := db.ResetPassword("p@example.org", "", start, spec); err == nil {
		t.Error("an empty hash was taken")
	}
	later := start.Add(time.Hour)
	got, secret, err := db.ResetPassword("p@example.org", "new", later, spec)
	if err != nil || got.ID != u.ID {
		t.Fatalf("got %+v, %v", got, err)
	}
	if a, err := db.Account(u.ID); err != nil || a.Password != "new" || !a.PasswordChanged.Equal(later) || a.Email != "p@example.org" {
		t.Errorf("got %+v, %v", a, err)
	}
	if _, err := db.UserByToken(before, later); !errors.Is(err, ErrNotFound) {
		t.Errorf("a token from before: %v", err)
	}
	if _, err := db.UserByToken(secret, later); err != nil {
		t.Error(err)
	}
	if _, err := setEmail(db, u.ID, "q@example.org"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.ResetPassword("p@example.org", "newer", later, spec); !errors.Is(err, ErrNotFound) {
		t.Errorf("by the address of before: %v", err)
	}
}

func TestPasswords(t *testing.T) {
	db := openTemp(t)
	u := signUp(t, db, "paula")
	other, err := db.CreateToken(u.ID, start, spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Rehash(u.ID, "$argon2id$paula", "better"); err != nil {
		t.Error(err)
	}
	if _, err := db.UserByToken(other, start); err != nil {
		t.Errorf("a better hash has ended a token: %v", err)
	}
	if err := db.Rehash(u.ID, "$argon2id$paula", "worse"); !errors.Is(err, ErrChanged) {
		t.Errorf("an old hash: %v", err)
	}
	if _, err := db.SetPassword(u.ID, "$argon2id$paula", "mine", start, spec); !errors.Is(err, ErrChanged) {
		t.Errorf("an old hash: %v", err)
	}
	later := start.Add(time.Hour)
	secret, err := db.SetPassword(u.ID, "better", "new", later, spec)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := db.Account(u.ID); err != nil || a.Password != "new" || !a.PasswordChanged.Equal(later) {
		t.Errorf("got %+v, %v", a, err)
	}
	if _, err := db.UserByToken(other, later); !errors.Is(err, ErrNotFound) {
		t.Errorf("the other token: %v", err)
	}
	if _, err := db.UserByToken(secret, later); err != nil {
		t.Error(err)
	}
	for _, err := range []error{db.Rehash(u.ID, "new", ""), func() error { _, err := db.SetPassword(u.ID, "new", "", later, spec); return err }()} {
		if err == nil {
			t.Error("an empty hash was taken")
		}
	}
}

func TestRecoveryCodes(t *testing.T) {
	db := openTemp(t)
	u, other := signUp(t, db, "paula"), signUp(t, db, "pia")
	old, err := db.NewRecoveryCodes(u.ID, "$argon2id$paula")
	codes, err2 := db.NewRecoveryCodes(u.ID, "$argon2id$paula")
	theirs, err3 := db.NewRecoveryCodes(other.ID, "$argon2id$pia")
	if err := errors.Join(err, err2, err3); err != nil || len(codes) != 10 || len(codes[0]) != 19 {
		t.Fatal(codes, err)
	}
	for _, code := range []string{"", old[0], theirs[0], codes[0][1:]} {
		if err := db.CheckRecoveryCode("folded-paula", code); !errors.Is(err, ErrNotFound) {
			t.Errorf("check of %q: %v", code, err)
		}
		if _, _, err := db.Recover("folded-paula", code, "new", start, spec); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", code, err)
		}
	}
	if _, _, err := db.Recover("folded-nobody", codes[0], "new", start, spec); !errors.Is(err, ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
	before, err := db.CreateToken(u.ID, start, spec)
	if err != nil {
		t.Fatal(err)
	}
	typed := " " + strings.ToUpper(strings.ReplaceAll(codes[3], "-", " "))
	if err := db.CheckRecoveryCode("folded-paula", typed); err != nil {
		t.Error(err)
	}
	got, secret, err := db.Recover("folded-paula", typed, "new", start, spec)
	if err != nil || got.ID != u.ID {
		t.Fatalf("got %+v, %v", got, err)
	}
	if _, err := db.UserByToken(secret, start); err != nil {
		t.Error(err)
	}
	if _, err := db.UserByToken(before, start); !errors.Is(err, ErrNotFound) {
		t.Errorf("a token from before: %v", err)
	}
	if _, _, err := db.Recover("folded-paula", codes[3], "newer", start, spec); !errors.Is(err, ErrNotFound) {
		t.Errorf("used again: %v", err)
	}
	if a, err := db.Account(u.ID); err != nil || a.Password != "new" || len(a.Recovery) != 9 {
		t.Errorf("got %+v, %v", a, err)
	}
}

// TestPasswordOfBefore: what has been shown with a password does not count once it is another one.
func TestPasswordOfBefore(t *testing.T) {
	db := openTemp(t)
	u := signUp(t, db, "paula")
	if secret, err := db.LogIn(u.ID, "$argon2id$paula", start, spec); err != nil {
		t.Error(err)
	} else if got, err := db.UserByToken(secret, start); err != nil || got.ID != u.ID {
		t.Errorf("logged in as %+v, %v", got, err)
	}
	if _, err := db.SetPassword(u.ID, "$argon2id$paula", "new", start, spec); err != nil {
		t.Fatal(err)
	}
	for _, hash := range []string{"$argon2id$paula", ""} {
		if secret, err := db.LogIn(u.ID, hash, start, spec); !errors.Is(err, ErrChanged) || secret != "" {
			t.Errorf("logged in with %q: %q, %v", hash, secret, err)
		}
		if codes, err := db.NewRecoveryCodes(u.ID, hash); !errors.Is(err, ErrChanged) || codes != nil {
			t.Errorf("codes for %q: %v, %v", hash, codes, err)
		}
		if old, err := db.SetEmail(u.ID, hash, "thief@example.org"); !errors.Is(err, ErrChanged) || old != "" {
			t.Errorf("an address for %q: %q, %v", hash, old, err)
		}
	}
	if list, err := db.Devices(u.ID, start); err != nil || len(list) != 1 {
		t.Errorf("devices %+v, %v", list, err)
	}
	if a, err := db.Account(u.ID); err != nil || len(a.Recovery) != 0 {
		t.Errorf("account %+v, %v", a, err)
	}
}

func TestPasskeys(t *testing.T) {
	db := openTemp(t)
	u, other := signUp(t, db, "paula"), signUp(t, db, "pia")
	key := func(id string) Passkey {
		return Passkey{ID: []byte(id), Name: id, Credential: json.RawMessage(`{"n":0}`), Created: start}
	}
	for i := range MaxPasskeys {
		if err := db.AddPasskey(u.ID, key(fmt.Sprint("key", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.AddPasskey(u.ID, key("more")); !errors.Is(err, ErrTooMany) {
		t.Errorf("one too many: %v", err)
	}
	if err := db.AddPasskey(other.ID, key("key1")); !errors.Is(err, ErrTaken) {
		t.Errorf("somebody's: %v", err)
	}
	if err := db.AddPasskey(testUser(t, db).ID, key("guest")); !errors.Is(err, ErrGuest) {
		t.Errorf("of a guest: %v", err)
	}
	if id, err := db.PasskeyUser([]byte("key1")); err != nil || id != u.ID {
		t.Errorf("user %s, %v", id, err)
	}
	if _, err := db.PasskeyUser(nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("no credential: %v", err)
	}
	later := start.Add(time.Hour)
	if err := errors.Join(db.UsePasskey(u.ID, []byte("key1"), json.RawMessage(`{"n":1}`), later), db.RenamePasskey(u.ID, []byte("key1"), "phone")); err != nil {
		t.Error(err)
	}
	for _, err := range []error{db.UsePasskey(other.ID, []byte("key1"), nil, later), db.RenamePasskey(other.ID, []byte("key1"), "x"), db.DeletePasskey(other.ID, []byte("key1"))} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("another's: %v", err)
		}
	}
	list, err := db.Passkeys(u.ID)
	i := slices.IndexFunc(list, func(p Passkey) bool { return string(p.ID) == "key1" })
	if err != nil || len(list) != MaxPasskeys || i < 0 || list[i].Name != "phone" || string(list[i].Credential) != `{"n":1}` || !list[i].Used.Equal(later) {
		t.Errorf("got %+v, %v", list, err)
	}
	for _, p := range list {
		if err := db.DeletePasskey(u.ID, p.ID); err != nil { // the password stays
			t.Error(err)
		}
	}
	alone, _, err := db.SignUp(SignUp{Username: username("alone"), Passkey: &Passkey{ID: []byte("only")}, Token: spec}, start)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.DeletePasskey(alone.ID, []byte("only")); !errors.Is(err, ErrLastWayIn) {
		t.Errorf("the last way in: %v", err)
	}
	if _, err := db.SetPassword(alone.ID, "", "now there is one", start, spec); err != nil {
		t.Error(err)
	}
	if err := db.DeletePasskey(alone.ID, []byte("only")); err != nil {
		t.Error(err)
	}
}

func TestRoles(t *testing.T) {
	db := openTemp(t)
	u, secret, err := db.SignUp(SignUp{Username: username("paula"), Password: "hash", Token: spec}, start)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.SetName(u.ID, "Paula P."), db.SetRoles(u.ID, []string{"admin"})); err != nil {
		t.Error(err)
	}
	if got, err := db.User(u.ID); err != nil || got.Name != "Paula P." || !slices.Equal(got.Roles, []string{"admin"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := db.UserByToken(secret, start); !errors.Is(err, ErrNotFound) {
		t.Errorf("a token from before: %v", err)
	}
	if err := db.SetRoles(testUser(t, db).ID, []string{"admin"}); !errors.Is(err, ErrGuest) {
		t.Errorf("a guest: %v", err)
	}
	if err := db.SetName("nobody", "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}

func TestInvites(t *testing.T) {
	db := openTemp(t)
	by := signUp(t, db, "paula")
	for _, inv := range []Invite{{Uses: 0, Expires: start.Add(1)}, {Uses: 1, Expires: start}, {Uses: MaxInviteUses + 1, Expires: start.Add(1)}, {Uses: 1, Expires: start.Add(1), By: testUser(t, db).ID}} {
		if _, _, err := db.CreateInvite(inv, start); err == nil {
			t.Errorf("%+v is an invitation", inv)
		}
	}
	code, inv, err := db.CreateInvite(Invite{By: by.ID, Note: "for two", Uses: 2, Expires: start.Add(time.Hour)}, start)
	gone, _, err2 := db.CreateInvite(Invite{Uses: 1, Expires: start.Add(2 * time.Hour)}, start.Add(time.Minute))
	if err := errors.Join(err, err2); err != nil || strings.Contains(inv.ID, strings.ReplaceAll(code, "-", "")) {
		t.Fatal(inv, err)
	}
	list, err := db.Invites(start)
	if err != nil || len(list) != 2 || !reflect.DeepEqual(list[1], inv) {
		t.Errorf("got %+v, %v", list, err)
	}
	in := func(name, code string, at time.Time) error {
		_, _, err := db.SignUp(SignUp{Username: username(name), Password: "hash", Invite: code, Token: spec}, at)
		return err
	}
	if err := in("late", code, start.Add(time.Hour)); !errors.Is(err, ErrInvite) {
		t.Errorf("too late: %v", err)
	}
	for i, want := range []error{nil, nil, ErrInvite} {
		if err := errors.Join(db.CheckInvite(strings.ToUpper(code), start), in(fmt.Sprint("n", i), strings.ToUpper(code), start)); !errors.Is(err, want) {
			t.Errorf("use %d: %v, want %v", i, err, want)
		}
	}
	if err := db.RevokeInvite(inv.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("a used one: %v", err)
	}
	if err := db.RevokeInvite(list[0].ID); err != nil {
		t.Error(err)
	}
	if err := in("n9", gone, start); !errors.Is(err, ErrInvite) {
		t.Errorf("a revoked one: %v", err)
	}
	if err := db.RevokeInvite(""); !errors.Is(err, ErrNotFound) {
		t.Errorf("none: %v", err)
	}
}

// When there is no room for an invitation those that are over make some.
func TestInvitesAreBounded(t *testing.T) {
	db := unsynced(t)
	defer closeSound(t, db)
	err := db.update(func(tx *bbolt.Tx) error {
		for i := range MaxInvites {
			hash := inviteHash(fmt.Sprint(i))
			if err := put(tx.Bucket(invitesBucket), hash, Invite{ID: inviteID(hash), Uses: 1, Created: start, Expires: start.Add(time.Hour)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	inv := Invite{Uses: 1, Expires: start.Add(9 * time.Hour)}
	if _, _, err := db.CreateInvite(inv, start); !errors.Is(err, ErrTooMany) {
		t.Errorf("one too many: %v", err)
	}
	if _, _, err := db.CreateInvite(inv, start.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if list, err := db.Invites(start); err != nil || len(list) != 1 {
		t.Errorf("%d, %v", len(list), err)
	}
}

// TestDamagedRecordsOfAPerson spoils all records of a bucket. What reads them must say so, and others are not kept out.
func TestDamagedRecordsOfAPerson(t *testing.T) {
	for bucket, read := range map[string]func(w *world) error{
		"accounts": func(w *world) error { _, err := w.db.AccountByName("folded-paula"); return err },
		"passkeys": func(w *world) error { _, err := w.db.Passkeys(w.person.ID); return err },
		"tokens":   func(w *world) error { _, err := w.db.Devices(w.person.ID, start); return err },
		"friends":  func(w *world) error { _, err := w.db.Friends(w.person.ID); return err },
		"friend_requests": func(w *world) error {
			_, _, err := w.db.FriendRequests(w.person.ID, start)
			return err
		},
		"blocks":   func(w *world) error { _, err := w.db.Blocks(w.person.ID); return err },
		"partners": func(w *world) error { _, err := w.db.Partners(w.person.ID, start); return err },
		"missed":   func(w *world) error { _, err := w.db.Missed(w.person.ID, start); return err },
		"invites":  func(w *world) error { _, err := w.db.Invites(start); return err },
	} {
		for how, spoil := range map[string]func(v, next []byte) []byte{
			"a flipped bit": func(v, _ []byte) []byte { v[len(v)-2] ^= 4; return v },
			"cut":           func(v, _ []byte) []byte { return v[:len(v)/2] },
			"another's": func(v, next []byte) []byte {
				if bucket == "tokens" || string(v) == string(next) {
					return nil // a token does not say under which hash it is
				}
				return next
			},
		} {
			t.Run(bucket+" "+how, func(t *testing.T) {
				w := newWorld(t)
				w.broken = true
				if err := read(w); err != nil {
					t.Fatal(err)
				}
				err := w.db.update(func(tx *bbolt.Tx) error {
					b := tx.Bucket([]byte(bucket))
					keys := keysUnder(b, nil)
					recs := make([][]byte, len(keys))
					for i, k := range keys {
						recs[i] = slices.Clone(b.Get(k))
					}
					for i, k := range keys {
						if err := b.Put(k, spoil(slices.Clone(recs[i]), recs[(i+1)%len(recs)])); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if err := read(w); !errors.Is(err, ErrDamaged) {
					t.Errorf("got %v", err)
				}
				if err := w.db.Sweep(t.Context(), start.Add(time.Minute)); err != nil {
					t.Errorf("sweep: %v", err)
				}
				if _, err := w.db.CreateToken(w.friend.ID, start, spec); err != nil {
					t.Errorf("another cannot come in: %v", err)
				}
			})
		}
	}
}

func TestPeopleSurviveReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	w := &world{db: mustOpen(t, path), now: start}
	w.fill(t)
	before, err := w.db.Export(w.person.ID)
	if err != nil {
		t.Fatal(err)
	}
	closeSound(t, w.db)
	if after, err := openAt(t, path).Export(w.person.ID); err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("before %+v, after %+v, %v", before, after, err)
	}
}

// A friend, or who has asked or called, must be somebody: to find nobody there is damage, and not that there is nothing to find.
func TestDamagedKeyOfAFriend(t *testing.T) {
	for name, read := range map[string]func(w *world) error{
		"friends":  func(w *world) error { _, err := w.db.Friends(w.person.ID); return err },
		"missed":   func(w *world) error { _, err := w.db.Missed(w.person.ID, start); return err },
		"requests": func(w *world) error { _, _, err := w.db.FriendRequests(w.person.ID, start); return err },
		"export":   func(w *world) error { _, err := w.db.Export(w.person.ID); return err },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.broken = true
			err := w.db.update(func(tx *bbolt.Tx) error {
				b := tx.Bucket(usersBucket)
				return errors.Join(b.Delete([]byte(w.friend.ID)), b.Delete([]byte(w.asker.ID)))
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := read(w); !errors.Is(err, ErrDamaged) || errors.Is(err, ErrNotFound) {
				t.Errorf("got %v", err)
			}
		})
	}
}
