package signaling

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

// bodyWait bounds how long the body of a request may take to arrive.
const bodyWait = 10 * time.Second

// routes builds the HTTP side. Everything in it answers JSON, errors included.
func (s *Server) routes() *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = s.httpError
	e.Use(secured, s.sameSite, jsonBody)
	for _, r := range s.table() {
		handler := r.handler
		if r.limited {
			handler = s.limitRequests(handler)
		}
		e.Add(r.method, apiPrefix+r.path, handler)
	}
	return e
}

// statusError is a failure with a status other than the one its code implies.
type statusError struct {
	*failure
	code int
}

// httpError answers any error of a handler or of echo itself.
func (s *Server) httpError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	var (
		with  *statusError
		fail  *failure
		route *echo.HTTPError
		code  int
	)
	switch {
	case errors.As(err, &with):
		fail, code = with.failure, with.code
	case errors.As(err, &fail):
		code = fail.status()
	case errors.As(err, &route) && route.Code == http.StatusMethodNotAllowed:
		fail, code = badMessage("This address does not take this method."), route.Code
	case errors.As(err, &route) && route.Code < http.StatusInternalServerError:
		fail, code = &failure{Code: codeNotFound, Message: "There is nothing here.", Retry: retryNever}, http.StatusNotFound
	default:
		s.log.Error("answer a request", "path", c.Path(), "err", err)
		fail, code = errInternal, http.StatusInternalServerError
	}
	if fail.RetryAfterMS > 0 {
		seconds := (fail.RetryAfterMS + 999) / 1000
		c.Response().Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	if err := c.JSON(code, fail); err != nil {
		s.log.Debug("write an error", "err", err)
	}
}

// secured sets the headers that keep replies from being stored, framed or taken for a page.
func secured(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		return next(c)
	}
}

// limitRequests bounds how often an address may ask for anything.
func (s *Server) limitRequests(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if fail := s.requests.take(clientAddr(c.Request()), time.Now()); fail != nil {
			return fail
		}
		return next(c)
	}
}

// sameSite refuses requests that another site made a browser send and that could change something, and any that
// come from under a name that is not ours.
func (s *Server) sameSite(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.csrf.Check(c.Request()) != nil || s.rebound(c.Request()) {
			return s.foreignOrigin(c.Request())
		}
		return next(c)
	}
}

// foreignOrigin refuses a page of another origin, and says so where the operator can read it.
func (s *Server) foreignOrigin(r *http.Request) error {
	if s.foreign.due(time.Now()) {
		s.log.Warn("refused a page of another origin (said once a minute at most); if it is this server's own, let the proxy in front pass on Host, or name the origin with --origin",
			"origin", cut(r.Header.Get("Origin")), "host", cut(r.Host))
	}
	return &statusError{&failure{
		Code: codeUnauthorized, Message: "This page's address is not one that the server accepts.", Retry: retryNever,
	}, http.StatusForbidden}
}

// jsonBody insists on JSON where a body is expected. Forms of another site cannot send that
// type without asking first.
func jsonBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
			kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
			if err != nil || kind != "application/json" {
				return &statusError{
					badMessage("The content type must be application/json."), http.StatusUnsupportedMediaType,
				}
			}
		}
		return next(c)
	}
}

// readJSON reads the body, which may be empty, into v.
func readJSON(c echo.Context, v any) *failure {
	// Somebody who sends a byte a minute must not hold the connection for ever.
	w := c.Response().Writer
	deadline := http.NewResponseController(w).SetReadDeadline
	if err := deadline(time.Now().Add(bodyWait)); err != nil {
		return badMessage("The body could not be read.")
	}
	// net/http's own writer is told of a body that is too large, so that it gives the client the
	// time to read why before the connection closes.
	body, err := io.ReadAll(http.MaxBytesReader(w, c.Request().Body, maxFrame))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge
	// From here on the time is the server's own, and a deadline would have net/http take the client for gone.
	case err != nil || deadline(time.Time{}) != nil:
		return badMessage("The body could not be read.")
	case len(body) == 0:
		return nil
	case json.Unmarshal(body, v) != nil:
		return badMessage("The body is not the JSON that this address takes.")
	}
	return nil
}

// handleGuests starts a guest. For a browser that has a valid cookie it gives that user again,
// so that a repeated request makes no second one.
func (s *Server) handleGuests(c echo.Context) error {
	r := c.Request()
	var body guestHello
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	if fail := checkName(body.Name); fail != nil {
		return fail
	}
	now := time.Now()
	// A page must never get a token to read, so a native client's request does not look at cookies.
	if secret := cookieSecret(r); !keepsToken(r) && secret != "" {
		if user, fail := s.userBySecret(secret, now); fail == nil {
			return c.JSON(http.StatusOK, signedInReply{User: infoOf(user)})
		}
	}
	user, token, fail := s.newGuest(body.Name, clientAddr(r), deviceLabel(r, ""), now)
	if fail != nil {
		return fail
	}
	return c.JSON(http.StatusCreated, signedInReply{User: infoOf(user), Token: hand(c, token)})
}

func (s *Server) handleTopics(c echo.Context) error {
	return c.JSON(http.StatusOK, topicsReply{s.counts.get(time.Now()).topics})
}

func (s *Server) handleHealth(c echo.Context) error {
	return c.JSON(http.StatusOK, statusReply{"ok"})
}

// handleReady says whether the server takes people. One that cannot write to its disk is ready all the same, and says that it is not
// well: its calls go on, who comes back is let in, and there is no other server that a load balancer could send people to. Whoever
// watches by the status alone asks with strict.
func (s *Server) handleReady(c echo.Context) error {
	if s.stopping() {
		return errDraining
	}
	if s.cfg.DB.Writable() == nil {
		return c.JSON(http.StatusOK, readyReply{Status: "ready"})
	}
	if strict, err := strconv.ParseBool(c.QueryParam("strict")); err == nil && strict {
		return errStorageFailing
	}
	return c.JSON(http.StatusOK, readyReply{"degraded", errStorageFailing.Code, errStorageFailing.Message})
}
