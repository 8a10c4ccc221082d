package signaling

import (
	"slices"
	"time"
)

const (
	// linesKept and textKept, in bytes, are how much of a call's chat a resumed client gets back.
	linesKept = 50
	textKept  = 32 << 10
	// cidsKept is how many of a client's own messages are remembered, to know a repeated one.
	cidsKept = 256
	// typingWait ends "is typing" when the client has not said so again.
	typingWait = 5 * time.Second
)

// chatting is the chat of the running call.
type chatting struct {
	lines  []chatLine
	text   int         // bytes in lines
	cids   []string    // of this side
	typing *time.Timer // nil when not typing
}

func (s *session) handleChat(id string, m *chatMsg, now time.Time) *failure {
	if s.room == nil || m.Call != "" && m.Call != s.callID() {
		return errNotInCall
	}
	if slices.Contains(s.cids, m.CID) {
		s.ok(id) // sent again because the first ok was lost
		return nil
	}
	if fail := take(s.chats, now); fail != nil {
		return fail
	}
	sign := s.srv.signer
	line := chatLine{
		From: sign.peerID(s.room.ID(), s.id), CID: sign.lineID(s.room.ID(), s.id, m.CID),
		Text: m.Text, At: now.UnixMilli(),
	}
	if !s.post(mail{line: &line}) {
		return errPeerAway
	}
	if s.cids = append(s.cids, m.CID); len(s.cids) > cidsKept {
		s.cids = slices.Delete(s.cids, 0, 1)
	}
	mine := line // the other one is the partner's now
	mine.From, mine.CID = fromMe, m.CID
	s.keepLine(mine)
	s.srv.stats.chats.Add(1)
	s.stopTyping() // what was typed is sent
	s.ok(id)
	return nil
}

// keepLine remembers a line for the snapshot.
func (s *session) keepLine(line chatLine) {
	s.lines = append(s.lines, line)
	s.text += len(line.Text)
	for len(s.lines) > linesKept || s.text > textKept {
		s.text -= len(s.lines[0].Text)
		s.lines = slices.Delete(s.lines, 0, 1)
	}
}

func (s *session) handleTyping(id string, m *typingMsg) *failure {
	if s.room == nil {
		return errNotInCall
	}
	was := s.typing != nil
	if was {
		s.typing.Stop()
		s.typing = nil
	}
	if m.On {
		s.typing = time.NewTimer(typingWait)
	}
	if m.On != was {
		s.post(mail{typing: &m.On}) // worth nothing later, so it is not repeated
	}
	s.ok(id)
	return nil
}

// stopTyping ends "is typing" without the client having said so.
func (s *session) stopTyping() {
	if s.typing == nil {
		return
	}
	s.typing.Stop()
	s.typing = nil
	off := false
	s.post(mail{typing: &off})
}
