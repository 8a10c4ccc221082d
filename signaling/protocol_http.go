package signaling

import "encoding/json"

// The bodies and replies of the HTTP side as plain structs; routes.go says which belongs to which request. The OpenAPI
// file is made of them: a field without omitempty is always there. Times are milliseconds since 1970.

// What clients send.
type (
	signUpBody struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Name     string `json:"name,omitempty"`
		Invite   string `json:"invite,omitempty"`
		// Email is the person's own if EmailCode, which was mailed there, says so.
		Email     string `json:"email,omitempty"`
		EmailCode string `json:"email_code,omitempty"`
		Device    string `json:"device,omitempty"`
	}
	logInBody struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Device   string `json:"device,omitempty"`
	}
	recoverBody struct {
		Username string `json:"username"`
		Code     string `json:"code"`
		Password string `json:"password"`
		Device   string `json:"device,omitempty"`
	}
	emailCodeBody struct {
		Email string `json:"email"`
		For   string `json:"for" enum:"sign_up,account,reset"`
	}
	emailBody struct {
		Email    string `json:"email"`
		Code     string `json:"code"`
		Password string `json:"password,omitempty"`
	}
	resetBody struct {
		Email    string `json:"email"`
		Code     string `json:"code"`
		Password string `json:"password"`
		Device   string `json:"device,omitempty"`
	}
	changeBody struct {
		Name         *string `json:"name,omitempty"`
		Username     *string `json:"username,omitempty"`
		Password     *string `json:"password,omitempty"`
		Current      string  `json:"current,omitempty"`
		HidePresence *bool   `json:"hide_presence,omitempty"`
	}
	confirmBody struct {
		Password string `json:"password,omitempty"`
	}
	passkeyOptionsBody struct {
		Username  string `json:"username,omitempty"`
		Name      string `json:"name,omitempty"`
		Invite    string `json:"invite,omitempty"`
		Email     string `json:"email,omitempty"`
		EmailCode string `json:"email_code,omitempty"`
		Password  string `json:"password,omitempty"`
	}
	emptyBody   struct{}
	passkeyBody struct {
		Ceremony   string          `json:"ceremony"`
		Credential json.RawMessage `json:"credential"`
		Label      string          `json:"label,omitempty"`
		Device     string          `json:"device,omitempty"`
	}
	passkeyLogInBody struct {
		Ceremony   string          `json:"ceremony"`
		Credential json.RawMessage `json:"credential"`
		Device     string          `json:"device,omitempty"`
	}
	// personBody names somebody: by the call that one had with, or by an id that one has been given.
	personBody struct {
		Call string `json:"call,omitempty"`
		User string `json:"user,omitempty"`
	}
)

// What the server answers.
type (
	// signedInReply is the answer to all ways in. Token is for native clients; browsers get a cookie.
	signedInReply struct {
		User  userInfo `json:"user"`
		Token string   `json:"token,omitempty"`
	}
	meReply struct {
		userInfo
		Account *accountInfo `json:"account,omitempty"`
		Token   string       `json:"token,omitempty"`
	}
	accountInfo struct {
		Username      string `json:"username"`
		Password      bool   `json:"password"`
		Passkeys      int    `json:"passkeys"`
		RecoveryCodes int    `json:"recovery_codes"`
		HidePresence  bool   `json:"hide_presence"`
		Created       int64  `json:"created"`
		// Email is there where the server sends mail. EmailRequired says that one does not come in until there is another.
		Email         string `json:"email,omitempty"`
		EmailRequired bool   `json:"email_required"`
	}
	devicesReply struct {
		Sessions []deviceInfo `json:"sessions"`
	}
	deviceInfo struct {
		ID      string `json:"id"`
		Device  string `json:"device"`
		Created int64  `json:"created"`
		Seen    int64  `json:"seen"`
		Expires int64  `json:"expires"`
		Current bool   `json:"current"`
	}
	// emailCodeReply says how long the code is good that was sent, if any was.
	emailCodeReply struct {
		ValidMS int64 `json:"valid_ms"`
	}
	recoveryReply struct {
		Codes []string `json:"codes"`
	}
	ceremonyReply struct {
		Ceremony  string          `json:"ceremony"`
		PublicKey json.RawMessage `json:"public_key"`
	}
	passkeyReply struct {
		Passkey passkeyInfo `json:"passkey"`
		User    userInfo    `json:"user"`
		Token   string      `json:"token,omitempty"`
	}
	passkeysReply struct {
		Passkeys []passkeyInfo `json:"passkeys"`
	}
	passkeyInfo struct {
		ID      string `json:"id"`
		Label   string `json:"label"`
		Created int64  `json:"created"`
		Used    int64  `json:"used,omitempty"`
	}
	friendsReply struct {
		Friends []friendInfo `json:"friends"`
	}
	friendInfo struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Guest    bool   `json:"guest"`
		Presence string `json:"presence" enum:"online,in_call,offline"`
		Since    int64  `json:"since"`
	}
	// requestsReply has no requests of one's own: whom a stranger's call was with, and who has blocked one, must not show.
	requestsReply struct {
		Requests []personInfo `json:"requests"`
	}
	blocksReply struct {
		Blocks []personInfo `json:"blocks"`
	}
	missedReply struct {
		Missed []personInfo `json:"missed"`
	}
	// personInfo is somebody and when it was. Name is empty for one who is gone.
	personInfo struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		At   int64  `json:"at"`
	}
	askedReply struct {
		State string `json:"state" enum:"asked,friends"`
	}
	partnersReply struct {
		Partners []partnerInfo `json:"partners"`
	}
	// partnerInfo has no id of the person: whoever met somebody twice must not be able to tell.
	partnerInfo struct {
		Call   string `json:"call"`
		Name   string `json:"name"`
		At     int64  `json:"at"`
		Friend bool   `json:"friend"`
	}
	accessReply struct {
		Access   string `json:"access" enum:"open,guests-off,invite,domain"`
		Guests   bool   `json:"guests"`
		Invite   bool   `json:"invite"`
		Passkeys bool   `json:"passkeys"`
		// Email says that the server sends mail; EmailDomains of which domains one must have an address to get in.
		Email        bool     `json:"email"`
		EmailDomains []string `json:"email_domains,omitempty"`
	}
	topicsReply struct {
		Topics []topicInfo `json:"topics"`
	}
	statusReply struct {
		Status string `json:"status"`
	}
	// readyReply is the answer of GET /readyz.
	readyReply struct {
		Status  string `json:"status" enum:"ready,degraded"`
		Code    string `json:"code,omitempty"`
		Message string `json:"message,omitempty"`
	}
)
