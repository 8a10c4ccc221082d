package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func testUser(t *testing.T, db *DB) User {
	t.Helper()
	u := User{ID: NewUserID(), Name: "Wandering Fox", Guest: true, Created: time.Unix(1795000000, 5).UTC()}
	if err := db.CreateUser(u); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestIDs(t *testing.T) {
	form := regexp.MustCompile(`^[a-z2-7]{26}$`)
	seen := map[string]bool{}
	for range 1000 {
		for _, id := range []string{string(NewUserID()), string(NewSessionID()), string(NewRoomID())} {
			if seen[id] || !form.MatchString(id) {
				t.Fatalf("bad id %q", id)
			}
			seen[id] = true
		}
	}
}

func TestUsers(t *testing.T) {
	db := openTemp(t)
	guest := testUser(t, db)
	// A zone east of Greenwich must not change what is read back.
	full := User{ID: NewUserID(), Name: "Ünï ☃ <b>", Roles: []string{"moderator"}, Created: time.Now().Round(0).In(time.FixedZone("", 3600))}
	if err := db.CreateUser(full); err != nil {
		t.Fatal(err)
	}
	full.Created = full.Created.UTC()
	for _, want := range []User{guest, full} {
		if got, err := db.User(want.ID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	if err := db.CreateUser(guest); !errors.Is(err, ErrTaken) {
		t.Errorf("created twice: %v", err)
	}
	if err := db.CreateUser(User{Name: "nobody"}); err == nil {
		t.Error("created without an id")
	}
	if _, err := db.User("nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func TestTokens(t *testing.T) {
	db := openTemp(t)
	u := testUser(t, db)
	now := time.Unix(1795000000, 0)
	secret, err := db.CreateToken(u.ID, now, TokenSpec{TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`).MatchString(secret) {
		t.Errorf("secret %q", secret)
	}
	other, err := db.CreateToken(u.ID, now, TokenSpec{TTL: time.Hour})
	if err != nil || other == secret {
		t.Errorf("second token %q, %v", other, err)
	}
	for _, c := range []struct {
		secret string
		at     time.Duration
		want   error
	}{
		{secret, 0, nil},
		{secret, time.Hour - 1, nil},
		{secret, time.Hour, ErrExpired},
		{secret, 1000 * time.Hour, ErrExpired},
		{secret + "x", 0, ErrNotFound},
		{"", 0, ErrNotFound},
		{strings.Repeat("long", 1<<16), 0, ErrNotFound},
	} {
		got, err := db.UserByToken(c.secret, now.Add(c.at))
		if !errors.Is(err, c.want) || err == nil && !reflect.DeepEqual(got, u) || err != nil && got.ID != "" {
			t.Errorf("%.50q after %v: got %+v, %v, want %v", c.secret, c.at, got, err, c.want)
		}
	}
	for range 2 {
		if err := db.DeleteToken(secret); err != nil {
			t.Error(err)
		}
	}
	if _, err := db.UserByToken(secret, now); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
	if _, err := db.UserByToken(other, now); err != nil {
		t.Errorf("the other one: %v", err)
	}
	if _, err := db.CreateToken("nobody", now, TokenSpec{TTL: time.Hour}); !errors.Is(err, ErrNotFound) {
		t.Errorf("token for nobody: %v", err)
	}
	for _, ttl := range []time.Duration{0, -1} {
		if _, err := db.CreateToken(u.ID, now, TokenSpec{TTL: ttl}); err == nil {
			t.Errorf("token with lifetime %v", ttl)
		}
	}
}

func TestTokenSecretIsNotStored(t *testing.T) {
	db := openTemp(t)
	u := testUser(t, db)
	secret, err := db.CreateToken(u.ID, time.Now(), TokenSpec{TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(file, []byte(u.ID)) {
		t.Fatal("the file does not have what was written")
	}
	for n := range len(secret) - 8 {
		if bytes.Contains(file, []byte(secret[n:n+8])) {
			t.Fatal("the secret is in the file")
		}
	}
}

func TestExpiredTokensAreRemoved(t *testing.T) {
	db := openTemp(t)
	u := testUser(t, db)
	now := time.Unix(1795000000, 0)
	keep, err := db.CreateToken(u.ID, now, TokenSpec{TTL: 1000 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	var gone string
	for i := range 100 {
		if gone, err = db.CreateToken(testUser(t, db).ID, now, TokenSpec{TTL: time.Hour + time.Duration(i)}); err != nil {
			t.Fatal(err)
		}
	}
	later := now.Add(2 * time.Hour)
	for i := range 4 {
		if _, err := db.CreateToken(u.ID, later, TokenSpec{TTL: time.Hour}); err != nil {
			t.Fatal(err)
		}
		want := 1 + max(0, 100-pruneLimit*(i+1)) + i + 1
		err := db.view(func(tx *bbolt.Tx) error {
			tokens, expiries := tx.Bucket(tokensBucket).Stats().KeyN, tx.Bucket(tokenExpiryBucket).Stats().KeyN
			if tokens != want || expiries != want {
				return fmt.Errorf("%d tokens and %d expiries, want %d", tokens, expiries, want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if _, err := db.UserByToken(keep, later); err != nil {
		t.Error(err)
	}
	if _, err := db.UserByToken(gone, later); !errors.Is(err, ErrNotFound) {
		t.Errorf("expired and removed: %v", err)
	}
}

// TestGuestsGoWithTheirTokens sees that nobody fills the disk by becoming a guest again and again: who can never
// sign in again is forgotten, who can, or has an account, is not.
func TestGuestsGoWithTheirTokens(t *testing.T) {
	db := openTemp(t)
	now := time.Unix(1795000000, 0)
	token := func(id UserID, ttl time.Duration) string {
		t.Helper()
		secret, err := db.CreateToken(id, now, TokenSpec{TTL: ttl})
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	gone, signedOut, keeper, early := testUser(t, db), testUser(t, db), testUser(t, db), testUser(t, db)
	account := User{ID: NewUserID(), Name: "Ana"}
	if err := db.CreateUser(account); err != nil {
		t.Fatal(err)
	}
	token(gone.ID, time.Hour)
	token(account.ID, time.Hour)
	if err := db.DeleteToken(token(signedOut.ID, time.Hour)); err != nil {
		t.Fatal(err)
	}
	token(keeper.ID, time.Hour)
	kept := token(keeper.ID, 3*time.Hour)
	token(early.ID, 3*time.Hour)
	token(early.ID, time.Hour) // the later token is not the one that lasts longer
	now = now.Add(2 * time.Hour)
	token(account.ID, time.Hour)
	for id, want := range map[UserID]error{gone.ID: ErrNotFound, signedOut.ID: ErrNotFound, keeper.ID: nil, early.ID: nil, account.ID: nil} {
		if _, err := db.User(id); !errors.Is(err, want) {
			t.Errorf("user %s: %v, want %v", id, err, want)
		}
	}
	if got, err := db.UserByToken(kept, now); err != nil || !reflect.DeepEqual(got, keeper) {
		t.Errorf("got %+v, %v", got, err)
	}
	now = now.Add(2 * time.Hour)
	token(account.ID, time.Hour)
	for _, id := range []UserID{keeper.ID, early.ID} {
		if _, err := db.User(id); !errors.Is(err, ErrNotFound) {
			t.Errorf("user %s: %v", id, err)
		}
	}
}

func TestSecret(t *testing.T) {
	db := openTemp(t)
	keys := make([][]byte, 16)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = db.Secret(fmt.Sprint("name", i%2)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, key := range keys {
		if len(key) != 32 || !bytes.Equal(key, keys[i%2]) {
			t.Errorf("call %d: key %x, the first was %x", i, key, keys[i%2])
		}
	}
	if bytes.Equal(keys[0], keys[1]) {
		t.Error("two names have the same key")
	}
	if _, err := db.Secret(""); err == nil {
		t.Error("a secret without a name")
	}
}

func TestSecretsAndTokensSurviveReopening(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	u := testUser(t, db)
	key, err := db.Secret("resume")
	if err != nil {
		t.Fatal(err)
	}
	secret, err := db.CreateToken(u.ID, time.Now(), TokenSpec{TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	again := openAt(t, db.Path())
	if got, err := again.Secret("resume"); err != nil || !bytes.Equal(got, key) {
		t.Errorf("secret %x, %v, want %x", got, err, key)
	}
	if got, err := again.UserByToken(secret, time.Now()); err != nil || got.ID != u.ID {
		t.Errorf("user %+v, %v", got, err)
	}
}
