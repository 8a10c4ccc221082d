package main

import (
	"os"
	"syscall"
	"unsafe"
)

// ifreq is struct ifreq of <linux/if.h> as TUNSETIFF reads it.
type ifreq struct {
	name  [syscall.IFNAMSIZ]byte
	flags uint16
	_     [22]byte
}

// openTUN makes a TUN device whose packets come without a header of their own.
// Reads and writes go through the runtime's poller, so that they hold no thread.
func openTUN(name string) (*os.File, error) {
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("open /dev/net/tun", err)
	}
	req := ifreq{flags: syscall.IFF_TUN | syscall.IFF_NO_PI}
	copy(req.name[:syscall.IFNAMSIZ-1], name)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TUNSETIFF, uintptr(unsafe.Pointer(&req))); errno != 0 {
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("TUNSETIFF", errno)
	}
	return os.NewFile(uintptr(fd), name), nil
}
