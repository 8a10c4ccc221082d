package store

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

func testRoom() Room {
	return Room{
		ID: NewRoomID(),
		Members: [2]Member{
			{Session: NewSessionID(), User: NewUserID(), Node: "a"},
			{Session: NewSessionID(), User: NewUserID()},
		},
		Topics:  []Category{"general", "news"},
		Langs:   []string{"en"},
		Created: time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC),
	}
}

func TestRoomsRoundTrip(t *testing.T) {
	db := openTemp(t)
	a, b, c := testRoom(), testRoom(), testRoom()
	if err := db.Write(Changes{PutRooms: []Room{a, b, c}, DeleteRooms: []RoomID{"never-there"}}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.DeleteRoom(b.ID), db.DeleteRoom(c.ID)); err != nil {
		t.Fatal(err)
	}
	a.Topics = nil
	if err := db.PutRoom(a); err != nil {
		t.Fatal(err)
	}
	got, err := db.Rooms()
	if err != nil {
		t.Fatal(err)
	}
	if want := []Room{a}; !reflect.DeepEqual(got, want) {
		t.Errorf("rooms:\n got %+v\nwant %+v", got, want)
	}
}
