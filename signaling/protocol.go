package signaling

// The messages of protocol version 1 as plain structs. PROTOCOL.md says what they mean;
// testdata/protocol holds one example of each. decode.go reads those of the clients.

// protocolVersion is the one version this server speaks.
const protocolVersion = 1

// Messages from a client. Every one may carry an id, which the reply repeats as re.
type (
	helloMsg struct {
		Versions []int       `json:"versions"`
		Token    string      `json:"token,omitempty"`
		Resume   string      `json:"resume,omitempty"`
		Pair     string      `json:"pair,omitempty"`
		Client   clientInfo  `json:"client"`
		Lang     string      `json:"lang,omitempty"`
		Guest    *guestHello `json:"guest,omitempty"`
	}
	clientInfo struct {
		Name     string `json:"name"`
		Version  string `json:"version"`
		Platform string `json:"platform"`
	}
	guestHello struct {
		Name  string `json:"name,omitempty"`
		Fresh bool   `json:"fresh,omitempty"`
	}
	offerMsg struct {
		SDP     string `json:"sdp"`
		Gen     uint64 `json:"gen"`
		Restart bool   `json:"restart,omitempty"`
	}
	queueJoinMsg struct {
		Topics       topicSet `json:"topics"`
		Langs        []string `json:"langs,omitempty"`
		Strict       bool     `json:"strict,omitempty"`
		WidenAfterMS int64    `json:"widen_after_ms,omitempty"`
		Ticket       string   `json:"ticket,omitempty"`
	}
	queueWidenMsg struct {
		Topics bool `json:"topics,omitempty"`
		Langs  bool `json:"langs,omitempty"`
	}
	queueLeaveMsg struct{}
	callNextMsg   struct {
		Call   string `json:"call"`
		Reason string `json:"reason,omitempty"`
	}
	callLeaveMsg struct {
		Call string `json:"call"`
	}
	callUndoMsg struct {
		Call string `json:"call"`
	}
	peerStateMsg struct {
		Audio bool `json:"audio"`
		Video bool `json:"video"`
	}
	mediaWantMsg struct {
		Audio   *bool `json:"audio"`
		Video   *bool `json:"video"`
		MaxKbps *int  `json:"max_kbps,omitempty"`
	}
	chatMsg struct {
		CID  string `json:"cid"`
		Text string `json:"text"`
		Call string `json:"call,omitempty"`
	}
	typingMsg struct {
		On bool `json:"on"`
	}
	topicsWatchMsg struct {
		On bool `json:"on"`
	}
	// personMsg names somebody by the call that the two have, or had, or by an id that one has been given.
	personMsg struct {
		Call string `json:"call,omitempty"`
		User string `json:"user,omitempty"`
	}
	friendRequestMsg struct{ personMsg }
	blockMsg         struct{ personMsg }
	ringMsg          struct {
		User string `json:"user"`
	}
	ringAcceptMsg struct {
		Ring string `json:"ring"`
	}
	ringDeclineMsg struct {
		Ring string `json:"ring"`
	}
	ringCancelMsg struct {
		Ring string `json:"ring"`
	}
	pingMsg struct {
		T int64 `json:"t"`
	}
	pongMsg struct {
		T int64 `json:"t"`
	}
)

// head is what every message from the server begins with.
type head struct {
	Type string `json:"type"`
	// N rises by one with each message of a session, also across a resume.
	N  uint64 `json:"n"`
	Re string `json:"re,omitempty"`
}

// header lets send fill in the head of any server message.
func (h *head) header() *head { return h }

type serverMessage interface{ header() *head }

// Messages from the server.
type (
	welcomeMsg struct {
		head
		Version    int         `json:"version"`
		Session    string      `json:"session"`
		Resume     string      `json:"resume"`
		Token      string      `json:"token,omitempty"`
		User       userInfo    `json:"user"`
		PingMS     int64       `json:"ping_ms"`
		GraceMS    int64       `json:"grace_ms"`
		ICEServers []ICEServer `json:"ice_servers"`
		Topics     []topicInfo `json:"topics"`
		FreeTopics bool        `json:"free_topics"`
		Resumed    bool        `json:"resumed"`
		Media      string      `json:"media"`
		State      stateInfo   `json:"state"`
	}
	userInfo struct {
		ID    string   `json:"id"`
		Name  string   `json:"name"`
		Guest bool     `json:"guest"`
		Roles []string `json:"roles"`
	}
	topicInfo struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Online  int    `json:"online"`
		Waiting int    `json:"waiting"`
	}
	// stateInfo is the snapshot a client goes on from.
	stateInfo struct {
		Phase  string     `json:"phase"`
		Ticket string     `json:"ticket,omitempty"`
		Call   *callInfo  `json:"call,omitempty"`
		Chat   []chatLine `json:"chat,omitempty"`
		Ended  *callEnded `json:"ended,omitempty"`
		Ring   *ringInfo  `json:"ring,omitempty"`
	}
	// ringInfo has To for who rings and From for who is rung.
	ringInfo struct {
		Ring    string     `json:"ring"`
		From    *personRef `json:"from,omitempty"`
		To      *personRef `json:"to,omitempty"`
		Expires int64      `json:"expires"`
	}
	// personRef is somebody whose id the client may know.
	personRef struct {
		ID   string `json:"id"`
		Name string `json:"name,omitempty"`
	}
	callInfo struct {
		Call      string      `json:"call"`
		Peer      peerInfo    `json:"peer"`
		Topics    []string    `json:"topics"`
		Langs     []string    `json:"langs"`
		StartedAt int64       `json:"started_at"`
		Pair      string      `json:"pair,omitempty"`
		PeerState *mediaState `json:"peer_state,omitempty"`
	}
	peerInfo struct {
		ID     string `json:"id"`
		Name   string `json:"name"`
		Friend bool   `json:"friend"`
	}
	mediaState struct {
		Audio      bool   `json:"audio"`
		Video      bool   `json:"video"`
		Watching   bool   `json:"watching"`
		Connection string `json:"connection"`
	}
	chatLine struct {
		From string `json:"from"`
		CID  string `json:"cid"`
		Text string `json:"text"`
		At   int64  `json:"at"`
	}
	callEnded struct {
		Call   string `json:"call"`
		Reason string `json:"reason"`
		UndoMS int64  `json:"undo_ms,omitempty"`
	}

	answerMsg struct {
		head
		SDP string `json:"sdp"`
		Gen uint64 `json:"gen"`
	}
	rtcStateMsg struct {
		head
		State string `json:"state"`
	}
	queueStateMsg struct {
		head
		Phase   string   `json:"phase"`
		Ticket  string   `json:"ticket"`
		Since   int64    `json:"since"`
		Waiting int      `json:"waiting,omitempty"`
		Topics  topicSet `json:"topics"`
		Langs   []string `json:"langs"`
		Strict  bool     `json:"strict,omitempty"`
		ETAMS   int64    `json:"eta_ms,omitempty"`
		Widened []string `json:"widened,omitempty"`
	}
	matchMsg struct {
		head
		callInfo
	}
	callEndMsg struct {
		head
		callEnded
		Requeued bool `json:"requeued"`
	}
	callUndoOut struct {
		head
		Call   string `json:"call"`
		UndoMS int64  `json:"undo_ms"`
	}
	peerStateOut struct {
		head
		mediaState
	}
	chatOut struct {
		head
		chatLine
	}
	typingOut struct {
		head
		On bool `json:"on"`
	}
	// friendNews has the call if the two are in one.
	friendNews struct {
		User personRef `json:"user"`
		Call string    `json:"call,omitempty"`
	}
	friendRequestOut struct {
		head
		friendNews
	}
	friendAddedOut struct {
		head
		friendNews
		Presence string `json:"presence"`
	}
	friendRemovedOut struct {
		head
		User personRef `json:"user"`
	}
	friendPresenceOut struct {
		head
		User     personRef `json:"user"`
		Presence string    `json:"presence"`
	}
	ringOut struct {
		head
		ringInfo
	}
	ringEndOut struct {
		head
		Ring   string `json:"ring"`
		Reason string `json:"reason"`
	}
	topicsMsg struct {
		head
		Topics []topicInfo `json:"topics"`
	}
	noticeMsg struct {
		head
		Level string `json:"level"`
		Code  string `json:"code"`
		Text  string `json:"text"`
	}
	drainMsg struct {
		head
		InMS             int64 `json:"in_ms"`
		ReconnectAfterMS int64 `json:"reconnect_after_ms"`
	}
	pingOut struct {
		head
		T int64 `json:"t"`
	}
	okMsg struct {
		head
	}
	errorMsg struct {
		head
		failure
	}
)

// Values of welcome.state.phase.
const (
	phaseIdle    = "idle"
	phaseQueued  = "queued"
	phaseCall    = "call"
	phaseRinging = "ringing" // on the wire only: idle, and there is a ring
)

// Values of ring.end.reason.
const (
	ringBusy      = "busy"
	ringTimeout   = "timeout"
	ringDeclined  = "declined"
	ringCancelled = "cancelled"
	ringElsewhere = "answered_elsewhere"
	ringOffline   = "offline"
)

// Values of call.end.reason.
const (
	endNext    = "next"
	endLeft    = "left"
	endLost    = "lost"
	endBlocked = "blocked"
	endKicked  = "kicked"
	endRestart = "restart"
)

// Values of queue.state.widened.
const (
	widenedTopics = "topics"
	widenedLangs  = "langs"
)

// Values of welcome.media.
const (
	mediaKeep = "keep"
	mediaNew  = "new"
)

// Values of peer.state.connection.
const (
	connectionOK           = "ok"
	connectionReconnecting = "reconnecting"
)

// Values of chat.from: in a message the opaque id of the partner, in the snapshot also me.
const fromMe = "me"
