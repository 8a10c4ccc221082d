//go:build !linux && !darwin

package sfu

import "net"

// limitUnsent does nothing: the system has no such limit.
func limitUnsent(*net.TCPConn, int) {}
