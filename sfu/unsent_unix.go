//go:build linux || darwin

package sfu

import (
	"net"
	"runtime"
	"syscall"
)

// limitUnsent sets TCP_NOTSENT_LOWAT: a write waits when that many bytes are
// in the kernel and not yet on the network.
func limitUnsent(c *net.TCPConn, bytes int) {
	option := 0x19
	if runtime.GOOS == "darwin" {
		option = 0x201
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return // it is closed
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, option, bytes)
	})
}
