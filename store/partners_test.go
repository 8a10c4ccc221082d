package store

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// partnersOf are the calls that a person is shown, the latest first.
func partnersOf(t *testing.T, db *DB, id UserID, now time.Time) (calls []RoomID) {
	t.Helper()
	list, err := db.Partners(id, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		calls = append(calls, p.Call)
	}
	return calls
}

// Somebody who is met again is there as often as met, each time by the name of then, so that nobody can tell.
func TestPartnerMetTwice(t *testing.T) {
	db := unsynced(t)
	defer closeSound(t, db)
	u, bert, carl := testUser(t, db), testUser(t, db), testUser(t, db)
	hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	meet := func(call RoomID, other UserID, at time.Time) {
		t.Helper()
		if err := db.Met(Meeting{Call: call, Users: [2]UserID{u.ID, other}, At: at}); err != nil {
			t.Fatal(err)
		}
	}
	meet("first", bert.ID, hour(0))
	meet("second", carl.ID, hour(1))
	if err := db.SetName(bert.ID, "Somebody Else"); err != nil {
		t.Fatal(err)
	}
	meet("third", bert.ID, hour(2))
	if got := partnersOf(t, db, u.ID, hour(3)); !slices.Equal(got, []RoomID{"third", "second", "first"}) {
		t.Errorf("partners %v", got)
	}
	if list, err := db.Partners(u.ID, hour(3)); err != nil || list[0].Name != "Somebody Else" || list[2].Name != bert.Name || list[2].User != bert.ID {
		t.Errorf("partners %+v, %v", list, err)
	}
	// Each call has its own time, also in the file.
	if got := partnersOf(t, db, u.ID, hour(24)); !slices.Equal(got, []RoomID{"third", "second"}) {
		t.Errorf("a day after the first: %v", got)
	}
	if err := db.Sweep(t.Context(), hour(24)); err != nil {
		t.Fatal(err)
	}
	if e, err := db.Export(u.ID); err != nil || len(e.Partners) != 2 || len(e.PartnerOf) != 2 {
		t.Errorf("after a sweep: %+v, %v", e, err)
	}
	meet("fourth", bert.ID, hour(26))
	if e, err := db.Export(u.ID); err != nil || len(e.Partners) != 2 || e.Partners[0].Call != "fourth" || e.Partners[1].Call != "second" {
		t.Errorf("the third is over: %+v, %v", e.Partners, err)
	}
	for i := range 2 * MaxPartners {
		meet(RoomID(fmt.Sprint(i)), bert.ID, hour(26).Add(time.Duration(i)*time.Minute))
	}
	if got := partnersOf(t, db, u.ID, hour(28)); len(got) != MaxPartners || got[0] != "99" || got[MaxPartners-1] != "50" {
		t.Errorf("of many: %v", got)
	}
}

// A call that is hidden is hidden alone, unless all are to be; the other's export shows nothing of it, nor of a block.
func TestHidePartner(t *testing.T) {
	db := unsynced(t)
	defer closeSound(t, db)
	u, bert := testUser(t, db), testUser(t, db)
	for i, call := range []RoomID{"first", "second", "third"} {
		if err := db.Met(Meeting{Call: call, Users: [2]UserID{u.ID, bert.ID}, At: start.Add(time.Duration(i) * time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	hide := func(in RoomID, want ...RoomID) {
		t.Helper()
		if err := db.HidePartner(u.ID, bert.ID, in); err != nil {
			t.Fatal(err)
		}
		if got := partnersOf(t, db, u.ID, start); !slices.Equal(got, want) {
			t.Errorf("partners %v, want %v", got, want)
		}
	}
	before, err := db.Export(bert.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Block(u.ID, bert.ID, start); err != nil {
		t.Fatal(err)
	}
	hide("second", "third", "first")
	hide("none", "third", "first")
	hide("third", "first")
	hide("")
	after, err := db.Export(bert.ID)
	if err != nil || len(after.PartnerOf) != 3 || !slices.Equal(before.PartnerOf, after.PartnerOf) || !slices.Equal(before.Partners, after.Partners) {
		t.Errorf("before %+v, after %+v, %v", before, after, err)
	}
	if err := db.HidePartner(u.ID, NewUserID(), ""); err != nil {
		t.Error(err)
	}
	if e, err := db.Export(u.ID); err != nil || len(e.Partners) != 3 {
		t.Errorf("what is hidden is kept, and so exported: %+v, %v", e.Partners, err)
	}
}
