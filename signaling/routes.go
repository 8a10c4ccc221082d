package signaling

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"smalltalk/store"
)

// apiPrefix is what every address of the HTTP side begins with.
const apiPrefix = "/api/v1"

// Who may send a request.
const (
	anybody  = ""
	signedIn = "signed in" // a guest too
	owners   = "account"
)

// route is one request and what is documented of it. The OpenAPI file and echo's routes are made of the same table, so
// that neither has what the other lacks.
type route struct {
	method, path string
	handler      echo.HandlerFunc
	limited      bool // it counts for Limits.Requests
	who          string
	summary      string
	body         any         // an example of its type; nil for none
	optional     bool        // the body may be left out
	replies      map[int]any // by status, an example of the type; nil for none
	fails        []*failure  // beside those that all requests, all with a body and all that need a token have
}

// table lists all requests. The path of one has parameters in echo's form.
func (s *Server) table() []route {
	list := []route{
		{
			method: http.MethodGet, path: "/ws", handler: s.handleWS, summary: "The WebSocket, see PROTOCOL.md.",
			replies: map[int]any{http.StatusSwitchingProtocols: nil}, fails: []*failure{errDraining, rateLimited(0)},
		},
		{
			method: http.MethodGet, path: "/healthz", handler: s.handleHealth, summary: "Says that the process lives.",
			replies: map[int]any{http.StatusOK: statusReply{}},
		},
		{
			method: http.MethodGet, path: "/readyz", handler: s.handleReady, summary: "Says whether clients are taken, and whether all is well; with strict=1 it is 503 if not.",
			replies: map[int]any{http.StatusOK: readyReply{}}, fails: []*failure{errDraining, errStorageFailing},
		},
	}
	for _, part := range [][]route{s.plainRoutes(), s.accountRoutes(), s.emailRoutes(), s.sessionRoutes(), s.passkeyRoutes(), s.peopleRoutes()} {
		for _, r := range part {
			r.limited = true
			list = append(list, r)
		}
	}
	return list
}

func (s *Server) plainRoutes() []route {
	return []route{
		{
			method: http.MethodGet, path: "/openapi.json", handler: s.handleOpenAPI, summary: "This description.",
			replies: map[int]any{http.StatusOK: map[string]any{}},
		},
		{
			method: http.MethodGet, path: "/topics", handler: s.handleTopics, summary: "The topics and how many people are on each.",
			replies: map[int]any{http.StatusOK: topicsReply{}},
		},
		{
			method: http.MethodGet, path: "/access", handler: s.handleAccess, summary: "How one gets in.",
			replies: map[int]any{http.StatusOK: accessReply{}},
		},
		{
			method: http.MethodPost, path: "/guests", handler: s.handleGuests, summary: "Starts a guest; 200 if the cookie is somebody's already.",
			body: guestHello{}, optional: true,
			replies: map[int]any{http.StatusOK: signedInReply{}, http.StatusCreated: signedInReply{}}, fails: []*failure{errNoGuests},
		},
	}
}

func (s *Server) accountRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: "/users", handler: s.handleSignUp, summary: "Makes an account, of the guest who is signed in if there is one.",
			body: signUpBody{}, replies: map[int]any{http.StatusCreated: signedInReply{}},
			fails: []*failure{badUsername(""), badPassword(""), errUsernameTaken, errHasAccount, errInvite, errBusy, errBadEmail, errEmailTaken, errEmailOff, errEmailRequired, emailDomainRefused(nil), errWrongCode},
		},
		{
			method: http.MethodGet, path: "/users/me", handler: s.handleMe, who: signedIn, summary: "Who one is.",
			replies: map[int]any{http.StatusOK: meReply{}},
		},
		{
			method: http.MethodPatch, path: "/users/me", handler: s.handleChange, who: signedIn,
			summary: "Changes what is given. A guest may change the name alone; a new password takes the current one or a passkey used less than five minutes ago, and ends all other sessions.",
			body:    changeBody{}, replies: map[int]any{http.StatusOK: meReply{}},
			fails: []*failure{badUsername(""), badPassword(""), errUsernameTaken, errAccountRequired, errConfirm, errBusy},
		},
		{
			method: http.MethodDelete, path: "/users/me", handler: s.handleDelete, who: signedIn,
			summary: "Deletes the person. An account takes the password, or a passkey used less than five minutes ago.",
			body:    confirmBody{}, optional: true, replies: map[int]any{http.StatusNoContent: nil}, fails: []*failure{errConfirm, errBusy},
		},
		{
			method: http.MethodGet, path: "/users/me/export", handler: s.handleExport, who: signedIn, summary: "All that is kept of the person.",
			replies: map[int]any{http.StatusOK: store.Export{}},
		},
		{
			method: http.MethodPost, path: "/users/me/recovery", handler: s.handleNewCodes, who: owners,
			summary: "Makes recovery codes in the place of all older ones; they are not shown again.",
			body:    confirmBody{}, optional: true, replies: map[int]any{http.StatusCreated: recoveryReply{}}, fails: []*failure{errConfirm, errBusy},
		},
	}
}

func (s *Server) emailRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: "/email/codes", handler: s.handleEmailCode,
			summary: "Mails a code that shows that an address is one's own: to sign up with it, to give it to the account that is signed in, or to set a new password for the one that has it. The answer does not tell if there is one.",
			body:    emailCodeBody{}, replies: map[int]any{http.StatusAccepted: emailCodeReply{}},
			fails: []*failure{unauthorized(""), errAccountRequired, errBadEmail, errEmailOff, emailDomainRefused(nil), errPostFull},
		},
		{
			method: http.MethodPut, path: "/users/me/email", handler: s.handleSetEmail, who: owners,
			summary: "Gives the account the address to which the code was mailed; takes the password or a passkey used less than five minutes ago.",
			body:    emailBody{}, replies: map[int]any{http.StatusOK: meReply{}},
			fails: []*failure{errConfirm, errBusy, errBadEmail, errEmailTaken, errEmailOff, emailDomainRefused(nil), errWrongCode},
		},
		{
			method: http.MethodDelete, path: "/users/me/email", handler: s.handleDropEmail, who: owners,
			summary: "Takes the address off the account; takes the password or a passkey used less than five minutes ago.",
			body:    confirmBody{}, optional: true, replies: map[int]any{http.StatusOK: meReply{}},
			fails: []*failure{errConfirm, errBusy, errEmailOff, errEmailRequired},
		},
	}
}

func (s *Server) sessionRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: "/sessions", handler: s.handleLogIn, summary: "Logs in.",
			body: logInBody{}, replies: map[int]any{http.StatusOK: signedInReply{}}, fails: []*failure{errWrongLogin, errBusy},
		},
		{
			method: http.MethodDelete, path: "/sessions", handler: s.handleSignOut, summary: "Logs out here; without a token nothing happens.",
			replies: map[int]any{http.StatusNoContent: nil},
		},
		{
			method: http.MethodGet, path: "/sessions", handler: s.handleDevices, who: signedIn, summary: "Where one is signed in.",
			replies: map[int]any{http.StatusOK: devicesReply{}},
		},
		{
			method: http.MethodDelete, path: "/sessions/:id", handler: s.handleEndDevice, who: signedIn, summary: "Signs out somewhere.",
			replies: map[int]any{http.StatusNoContent: nil}, fails: []*failure{errNotFound},
		},
		{
			method: http.MethodPost, path: "/sessions/recovery", handler: s.handleRecover,
			summary: "Sets a new password with a recovery code, ends all sessions and logs in.",
			body:    recoverBody{}, replies: map[int]any{http.StatusOK: signedInReply{}}, fails: []*failure{errWrongRecovery, badPassword(""), errBusy},
		},
		{
			method: http.MethodPost, path: "/sessions/email", handler: s.handleReset,
			summary: "Sets a new password with a code that was mailed for that, ends all sessions and logs in.",
			body:    resetBody{}, replies: map[int]any{http.StatusOK: signedInReply{}},
			fails: []*failure{errWrongCode, badPassword(""), errBadEmail, errEmailOff, errBusy},
		},
	}
}

func (s *Server) passkeyRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: "/passkeys/options", handler: s.handlePasskeyOptions,
			summary: "Begins the making of a passkey: with a user name for a new account, else for the account that is signed in, which takes the password or a passkey used less than five minutes ago.",
			body:    passkeyOptionsBody{}, replies: map[int]any{http.StatusOK: ceremonyReply{}},
			fails: []*failure{unauthorized(""), badUsername(""), errUsernameTaken, errHasAccount, errInvite, errAccountRequired, errConfirm, errNoPasskeys, errBusy, errBadEmail, errEmailOff, errEmailRequired, emailDomainRefused(nil), errWrongCode},
		},
		{
			method: http.MethodPost, path: "/passkeys", handler: s.handleNewPasskey, summary: "Ends the making of a passkey.",
			body: passkeyBody{}, replies: map[int]any{http.StatusCreated: passkeyReply{}},
			fails: []*failure{unauthorized(""), errPasskey, errUsernameTaken, errInvite, errTooMany, errEmailTaken, errWrongCode},
		},
		{
			method: http.MethodGet, path: "/passkeys", handler: s.handlePasskeys, who: owners, summary: "The passkeys of the account.",
			replies: map[int]any{http.StatusOK: passkeysReply{}},
		},
		{
			method: http.MethodDelete, path: "/passkeys/:id", handler: s.handleDropPasskey, who: owners, summary: "Forgets a passkey.",
			replies: map[int]any{http.StatusNoContent: nil}, fails: []*failure{errNotFound, errLastWayIn},
		},
		{
			method: http.MethodPost, path: "/sessions/passkey/options", handler: s.handleLogInOptions, summary: "Begins a log-in by passkey.",
			body: emptyBody{}, optional: true, replies: map[int]any{http.StatusOK: ceremonyReply{}}, fails: []*failure{errNoPasskeys},
		},
		{
			method: http.MethodPost, path: "/sessions/passkey", handler: s.handlePasskeyLogIn, summary: "Ends a log-in by passkey.",
			body: passkeyLogInBody{}, replies: map[int]any{http.StatusOK: signedInReply{}}, fails: []*failure{errPasskey},
		},
	}
}

func (s *Server) peopleRoutes() []route {
	return []route{
		{
			method: http.MethodGet, path: "/friends", handler: s.handleFriends, who: signedIn, summary: "The friends, the latest first, and whether they are there.",
			replies: map[int]any{http.StatusOK: friendsReply{}},
		},
		{
			method: http.MethodDelete, path: "/friends/:id", handler: s.handleUnfriend, who: signedIn, summary: "Ends a friendship.",
			replies: map[int]any{http.StatusNoContent: nil}, fails: []*failure{errNotFound},
		},
		{
			method: http.MethodGet, path: "/friends/requests", handler: s.handleFriendRequests, who: signedIn, summary: "Who has asked for friendship.",
			replies: map[int]any{http.StatusOK: requestsReply{}},
		},
		{
			method: http.MethodPost, path: "/friends/requests", handler: s.handleAsk, who: signedIn,
			summary: "Asks a last partner for friendship, or says yes to who has asked.",
			body:    personBody{}, replies: map[int]any{http.StatusOK: askedReply{}}, fails: []*failure{errNotFound, errTooMany},
		},
		{
			method: http.MethodDelete, path: "/friends/requests/:id", handler: s.handleDropRequest, who: signedIn, summary: "Declines a request, or takes it back.",
			replies: map[int]any{http.StatusNoContent: nil}, fails: []*failure{errNotFound},
		},
		{
			method: http.MethodGet, path: "/blocks", handler: s.handleBlocks, who: signedIn, summary: "Whom one has blocked. One who is gone has no name.",
			replies: map[int]any{http.StatusOK: blocksReply{}},
		},
		{
			method: http.MethodPost, path: "/blocks", handler: s.handleBlock, who: signedIn, summary: "Blocks a last partner, a friend or who has asked to be one.",
			body: personBody{}, replies: map[int]any{http.StatusNoContent: nil}, fails: []*failure{errNotFound, errTooMany},
		},
		{
			method: http.MethodDelete, path: "/blocks/:id", handler: s.handleUnblock, who: signedIn, summary: "Takes a block back.",
			replies: map[int]any{http.StatusNoContent: nil}, fails: []*failure{errNotFound},
		},
		{
			method: http.MethodGet, path: "/partners", handler: s.handlePartners, who: signedIn, summary: "Whom one has met in the last 24 hours.",
			replies: map[int]any{http.StatusOK: partnersReply{}},
		},
		{
			method: http.MethodGet, path: "/missed", handler: s.handleMissed, who: signedIn, summary: "The calls of friends that one has missed.",
			replies: map[int]any{http.StatusOK: missedReply{}},
		},
		{
			method: http.MethodDelete, path: "/missed", handler: s.handleClearMissed, who: signedIn, summary: "Forgets them.",
			replies: map[int]any{http.StatusNoContent: nil},
		},
	}
}
