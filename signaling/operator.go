package signaling

import (
	"context"
	"fmt"

	"smalltalk/store"
)

// SignOut ends the live sessions of somebody whose tokens the operator has made worthless.
func (s *Server) SignOut(id store.UserID) { s.endDevices(id, anyDevice) }

// DeleteUser deletes a person and all that is kept of the person. The live sessions end first, so that nothing of them is
// written afterwards; the friends who are there are told. The error is store.ErrNotFound if there is no such user.
func (s *Server) DeleteUser(ctx context.Context, id store.UserID) error {
	if err := s.cfg.DB.EndDevices(id, ""); err != nil {
		return err
	}
	for _, live := range s.endDevices(id, anyDevice) {
		select {
		case <-live.released:
		case <-ctx.Done():
			return fmt.Errorf("delete user %s: %w", id, ctx.Err())
		}
	}
	gone, err := s.cfg.DB.DeleteUser(id)
	if err != nil {
		return err
	}
	s.endDevices(id, anyDevice) // of who has logged in meanwhile; from here on nobody can
	s.people.deleted(id, gone.Friends)
	return nil
}
