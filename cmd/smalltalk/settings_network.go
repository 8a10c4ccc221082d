package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// defaultSTUN are public servers of three operators.
const defaultSTUN = "stun.l.google.com:19302,stun.cloudflare.com:3478,stun.nextcloud.com:3478"

// stunOff is the value of --stun that asks nobody.
const stunOff = "off"

// encrypted says whether the server talks TLS itself.
func (s *settings) encrypted() bool { return len(s.Domain) > 0 || s.Cert != "" }

// acmeURL is the address of the ACME directory.
func (s *settings) acmeURL() string {
	switch s.ACMEDirectory {
	case "":
		return acmeProduction
	case "staging":
		return acmeStaging
	}
	return s.ACMEDirectory
}

// checkNetwork completes the settings of addresses and encryption and refuses
// those that cannot work.
func (s *settings) checkNetwork() error {
	for _, check := range []func() error{s.checkTLS, s.checkProxies, s.checkListen, s.checkPublic, s.checkSTUN} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) checkTLS() error {
	switch {
	case len(s.Domain) > 0 && (s.Cert != "" || s.Key != ""):
		return errors.New("--domain and --cert exclude each other: --domain gets its certificates itself")
	case s.Cert != "" && s.Key == "":
		return errors.New("--cert needs --key, the file of its key")
	case s.Key != "" && s.Cert == "":
		return errors.New("--key needs --cert, the file of its certificate")
	case len(s.Domain) == 0 && (s.ACMEDirectory != "" || s.ACMECA != "" || s.ACMEEmail != ""):
		return errors.New("--acme-directory, --acme-ca and --acme-email need --domain, the name to get a certificate for")
	}
	for i, d := range s.Domain {
		name, err := domainName(d)
		if err != nil {
			return err
		}
		s.Domain[i] = name
	}
	if u, err := url.Parse(s.acmeURL()); err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("--acme-directory %q is neither an https address nor staging", s.ACMEDirectory)
	}
	return nil
}

// hostNames is what can be looked up in DNS: letters, digits and dashes, in
// labels that are neither empty nor too long.
var hostNames = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// domainName is a name as certificates have it: lower case, punycode.
func domainName(text string) (string, error) {
	if _, err := netip.ParseAddr(text); err == nil {
		return "", fmt.Errorf("--domain %q is an address: a certificate needs a name, for example chat.example.org", text)
	}
	if strings.HasPrefix(text, "*.") {
		return "", fmt.Errorf("--domain %q: the check by port 443 (TLS-ALPN-01) cannot prove a wildcard: list the names, or use --cert", text)
	}
	name, err := hostNames.ToASCII(strings.TrimSuffix(text, "."))
	top := name[strings.LastIndexByte(name, '.')+1:]
	if err != nil || top == name || strings.Trim(top, "0123456789") == "" {
		return "", fmt.Errorf("--domain %q is not a host name, for example chat.example.org", text)
	}
	return name, nil
}

func (s *settings) checkListen() error {
	if s.Listen == "" {
		s.Listen = "localhost:8080"
		if s.encrypted() {
			s.Listen = ":443"
		}
	}
	host, ok := splitListen(s.Listen)
	if !ok {
		return fmt.Errorf("--listen %q is not HOST:PORT, for example localhost:8080 or :8080", s.Listen)
	}
	if !s.encrypted() && !s.InsecureHTTP && len(s.proxies) == 0 && !loopbackHost(host) {
		return fmt.Errorf("--listen %s would serve plain HTTP to other machines, where browsers give a page no camera: use --domain or --cert, or --trust-proxy for a reverse proxy in front, or --insecure-http if that is what you want", s.Listen)
	}
	if s.MediaListen == "" {
		return nil
	}
	if _, ok := splitListen(s.MediaListen); !ok {
		return fmt.Errorf("--media-listen %q is not HOST:PORT, for example :8080", s.MediaListen)
	}
	return nil
}

// splitListen takes HOST:PORT apart; the port must be a number that there is.
func splitListen(addr string) (host string, ok bool) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return host, err == nil
}

func loopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.Unmap().IsLoopback())
}

func (s *settings) checkProxies() error {
	s.proxies = nil
	for _, text := range s.TrustProxy {
		prefix, err := netip.ParsePrefix(text)
		if ip, ipErr := netip.ParseAddr(text); ipErr == nil {
			prefix, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil || prefix.Addr().Is4In6() || prefix.Addr().Zone() != "" {
			return fmt.Errorf("--trust-proxy %q is neither an address nor a network, for example 127.0.0.1 or 10.0.0.0/8", text)
		}
		s.proxies = append(s.proxies, prefix.Masked())
	}
	return nil
}

func (s *settings) checkPublic() error {
	s.public = nil
	for _, text := range s.PublicAddress {
		ip, err := netip.ParseAddr(text)
		ip = ip.Unmap()
		if err != nil || ip.Zone() != "" || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast() {
			return fmt.Errorf("--public-address %q is no address that clients can reach, for example 203.0.113.5", text)
		}
		s.public = append(s.public, ip)
	}
	return nil
}

func (s *settings) checkSTUN() error {
	if slices.Contains(s.STUN, stunOff) {
		if len(s.STUN) > 1 {
			return errors.New("--stun off excludes servers")
		}
		s.STUN = nil
	}
	for _, server := range s.STUN {
		if host, port, err := net.SplitHostPort(server); err != nil || host == "" || port == "" {
			return fmt.Errorf("--stun %q is neither HOST:PORT, for example stun.example.org:3478, nor off", server)
		}
	}
	return nil
}
