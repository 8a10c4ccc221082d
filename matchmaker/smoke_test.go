package matchmaker

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"

	"smalltalk/store"
)

func TestTwoMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(filepath.Join(t.TempDir(), "x.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		m, err := New(Config{DB: db})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		got := make(chan *Room, 1)
		go func() {
			r, err := m.Find(context.Background(), Ticket{Session: "s1", User: "u1"})
			if err != nil {
				t.Error(err)
			}
			got <- r
		}()
		synctest.Wait()
		b, err := m.Find(context.Background(), Ticket{Session: "s2", User: "u2"})
		if err != nil {
			t.Fatal(err)
		}
		a := <-got
		if a.ID() != b.ID() || a.Partner() != b.Self() || b.Partner() != a.Self() {
			t.Fatal(a, b)
		}
		b.Leave("next")
		<-a.Done()
		if a.Reason() != "next" || a.EndedBy() != "s2" {
			t.Fatal(a.Reason())
		}
	})
}
