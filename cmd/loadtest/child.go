package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"sync"
	"time"
)

// hostMode is the first argument of this program when it is to be a server.
const hostMode = "host"

// child is a server under test in a process of its own.
type child struct {
	cmd     *exec.Cmd
	orders  io.WriteCloser
	replies *json.Decoder
	errs    *said
	address netip.AddrPort

	mu sync.Mutex // one order at a time
}

// startChild starts this program as a server of a kind.
func startChild(ctx context.Context, kind string, place placing) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	c := &child{cmd: exec.CommandContext(ctx, self, hostMode, kind), errs: &said{}}
	c.cmd.Env = append(os.Environ(), "GOMAXPROCS=1", asProgram+"=1")
	c.cmd.Stderr = c.errs
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.orders, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := place.start(c.cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", kind, err)
	}
	c.replies = json.NewDecoder(out)
	var first reply
	if err := c.replies.Decode(&first); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w: %s", kind, err, c.errs), c.close())
	}
	c.address = first.Address

	return c, nil
}

// asProgram makes a test binary run as this program.
const asProgram = "SMALLTALK_LOADTEST_AS_PROGRAM"

// do has the child obey an order.
func (c *child) do(o order) (reply, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := json.Marshal(o)
	if err != nil {
		return reply{}, err
	}
	if _, err := c.orders.Write(append(b, '\n')); err != nil {
		return reply{}, fmt.Errorf("the server has gone: %w: %s", err, c.errs)
	}
	var r reply
	if err := c.replies.Decode(&r); err != nil {
		return r, fmt.Errorf("the server has gone: %w: %s", err, c.errs)
	}
	if r.Error != "" {
		return r, fmt.Errorf("the server says: %s", r.Error)
	}

	return r, nil
}

// close ends the process and waits for it.
func (c *child) close() error {
	err := c.orders.Close()
	kill := time.AfterFunc(5*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	if waited := c.cmd.Wait(); waited != nil {
		return fmt.Errorf("the server ended with %w: %s", waited, c.errs)
	}

	return err
}

// said keeps the beginning of what a process says, for errors.
type said struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

// Write implements io.Writer.
func (t *said) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.b.Len() < 4096 {
		t.b.Write(b)
	}

	return len(b), nil
}

// String returns what was said.
func (t *said) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()

	return string(bytes.TrimSpace(t.b.Bytes()))
}

// placing is where servers and virtual users run.
type placing struct {
	processors
	separate bool
	realtime bool
	spin     bool // virtual users never sleep while they are measured
	tick     time.Duration
}

// start starts a process where servers run.
func (p *placing) start(cmd *exec.Cmd) error {
	return p.onServer(p.realtime, cmd.Start)
}
