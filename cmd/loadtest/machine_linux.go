package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// processors says which of the machine's processors servers and virtual users
// run on; empty sets mean that there is only one for both.
type processors struct{ server, users unix.CPUSet }

// split gives the first processor that this process may use to the servers and
// the others to the virtual users.
func split() (p processors, separate bool, err error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return p, false, os.NewSyscallError("sched_getaffinity", err)
	}
	if all.Count() < 2 {
		return p, false, nil
	}
	for cpu, left := 0, all.Count(); left > 0; cpu++ {
		if !all.IsSet(cpu) {
			continue
		}
		if left == all.Count() {
			p.server.Set(cpu)
		} else {
			p.users.Set(cpu)
		}
		left--
	}

	return p, true, nil
}

// apply puts this process's threads on the users' processors. Threads that come
// later inherit it from those that make them.
func (p *processors) apply(realtime bool) error {
	tasks, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(filepath.Base(task))
		if err != nil {
			continue
		}
		priority := uint32(0)
		if realtime {
			priority = usersPriority
		}
		if err := place(id, &p.users, priority); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}

	return nil
}

// Real-time priorities: of the loop of the virtual users, which may spin, and of
// servers; and of the other threads here, which have little to do, but at once.
const (
	loopPriority  = 1
	usersPriority = 2
)

// place puts one thread on a set of processors, and before others if it is to
// have a real-time priority, one that is not 0.
func place(thread int, set *unix.CPUSet, priority uint32) error {
	if set.Count() > 0 {
		if err := unix.SchedSetaffinity(thread, set); err != nil {
			return os.NewSyscallError("sched_setaffinity", err)
		}
	}
	if priority == 0 {
		return nil
	}
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: priority}
	if err := unix.SchedSetAttr(thread, &attr, 0); err != nil {
		return fmt.Errorf("take real-time priority: %w (run as root, or leave out --realtime)", err)
	}

	return nil
}

// comeLast puts the calling thread behind the others of this process, if it has a
// real-time priority, which those that never sleep must not share with others.
func comeLast() {
	if attr, err := unix.SchedGetAttr(0, 0); err == nil && attr.Policy == unix.SCHED_RR {
		attr.Priority = loopPriority
		_ = unix.SchedSetAttr(0, attr, 0) // less is always allowed
	}
}

// onServer runs start on a thread that is placed as servers are, so that the
// process which start makes inherits that.
func (p *processors) onServer(realtime bool, start func() error) error {
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine. A process that it
		// made stays.
		runtime.LockOSThread()
		priority := uint32(0)
		if realtime {
			priority = loopPriority
		}
		if err := place(0, &p.server, priority); err != nil {
			done <- err

			return
		}
		done <- start()
	}()

	return <-done
}

// timeOf reads /proc/<pid>/stat, and for the total the threads' schedstat, as
// ticks of 10 ms would be an error of some percent.
func timeOf(pid int) (t processTime, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return t, fmt.Errorf("read a server's time: %w", err)
	}
	// The name in parentheses may have spaces in it.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return t, fmt.Errorf("read a server's time: %q", b)
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every architecture of Go's
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	t.user, t.system = time.Duration(user)*tick, time.Duration(system)*tick
	t.total = t.user + t.system
	if exact := schedTime(pid); exact > 0 {
		t.total = exact
	}

	return t, nil
}

// schedTime sums up the threads' time on a processor, 0 if the kernel keeps none.
func schedTime(pid int) (sum time.Duration) {
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0
	}
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			return 0
		}
		on, _, _ := strings.Cut(string(b), " ")
		n, _ := strconv.ParseInt(on, 10, 64)
		sum += time.Duration(n)
	}

	return sum
}

// memoryOf is a process's resident memory in bytes.
func memoryOf(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, fmt.Errorf("read a server's memory: %w", err)
	}
	if f := strings.Fields(string(b)); len(f) > 1 {
		pages, err := strconv.ParseInt(f[1], 10, 64)

		return pages * int64(os.Getpagesize()), err
	}

	return 0, fmt.Errorf("read a server's memory: %q", b)
}

// raiseFiles lets this process open as many sockets as it may.
func raiseFiles() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) // openSocket says what to do
	}
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}

	return unix.ByteSliceToString(u.Release[:])
}
