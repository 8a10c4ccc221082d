package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
)

// relayAccess is a TURN server and how to sign in there.
type relayAccess struct {
	*stun.URI
	user, password string
}

// relayServer finds the server's TURN over TLS among what it named.
func relayServer(list []iceServer) (relayAccess, bool) {
	for _, s := range list {
		for _, text := range s.URLs {
			u, err := stun.ParseURI(text)
			if err == nil && u.Scheme == stun.SchemeTypeTURNS && u.Proto == stun.ProtoTypeTCP {
				return relayAccess{u, s.Username, s.Credential}, true
			}
		}
	}
	return relayAccess{}, false
}

// dialRelay opens TLS to a TURN server, with the strictness of a browser: unlike
// a page, a call cannot go on after a warning. On the server itself its name
// need not lead back to it, so its own addresses are tried as well.
func (d *doctor) dialRelay(ctx context.Context, server relayAccess, offered []ice.Candidate) (net.Conn, error) {
	var list []netip.Addr
	if strings.EqualFold(server.Host, d.target.host()) {
		list = slices.Clone(d.target.reached)
	} else if found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", server.Host); err == nil {
		list = found
	} else {
		return nil, fmt.Errorf("resolve the TURN server's name: %w", err)
	}
	if d.local {
		for _, c := range offered {
			list = append(list, addressOf(c).Addr())
		}
	}
	conn, err := dialFirst(ctx, list, uint16(server.Port))
	if err != nil {
		return nil, fmt.Errorf("connect to the TURN server: %w", err)
	}
	c := tls.Client(conn, &tls.Config{ServerName: server.Host, RootCAs: d.roots, MinVersion: tls.VersionTLS12})
	if err := c.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS to the TURN server: %w", err)
	}
	return c, nil
}

// connectRelay connects through TURN only, and closes the connection to it.
func (n *negotiation) connectRelay(ctx context.Context, w wayIn, server relayAccess, conn net.Conn) (wayFound, error) {
	defer conn.Close()
	// Closing the connection is the only way to end an allocation that hangs.
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	wanted := turn.RequestedAddressFamilyIPv4
	if w.network.IsIPv6() {
		wanted = turn.RequestedAddressFamilyIPv6
	}
	client, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: conn.RemoteAddr().String(), Conn: turn.NewSTUNConn(conn), LoggerFactory: noLogs(),
		Username: server.user, Password: server.password, RequestedAddressFamily: wanted,
	})
	if err != nil {
		return wayFound{}, fmt.Errorf("start TURN: %w", err)
	}
	defer client.Close()
	if err := client.Listen(); err != nil {
		return wayFound{}, fmt.Errorf("start TURN: %w", err)
	}
	relayed, err := client.Allocate()
	if err != nil {
		return wayFound{}, fmt.Errorf("get an allocation from the TURN server: %w", err)
	}
	defer relayed.Close()
	if _, ok := relayed.LocalAddr().(*net.UDPAddr); !ok {
		return wayFound{}, errors.New("the TURN server relays something else than UDP")
	}
	// To ICE the allocation is a socket like others.
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: relayed, Logger: noLogs().NewLogger("ice")})
	defer mux.Close()
	found, err := n.run(ctx, w, ice.WithUDPMux(mux), ice.WithNetworkTypes([]ice.NetworkType{w.network}))
	// The relayed address means nothing outside of the server.
	found.Local, found.Relay = conn.LocalAddr().String(), conn.RemoteAddr().String()
	return found, err
}
