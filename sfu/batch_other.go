//go:build !linux || !(amd64 || arm64)

package sfu

import (
	"net"
	"net/netip"
)

// rawAddress is not used here.
type rawAddress struct{}

func newRawAddress(netip.AddrPort, bool) rawAddress { return rawAddress{} }

// newBatchConn makes a batchConn of a socket.
func newBatchConn(conn net.PacketConn) batchConn { return single{portable(conn)} }
