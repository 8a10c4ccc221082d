package main

import (
	"fmt"
	"math"
	"slices"

	"smalltalk/signaling"
)

// accesses are the ways to let people in.
var accesses = []signaling.Access{signaling.AccessOpen, signaling.AccessGuestsOff, signaling.AccessInvite, signaling.AccessDomain}

// Bounds of --password-memory, in MiB: less is too quick to guess, more is too
// much for a server that does a few at a time.
const (
	minPasswordMemory = 19
	maxPasswordMemory = 1024
)

// maxAddressLimit bounds --address-limit: what is more is 0, no limit.
const maxAddressLimit = 1000

// checkPeople refuses settings of who gets in that cannot work.
func (s *settings) checkPeople() error {
	if !slices.Contains(accesses, signaling.Access(s.Access)) {
		return fmt.Errorf("--access %q is none of open, guests-off, invite and domain", s.Access)
	}
	if s.PasswordMemory < minPasswordMemory || s.PasswordMemory > maxPasswordMemory {
		return fmt.Errorf("--password-memory %d is out of range: %d to %d MiB", s.PasswordMemory, minPasswordMemory, maxPasswordMemory)
	}
	if s.AddressLimit < 0 || s.AddressLimit > maxAddressLimit || math.IsNaN(s.AddressLimit) {
		return fmt.Errorf("--address-limit %v is out of range: 0 to %d", s.AddressLimit, maxAddressLimit)
	}
	return s.checkMail()
}

// limits are those of signaling.
func (s *settings) limits() signaling.Limits {
	return signaling.Limits{MailsAll: signaling.Hourly(s.MailLimit)}.OfAddresses(s.AddressLimit)
}

// hashing is the cost of a password's hash.
func (s *settings) hashing() signaling.Hashing {
	return signaling.Hashing{MemoryKiB: uint32(s.PasswordMemory) << 10}
}
