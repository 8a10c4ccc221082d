package sfu

import (
	"flag"
	"testing"
)

// testPlane is the media plane of the tests' engines: the suite runs once for
// each.
var testPlane = flag.String("plane", planeFast, "the media plane to test")

// served fails the test unless all clients' media takes the plane under test
// and Pion has tried to send none on the fast one.
func served(t testing.TB, clients ...*client) {
	t.Helper()
	for _, c := range clients {
		if got := c.peer.Stats().Plane; got != *testPlane {
			t.Errorf("a peer's media takes the plane %q, not %q", got, *testPlane)
		}
		if s := c.peer.engine.Stats().Plane; s.PionMedia != 0 || s.FallenBack != 0 {
			t.Errorf("the plane counts %+v", s)
		}
	}
}
