package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"smalltalk/store"
)

const (
	// adminSocketName is the socket's name in the data folder.
	adminSocketName = "admin.sock"
	// adminTime bounds one command, and how long a client may take to send it.
	adminTime = 30 * time.Second
	// adminBusy is how long the command waits for a server that has the database
	// open and no socket yet, as one that is starting or stopping.
	adminBusy = 3 * time.Second
	// maxAdminRequest is how many bytes a command has at most.
	maxAdminRequest = 64 << 10
)

// adminSocket is the operator's door to a running server: a unix socket that only
// the server's own user may open. On each connection one command after the other
// is answered, each a line of JSON.
type adminSocket struct {
	admin admin
	path  string
	lis   *net.UnixListener
	log   *slog.Logger
	conns sync.WaitGroup
}

// listenAdmin opens the socket in the data folder. A file of that name is left
// from a server that was killed: who has the database open is alone here.
func listenAdmin(folder string, a admin, log *slog.Logger) (_ *adminSocket, err error) {
	// A socket is open to others until its mode is set, so that is done where
	// they cannot reach it.
	inside, err := os.MkdirTemp(folder, ".admin-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(inside) // empty by then
	hidden := filepath.Join(inside, "s")
	lis, err := net.ListenUnix("unix", &net.UnixAddr{Name: hidden, Net: "unix"})
	if err != nil {
		return nil, err
	}
	lis.SetUnlinkOnClose(false) // it will not be at this path
	path := filepath.Join(folder, adminSocketName)
	if err := errors.Join(os.Chmod(hidden, 0o600), os.Rename(hidden, path)); err != nil {
		return nil, errors.Join(err, lis.Close())
	}
	return &adminSocket{admin: a, path: path, lis: lis, log: log}, nil
}

// openAdmin opens the operator's door. Without it the server is as good, and the
// operator can stop it to come in.
func (s *server) openAdmin(folder string) {
	var err error
	s.admin, err = listenAdmin(folder, admin{s.db, s.signal}, s.log)
	if err != nil {
		s.log.Warn("no admin socket in the data folder: smalltalk admin works only while the server is stopped; a path of 100 bytes is too long for one", "error", err)
	}
}

// serve answers until ctx is cancelled, and returns when no command runs any more.
func (s *adminSocket) serve(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		_ = os.Remove(s.path)
		_ = s.lis.Close()
	})
	defer stop()
	for {
		conn, err := s.lis.AcceptUnix()
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			s.log.Warn("the admin socket failed for a moment", "error", err)
			select {
			case <-time.After(time.Second): // too many open files, as a rule
			case <-ctx.Done():
			}
			continue
		}
		s.conns.Go(func() { s.answer(ctx, conn) })
	}
	s.conns.Wait()
}

// answer carries out what comes on one connection. When the server stops, what
// runs is finished.
func (s *adminSocket) answer(ctx context.Context, conn *net.UnixConn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	for {
		_ = conn.SetDeadline(time.Now().Add(adminTime))
		if ctx.Err() != nil {
			return // the line before may have put off the end
		}
		var r adminRequest
		if err := json.NewDecoder(io.LimitReader(conn, maxAdminRequest)).Decode(&r); err != nil {
			return
		}
		reply := s.carryOut(ctx, r)
		if err := json.NewEncoder(conn).Encode(reply); err != nil {
			return
		}
	}
}

// carryOut does one command and logs it. Names that it does not know are not logged:
// one may be the code of an invitation.
func (s *adminSocket) carryOut(ctx context.Context, r adminRequest) adminReply {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), adminTime)
	defer cancel()
	reply, err := s.admin.do(ctx, r)
	who := reply.Deleted
	if reply.Account != nil {
		who = string(reply.Account.ID)
	}
	if r.Do == inviteRevoke {
		who = ""
	}
	s.log.Info("admin", "command", r.Do, "user", who, "role", r.Role, "done", err == nil)
	if err != nil {
		return adminReply{Error: err.Error()}
	}
	return reply
}

// door is where the operator's commands go: to the running server, or to the
// database.
type door struct {
	conn *net.UnixConn // nil where no server runs
	db   *store.DB     // nil where one does
}

func (d door) close() {
	if d.conn != nil {
		_ = d.conn.Close()
	}
	if d.db != nil {
		_ = d.db.Close() // each command is on the disk by now
	}
}

// openDoor finds the server of this data folder, or opens the database.
func openDoor(ctx context.Context, folder string) (door, error) {
	path := filepath.Join(folder, "smalltalk.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return door{}, fmt.Errorf("there is no database %s: give the server's folder with --data, or start the server once", path)
	}
	for until := time.Now().Add(adminBusy); ; {
		conn, err := dialAdmin(ctx, folder)
		switch {
		case err == nil:
			return door{conn: conn}, nil
		case errors.Is(err, fs.ErrPermission):
			return door{}, fmt.Errorf("the server's socket: %w: run this as the user that runs the server", err)
		}
		db, dbErr := openStore(folder)
		if dbErr == nil {
			return door{db: db}, nil
		}
		if !errors.Is(dbErr, store.ErrLocked) {
			return door{}, dbErr
		}
		if !time.Now().Before(until) || ctx.Err() != nil {
			return door{}, fmt.Errorf("database %s is in use, but no server answers at %s (%w): is it an older Small Talk? Stop it, or try again", path, adminSocketName, err)
		}
	}
}

func dialAdmin(ctx context.Context, folder string) (*net.UnixConn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", filepath.Join(folder, adminSocketName))
	if err != nil {
		return nil, err
	}
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a %T", conn), conn.Close())
	}
	return unix, nil
}

// ask has one command carried out.
func (d door) ask(ctx context.Context, r adminRequest) (adminReply, error) {
	if d.db != nil {
		return admin{d.db, nobodyLive{d.db}}.do(ctx, r)
	}
	stop := context.AfterFunc(ctx, func() { _ = d.conn.SetDeadline(time.Now()) })
	defer stop()
	_ = d.conn.SetDeadline(time.Now().Add(adminTime))
	if err := json.NewEncoder(d.conn).Encode(r); err != nil {
		return adminReply{}, fmt.Errorf("ask the server: %w", err)
	}
	var reply adminReply
	if err := json.NewDecoder(d.conn).Decode(&reply); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
			return adminReply{}, errors.New("the server ended before it answered: look whether it was done, and ask again")
		}
		return adminReply{}, fmt.Errorf("the server's answer: %w", err)
	}
	if reply.Error != "" {
		return adminReply{}, errors.New(reply.Error)
	}
	return reply, nil
}
