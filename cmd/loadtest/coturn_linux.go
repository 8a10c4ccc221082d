package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"time"

	"github.com/pion/stun/v4"
	"golang.org/x/sys/unix"
)

// coturnMissing says why coturn cannot be measured here.
func coturnMissing() error {
	if _, err := exec.LookPath("turnserver"); err != nil {
		return errors.New("turnserver is not installed (Debian's package coturn has it)")
	}

	return nil
}

// coturn relays one side of each pair, which speaks ChannelData; the other side
// sends to the relayed address and speaks plain UDP. So each packet passes once.
type coturn struct {
	cmd     *exec.Cmd
	folder  string
	address netip.AddrPort
	pump    *pump
}

func startCoturn(ctx context.Context, d *dialer, place placing) (rig, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "loadtest-coturn-")
	if err != nil {
		return nil, err
	}
	c := &coturn{folder: folder, address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port), pump: d.pump}
	c.cmd = exec.CommandContext(ctx, "turnserver", "-n", "--no-auth", "--no-cli", "--no-tls", "--no-dtls", "--no-tcp",
		"--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--listening-port", fmt.Sprint(port),
		"--allow-loopback-peers", "--relay-threads", "1", "--userdb", folder+"/db", "--pidfile", folder+"/pid",
		"--log-file", folder+"/log", "--simple-log")
	if err := place.start(c.cmd); err != nil {
		return nil, errors.Join(fmt.Errorf("start coturn: %w", err), os.RemoveAll(folder))
	}
	if err := c.await(ctx); err != nil {
		said, _ := os.ReadFile(folder + "/log")

		return nil, errors.Join(fmt.Errorf("start coturn: %w\n%s", err, said), c.close())
	}

	return c, nil
}

// freePort finds a port that nobody uses; coturn cannot be asked for its own.
func freePort(ctx context.Context) (uint16, error) {
	var listen net.ListenConfig
	conn, err := listen.ListenPacket(ctx, "udp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	address := conn.LocalAddr().(*net.UDPAddr).AddrPort()

	return address.Port(), conn.Close()
}

// await asks until the server answers.
func (c *coturn) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		fd, err := openSocket(c.address)
		if err != nil {
			return err
		}
		_, err = transact(ctx, fd, 200*time.Millisecond, stun.BindingRequest)
		if err = errors.Join(err, closeSocket(fd)); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// transact sends a request and waits for its success. Nobody else reads fd.
func transact(ctx context.Context, fd int, limit time.Duration, setters ...stun.Setter) (*stun.Message, error) {
	m, err := stun.Build(append([]stun.Setter{stun.TransactionID}, setters...)...)
	if err != nil {
		return nil, err
	}
	if err := write(fd, m.Raw); err != nil {
		return nil, err
	}
	b := make([]byte, maxPacket)
	for deadline := time.Now().Add(limit); time.Now().Before(deadline) && ctx.Err() == nil; {
		ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, int(limit.Milliseconds())); err != nil && !errors.Is(err, unix.EINTR) {
			return nil, os.NewSyscallError("poll", err)
		}
		n, err := unix.Read(fd, b)
		if err != nil {
			if errors.Is(err, unix.EAGAIN) {
				continue
			}

			return nil, os.NewSyscallError("read", err)
		}
		r := &stun.Message{Raw: b[:n]}
		if r.Decode() != nil || r.TransactionID != m.TransactionID {
			continue
		}
		if r.Type.Class != stun.ClassSuccessResponse {
			return nil, fmt.Errorf("the TURN server refuses: %v", r)
		}

		return r, nil
	}

	return nil, errors.New("the TURN server does not answer")
}

// pair gives one client an allocation with a channel to the other.
func (c *coturn) pair(ctx context.Context, _ string) (users [2]user, err error) {
	near, err := openSocket(c.address)
	if err != nil {
		return users, err
	}
	far, err := c.allocate(ctx, near)
	if err != nil {
		return users, errors.Join(err, closeSocket(near))
	}
	var made [2]*client
	for i, fd := range []int{near, far} {
		if made[i], err = newClient(c.pump, fd, newSSRCs(), nil); err != nil {
			return users, errors.Join(err, closeSocket(near), closeSocket(far))
		}
		users[i] = made[i]
	}
	c.pump.with(func() { made[0].channel = channelNumber })
	marry(made[0], made[1])

	return users, nil
}

// allocate makes an allocation for near and a channel in it to a new socket,
// which it returns (RFC 8656 sections 7 and 12).
func (c *coturn) allocate(ctx context.Context, near int) (far int, err error) {
	udp := stun.RawAttribute{Type: stun.AttrRequestedTransport, Length: 4, Value: []byte{17, 0, 0, 0}}
	m, err := transact(ctx, near, 2*time.Second, stun.NewType(stun.MethodAllocate, stun.ClassRequest), udp)
	if err != nil {
		return -1, fmt.Errorf("allocate: %w", err)
	}
	var relayed stun.XORMappedAddress
	if err := relayed.GetFromAs(m, stun.AttrXORRelayedAddress); err != nil {
		return -1, fmt.Errorf("allocate: %w", err)
	}
	ip, _ := netip.AddrFromSlice(relayed.IP)
	if far, err = openSocket(netip.AddrPortFrom(ip.Unmap(), uint16(relayed.Port))); err != nil {
		return -1, err
	}
	local, err := localAddress(far)
	if err != nil {
		return -1, errors.Join(err, closeSocket(far))
	}
	number := stun.RawAttribute{Type: stun.AttrChannelNumber, Length: 4, Value: []byte{channelNumber >> 8, channelNumber & 0xff, 0, 0}}
	if _, err := transact(ctx, near, 2*time.Second, stun.NewType(stun.MethodChannelBind, stun.ClassRequest), number, peerAddress(local)); err != nil {
		return -1, errors.Join(fmt.Errorf("bind a channel: %w", err), closeSocket(far))
	}

	return far, nil
}

// peerAddress is the attribute XOR-PEER-ADDRESS.
type peerAddress netip.AddrPort

// AddTo implements stun.Setter.
func (p peerAddress) AddTo(m *stun.Message) error {
	a := netip.AddrPort(p)

	return stun.XORMappedAddress{IP: a.Addr().AsSlice(), Port: int(a.Port())}.AddToAs(m, stun.AttrXORPeerAddress)
}

func (*coturn) alone(context.Context) (user, error) { return nil, errNotAlone }

func (c *coturn) pid() int { return c.cmd.Process.Pid }

func (*coturn) heap() (*heapReport, error) { return nil, nil } //nolint:nilnil // none of ours: see rig

// close ends the process, which ends with an error when it is told to.
func (c *coturn) close() error {
	_ = c.cmd.Process.Signal(unix.SIGTERM)
	kill := time.AfterFunc(3*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	_ = c.cmd.Wait()

	return os.RemoveAll(c.folder)
}
