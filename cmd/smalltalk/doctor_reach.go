package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// checkNames looks up where the server's names lead. On the server itself that
// is of interest only for those that it gets certificates for.
func (d *doctor) checkNames(ctx context.Context) {
	names := d.settings.Domain
	if !d.local {
		if len(d.target.addresses) > 0 {
			return // it was given as an address
		}
		names = []string{d.target.host()}
	}
	for _, name := range names {
		ips, err := within(ctx, d.limit, func(ctx context.Context) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		})
		if err != nil {
			d.tell(nameFailed(name, err))
			continue
		}
		for i, ip := range ips {
			ips[i] = ip.Unmap()
		}
		slices.SortFunc(ips, netip.Addr.Compare)
		ips = slices.Compact(ips)
		d.named = append(d.named, ips...)
		d.tell(nameFinding(name, ips))
	}
	if !d.local {
		d.target.addresses = d.named
	}
}

// checkReach connects to each address. It returns whether one of them answered.
func (d *doctor) checkReach(ctx context.Context) bool {
	for _, ip := range d.target.addresses {
		at := netip.AddrPortFrom(ip, d.target.port())
		what := family("TCP", ip)
		start := time.Now()
		conn, err := dialFirst(ctx, []netip.Addr{ip}, d.target.port())
		if err == nil {
			_ = conn.Close()
			d.target.reached = append(d.target.reached, ip)
			d.tell(finding{Verdict: isFine, What: what, Detail: fmt.Sprintf("%s answers in %d ms", at, time.Since(start).Milliseconds())})
			continue
		}
		if !d.local {
			d.tell(unreachable(what, at, d.target, err))
		}
	}
	reached := len(d.target.reached) > 0
	if !reached && !d.local && len(d.target.addresses) > 0 {
		d.tell(finding{Verdict: isFailure, What: "server", Detail: "not reached from here: the rest was not tried", Change: "see to the lines above first"})
	}
	return reached
}

// family names a protocol with the family of an address.
func family(protocol string, ip netip.Addr) string {
	if ip.Is4() {
		return protocol + " IPv4"
	}
	return protocol + " IPv6"
}

func nameFinding(name string, list []netip.Addr) finding {
	detail := name + " is"
	has6 := false
	for _, ip := range list {
		detail += " " + ip.String()
		has6 = has6 || ip.Is6()
	}
	if !has6 {
		detail += ", no IPv6"
	}
	return finding{Verdict: isFine, What: "name", Detail: detail}
}

// nameFailed tells a name that is not there from a resolver that does not say.
func nameFailed(name string, err error) finding {
	f := finding{Verdict: isFailure, What: "name", Detail: err.Error(),
		Change: "make an A record (and AAAA, for IPv6) for " + name + " that has the server's address, and wait until it is known"}
	if dns := (*net.DNSError)(nil); !errors.As(err, &dns) || !dns.IsNotFound {
		f.Change = "the resolver of this machine gave no answer, which says nothing about the name: look at /etc/resolv.conf, or run the doctor elsewhere"
	}
	return f
}

// unreachable says why a TCP port of t did not answer.
func unreachable(what string, at netip.AddrPort, t target, err error) finding {
	f := finding{Verdict: isFailure, What: what, Detail: err.Error()}
	switch {
	case noRoute(at):
		ip := family("", at.Addr())
		f.Verdict, f.Detail = isWarning, "not tried: this machine has no way to"+ip+" addresses"
		f.Change = "run the doctor from a machine with" + ip + " as well"
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Change = fmt.Sprintf("nothing listens on %s: start the server, look at --listen, and at what the address belongs to", at)
		f.Change += t.secureHint()
	default:
		f.Change = fmt.Sprintf("open TCP port %d in the firewall and, behind NAT, forward it; a wrong address in DNS looks the same", at.Port()) + t.secureHint()
	}
	return f
}

// noRoute says whether this machine has no way to an address at all. Nothing is
// sent.
func noRoute(at netip.AddrPort) bool {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
	if err != nil {
		return true
	}
	_ = c.Close()
	return false
}

// checkPlain says what HTTP without encryption is good for.
func (d *doctor) checkPlain() {
	if d.local && loopbackHost(d.target.host()) && len(d.settings.proxies) > 0 {
		d.tell(finding{Verdict: isFine, What: "certificate", Detail: "the proxy in front has it: examine its address too, as in smalltalk doctor https://chat.example.org"})
		return
	}
	if loopbackHost(d.target.host()) {
		d.tell(finding{Verdict: isFine, What: "certificate", Detail: "none: plain HTTP, which is for this machine only"})
		return
	}
	d.tell(finding{Verdict: isFailure, What: "certificate", Detail: "plain HTTP: browsers give the page no camera",
		Change: "serve HTTPS with --domain or --cert, and open the https address"})
}

// checkCertificate looks at the certificate as a browser does, and at TLS itself.
func (d *doctor) checkCertificate(ctx context.Context) {
	state, err := within(ctx, d.limit, d.handshake)
	if err != nil {
		d.tell(finding{Verdict: isFailure, What: "certificate", Detail: err.Error(),
			Change: "look into the server's log: with --domain there is no certificate until the ACME server has reached TCP port 443 under this name"})
		return
	}
	acme := d.local && len(d.settings.Domain) > 0
	d.tell(judgeCertificate(state.PeerCertificates, d.target.host(), d.roots, acme, time.Now()))
	detail := tls.VersionName(state.Version)
	if state.NegotiatedProtocol == "h2" {
		d.tell(finding{Verdict: isFine, What: "TLS", Detail: detail + ", HTTP/2"})
		return
	}
	d.tell(finding{Verdict: isWarning, What: "TLS", Detail: detail + ", no HTTP/2",
		Change: "it works; if a proxy stands in front, switch HTTP/2 on there to load the page faster"})
}

// handshake talks TLS as a browser does, and takes any certificate.
func (d *doctor) handshake(ctx context.Context) (tls.ConnectionState, error) {
	conn, err := d.target.dial(ctx, d.target.port())
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	c := tls.Client(conn, &tls.Config{
		ServerName: d.target.host(), NextProtos: []string{"h2", "http/1.1"},
		InsecureSkipVerify: true, MinVersion: tls.VersionTLS12,
	})
	if err := c.HandshakeContext(ctx); err != nil {
		return tls.ConnectionState{}, fmt.Errorf("TLS handshake: %w", err)
	}
	return c.ConnectionState(), nil
}

// ofStaging says whether a certificate is one of Let's Encrypt for trying out,
// which says so in its issuer's name: CN=(STAGING) Wannabe Watercress R11.
func ofStaging(c *x509.Certificate) bool { return strings.Contains(c.Issuer.String(), "(STAGING)") }

// judgeCertificate says what a browser would of the certificates of a server.
// acme says that they are known to come from an ACME server.
func judgeCertificate(chain []*x509.Certificate, host string, roots *x509.CertPool, acme bool, now time.Time) finding {
	f := finding{Verdict: isFailure, What: "certificate"}
	if len(chain) == 0 {
		f.Detail, f.Change = "the server sends none", "look at --domain or --cert"
		return f
	}
	leaf := chain[0]
	end := leaf.NotAfter.UTC().Format(time.DateOnly)
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	// Its time is looked at apart, so that each fault is named for what it is.
	when := leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)
	_, untrusted := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: when})
	left := leaf.NotAfter.Sub(now)
	days := int(left.Hours() / 24)
	switch wrongName := leaf.VerifyHostname(host); {
	case wrongName != nil:
		f.Detail = fmt.Sprintf("it is for %s, not for %s", namesOf(leaf), host)
		f.Change = fmt.Sprintf("use a certificate for %s (--domain %s, or --cert), or open the server under a name that is in it", host, host)
	case left <= 0:
		f.Detail = "it expired on " + end
		f.Change = "renew it: with --domain look into the server's log why ACME does not, with --cert put new files in place"
	case now.Before(leaf.NotBefore):
		f.Detail = "it is valid only from " + leaf.NotBefore.UTC().Format(time.RFC3339)
		f.Change = "set the clocks of this machine and of the server right"
	case untrusted != nil:
		f.Detail = "nobody that this machine trusts has signed it"
		f.Change = "put the intermediate certificates behind the certificate in the file of --cert; if it is self-signed or of a CA of your own, " +
			"each client must trust that (the doctor does with --ca), else calls over TLS do not work"
		if acme || ofStaging(leaf) {
			f.Change = "staging? then --ca, with the root certificate of that ACME server; browsers take no certificate of staging, so leave --acme-directory away in the end"
		}
	case left < expirySoon:
		f.Verdict, f.Detail = isWarning, fmt.Sprintf("it ends in %d days, on %s", days, end)
		f.Change = "renew it: with --domain look into the server's log why ACME does not, with --cert put new files in place"
	default:
		f.Verdict, f.Detail = isFine, fmt.Sprintf("for %s, trusted, %d days left", host, days)
	}
	return f
}

// namesOf lists what a certificate is for.
func namesOf(c *x509.Certificate) string {
	list := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	if len(list) == 0 {
		return "nobody"
	}
	return strings.Join(list, " ")
}

// checkRedirect asks the TLS port in the clear, as somebody does who writes the
// port and forgets the s of https.
func (d *doctor) checkRedirect(ctx context.Context) {
	answer, err := within(ctx, d.limit, d.askPlain)
	f := finding{Verdict: isWarning, What: "redirect", Change: "it only helps who forgets the s of https; if a proxy stands in front, let it redirect"}
	switch {
	case err != nil:
		f.Detail = fmt.Sprintf("plain HTTP on port %d: %v", d.target.port(), err)
	case strings.HasPrefix(answer.location, "https://"):
		f = finding{Verdict: isFine, What: "redirect", Detail: "plain HTTP on this port leads to " + answer.location}
	default:
		f.Detail = "plain HTTP on this port is answered with " + answer.status
	}
	d.tell(f)
}

// plainAnswer is the head of an answer to a request in the clear.
type plainAnswer struct {
	code             int
	status, location string
}

// askPlain makes a request in the clear.
func (d *doctor) askPlain(ctx context.Context) (plainAnswer, error) {
	conn, err := d.target.dial(ctx, d.target.port())
	if err != nil {
		return plainAnswer{}, err
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end) // a closed connection shows in the next line
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+d.target.url.Host+"\r\nConnection: close\r\n\r\n"); err != nil {
		return plainAnswer{}, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return plainAnswer{}, err
	}
	_ = resp.Body.Close() // only its head matters
	answer := plainAnswer{code: resp.StatusCode, status: resp.Status}
	if resp.StatusCode/100 == 3 {
		answer.location = resp.Header.Get("Location")
	}
	return answer, nil
}
