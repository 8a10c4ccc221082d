package store

import (
	"bufio"
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

// writeUntilKilled replaces all rooms by those of the next generation, over and over, and prints each generation once it is on the disk.
func writeUntilKilled(path string) int {
	db, err := Open(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	rooms, err := db.Rooms()
	for gen := generation(rooms); err == nil; {
		gen++
		old := rooms
		rooms = make([]Room, 1+gen%7)
		for i := range rooms {
			rooms[i] = testRoom()
			rooms[i].Members[0].Node = strconv.Itoa(gen)
			rooms[i].Members[1].Node = strconv.Itoa(len(rooms))
		}
		var del []RoomID
		for _, r := range old {
			del = append(del, r.ID)
		}
		if err = db.WriteRooms(rooms, del); err == nil {
			fmt.Println(gen)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// generation returns that of the rooms, 0 if there are none, or -1 if they are not all of one generation.
func generation(rooms []Room) int {
	if len(rooms) == 0 {
		return 0
	}
	for _, r := range rooms {
		if r.Members[0].Node != rooms[0].Members[0].Node || r.Members[1].Node != strconv.Itoa(len(rooms)) {
			return -1
		}
	}
	gen, err := strconv.Atoi(rooms[0].Members[0].Node)
	if err != nil {
		return -1
	}
	return gen
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
		rooms, err := db.Rooms()
		if err != nil {
			t.Fatal(err)
		}
		gen := generation(rooms)
		if gen < last || gen < written {
			t.Fatalf("generation %d (%d rooms) is there, %d was on the disk", gen, len(rooms), max(last, written))
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
		if rooms, err := db.Rooms(); err != nil || generation(rooms) < 0 {
			t.Errorf("%d rooms, %v", len(rooms), err)
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
