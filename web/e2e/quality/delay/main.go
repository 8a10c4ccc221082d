// Command delay stands in for a long cable, where the kernel has no netem: it
// makes two TUN devices and passes every packet from one to the other, both
// ways and in order, after holding it for a while. Its caller moves the devices
// into the namespaces that the cable is to join; they go when it ends, which it
// does when its standard input closes.
//
//	delay -hold 25ms one other
//
// It prints "ready" when the devices are there.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "delay:", err)
		os.Exit(1)
	}
}

func run() error {
	hold := flag.Duration("hold", 0, "how long each packet is held, each way")
	flag.Parse()
	if flag.NArg() != 2 {
		return errors.New("two names of devices are needed")
	}
	var ends [2]io.ReadWriter
	for i := range ends {
		device, err := openTUN(flag.Arg(i))
		if err != nil {
			return fmt.Errorf("make the device %s: %w", flag.Arg(i), err)
		}
		defer device.Close()
		ends[i] = device
	}
	failed := make(chan error, 2)
	for i := range ends {
		go func() { failed <- carry(ends[1-i], ends[i], *hold) }()
	}
	closed := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // any end of it is the end
		close(closed)
	}()
	fmt.Println("ready")
	select {
	case err := <-failed:
		return err
	case <-closed:
		return nil
	}
}

// The largest packet that a device hands over, and how many may be held at
// once: a second of 50 Mb/s.
const (
	largest = 1500
	most    = 4096
)

type packet struct {
	due  time.Time
	data []byte
}

// carry passes packets on until a device fails. What cannot be held is lost, as
// on any link.
func carry(to io.Writer, from io.Reader, hold time.Duration) error {
	held := make(chan packet, most)
	failed := make(chan error, 1)
	go func() { failed <- read(held, from, hold) }()
	for {
		select {
		case err := <-failed:
			return err
		case p := <-held:
			time.Sleep(time.Until(p.due))
			// A device refuses packets until it is up; the cable has no use for those.
			_, _ = to.Write(p.data)
		}
	}
}

func read(held chan<- packet, from io.Reader, hold time.Duration) error {
	buf := make([]byte, largest)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return fmt.Errorf("read from a device: %w", err)
		}
		select {
		case held <- packet{time.Now().Add(hold), append([]byte(nil), buf[:n]...)}:
		default:
		}
	}
}
