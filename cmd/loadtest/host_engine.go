package main

import (
	"net"
	"net/netip"

	"smalltalk/sfu"
)

// engineHost is our own media plane.
type engineHost struct{ engine *sfu.Engine }

func newEngineHost(conn *net.UDPConn, plane string) (*engineHost, error) {
	engine, err := sfu.New(sfu.Config{UDP: []net.PacketConn{conn}, IncludeLoopback: true, MediaPlane: plane})
	if err != nil {
		return nil, err
	}

	return &engineHost{engine: engine}, nil
}

func (h *engineHost) answer(room, offer string) (string, error) {
	peer, err := h.engine.NewPeer()
	if err != nil {
		return "", err
	}
	text, err := peer.Answer(offer)
	if err != nil || room == "" {
		return text, err
	}

	return text, peer.Join(room)
}

func (*engineHost) link(_, _ netip.AddrPort) error { return errNoLinks }

func (h *engineHost) close() error { return h.engine.Close() }
