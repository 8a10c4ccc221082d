package signaling

import (
	"errors"
	"fmt"
	"slices"

	"smalltalk/store"
)

// peopleHooks lets those who are here hear of what changes between people, from the HTTP side and from sessions alike.
func (s *Server) peopleHooks() people {
	return people{
		presenceOf: s.lobby.presence,
		onHide:     func(id store.UserID) { s.refresh(id) },
		onAsked: func(from, to store.UserID) {
			s.refresh(to)
			s.lobby.asked(from, to, s.nameOfUser(from))
		},
		onFriends: func(a, b store.UserID) {
			if s.refresh(a) && s.refresh(b) {
				s.lobby.befriended(a, b, s.nameOfUser(a), s.nameOfUser(b))
			}
		},
		onParted: func(a, b store.UserID) {
			s.refresh(a)
			s.refresh(b)
			s.lobby.parted(a, b)
		},
		onBlocked: func(from, whom store.UserID) {
			s.lobby.keepApart(from, whom)
			if s.refresh(from) { // else only what is in memory keeps the two apart
				s.lobby.settle(from, whom)
			}
			s.lobby.blockedNews(from, whom)
		},
		onUnblocked: func(from, _ store.UserID) { s.refresh(from) },
	}
}

// enter makes the session of somebody who comes known, with what the store keeps of the person. Without it nobody
// is let in: blocks could not be kept.
func (s *Server) enter(fresh *session) *failure {
	s.lobby.enter(fresh)
	if !s.refresh(fresh.user.ID) {
		s.lobby.leave(fresh)
		return errInternal
	}
	return nil
}

// refresh reads what the store keeps of somebody who is here. It says if that was possible.
func (s *Server) refresh(id store.UserID) bool {
	number, here := s.lobby.ask(id)
	if !here {
		return true
	}
	r, err := s.relationsOf(id)
	if err != nil {
		s.log.Error("read friends and blocks", "err", err)
		return false
	}
	s.lobby.learn(id, number, r)
	return true
}

func (s *Server) relationsOf(id store.UserID) (relations, error) {
	friends, err := s.cfg.DB.FriendIDs(id)
	if err != nil {
		return relations{}, fmt.Errorf("friends: %w", err)
	}
	blocks, err := s.cfg.DB.BlockIDs(id)
	if err != nil {
		return relations{}, fmt.Errorf("blocks: %w", err)
	}
	hides, err := s.hides(id)
	if err != nil {
		return relations{}, err
	}
	slices.Sort(blocks)
	r := relations{friends: make(map[store.UserID]bool, len(friends)), blocks: blocks, hides: hides}
	for _, friend := range friends {
		r.friends[friend] = true
	}
	return r, nil
}

// hides says if somebody does not show where he is. A guest cannot hide.
func (s *Server) hides(id store.UserID) (bool, error) {
	account, err := s.cfg.DB.Account(id)
	switch {
	case err == nil:
		return account.HidePresence, nil
	case errors.Is(err, store.ErrGuest), errors.Is(err, store.ErrNotFound):
		return false, nil
	}
	return false, fmt.Errorf("account: %w", err)
}

// nameOfUser is what somebody is called; empty for one who is gone.
func (s *Server) nameOfUser(id store.UserID) string {
	user, err := s.cfg.DB.User(id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		s.log.Error("look up a name", "err", err)
	}
	return user.Name
}
