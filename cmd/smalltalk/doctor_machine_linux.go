package main

import (
	"fmt"
	"net"
	"syscall"
)

// openFiles is how many files this process may have open.
func openFiles() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	return limit.Cur, nil
}

// freeSpace is how many bytes on the disk of the folder this user may still
// write.
func freeSpace(folder string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(folder, &st); err != nil {
		return 0, fmt.Errorf("look at the disk of %s: %w", folder, err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// bufferSizes are what the kernel gave a socket, in bytes of the caller's: it
// doubles them for its own use, and says so doubled (socket(7)).
func bufferSizes(c *net.UDPConn) (read, write int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, 0, fmt.Errorf("read the socket's buffers: %w", err)
	}
	var readErr, writeErr error
	err = raw.Control(func(fd uintptr) {
		read, readErr = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF)
		write, writeErr = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF)
	})
	for _, e := range []error{err, readErr, writeErr} {
		if e != nil {
			return 0, 0, fmt.Errorf("read the socket's buffers: %w", e)
		}
	}
	return read / 2, write / 2, nil
}
