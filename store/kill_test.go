package store

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// writerEnv holds the database path in the process that is to be killed.
const writerEnv = "SMALLTALK_STORE_TEST_WRITER"

// writeUntilKilled replaces all rooms and tickets by those of the next generation, over and over, and prints each generation once it
// is on the disk.
func writeUntilKilled(path string) int {
	db, err := Open(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	gen, err := generation(db)
	for err == nil {
		gen++
		var c Changes
		if c, err = nextGeneration(db, gen); err != nil {
			break
		}
		if err = db.Write(c); err == nil {
			fmt.Println(gen)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// nextGeneration is what replaces all that is there. Each record says to which generation it belongs.
func nextGeneration(db *DB, gen int) (c Changes, err error) {
	rooms, err1 := db.Rooms()
	tickets, err2 := db.Tickets()
	if err := errors.Join(err1, err2); err != nil {
		return c, err
	}
	for _, r := range rooms {
		c.DeleteRooms = append(c.DeleteRooms, r.ID)
	}
	for _, t := range tickets {
		c.DeleteTickets = append(c.DeleteTickets, t.Session)
	}
	for range 1 + gen%7 {
		r := testRoom()
		r.Members[0].Node = strconv.Itoa(gen)
		c.PutRooms = append(c.PutRooms, r)
	}
	for range 1 + gen%5 {
		t := testTicket()
		t.WidenAfter = time.Duration(gen)
		c.PutTickets = append(c.PutTickets, t)
	}
	return c, nil
}

// generation returns that of all records, 0 if there are none, or an error if they are not all of one and nothing else.
func generation(db *DB) (int, error) {
	rooms, err1 := db.Rooms()
	tickets, err2 := db.Tickets()
	if err := errors.Join(err1, err2); err != nil || len(rooms)+len(tickets) == 0 {
		return 0, err
	}
	if len(tickets) == 0 {
		return 0, fmt.Errorf("%d rooms and no tickets", len(rooms))
	}
	gen := int(tickets[0].WidenAfter)
	mixed := len(rooms) != 1+gen%7 || len(tickets) != 1+gen%5
	for _, r := range rooms {
		mixed = mixed || r.Members[0].Node != strconv.Itoa(gen)
	}
	for _, t := range tickets {
		mixed = mixed || int(t.WidenAfter) != gen
	}
	if mixed {
		return 0, fmt.Errorf("generation %d is mixed with others: %+v, %+v", gen, rooms, tickets)
	}
	return gen, nil
}

func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kill.db")
	written := 0
	for range 12 {
		last := killWriter(t, path, 1+rand.IntN(25), time.Duration(rand.IntN(3000))*time.Microsecond)
		db, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		gen, err := generation(db)
		if err != nil || gen < last || gen < written {
			t.Fatalf("generation %d is there (%v), %d was on the disk", gen, err, max(last, written))
		}
		written = gen
		closeSound(t, db)
	}
	t.Logf("%d generations over 12 kills", written)
}

// A kill while the file is being made must leave one that can be used.
func TestKillAtCreation(t *testing.T) {
	for i := range 6 {
		path := filepath.Join(t.TempDir(), "new.db")
		killWriter(t, path, 0, time.Duration(i*5+rand.IntN(5))*time.Millisecond)
		db, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := generation(db); err != nil {
			t.Error(err)
		}
		closeSound(t, db)
	}
}

// killWriter lets a writer write so many generations, kills it a moment later, and returns the last one that it said is on the disk.
func killWriter(t *testing.T, path string, writes int, after time.Duration) (last int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) }
	if writes == 0 {
		kill()
	}
	lines := bufio.NewScanner(out)
	for n := 1; lines.Scan(); n++ {
		if last, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
		if n == writes {
			kill()
		}
	}
	_ = cmd.Wait() // it was killed, as is checked next
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the writer was not killed: %v", cmd.ProcessState)
	}
	return last
}
