package signaling

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"smalltalk/store"
)

// What came of a friend request, for its sender. Somebody who is blocked hears the same as others.
const (
	stateAsked   = "asked"
	stateFriends = "friends"
)

func (s *Server) handleFriends(c echo.Context) error {
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	list, err := s.cfg.DB.Friends(who.user.ID)
	if err != nil {
		return s.storeFailure("list friends", err)
	}
	reply := friendsReply{Friends: make([]friendInfo, 0, len(list))}
	for _, f := range list {
		presence := presenceOffline
		if !f.HidesPresence {
			presence = s.people.presence(f.User)
		}
		reply.Friends = append(reply.Friends, friendInfo{
			ID: string(f.User), Name: f.Name, Guest: f.Guest, Presence: presence, Since: f.Since.UnixMilli(),
		})
	}
	return c.JSON(http.StatusOK, reply)
}

func (s *Server) handleUnfriend(c echo.Context) error {
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	other := store.UserID(c.Param("id"))
	if err := s.cfg.DB.RemoveFriend(who.user.ID, other); err != nil {
		return s.storeFailure("end a friendship", err)
	}
	s.people.parted(who.user.ID, other)
	return c.NoContent(http.StatusNoContent)
}

func (s *Server) handleFriendRequests(c echo.Context) error {
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	received, _, err := s.cfg.DB.FriendRequests(who.user.ID, time.Now())
	if err != nil {
		return s.storeFailure("list friend requests", err)
	}
	reply := requestsReply{Requests: make([]personInfo, 0, len(received))}
	for _, r := range received {
		reply.Requests = append(reply.Requests, personInfo{ID: string(r.User), Name: r.Name, At: r.At.UnixMilli()})
	}
	return c.JSON(http.StatusOK, reply)
}

// handleAsk asks somebody for friendship, or says yes to who has asked.
func (s *Server) handleAsk(c echo.Context) error {
	var body personBody
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	now := time.Now()
	other, fail := s.acquaintance(who.user.ID, &body, now)
	if fail != nil {
		return fail
	}
	if fail := s.asks.take(who.user.ID, now); fail != nil {
		return fail
	}
	state, fail := s.ask(who.user.ID, other, now)
	if fail != nil {
		return fail
	}
	return c.JSON(http.StatusOK, askedReply{State: state})
}

// ask asks somebody for friendship, tells whom it concerns, and says what came of it.
func (s *Server) ask(from, to store.UserID, now time.Time) (state string, fail *failure) {
	asked, err := s.cfg.DB.RequestFriend(from, to, now)
	switch {
	case errors.Is(err, store.ErrBlocked):
		asked = store.AskedBefore // so that nobody can tell
	case err != nil:
		return "", s.storeFailure("ask for friendship", err)
	}
	state = stateAsked
	switch asked {
	case store.AskedNow:
		s.people.asked(from, to)
	case store.FriendsNow:
		s.people.befriended(from, to)
		state = stateFriends
	case store.FriendsBefore:
		state = stateFriends
	case store.AskedBefore:
	}
	return state, nil
}

// acquaintance finds whom the body means: a last partner by the call, or by an id a friend or somebody who has asked for
// friendship. Anybody else is nobody: ids are no way to find people.
func (s *Server) acquaintance(id store.UserID, body *personBody, now time.Time) (store.UserID, *failure) {
	if (body.Call == "") == (body.User == "") || !short(body.Call, maxID) || !short(body.User, maxID) {
		return "", badMessage("Name the person by either call or user.")
	}
	if body.Call != "" {
		partners, err := s.cfg.DB.Partners(id, now)
		if err != nil {
			return "", s.storeFailure("list partners", err)
		}
		for _, p := range partners {
			if string(p.Call) == body.Call {
				return p.User, nil
			}
		}
		return "", errNotFound
	}
	other := store.UserID(body.User)
	friends, err := s.cfg.DB.AreFriends(id, other)
	if err != nil {
		return "", s.storeFailure("look for a friend", err)
	}
	if friends {
		return other, nil
	}
	received, _, err := s.cfg.DB.FriendRequests(id, now)
	if err != nil {
		return "", s.storeFailure("list friend requests", err)
	}
	for _, r := range received {
		if r.User == other {
			return other, nil
		}
	}
	return "", errNotFound
}

// handleDropRequest declines somebody's request, or takes back one's own. The other does not hear of it.
func (s *Server) handleDropRequest(c echo.Context) error {
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	if err := s.cfg.DB.DropRequest(who.user.ID, store.UserID(c.Param("id"))); err != nil {
		return s.storeFailure("drop a friend request", err)
	}
	return c.NoContent(http.StatusNoContent)
}

func (s *Server) handleBlocks(c echo.Context) error {
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	list, err := s.cfg.DB.Blocks(who.user.ID)
	if err != nil {
		return s.storeFailure("list blocks", err)
	}
	reply := blocksReply{Blocks: make([]personInfo, 0, len(list))}
	for _, b := range list {
		reply.Blocks = append(reply.Blocks, personInfo{ID: s.signer.blockID(who.user.ID, b), Name: b.Name, At: b.At.UnixMilli()})
	}
	return c.JSON(http.StatusOK, reply)
}

// handleBlock keeps somebody away for good.
func (s *Server) handleBlock(c echo.Context) error {
	var body personBody
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	now := time.Now()
	if fail := s.shuns.take(who.user.ID, now); fail != nil {
		return fail
	}
	other, fail := s.acquaintance(who.user.ID, &body, now)
	if fail != nil {
		return fail
	}
	if fail := s.block(who.user.ID, other, store.RoomID(body.Call), now); fail != nil {
		return fail
	}
	return c.NoContent(http.StatusNoContent)
}

// block keeps somebody away and tells whom it concerns. The call is the one by which the person was named, if it was one: the others
// stay among the last partners, or they would tell that they were with the same person.
func (s *Server) block(from, whom store.UserID, call store.RoomID, now time.Time) *failure {
	friends, err := s.cfg.DB.Block(from, whom, now)
	if err == nil {
		err = s.cfg.DB.HidePartner(from, whom, call)
	}
	if err != nil {
		return s.storeFailure("block somebody", err)
	}
	if friends {
		s.people.parted(from, whom)
	}
	s.people.blocked(from, whom)
	return nil
}

func (s *Server) handleUnblock(c echo.Context) error {
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	list, err := s.cfg.DB.Blocks(who.user.ID)
	if err != nil {
		return s.storeFailure("list blocks", err)
	}
	i := slices.IndexFunc(list, func(b store.Block) bool { return s.signer.blockID(who.user.ID, b) == c.Param("id") })
	if i < 0 {
		return errNotFound
	}
	other := list[i].User
	if err := s.cfg.DB.Unblock(who.user.ID, other); err != nil {
		return s.storeFailure("take back a block", err)
	}
	s.people.unblocked(who.user.ID, other)
	return c.NoContent(http.StatusNoContent)
}

// handlePartners lists whom the person has met lately.
func (s *Server) handlePartners(c echo.Context) error {
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	list, err := s.cfg.DB.Partners(who.user.ID, time.Now())
	if err != nil {
		return s.storeFailure("list partners", err)
	}
	friends, err := s.cfg.DB.FriendIDs(who.user.ID)
	if err != nil {
		return s.storeFailure("list friends", err)
	}
	are := map[store.UserID]bool{}
	for _, id := range friends {
		are[id] = true
	}
	reply := partnersReply{Partners: make([]partnerInfo, 0, len(list))}
	for _, p := range list {
		reply.Partners = append(reply.Partners, partnerInfo{
			Call: string(p.Call), Name: p.Name, At: p.At.UnixMilli(), Friend: are[p.User],
		})
	}
	return c.JSON(http.StatusOK, reply)
}

func (s *Server) handleMissed(c echo.Context) error {
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	list, err := s.cfg.DB.Missed(who.user.ID, time.Now())
	if err != nil {
		return s.storeFailure("list missed calls", err)
	}
	reply := missedReply{Missed: make([]personInfo, 0, len(list))}
	for _, m := range list {
		reply.Missed = append(reply.Missed, personInfo{ID: string(m.User), Name: m.Name, At: m.At.UnixMilli()})
	}
	return c.JSON(http.StatusOK, reply)
}

func (s *Server) handleClearMissed(c echo.Context) error {
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	if err := s.cfg.DB.ClearMissed(who.user.ID, time.Now()); err != nil {
		return s.storeFailure("clear missed calls", err)
	}
	return c.NoContent(http.StatusNoContent)
}
