//go:build !linux

package main

import (
	"errors"
	"net"
)

// openFiles is known on Linux only.
func openFiles() (uint64, error) { return 0, errors.ErrUnsupported }

// freeSpace is known on Linux only.
func freeSpace(string) (uint64, error) { return 0, errors.ErrUnsupported }

// bufferSizes are known on Linux only.
func bufferSizes(*net.UDPConn) (read, write int, err error) { return 0, 0, errors.ErrUnsupported }
