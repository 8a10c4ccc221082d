package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestIdleAndAbsoluteExpiry(t *testing.T) {
	db := openTemp(t)
	u := signUp(t, db, "paula")
	const day = 24 * time.Hour
	idle, err := db.CreateToken(u.ID, start, spec)
	used, err2 := db.CreateToken(u.ID, start, spec)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	for at := start; at.Before(start.Add(90 * day)); at = at.Add(10 * day) {
		if err := db.Touch(used, at); err != nil {
			t.Fatalf("in use, after %v: %v", at.Sub(start), err)
		}
	}
	if d, err := db.Device(used, start.Add(85*day)); err != nil || !d.Expires.Equal(start.Add(90*day)) || !d.Seen.Equal(start.Add(80*day)) || d.Label != spec.Label {
		t.Errorf("got %+v, %v", d, err)
	}
	for _, c := range []struct {
		secret string
		at     time.Duration
		want   error
	}{{idle, 14*day - 1, nil}, {idle, 14 * day, ErrExpired}, {used, 90*day - 1, nil}, {used, 90 * day, ErrExpired}} {
		if _, err := db.UserByToken(c.secret, start.Add(c.at)); !errors.Is(err, c.want) {
			t.Errorf("after %v: %v, want %v", c.at, err, c.want)
		}
	}
	for _, secret := range []string{idle, used} {
		if err := db.Touch(secret, start.Add(90*day)); !errors.Is(err, ErrExpired) {
			t.Errorf("touched too late: %v", err)
		}
	}
	if err := db.Sweep(t.Context(), start.Add(90*day+time.Second)); err != nil {
		t.Error(err)
	}
	if _, err := db.UserByToken(used, start); !errors.Is(err, ErrNotFound) {
		t.Errorf("swept: %v", err)
	}
}

func TestRotateToken(t *testing.T) {
	db := openTemp(t)
	u := signUp(t, db, "paula")
	old, err := db.CreateToken(u.ID, start, spec)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := db.RotateToken(old, start, spec)
	if err != nil || fresh == old {
		t.Fatal(fresh, err)
	}
	if got, err := db.UserByToken(fresh, start); err != nil || got.ID != u.ID {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := db.RotateToken(old, start, spec); !errors.Is(err, ErrNotFound) {
		t.Errorf("rotated twice: %v", err)
	}
	if _, err := db.RotateToken(fresh, start.Add(91*24*time.Hour), spec); !errors.Is(err, ErrExpired) {
		t.Errorf("an old one: %v", err)
	}
}

func TestEndDevices(t *testing.T) {
	db := openTemp(t)
	u, other := signUp(t, db, "paula"), signUp(t, db, "pia")
	var secrets []string
	var ids []DeviceID
	for i := range 4 {
		s, err := db.CreateToken(u.ID, start.Add(time.Duration(i)), spec)
		if err != nil {
			t.Fatal(err)
		}
		d, err := db.Device(s, start)
		if err != nil {
			t.Fatal(err)
		}
		secrets, ids = append(secrets, s), append(ids, d.ID)
	}
	if list, err := db.Devices(u.ID, start); err != nil || len(list) != 5 || list[0].ID != ids[3] {
		t.Errorf("devices %+v, %v", list, err)
	}
	for _, c := range []struct {
		user   UserID
		device DeviceID
		want   error
	}{{other.ID, ids[0], ErrNotFound}, {u.ID, ids[0], nil}, {u.ID, ids[0], ErrNotFound}, {u.ID, "", ErrNotFound}, {"x", ids[1], ErrNotFound}} {
		if err := db.EndDevice(c.user, c.device); !errors.Is(err, c.want) {
			t.Errorf("end %s of %s: %v, want %v", c.device, c.user, err, c.want)
		}
	}
	if err := db.EndDevices(u.ID, ids[2]); err != nil {
		t.Error(err)
	}
	for i, s := range secrets {
		if _, err := db.UserByToken(s, start); (err == nil) != (i == 2) {
			t.Errorf("token %d: %v", i, err)
		}
	}
	if list, err := db.Devices(other.ID, start); err != nil || len(list) != 1 {
		t.Errorf("devices of another: %+v, %v", list, err)
	}
	if err := db.EndDevices("nobody", ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
}

// One more than MaxDevices ends the one that was used least recently, also of guests, who have ended some.
func TestDevicesAreBounded(t *testing.T) {
	for _, guest := range []bool{false, true} {
		db := unsynced(t)
		defer closeSound(t, db)
		u := User{ID: NewUserID(), Guest: guest}
		if err := db.CreateUser(u); err != nil {
			t.Fatal(err)
		}
		var secrets []string
		for i := range MaxDevices + 8 {
			s, err := db.CreateToken(u.ID, start.Add(time.Duration(i)*time.Second), spec)
			if err != nil {
				t.Fatal(err)
			}
			secrets = append(secrets, s)
			if i == 0 {
				err = db.DeleteToken(s)
			} else {
				err = db.Touch(secrets[1], start.Add(2*time.Hour+time.Duration(i)*time.Second))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		list, err := db.Devices(u.ID, start)
		if err != nil || len(list) != MaxDevices {
			t.Errorf("guest %v: %d devices, %v", guest, len(list), err)
		}
		for i, s := range secrets {
			_, err := db.UserByToken(s, start)
			if lives := i == 1 || i > 8; lives != (err == nil) {
				t.Errorf("guest %v: token %d: %v", guest, i, err)
			}
		}
	}
}

func TestLabels(t *testing.T) {
	db := openTemp(t)
	u := signUp(t, db, "paula")
	for _, label := range []string{"", "Fünf \xff Wörter", strings.Repeat("ü", 100), strings.Repeat("x", 127) + "ü"} {
		s, err := db.CreateToken(u.ID, start, TokenSpec{TTL: time.Hour, Label: label})
		if err != nil {
			t.Fatal(err)
		}
		d, err := db.Device(s, start)
		if err != nil || !utf8.ValidString(d.Label) || len(d.Label) > maxLabel || !strings.HasPrefix(strings.ReplaceAll(label, "\xff", ""), d.Label) || len(label) > 0 && d.Label == "" {
			t.Errorf("%q is kept as %q, %v", label, d.Label, err)
		}
	}
}

// TouchDevice is Touch by another name: the same writes, the same errors.
func TestTouchDevice(t *testing.T) {
	db := openTemp(t)
	u, other := signUp(t, db, "paula"), signUp(t, db, "pia")
	secret, err := db.CreateToken(u.ID, start, spec)
	if err != nil {
		t.Fatal(err)
	}
	d, err := db.Device(secret, start)
	if err != nil {
		t.Fatal(err)
	}
	later := start.Add(13 * 24 * time.Hour)
	if err := db.TouchDevice(u.ID, d.ID, later); err != nil {
		t.Error(err)
	}
	if d, err := db.Device(secret, later); err != nil || !d.Seen.Equal(later) || !d.Expires.Equal(later.Add(spec.Idle)) {
		t.Errorf("got %+v, %v", d, err)
	}
	for _, of := range []struct {
		user   UserID
		device DeviceID
	}{{other.ID, d.ID}, {u.ID, newDeviceID()}, {u.ID, ""}, {"", d.ID}} {
		if err := db.TouchDevice(of.user, of.device, later); !errors.Is(err, ErrNotFound) {
			t.Errorf("%+v: %v", of, err)
		}
	}
	if err := db.TouchDevice(u.ID, d.ID, later.Add(spec.Idle)); !errors.Is(err, ErrExpired) {
		t.Errorf("too late: %v", err)
	}
	if err := db.DeleteToken(secret); err != nil {
		t.Fatal(err)
	}
	if err := db.TouchDevice(u.ID, d.ID, later); !errors.Is(err, ErrNotFound) {
		t.Errorf("a deleted one: %v", err)
	}
}

func TestRelationsAreBounded(t *testing.T) {
	db := unsynced(t)
	defer closeSound(t, db)
	u, gone := signUp(t, db, "paula"), testUser(t, db)
	people := make([]UserID, MaxBlocks+1)
	for i := range people {
		people[i] = testUser(t, db).ID
	}
	if _, err := db.Block(u.ID, gone.ID, start); err != nil {
		t.Fatal(err)
	}
	for i, id := range people[:MaxRequests+1] {
		_, err := db.RequestFriend(id, u.ID, start)
		if full := i == MaxRequests; full != errors.Is(err, ErrTooMany) {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	late := start.Add(RequestTime)
	if asked, err := db.RequestFriend(people[MaxRequests], u.ID, late); err != nil || asked != AskedNow {
		t.Errorf("when the others are over: %v, %v", asked, err)
	}
	for i := range MaxPartners + 9 {
		if err := db.Met(Meeting{Call: RoomID(fmt.Sprint(i)), Users: [2]UserID{people[i], u.ID}, At: start.Add(time.Duration(i) * time.Second)}); err != nil {
			t.Fatal(err)
		}
	}
	partners, err := db.Partners(u.ID, start)
	if err != nil || len(partners) != MaxPartners || partners[0].User != people[MaxPartners+8] || partners[MaxPartners-1].User != people[9] {
		t.Errorf("%d partners, %v", len(partners), err)
	}
	if p, err := db.Partners(people[0], start); err != nil || len(p) != 1 || p[0].Call != "0" { // the other side has room
		t.Errorf("got %+v, %v", p, err)
	}
	if p, err := db.Partners(people[0], start.Add(PartnerTime)); err != nil || len(p) != 0 {
		t.Errorf("of long ago: %+v, %v", p, err)
	}
	friend := people[0]
	for _, p := range []pair{{friend, u.ID}, {u.ID, friend}} {
		if _, err := db.RequestFriend(p[0], p[1], late); err != nil {
			t.Fatal(err)
		}
	}
	for i := range MaxMissed + 5 {
		if err := db.AddMissed(u.ID, friend, start.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	missed, err := db.Missed(u.ID, start)
	if err != nil || len(missed) != MaxMissed || !missed[MaxMissed-1].At.Equal(start.Add(5*time.Second)) {
		t.Errorf("%d missed calls, %v", len(missed), err)
	}
	if err := db.ClearMissed(u.ID, missed[1].At); err != nil {
		t.Error(err)
	}
	if left, err := db.Missed(u.ID, start); err != nil || len(left) != 1 || left[0] != missed[0] {
		t.Errorf("left: %+v, %v", left, err)
	}
	for i, id := range people[:MaxBlocks-1] {
		if _, err := db.Block(u.ID, id, start); err != nil {
			t.Fatalf("block %d: %v", i, err)
		}
	}
	if _, err := db.Block(u.ID, people[MaxBlocks-1], start); !errors.Is(err, ErrTooMany) {
		t.Errorf("one block too many: %v", err)
	}
	if _, err := db.DeleteUser(gone.ID); err != nil {
		t.Error(err)
	}
	if _, err := db.Block(u.ID, people[MaxBlocks-1], start); err != nil {
		t.Errorf("in the place of somebody who is gone: %v", err)
	}
	if _, err := db.Block(u.ID, people[MaxBlocks], start); !errors.Is(err, ErrTooMany) {
		t.Errorf("one block too many: %v", err)
	}
	ids, err := db.BlockIDs(u.ID)
	if blocks, err2 := db.Blocks(u.ID); err != nil || err2 != nil || len(ids) != MaxBlocks || len(blocks) != MaxBlocks {
		t.Errorf("%d and %d blocks, %v, %v", len(ids), len(blocks), err, err2)
	}
}

func TestFriendsAreBounded(t *testing.T) {
	db := unsynced(t)
	defer closeSound(t, db)
	u := signUp(t, db, "paula")
	var last UserID
	for i := range MaxFriends + 1 {
		last = testUser(t, db).ID
		if _, err := db.RequestFriend(last, u.ID, start); err != nil {
			t.Fatal(err)
		}
		err := db.AcceptFriend(u.ID, last, start)
		if full := i == MaxFriends; full != errors.Is(err, ErrTooMany) {
			t.Fatalf("friend %d: %v", i, err)
		}
	}
	if _, err := db.RequestFriend(u.ID, last, start); !errors.Is(err, ErrTooMany) {
		t.Errorf("mutual: %v", err)
	}
	if ids, err := db.FriendIDs(u.ID); err != nil || len(ids) != MaxFriends {
		t.Errorf("%d friends, %v", len(ids), err)
	}
	if received, _, err := db.FriendRequests(u.ID, start); err != nil || len(received) != 1 {
		t.Errorf("the request that could not be taken: %+v, %v", received, err)
	}
	begin := time.Now()
	if gone, err := db.DeleteUser(u.ID); err != nil || len(gone.Friends) != MaxFriends {
		t.Errorf("%d friends, %v", len(gone.Friends), err)
	}
	t.Logf("deleting somebody with %d friends took %v", MaxFriends, time.Since(begin))
}
