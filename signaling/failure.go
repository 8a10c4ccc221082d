package signaling

import (
	"errors"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// Error codes of the protocol. They are stable: clients branch on them.
const (
	codeBadMessage         = "bad_message"
	codeUnsupportedVersion = "unsupported_version"
	codeUnauthorized       = "unauthorized"
	codeRateLimited        = "rate_limited"
	codeReplaced           = "replaced"
	codeNotInCall          = "not_in_call"
	codeNotQueued          = "not_queued"
	codeAlreadyQueued      = "already_queued"
	codeUnknownTopic       = "unknown_topic"
	codeTooLarge           = "too_large"
	codeSDPRejected        = "sdp_rejected"
	codeMediaFailed        = "media_failed"
	codeServerFull         = "server_full"
	codeDraining           = "draining"
	codeNotFound           = "not_found"
	codeStorageFailing     = "storage_failing"
	codeInternal           = "internal"
	codeBadUsername        = "bad_username"
	codeUsernameTaken      = "username_taken"
	codeBadPassword        = "bad_password"
	codeWrongLogin         = "wrong_login"
	codeConfirm            = "confirm_required"
	codeAccountRequired    = "account_required"
	codeHasAccount         = "has_account"
	codeInvite             = "invite_required"
	codePasskey            = "passkey_rejected"
	codeLimit              = "limit_reached"
	codeLastWayIn          = "last_way_in"
	codeBlocked            = "blocked"
	codeBusy               = "busy"
	codeNotRinging         = "not_ringing"
	codeAlreadyRinging     = "already_ringing"
	codeBadEmail           = "bad_email"
	codeEmailTaken         = "email_taken"
	codeEmailDomain        = "email_domain"
	codeEmailRequired      = "email_required"
	codeEmailOff           = "email_off"
	codeWrongCode          = "wrong_code"
)

// What a client may do about an error.
const (
	retryNever  = "never"  // sending the same again gives the same answer
	retrySame   = "same"   // the same action may work at once, from its start
	retryLater  = "later"  // wait first: retry_after_ms when it is there
	retryReauth = "reauth" // get a new token or cookie, then again
)

// Close codes of the WebSocket (RFC 6455 section 7.4; 4000-4999 are ours to name).
const (
	closeRestart      = websocket.StatusServiceRestart
	closeNormal       = websocket.StatusNormalClosure
	closeBadMessage   = websocket.StatusCode(4400)
	closeUnauthorized = websocket.StatusCode(4401)
	closeReplaced     = websocket.StatusCode(4409)
	closeTooMany      = websocket.StatusCode(4429)
)

// failure is an error that reaches a client: a stable code for programs, a sentence for
// people and what may be done about it. The same value serves the WebSocket and HTTP.
type failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Retry   string `json:"retry"`
	// RetryAfterMS is how many milliseconds to wait, with Retry "later"; 0 when unknown.
	RetryAfterMS int64 `json:"retry_after_ms,omitempty"`
}

// Error implements error.
func (f *failure) Error() string { return f.Code + ": " + f.Message }

func badMessage(text string) *failure {
	return &failure{Code: codeBadMessage, Message: text, Retry: retryNever}
}

func badUsername(text string) *failure {
	return &failure{Code: codeBadUsername, Message: text, Retry: retryNever}
}

func badPassword(text string) *failure {
	return &failure{Code: codeBadPassword, Message: text, Retry: retryNever}
}

func unauthorized(text string) *failure {
	return &failure{Code: codeUnauthorized, Message: text, Retry: retryReauth}
}

func rateLimited(wait time.Duration) *failure {
	return &failure{
		Code: codeRateLimited, Message: "That was too often. Please wait a moment.",
		Retry: retryLater, RetryAfterMS: max(wait.Milliseconds(), 1),
	}
}

var (
	errInternal = &failure{Code: codeInternal, Message: "Something went wrong on the server.", Retry: retryLater}
	errDraining = &failure{
		Code: codeDraining, Message: "The server is restarting. Try again in a moment.",
		Retry: retryLater, RetryAfterMS: 1000,
	}
	errStorageFailing = &failure{
		Code: codeStorageFailing, Message: "Calls and matching go on, but the server cannot write to its disk. Its log says what to do.",
		Retry: retryLater, RetryAfterMS: 10_000,
	}
	errFull = &failure{
		Code: codeServerFull, Message: "The server is full. Try again later.",
		Retry: retryLater, RetryAfterMS: 30_000,
	}
	errReplaced = &failure{
		Code: codeReplaced, Message: "You went on in another window.", Retry: retryNever,
	}
	errSignedOut = &failure{
		Code: codeUnauthorized, Message: "You are logged out on this device.", Retry: retryReauth,
	}
	errBusy = &failure{
		Code: codeBusy, Message: "Too many people are logging in. Try again in a moment.",
		Retry: retryLater, RetryAfterMS: hashRetry.Milliseconds(),
	}
	// errCancelled is for a client that has gone; nobody reads it.
	errCancelled     = &failure{Code: codeBusy, Message: "The request was given up.", Retry: retrySame}
	errUsernameTaken = &failure{
		Code: codeUsernameTaken, Message: "Somebody has this user name, or one that looks like it.", Retry: retryNever,
	}
	errWrongLogin = &failure{
		Code: codeWrongLogin, Message: "This user name and password do not go together.", Retry: retryNever,
	}
	errWrongRecovery = &failure{
		Code: codeWrongLogin, Message: "This user name and recovery code do not go together.", Retry: retryNever,
	}
	errConfirm = &failure{
		Code: codeConfirm, Message: "Confirm this with your password, or by logging in with a passkey just before.", Retry: retryNever,
	}
	errWrongPassword   = &failure{Code: codeConfirm, Message: "That is not your password.", Retry: retryNever}
	errAccountRequired = &failure{Code: codeAccountRequired, Message: "This takes an account.", Retry: retryNever}
	errHasAccount      = &failure{Code: codeHasAccount, Message: "You have an account already. Log out first.", Retry: retryNever}
	errInvite          = &failure{Code: codeInvite, Message: "Signing up here takes an invitation that is still good.", Retry: retryNever}
	errPasskey         = &failure{Code: codePasskey, Message: "This passkey was not accepted.", Retry: retrySame}
	errNoGuests        = &failure{Code: codeUnauthorized, Message: "This server needs an account.", Retry: retryNever}
	errTooMany         = &failure{Code: codeLimit, Message: "There are as many of these as there may be.", Retry: retryNever}
	errLastWayIn       = &failure{Code: codeLastWayIn, Message: "Without this you could not log in any more. Set a password first.", Retry: retryNever}
	errNoPasskeys      = &failure{Code: codePasskey, Message: "Passkeys take a domain name; this address has none.", Retry: retryNever}
	errBadEmail        = &failure{Code: codeBadEmail, Message: "This is no e-mail address.", Retry: retryNever}
	errEmailTaken      = &failure{Code: codeEmailTaken, Message: "Another account has this e-mail address.", Retry: retryNever}
	errEmailOff        = &failure{Code: codeEmailOff, Message: "This server sends no mail, so it takes no e-mail addresses.", Retry: retryNever}
	errWrongCode       = &failure{Code: codeWrongCode, Message: "This code is wrong, used or too old. Take the newest, or ask for another.", Retry: retryNever}
	errEmailRequired   = &failure{
		Code: codeEmailRequired, Message: "This server wants an e-mail address that is shown to be yours.", Retry: retryNever,
	}
	errPostFull = &failure{
		Code: codeBusy, Message: "Too much mail waits to be sent. Try again in a moment.", Retry: retryLater, RetryAfterMS: sendTime.Milliseconds(),
	}
	errNotFound = &failure{Code: codeNotFound, Message: "There is nothing here.", Retry: retryNever}

	errNotYours = unauthorized("This session cannot be resumed.")
	errTooLarge = &failure{
		Code: codeTooLarge, Message: "That message is larger than 64 KiB.", Retry: retryNever,
	}
	errNotQueued = &failure{Code: codeNotQueued, Message: "You are not waiting.", Retry: retryNever}
	errInCall    = &failure{Code: codeAlreadyQueued, Message: "You are in a call; leave it first.", Retry: retryNever}
	errElsewhere = &failure{
		Code: codeAlreadyQueued, Message: "You are waiting or talking on another device.", Retry: retryLater, RetryAfterMS: 1000,
	}
	errConnecting   = &failure{Code: codeAlreadyQueued, Message: "You are being connected with a friend.", Retry: retryNever}
	errNotRinging   = &failure{Code: codeNotRinging, Message: "Nobody rings, or somebody was quicker.", Retry: retryNever}
	errRinging      = &failure{Code: codeAlreadyRinging, Message: "You are ringing somebody, or somebody rings you.", Retry: retryNever}
	errUnknownTopic = &failure{Code: codeUnknownTopic, Message: "There is no such topic.", Retry: retryNever}
	errNotInCall    = &failure{
		Code: codeNotInCall, Message: "You are not in this call.", Retry: retryNever,
	}
	errTooLate = &failure{
		Code: codeNotInCall, Message: "It is too late to ask this partner back.", Retry: retryNever,
	}
	errPeerAway = &failure{
		Code: codeNotInCall, Message: "Your partner cannot be reached just now. Try again in a moment.",
		Retry: retryLater, RetryAfterMS: 1000,
	}
	errMediaGone = &failure{
		Code: codeMediaFailed, Message: "The media connection is gone; make a new one.", Retry: retrySame,
	}
	errMediaFailed = &failure{
		Code: codeMediaFailed, Message: "Your devices have no video or audio format in common.",
		Retry: retryNever,
	}
)

// codedError is how a Peer marks an error that the client may know of.
type codedError interface {
	error
	Code() string
}

// loggable is the text of a Peer's error for the log. Of a marked one only the code, because
// the rest may quote SDP.
func loggable(err error) string {
	var coded codedError
	if errors.As(err, &coded) {
		return coded.Code()
	}
	return err.Error()
}

// mediaFailure turns an error of a Peer into one for the client. Peers mark theirs with a
// Code method; a code that the protocol does not name stays inside the server.
func mediaFailure(err error) *failure {
	var coded codedError
	if !errors.As(err, &coded) {
		return errInternal
	}
	switch coded.Code() {
	case codeSDPRejected:
		return &failure{
			Code: codeSDPRejected, Message: "The server cannot use this media offer.", Retry: retryNever,
		}
	case codeMediaFailed:
		return errMediaFailed
	default:
		return errInternal
	}
}

// status is the HTTP status that fits the failure.
func (f *failure) status() int {
	switch f.Code {
	case codeBadMessage, codeUnsupportedVersion, codeBadUsername, codeBadPassword, codePasskey, codeBadEmail:
		return http.StatusBadRequest
	case codeUnauthorized, codeWrongLogin:
		return http.StatusUnauthorized
	case codeConfirm, codeAccountRequired, codeInvite, codeBlocked, codeEmailDomain, codeEmailRequired, codeEmailOff, codeWrongCode:
		return http.StatusForbidden
	case codeUsernameTaken, codeEmailTaken, codeHasAccount, codeLimit, codeLastWayIn:
		return http.StatusConflict
	case codeRateLimited:
		return http.StatusTooManyRequests
	case codeTooLarge:
		return http.StatusRequestEntityTooLarge
	case codeNotFound:
		return http.StatusNotFound
	case codeServerFull, codeDraining, codeBusy, codeStorageFailing:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// closeCode is the close code that fits a failure that ends the WebSocket.
func (f *failure) closeCode() websocket.StatusCode {
	switch f.Code {
	case codeUnauthorized, codeEmailRequired:
		return closeUnauthorized
	case codeReplaced:
		return closeReplaced
	case codeRateLimited, codeServerFull:
		return closeTooMany
	case codeDraining, codeInternal:
		return closeRestart
	default:
		return closeBadMessage
	}
}
