package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// matchChild is the server of `loadtest match` in a process of its own.
type matchChild struct {
	cmd     *exec.Cmd
	orders  io.WriteCloser
	replies *json.Decoder
	errs    *said
	url     string
}

// startMatchChild starts this program as that server, on all processors.
func startMatchChild(ctx context.Context) (*matchChild, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	// It ends with its input, in order, also when ctx does.
	c := &matchChild{cmd: exec.CommandContext(context.WithoutCancel(ctx), self, hostMode, matchKind), errs: &said{}}
	c.cmd.Env = append(os.Environ(), asProgram+"=1")
	c.cmd.Stderr = c.errs
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.orders, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	c.replies = json.NewDecoder(out)
	first, err := c.hear()
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	c.url = first.URL

	return c, nil
}

// do has the server obey an order.
func (c *matchChild) do(o matchOrder) (*matchInside, error) {
	if err := json.NewEncoder(c.orders).Encode(o); err != nil {
		return nil, fmt.Errorf("the server has gone: %w: %s", err, c.errs)
	}
	r, err := c.hear()

	return r.Report, err
}

func (c *matchChild) hear() (r matchReply, err error) {
	if err := c.replies.Decode(&r); err != nil {
		return r, fmt.Errorf("the server has gone: %w: %s", err, c.errs)
	}

	return r, nil
}

func (c *matchChild) pid() int { return c.cmd.Process.Pid }

// close ends the process and waits for it.
func (c *matchChild) close() error {
	err := c.orders.Close()
	kill := time.AfterFunc(closeTime+endTime, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	if waited := c.cmd.Wait(); waited != nil {
		return fmt.Errorf("the server ended with %w: %s", waited, c.errs)
	}

	return err
}
