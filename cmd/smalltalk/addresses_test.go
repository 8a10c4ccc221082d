package main

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func ips(text string) []netip.Addr {
	var list []netip.Addr
	for _, f := range strings.Fields(text) {
		list = append(list, netip.MustParseAddr(f))
	}
	return list
}

func on(iface, text string, flags ...inet6Flags) []hostAddress {
	var list []hostAddress
	for _, ip := range ips(text) {
		a := hostAddress{iface: iface, ip: ip}
		for _, f := range flags {
			a.flags |= f
		}
		list = append(list, a)
	}
	return list
}

func TestPickAddresses(t *testing.T) {
	lo := on("lo", "127.0.0.1 ::1")
	for _, tc := range []struct {
		name     string
		have     []hostAddress
		host     string
		loopback bool
		want     string // "" means an error
	}{
		{"public", slices.Concat(lo, on("eth0", "203.0.113.5 2001:db8::5 fe80::1")), "", false, "203.0.113.5 2001:db8::5"},
		{"loopback asked for", slices.Concat(lo, on("eth0", "192.168.1.5")), "", true, "127.0.0.1 ::1 192.168.1.5"},
		{"IPv4 only", on("eth0", "203.0.113.5 2001:db8::5"), "0.0.0.0", false, "203.0.113.5"},
		{"both families", on("eth0", "203.0.113.5 2001:db8::5"), "::", false, "203.0.113.5 2001:db8::5"},
		{"link-local and multicast", on("eth0", "169.254.1.1 fe80::1 224.0.0.1 ff02::1 0.0.0.0 255.255.255.255 192.168.1.5"), "", false, "192.168.1.5"},
		{"containers", slices.Concat(on("docker0", "172.17.0.1"), on("br-0123456789ab", "172.18.0.1"), on("veth12ab", "10.1.0.1"), on("virbr0", "192.168.122.1"),
			on("cni0", "10.244.0.1"), on("flannel.1", "10.244.1.0"), on("podman1", "10.88.0.1"), on("lxcbr0", "10.0.3.1"), on("lxdbr0", "fd42::1"), on("eth0", "10.0.0.5")), "", false, "10.0.0.5"},
		{"a container's public address", on("docker0", "203.0.113.7"), "", false, "203.0.113.7"},
		{"people's bridges", on("br-lan", "192.168.1.1"), "", false, "192.168.1.1"},
		{"local IPv6 beside global", on("eth0", "fd00::5 2001:db8::5 192.168.1.5"), "", false, "2001:db8::5 192.168.1.5"},
		{"local IPv6 alone", on("eth0", "fd00::5 192.168.1.5"), "", false, "fd00::5 192.168.1.5"},
		{"local IPv6 beside loopback", slices.Concat(lo, on("eth0", "fd00::5")), "", true, "127.0.0.1 ::1 fd00::5"},
		{"temporary", slices.Concat(on("eth0", "2001:db8::5"), on("eth0", "2001:db8::6", inet6Temporary), on("eth0", "2001:db8::7", inet6Deprecated), on("eth0", "2001:db8::8", inet6Failed), on("eth0", "2001:db8::9", inet6Tentative)), "", false, "2001:db8::5"},
		{"twice", slices.Concat(on("eth0", "10.0.0.5"), on("eth1", "10.0.0.5")), "", false, "10.0.0.5"},
		{"nothing", slices.Concat(lo, on("eth0", "fe80::1")), "", false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := pickAddresses(tc.have, tc.host, tc.loopback)
			if tc.want == "" {
				if err == nil || !strings.Contains(err.Error(), "--media-listen") {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if err != nil || !slices.Equal(got, ips(tc.want)) {
				t.Errorf("got %v (%v), want %s", got, err, tc.want)
			}
		})
	}
}

func TestReadInet6(t *testing.T) {
	got := readInet6(strings.NewReader(`00000000000000000000000000000001 01 80 10 80       lo
20010db8000000000000000000000005 02 40 00 80     eth0
20010db8000000000000000000000006 02 40 00 01     eth0
20010db8000000000000000000000007 02 40 00 120    eth0
nonsense
20010db8 02 40 00 80 eth0
`))
	want := map[netip.Addr]inet6Flags{
		netip.MustParseAddr("::1"): 0x80, netip.MustParseAddr("2001:db8::5"): 0x80,
		netip.MustParseAddr("2001:db8::6"): inet6Temporary, netip.MustParseAddr("2001:db8::7"): inet6Deprecated | 0x100,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLonelyPrivate(t *testing.T) {
	for _, tc := range [][2]string{
		{"10.0.0.5", "10.0.0.5"},
		{"10.0.0.5 192.168.1.5", "10.0.0.5 192.168.1.5"},
		{"10.0.0.5 203.0.113.5", ""},
		{"10.0.0.5 2001:db8::5", "10.0.0.5"},
		{"203.0.113.5 fd00::5", "fd00::5"},
		{"127.0.0.1 10.0.0.5 ::1", "10.0.0.5"},
		{"100.64.0.9", "100.64.0.9"},
		{"127.0.0.1 ::1", ""},
	} {
		if got := lonelyPrivate(ips(tc[0])); !slices.Equal(got, ips(tc[1])) {
			t.Errorf("%s: got %v, want %q", tc[0], got, tc[1])
		}
	}
}

func TestOffered(t *testing.T) {
	for _, tc := range []struct {
		name        string
		public, own string
		keep        bool
		want        string
	}{
		{"own", "", "10.0.0.5 2001:db8::5", true, "10.0.0.5 2001:db8::5"},
		{"one family in place", "203.0.113.5", "10.0.0.5 2001:db8::5", false, "203.0.113.5 2001:db8::5"},
		{"both families in place", "203.0.113.5 2001:db8::9", "10.0.0.5 fd00::5", false, "203.0.113.5 2001:db8::9"},
		{"beside", "203.0.113.5", "10.0.0.5 fd00::5", true, "203.0.113.5 10.0.0.5 fd00::5"},
		{"the same", "203.0.113.5", "203.0.113.5", true, "203.0.113.5"},
	} {
		if got := (offered{ips(tc.public), tc.keep}).addresses(ips(tc.own)); !slices.Equal(got, ips(tc.want)) {
			t.Errorf("%s: got %v, want %s", tc.name, got, tc.want)
		}
	}
}

func TestIgnoredByChromium(t *testing.T) {
	for _, tc := range []struct {
		list string
		port int
		want bool
	}{
		{"10.0.0.5 fd00::5", 443, true},
		{"127.0.0.1 10.0.0.5", 443, true},
		{"10.0.0.5", 8443, false},
		{"10.0.0.5 203.0.113.5", 443, false},
		{"", 443, false},
	} {
		if got := ignoredByChromium(ips(tc.list), tc.port); got != tc.want {
			t.Errorf("%s on %d: %v", tc.list, tc.port, got)
		}
	}
}

// TestHostAddresses looks at this machine, which has a loopback address at least.
func TestHostAddresses(t *testing.T) {
	list, err := hostAddresses()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(list, func(a hostAddress) bool { return a.ip.IsLoopback() }) {
		t.Errorf("no loopback address in %v", list)
	}
}
