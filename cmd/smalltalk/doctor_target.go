package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// target is the server under examination.
type target struct {
	url       *url.URL     // scheme, host and port
	addresses []netip.Addr // where to look for it; empty before the name is resolved
	reached   []netip.Addr // those that took a connection
}

// String is the address as people write it.
func (t target) String() string { return t.url.String() }

func (t target) encrypted() bool { return t.url.Scheme == "https" }

func (t target) host() string { return t.url.Hostname() }

// port is the TCP port of the address.
func (t target) port() uint16 {
	if p, err := strconv.ParseUint(t.url.Port(), 10, 16); err == nil {
		return uint16(p)
	}
	if t.encrypted() {
		return 443
	}
	return 80
}

// secureHint is for who wrote http where the server has HTTPS on its own port.
func (t target) secureHint() string {
	if t.encrypted() {
		return ""
	}
	name := t.host()
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	return "; if it has HTTPS (--domain, --cert), examine https://" + name
}

// urlTarget reads an address as people give it: https is understood.
func urlTarget(text string) (target, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return target{}, fmt.Errorf("%q is not the address of a server, for example https://chat.example.org", text)
	}
	if p := u.Port(); p != "" {
		if _, err := strconv.ParseUint(p, 10, 16); err != nil {
			return target{}, fmt.Errorf("%q: there is no port %s", text, p)
		}
	}
	host, err := httpguts.PunycodeHostPort(strings.ToLower(u.Host))
	if err != nil {
		return target{}, fmt.Errorf("%q: %w", text, err)
	}
	// In the form that browsers send as Host and as Origin.
	host = strings.TrimSuffix(host, map[string]string{"https": ":443", "http": ":80"}[u.Scheme])
	t := target{url: &url.URL{Scheme: u.Scheme, Host: host}}
	if ip, err := netip.ParseAddr(t.host()); err == nil {
		t.addresses = []netip.Addr{ip.Unmap()}
	}
	return t, nil
}

// localTarget is the server that these settings run on this machine. It is
// looked for where it listens, whatever its name resolves to: a machine behind
// NAT often cannot reach itself by its public address.
func localTarget(ctx context.Context, s settings) (target, error) {
	host, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return target{}, fmt.Errorf("--listen %q: %w", s.Listen, err)
	}
	if port == "0" {
		return target{}, errors.New("--listen has port 0, which is another at each start: give the port, or the server's address")
	}
	name := host
	ip, err := netip.ParseAddr(host)
	var list []netip.Addr
	switch {
	case host == "" || host == "localhost" || err == nil && ip.IsUnspecified():
		name, list = "localhost", loopbacks(host)
	case err == nil:
		list = []netip.Addr{ip.Unmap()}
	default:
		if list, err = resolve(ctx, host); err != nil {
			return target{}, err
		}
	}
	scheme := "http"
	if s.encrypted() {
		scheme, name = "https", certificateName(s, name)
	}
	if own := map[string]string{"https": "443", "http": "80"}[scheme]; port != own {
		name = net.JoinHostPort(name, port)
	} else if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	return target{url: &url.URL{Scheme: scheme, Host: name}, addresses: list}, nil
}

// loopbacks lists the addresses at which a server that listens on host is found
// from the machine itself.
func loopbacks(host string) []netip.Addr {
	list := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	own, err := hostAddresses()
	if err != nil || host == "0.0.0.0" {
		return list
	}
	for _, a := range own {
		if a.ip == netip.IPv6Loopback() {
			list = append(list, a.ip)
		}
	}
	return list
}

// certificateName is the name under which people come: that of the settings,
// else the first in the certificate file.
func certificateName(s settings, otherwise string) string {
	if len(s.Domain) > 0 {
		return s.Domain[0]
	}
	pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
	switch {
	case err != nil || pair.Leaf == nil:
		return otherwise
	case len(pair.Leaf.DNSNames) > 0:
		return strings.Replace(pair.Leaf.DNSNames[0], "*.", "www.", 1)
	case len(pair.Leaf.IPAddresses) > 0:
		return pair.Leaf.IPAddresses[0].String()
	}
	return otherwise
}

// dial connects to a TCP port of the server, at the first address that answers.
func (t target) dial(ctx context.Context, port uint16) (net.Conn, error) {
	return dialFirst(ctx, t.reached, port)
}

// dialFirst connects to the first of several addresses that answers.
func dialFirst(ctx context.Context, list []netip.Addr, port uint16) (net.Conn, error) {
	dialer := net.Dialer{Timeout: connectTime}
	err := errors.New("no address")
	for _, ip := range list {
		var c net.Conn
		if c, err = dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(ip, port).String()); err == nil {
			return c, nil
		}
	}
	return nil, err
}

// client makes requests of the server. It takes any certificate: whether
// browsers would is a check of its own, and what the others find is of use
// also where that one fails. Nothing secret is sent.
func (t target) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return t.dial(ctx, t.port())
			},
			TLSClientConfig:     &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: connectTime,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
