package main

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// stunServer answers on loopback with what answer makes of a request; nil means
// silence. It returns its address.
func stunServer(t *testing.T, answer func(request *stun.Message, from *net.UDPAddr) [][]byte) string {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = conn.Close()
		<-ended
	})
	go func() {
		defer close(ended)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDP(buf)
			if err != nil {
				return
			}
			m := stun.New()
			if stun.Decode(buf[:n], m) != nil || m.Type != stun.BindingRequest {
				continue
			}
			for _, data := range answer(m, from) {
				_, _ = conn.WriteToUDP(data, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

// sees answers that the client is at ip, with the port added to its own.
func sees(ip string, add int) func(*stun.Message, *net.UDPAddr) [][]byte {
	return func(m *stun.Message, from *net.UDPAddr) [][]byte {
		reply := stun.MustBuild(m, stun.BindingSuccess, &stun.XORMappedAddress{IP: net.ParseIP(ip), Port: from.Port + add})
		return [][]byte{reply.Raw}
	}
}

func silent(*stun.Message, *net.UDPAddr) [][]byte { return nil }

// lies answers with garbage, a wrong transaction and an error, none of which counts.
func lies(m *stun.Message, _ *net.UDPAddr) [][]byte {
	other := stun.MustBuild(stun.TransactionID, stun.BindingSuccess, &stun.XORMappedAddress{IP: net.IPv4(198, 51, 100, 1), Port: 1})
	return [][]byte{[]byte("garbage"), other.Raw, stun.MustBuild(m, stun.BindingError).Raw, stun.MustBuild(m, stun.BindingSuccess).Raw}
}

func udpSocket(t *testing.T) net.PacketConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestAskSTUN(t *testing.T) {
	for _, tc := range []struct {
		name    string
		servers []string
		want    string // of each socket
	}{
		{"answers", []string{stunServer(t, sees("203.0.113.5", 0))}, "203.0.113.5"},
		{"first is silent", []string{stunServer(t, silent), stunServer(t, sees("203.0.113.5", 0))}, "203.0.113.5"},
		{"first lies", []string{stunServer(t, lies), stunServer(t, sees("203.0.113.5", 0))}, "203.0.113.5"},
		{"one does not exist", []string{"nothing.invalid:3478", "127.0.0.1:x", stunServer(t, sees("203.0.113.5", 0))}, "203.0.113.5"},
		{"all are silent", []string{stunServer(t, silent), stunServer(t, lies)}, ""},
		{"none exists", []string{"nothing.invalid:3478"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conns := []net.PacketConn{udpSocket(t), udpSocket(t)}
			list := askSTUN(t.Context(), conns, tc.servers, 700*time.Millisecond)
			if tc.want == "" && len(list) != 0 || tc.want != "" && len(list) != 2 {
				t.Fatalf("got %v", list)
			}
			for _, m := range list {
				// The question came from the media socket itself: its own port was seen.
				if m.public.Addr().String() != tc.want || m.public.Port() != m.socket.Port() {
					t.Errorf("got %v", m)
				}
			}
			// The sockets are as before: no deadline is left.
			if err := conns[0].SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAskSTUNRepeats: a lost request is sent again.
func TestAskSTUNRepeats(t *testing.T) {
	first := true
	server := stunServer(t, func(m *stun.Message, from *net.UDPAddr) [][]byte {
		if first {
			first = false
			return nil
		}
		return sees("203.0.113.5", 0)(m, from)
	})
	if list := askSTUN(t.Context(), []net.PacketConn{udpSocket(t)}, []string{server}, 5*time.Second); len(list) != 1 {
		t.Errorf("got %v", list)
	}
}

// privateSocket is a loopback socket that says it has a private address.
type privateSocket struct{ net.PacketConn }

func (p privateSocket) LocalAddr() net.Addr {
	return &net.UDPAddr{IP: net.IPv4(10, 0, 0, 5), Port: int(udpAddr(p.PacketConn).Port())}
}

func TestFindPublic(t *testing.T) {
	everywhere := &net.TCPAddr{IP: net.IPv6unspecified, Port: 8443}
	for _, tc := range []struct {
		name   string
		s      settings
		listen *net.TCPAddr
		public string
		own    bool
		log    string
	}{
		{"given", settings{public: ips("203.0.113.9"), STUN: []string{stunServer(t, sees("203.0.113.5", 0))}}, everywhere, "203.0.113.9", false, ""},
		{"asked", settings{STUN: []string{stunServer(t, sees("203.0.113.5", 0))}}, everywhere, "203.0.113.5", true, "--public-address 203.0.113.5"},
		{"asked, another port", settings{STUN: []string{stunServer(t, sees("203.0.113.5", 7))}}, everywhere, "203.0.113.5", true, "forward that port"},
		{"nobody between", settings{STUN: []string{stunServer(t, sees("10.0.0.5", 0))}}, everywhere, "", true, "--public-address"},
		{"off", settings{}, everywhere, "", true, ""},
		{"no answer", settings{STUN: []string{stunServer(t, silent)}}, everywhere, "", true, "--public-address"},
		{"for this machine only", settings{STUN: []string{stunServer(t, sees("203.0.113.5", 0))}}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, "", true, ""},
		{"behind a proxy", settings{STUN: []string{stunServer(t, sees("203.0.113.5", 0))}, proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}},
			&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, "203.0.113.5", true, "--public-address"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var log bytes.Buffer
			socks := sockets{http: []net.Listener{newSink(tc.listen)}, media: []net.PacketConn{privateSocket{udpSocket(t)}}}
			got := findPublic(t.Context(), tc.s, socks, slog.New(slog.NewTextHandler(&log, nil)))
			if !slices.Equal(got.public, ips(tc.public)) || got.own != tc.own {
				t.Errorf("got %+v, want %q, own %v", got, tc.public, tc.own)
			}
			if !strings.Contains(log.String(), tc.log) || tc.log == "" && log.Len() > 0 {
				t.Errorf("logged %q, want %q", log.String(), tc.log)
			}
		})
	}
}
