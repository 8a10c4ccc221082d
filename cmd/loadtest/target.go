package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// target is a relay that can be measured.
type target struct {
	name string
	what string
	// missing says why it cannot run here, nil if it can.
	missing func() error
	start   func(ctx context.Context, d *dialer, place placing) (rig, error)
}

// rig is a running target.
type rig interface {
	// pair connects two clients that hear each other.
	pair(ctx context.Context, room string) ([2]user, error)
	// alone connects a client without a partner.
	alone(ctx context.Context) (user, error)
	pid() int
	// heap reports on the server's memory, nil if it is none of ours.
	heap() (*heapReport, error)
	close() error
}

// user is a connected client, with what must be closed for it.
type user interface {
	media() *client
	close() error
}

func (c *client) media() *client { return c }

// targets are all there are, the first ones first in tables. naive, srtp-echo,
// udp-echo and coturn are what the others are compared with.
func targets() []target {
	return []target{
		{"fast", "this server, SRTP outside of Pion", nil, startOffered("fast")},
		{"pion", "this server, media through Pion's tracks", nil, startOffered("pion")},
		{"naive", "a relay as first written with Pion: default interceptors, ReadRTP, WriteRTP", nil, startOffered("naive")},
		{"srtp-echo", "receive, decrypt, encrypt, send in batches and nothing else", nil, startEcho("srtp-echo", true)},
		{"udp-echo", "receive and send in batches, no crypto", nil, startEcho("udp-echo", false)},
		{"coturn", "TURN server, one side by ChannelData, no crypto", coturnMissing, startCoturn},
	}
}

// baselines are the targets that the others' cost is divided by.
var baselines = [...]string{"naive", "srtp-echo", "udp-echo", "coturn"}

// pick returns the targets of a list of names, in that order.
func pick(list string) (picked []target, err error) {
	all := targets()
	if list == "" {
		return all, nil
	}
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = t.name
	}
	for name := range strings.SplitSeq(list, ",") {
		found := false
		for _, t := range all {
			if t.name == strings.TrimSpace(name) {
				picked, found = append(picked, t), true
			}
		}
		if !found {
			return nil, fmt.Errorf("--targets: there is no %q; there are %s", name, strings.Join(names, ","))
		}
	}

	return picked, nil
}

var errNotAlone = errors.New("this target knows no clients without a partner")

// offered is a server that answers offers.
type offered struct {
	*child
	dialer *dialer
}

func startOffered(kind string) func(context.Context, *dialer, placing) (rig, error) {
	return func(ctx context.Context, d *dialer, place placing) (rig, error) {
		c, err := startChild(ctx, kind, place)
		if err != nil {
			return nil, err
		}

		return &offered{child: c, dialer: d}, nil
	}
}

func (o *offered) connect(ctx context.Context, room string) (*connection, error) {
	return o.dialer.dial(ctx, func(_ context.Context, offer string) (string, error) {
		r, err := o.do(order{Room: room, Offer: offer})

		return r.Answer, err
	})
}

func (o *offered) pair(ctx context.Context, room string) (users [2]user, err error) {
	var made [2]*connection
	for i := range made {
		if made[i], err = o.connect(ctx, room); err != nil {
			if i == 1 {
				err = errors.Join(err, made[0].close())
			}

			return users, err
		}
		users[i] = made[i]
	}
	marry(made[0].client, made[1].client)

	return users, nil
}

func (o *offered) alone(ctx context.Context) (user, error) { return o.connect(ctx, "") }

// marry makes two clients expect each other's media and nobody else's.
func marry(a, b *client) {
	a.pump.with(func() { a.partner, b.partner = b.slot, a.slot })
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) heap() (*heapReport, error) {
	r, err := c.do(order{})

	return r.Report, err
}

// echo is a server that forwards between two addresses.
type echo struct {
	*child
	pump  *pump
	crypt bool
}

func startEcho(kind string, crypt bool) func(context.Context, *dialer, placing) (rig, error) {
	return func(ctx context.Context, d *dialer, place placing) (rig, error) {
		c, err := startChild(ctx, kind, place)
		if err != nil {
			return nil, err
		}

		return &echo{child: c, pump: d.pump, crypt: crypt}, nil
	}
}

func (e *echo) pair(_ context.Context, _ string) (users [2]user, err error) {
	var o order
	var made [2]*client
	defer func() {
		for _, c := range made {
			if err != nil && c != nil {
				err = errors.Join(err, c.close())
			}
		}
	}()
	for i := range made {
		fd, err := openSocket(e.address)
		if err != nil {
			return users, err
		}
		if made[i], err = newClient(e.pump, fd, newSSRCs(), nil); err != nil {
			return users, errors.Join(err, closeSocket(fd))
		}
		if e.crypt {
			if err := made[i].setKeys(fixedKeys()); err != nil {
				return users, err
			}
		}
		if o.Link[i], err = localAddress(fd); err != nil {
			return users, err
		}
		users[i] = made[i]
	}
	marry(made[0], made[1])
	_, err = e.do(o)

	return users, err
}

func (*echo) alone(context.Context) (user, error) { return nil, errNotAlone }
