package sfu

import "errors"

// Codes of [Error]; they are the `code` of the wire protocol's error message.
const (
	codeRejected = "sdp_rejected"
	codeMedia    = "media_failed"
	codeInternal = "internal"
)

// ErrClosed says that the Peer or the Engine has been closed.
var ErrClosed = errors.New("closed")

// Error is what Answer, Join and NewPeer return: a reason for people, which
// may be shown to the client, and a stable code for programs.
type Error struct {
	code string
	text string
	err  error
}

// Code returns "sdp_rejected" (the offer cannot be answered), "media_failed"
// (the two sides of a room share no codec) or "internal" (anything else).
func (e *Error) Code() string { return e.code }

// Error returns what was wrong, with the cause if there is one.
func (e *Error) Error() string {
	if e.err == nil {
		return "sfu: " + e.text
	}

	return "sfu: " + e.text + ": " + e.err.Error()
}

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.err }

func rejected(text string, err error) *Error { return &Error{code: codeRejected, text: text, err: err} }
func internal(text string, err error) *Error { return &Error{code: codeInternal, text: text, err: err} }
