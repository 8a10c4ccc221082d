//go:build !linux

package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// errSystem is what everything here answers: epoll, recvmmsg and UDP_SEGMENT,
// without which virtual users would cost more than servers, are Linux's.
var errSystem = errors.New("loadtest runs on Linux only; the server under test may run anywhere")

type batch struct{}

func newBatch(int, int) *batch         { return &batch{} }
func (*batch) receive(int) int         { return 0 }
func (*batch) packet(int) []byte       { return nil }
func (*batch) send(int, [][]byte) int  { return 0 }
func write(int, []byte) error          { return errSystem }
func closeSocket(int) error            { return errSystem }
func comeLast()                        {}
func raiseFiles()                      {}
func kernel() string                   { return "" }
func memoryOf(int) (int64, error)      { return 0, errSystem }
func timeOf(int) (processTime, error)  { return processTime{}, errSystem }
func split() (processors, bool, error) { return processors{}, false, errSystem }
func coturnMissing() error             { return errSystem }
func openSocket(netip.AddrPort) (int, error) {
	return -1, errSystem
}

func localAddress(int) (netip.AddrPort, error) { return netip.AddrPort{}, errSystem }

type poller struct{}

func newPoller() (*poller, error)               { return nil, errSystem }
func (*poller) add(int, int) error              { return errSystem }
func (*poller) wait(time.Duration) (int, error) { return 0, errSystem }
func (*poller) slot(int) int                    { return 0 }
func (*poller) close() error                    { return nil }

type processors struct{}

func (*processors) apply(bool) error                  { return errSystem }
func (*processors) onServer(bool, func() error) error { return errSystem }

type echoLoop struct{}

func newEchoLoop(*net.UDPConn, func() *map[flow]*echoLeg) (*echoLoop, error) { return nil, errSystem }
func (*echoLoop) run()                                                       {}

func startCoturn(context.Context, *dialer, placing) (rig, error) { return nil, errSystem }
