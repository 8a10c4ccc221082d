package main

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// TestCarryHoldsInOrder sends packets at moments of their own and sees each one
// come out whole, in order and exactly as much later.
func TestCarryHoldsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hold = 25 * time.Millisecond
		in, feed := io.Pipe()
		drain, out := io.Pipe()
		done := make(chan error, 1)
		go func() { done <- carry(out, in, hold) }()
		begin := time.Now()
		go func() {
			for i := range 3 {
				fmt.Fprintf(feed, "packet %d", i)
				time.Sleep(10 * time.Millisecond)
			}
		}()
		buf := make([]byte, largest)
		for i := range 3 {
			n, err := drain.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			want := time.Duration(i)*10*time.Millisecond + hold
			if got := time.Since(begin); string(buf[:n]) != fmt.Sprintf("packet %d", i) || got != want {
				t.Errorf("packet %d: %q after %v, want it after %v", i, buf[:n], got, want)
			}
		}
		feed.Close()
		if err := <-done; err == nil {
			t.Error("carry ended without an error though its device was closed")
		}
	})
}
