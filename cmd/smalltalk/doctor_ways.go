package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pion/ice/v4"
)

// wayIn is one of the ways by which media reaches the server.
type wayIn struct {
	network ice.NetworkType // for relay UDP, which is what is inside
	relay   bool
}

func (w wayIn) String() string {
	ip := "IPv4"
	if w.network.IsIPv6() {
		ip = "IPv6"
	}
	switch {
	case w.relay:
		return "way TURN/TLS"
	case w.network.IsTCP():
		return "way ICE-TCP " + ip
	}
	return "way UDP " + ip
}

// path is the name of the way for programs.
func (w wayIn) path() string {
	switch {
	case w.relay:
		return "relay"
	case w.network.IsTCP():
		return "tcp"
	}
	return "udp"
}

// directWays are the ways without a relay.
func directWays() []wayIn {
	return []wayIn{
		{network: ice.NetworkTypeUDP4}, {network: ice.NetworkTypeUDP6},
		{network: ice.NetworkTypeTCP4}, {network: ice.NetworkTypeTCP6},
	}
}

// checkWays looks at what the server offers and tries it all, one after another.
func (d *doctor) checkWays(ctx context.Context, g *guestSession) {
	first, err := within(ctx, d.limit, func(ctx context.Context) (*negotiation, error) { return negotiate(ctx, g) })
	if err != nil {
		d.tell(finding{Verdict: isFailure, What: "candidates", Detail: "the server does not answer an offer: " + err.Error(), Change: "look into the server's log"})
		return
	}
	for _, f := range judgeCandidates(first.candidates, d.outside(), d.named) {
		d.tell(f)
	}
	for _, w := range directWays() {
		if offered := w.of(first.candidates); len(offered) == 0 || !d.local && allUnroutable(offered) {
			d.tell(notTried(w, len(offered) > 0))
			continue
		}
		// The server answers few offers at once: the first is used, not wasted.
		d.tell(d.try(ctx, g, w, first, func(ctx context.Context, n *negotiation) (wayFound, error) { return n.connect(ctx, w) }))
		first = first.spent()
	}
	d.checkRelay(ctx, g, first)
}

// checkRelay tries TURN over TLS.
func (d *doctor) checkRelay(ctx context.Context, g *guestSession, n *negotiation) {
	// Inside the relay the family is that of the server's own candidates.
	w := wayIn{network: ice.NetworkTypeUDP4, relay: true}
	if len(w.of(n.candidates)) == 0 {
		w.network = ice.NetworkTypeUDP6
	}
	server, ok := relayServer(g.welcome.ICEServers)
	if !ok {
		d.tell(noRelay(d.target.encrypted() || d.local && len(d.settings.proxies) > 0))
		return
	}
	d.tell(d.try(ctx, g, w, n, func(ctx context.Context, n *negotiation) (wayFound, error) {
		conn, err := d.dialRelay(ctx, server, w.of(n.candidates))
		if err != nil {
			return wayFound{}, err
		}
		return n.connectRelay(ctx, w, server, conn)
	}))
}

// noRelay says how to get the way by TURN over TLS where it is not offered.
func noRelay(behindProxy bool) finding {
	f := finding{Verdict: isWarning, What: wayIn{relay: true}.String(), Detail: "not offered: it takes TLS",
		Change: "serve HTTPS with --domain or --cert: without this way nobody gets in whose network lets only TLS pass"}
	if behindProxy {
		f.Change = "a proxy in front takes TLS off, so it cannot be had on its port: give Small Talk its own TLS (--cert, --key, --media-listen), " +
			"and at the same time let the proxy speak HTTPS to it, else its pages redirect in a loop"
	}
	return f
}

// try connects by one way and says how that went. A negotiation that was used is
// made anew.
func (d *doctor) try(ctx context.Context, g *guestSession, w wayIn, n *negotiation, connect func(context.Context, *negotiation) (wayFound, error)) finding {
	found, err := within(ctx, d.limit, func(ctx context.Context) (wayFound, error) {
		if n.used {
			fresh, err := negotiate(ctx, g)
			if err != nil {
				return wayFound{}, fmt.Errorf("the server does not answer an offer: %w", err)
			}
			n = fresh
		}
		return connect(ctx, n)
	})
	if err != nil {
		if ctx.Err() != nil {
			return finding{Verdict: isWarning, What: w.String(), Detail: "not tried: the time for all checks is over", Change: "see to the failures above and run the doctor again"}
		}
		if d.local && !w.relay && allForeign(w.of(n.candidates)) {
			return fromInside(w, err)
		}
		return wayFailed(w, w.of(n.candidates), d.outside(), err)
	}
	return finding{Verdict: isFine, What: w.String(), Detail: found.text(), Way: &found}
}

// of lists the candidates that belong to a way.
func (w wayIn) of(list []ice.Candidate) []ice.Candidate {
	var own []ice.Candidate
	for _, c := range list {
		if c.NetworkType() == w.network {
			own = append(own, c)
		}
	}
	return own
}

// allUnroutable says whether this machine has no way to any of the candidates.
func allUnroutable(list []ice.Candidate) bool {
	return !slices.ContainsFunc(list, func(c ice.Candidate) bool { return !noRoute(addressOf(c)) })
}

// allForeign says whether none of the candidates is an address of this machine.
func allForeign(list []ice.Candidate) bool {
	own, err := hostAddresses()
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(list, func(c ice.Candidate) bool {
		return slices.ContainsFunc(own, func(a hostAddress) bool { return a.ip == addressOf(c).Addr() })
	})
}

// fromInside is about a way that the server itself does not find: that is no
// proof, as a NAT need not lead back those who are behind it.
func fromInside(w wayIn, err error) finding {
	return finding{Verdict: isWarning, What: w.String(), Detail: err.Error() + ", from the server to its public address",
		Change: "many NATs do not lead back from inside: run the doctor on a machine elsewhere, with the server's address"}
}

// addressOf is where a candidate is.
func addressOf(c ice.Candidate) netip.AddrPort {
	ip, err := netip.ParseAddr(c.Address())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(c.Port()))
}

// notTried says why a way was passed over.
func notTried(w wayIn, offered bool) finding {
	f := finding{Verdict: isWarning, What: w.String()}
	switch {
	case offered:
		ip := map[bool]string{false: "IPv4", true: "IPv6"}[w.network.IsIPv6()]
		f.Detail, f.Change = "not tried: this machine has no way to "+ip+" addresses", "run the doctor from a machine with "+ip+" as well"
	case w.network.IsTCP():
		f.Detail, f.Change = "not offered", "let --listen and --media-listen have the same port and addresses, so that calls get in over TCP where UDP is blocked"
	case w.network.IsIPv6():
		f.Detail, f.Change = "not offered: the server has no IPv6 address", "give the machine one, or name it with --public-address: some networks have only IPv6"
	default:
		f.Detail, f.Change = "not offered: the server has no IPv4 address", "give the machine one, or name it with --public-address: many networks have only IPv4"
	}
	return f
}

// wayFailed says what to do about a way that did not work.
func wayFailed(w wayIn, offered []ice.Candidate, outside bool, err error) finding {
	f := finding{Verdict: isFailure, What: w.String(), Detail: err.Error()}
	places, port := make([]string, 0, len(offered)), 0
	for _, c := range offered {
		places, port = append(places, addressOf(c).String()), c.Port()
		outside = outside && private(addressOf(c).Addr())
	}
	at := strings.Join(places, ", ")
	var bad *tls.CertificateVerificationError
	refused := (*refusal)(nil)
	switch {
	case errors.As(err, &refused):
		f.Change = "the server itself refused: look into its log; if it says rate_limited, wait a minute"
	case errors.As(err, &bad):
		f.Change = "browsers give up here without a word: see to the certificate, above"
	case w.relay:
		f.Change = "whoever stands in front of this port must pass TLS on as it is, not take it off (a proxy or CDN in front does)"
	case errors.Is(err, errDTLS):
		f.Change = "small packets pass and large ones do not, or the way is cut at once: look at the MTU and at what inspects traffic"
	case outside:
		f.Change = fmt.Sprintf("the server names only addresses of its own network (%s): give the public one with --public-address", at)
	case w.network.IsTCP():
		f.Change = fmt.Sprintf("open TCP port %d to %s, in the firewall and that of the hosting provider, and forward it behind NAT; nothing may take TLS off there", port, at)
	default:
		f.Change = fmt.Sprintf("open UDP port %d to %s, in the firewall and that of the hosting provider, and forward it behind NAT; until then calls take TCP, which stutters", port, at)
	}
	return f
}

// outside says whether the server is meant for clients elsewhere: there a
// private address is of no use to them.
func (d *doctor) outside() bool {
	if d.local {
		return d.settings.encrypted() && (len(d.settings.Domain) > 0 || len(d.settings.public) > 0)
	}
	return slices.ContainsFunc(d.target.reached, func(ip netip.Addr) bool { return !private(ip) && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() })
}

// judgeCandidates lists what is offered, and what is wrong with that. outside
// says that there are clients in other networks; named is where the server's
// name leads, nil if it has none.
func judgeCandidates(list []ice.Candidate, outside bool, named []netip.Addr) []finding {
	var (
		udp     []netip.Addr
		useless []string
		detail  []string
		port    int
	)
	for _, c := range list {
		at := addressOf(c)
		detail = append(detail, fmt.Sprintf("%s %s", c.NetworkType().NetworkShort(), at))
		if !c.NetworkType().IsUDP() {
			continue
		}
		udp, port = append(udp, at.Addr()), c.Port()
		if at.Addr().IsLinkLocalUnicast() || outside && (private(at.Addr()) || at.Addr().IsLoopback()) {
			useless = append(useless, at.Addr().String())
		}
	}
	f := finding{Verdict: isFine, What: "candidates", Detail: strings.Join(detail, ", ")}
	switch {
	case len(list) == 0:
		return []finding{{Verdict: isFailure, What: "candidates", Detail: "the server offers no address for media", Change: "look at --media-listen and into the server's log"}}
	case len(useless) == len(udp):
		f.Verdict = isWarning
		f.Change = "clients elsewhere cannot reach " + strings.Join(useless, ", ") + ": give the address under which they reach the server with --public-address"
	case outside && len(named) > 0 && !slices.ContainsFunc(udp, func(ip netip.Addr) bool { return slices.Contains(named, ip) }):
		f.Verdict = isWarning
		f.Change = fmt.Sprintf("the server's name leads elsewhere, to %s: that is right only if a proxy stands in front; else correct DNS or --public-address", named[0])
	}
	all := []finding{f}
	if ignoredByChromium(udp, port) {
		all = append(all, finding{Verdict: isWarning, What: "candidates", Detail: fmt.Sprintf("only private addresses, with port %d", port),
			Change: "Chromium ignores private addresses with ports below 1024 without a word: use a port of 1024 or more (--media-listen), or give --public-address"})
	}
	return all
}
