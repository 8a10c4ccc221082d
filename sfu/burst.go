package sfu

// burst is what one reading of the sockets makes the relay send.
type burst struct{}
