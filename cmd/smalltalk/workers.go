package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"syscall"

	"github.com/pion/transport/v4/reuseport"
)

// maxWorkers bounds how many sockets share one address: each has several
// megabytes of the kernel's memory.
const maxWorkers = 16

// mediaWorkers is how many sockets each media address has: one for each core,
// among which Linux shares the clients. Other systems do not, and the pion
// plane has no workers.
func mediaWorkers(plane string) int {
	if runtime.GOOS != "linux" || plane == "pion" {
		return 1
	}
	return min(runtime.GOMAXPROCS(0), maxWorkers)
}

// listenUDP opens a media socket whose address further ones can share.
func listenUDP(ctx context.Context, at netip.AddrPort) (*net.UDPConn, error) {
	// Sharing is for us alone: somebody else's socket is an error, as ever.
	first, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil || runtime.GOOS != "linux" {
		return first, err
	}
	at = udpAddr(first)
	if err := first.Close(); err != nil {
		return nil, fmt.Errorf("close the socket that tried the port: %w", err)
	}
	return listenShared(ctx, at)
}

func listenShared(ctx context.Context, at netip.AddrPort) (*net.UDPConn, error) {
	listen := net.ListenConfig{Control: reuseport.Control}
	conn, err := listen.ListenPacket(ctx, "udp", at.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// share opens more sockets, so that each media address has n. Whoever reads
// from a media socket alone, as the search for the public address does, is done
// by then: from now on any of them may get an answer.
func (s *sockets) share(ctx context.Context, n int, log *slog.Logger) error {
	for _, c := range s.media {
		for range n - 1 {
			more, err := listenShared(ctx, udpAddr(c))
			if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENOBUFS) {
				log.Warn("fewer sockets for media than cores", "address", udpAddr(c), "error", err)
				return nil
			}
			if err != nil {
				return explainListen(err, "UDP", udpAddr(c).String(), "--media-listen")
			}
			setBuffers(more, log)
			s.shared = append(s.shared, more)
		}
	}
	return nil
}
