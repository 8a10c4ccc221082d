package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"
)

// TestGateWithoutTCPForMedia listens where media does not come: connections
// for the relay are refused at once and not held for nobody.
func TestGateWithoutTCPForMedia(t *testing.T) {
	cmd, err := parse([]string{"--listen", "127.0.0.2:0", "--data", t.TempDir()}, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	socks, err := openSockets(t.Context(), cmd.serve, log)
	if err != nil {
		t.Fatal(err)
	}
	defer socks.close()
	g, err := newGate(cmd.serve, socks, log)
	if err != nil {
		t.Fatal(err)
	}
	if c := g.media(socks); c.TCP != nil || c.TURN != nil {
		t.Fatalf("the relay is told of TCP on %v", socks.tcpAddresses())
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { g.run(ctx); close(ended) }()
	conn, err := net.Dial("tcp", socks.http[0].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write([]byte{0, 20, 0, 1})
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is held: %v", err)
	}
	cancel()
	g.close()
	<-ended
}
