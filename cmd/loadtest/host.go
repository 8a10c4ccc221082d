package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"runtime"
	"slices"
)

// A server under test runs in a process of its own: this program again, in a
// mode that no help mentions. It is told what to do by lines of JSON on its
// standard input, answers each with one on its standard output, and ends with
// its input, so that none outlives a parent that was killed.

// order is a line from the parent: an offer to be answered, or a pair of
// addresses to be joined, or else a wish for a report.
type order struct {
	Room  string            `json:"room,omitempty"`
	Offer string            `json:"offer,omitempty"`
	Link  [2]netip.AddrPort `json:"link,omitzero"`
}

// reply is the line back.
type reply struct {
	Error   string         `json:"error,omitempty"`
	Address netip.AddrPort `json:"address,omitzero"` // in the first line, before any order
	Answer  string         `json:"answer,omitempty"`
	Report  *heapReport    `json:"report,omitempty"`
}

// heapReport is what only the process itself knows.
type heapReport struct {
	Mallocs    uint64 `json:"mallocs"`
	GCs        uint32 `json:"gcs"`
	Goroutines int    `json:"goroutines"`
}

// host is a server in its process.
type host interface {
	// answer answers the offer of a client, which is then in that room of two.
	answer(room, offer string) (string, error)
	// link joins two clients that are known by their addresses only.
	link(a, b netip.AddrPort) error
	close() error
}

var (
	errNoOffers = errors.New("this kind of server takes no offers")
	errNoLinks  = errors.New("this kind of server takes offers only")
)

// hosts makes the servers that run in a process of ours.
var hosts = map[string]func(conn *net.UDPConn) (host, error){
	"fast":      func(conn *net.UDPConn) (host, error) { return newEngineHost(conn, "fast") },
	"pion":      func(conn *net.UDPConn) (host, error) { return newEngineHost(conn, "pion") },
	"naive":     func(conn *net.UDPConn) (host, error) { return newNaiveHost(conn) },
	"srtp-echo": func(conn *net.UDPConn) (host, error) { return newEchoHost(conn, true) },
	"udp-echo":  func(conn *net.UDPConn) (host, error) { return newEchoHost(conn, false) },
}

// serverBuffer is asked for in each direction of a server's one socket, in
// bytes, the same for all.
const serverBuffer = 4 << 20

// runHost is the hidden mode: it serves until in ends.
func runHost(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) == 1 && args[0] == matchKind {
		return runMatchHost(ctx, in, out)
	}
	if len(args) != 1 || hosts[args[0]] == nil {
		return fmt.Errorf("want one of %v or %s", slices.Sorted(maps.Keys(hosts)), matchKind)
	}
	var listen net.ListenConfig
	conn, err := listen.ListenPacket(ctx, "udp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	udp := conn.(*net.UDPConn)
	if err := errors.Join(udp.SetReadBuffer(serverBuffer), udp.SetWriteBuffer(serverBuffer)); err != nil {
		return err
	}
	address := udp.LocalAddr().(*net.UDPAddr).AddrPort()
	h, err := hosts[args[0]](udp)
	if err != nil {
		return err
	}

	return errors.Join(obey(h, address, in, out), h.close())
}

// obey answers orders until there are no more.
func obey(h host, address netip.AddrPort, in io.Reader, out io.Writer) error {
	orders, replies := json.NewDecoder(in), json.NewEncoder(out)
	if err := replies.Encode(reply{Address: address}); err != nil {
		return err
	}
	for {
		var o order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read an order: %w", err)
		}
		r, err := o.do(h)
		if err != nil {
			r.Error = err.Error()
		}
		if err := replies.Encode(r); err != nil {
			return err
		}
	}
}

func (o *order) do(h host) (r reply, err error) {
	switch {
	case o.Offer != "":
		r.Answer, err = h.answer(o.Room, o.Offer)
	case o.Link[0].IsValid():
		err = h.link(o.Link[0], o.Link[1])
	default:
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		r.Report = &heapReport{Mallocs: m.Mallocs, GCs: m.NumGC, Goroutines: runtime.NumGoroutine()}
	}

	return r, err
}
