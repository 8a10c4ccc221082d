package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// redirectLimit bounds what is read of a request that is only redirected.
	redirectLimit = 8 << 10
	// redirectWait is for a client to take the answer before the connection goes.
	redirectWait = time.Second
)

// redirect answers a plain HTTP request on the TLS port: a browser that asked to
// look is sent to https, anything that carries data is told that it was wrong
// to send it in the clear. The caller closes conn, whose deadline holds.
func (s *splitter) redirect(conn *replay) {
	req, err := http.ReadRequest(bufio.NewReader(io.LimitReader(conn, redirectLimit)))
	answer := "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 20\r\nConnection: close\r\n\r\nThis port is HTTPS.\n"
	if err == nil && (req.Method == http.MethodGet || req.Method == http.MethodHead) {
		if target := s.secureAddress(req); target != "" {
			answer = "HTTP/1.1 308 Permanent Redirect\r\nLocation: " + target + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
		}
	}
	if _, err := io.WriteString(conn, answer); err != nil {
		return
	}
	// Closing with unread bytes sends a reset, which may overtake the answer.
	if conn.CloseWrite() == nil && conn.SetReadDeadline(time.Now().Add(redirectWait)) == nil {
		_, _ = io.CopyN(io.Discard, conn, redirectLimit)
	}
}

// secureAddress is the https address of what req asked for, or "" if it does not
// name a host.
func (s *splitter) secureAddress(req *http.Request) string {
	host := req.Host
	if s.config.Host != nil {
		host = s.config.Host(host)
	}
	// Only what can be a host and a port gets into the header.
	if host == "" || strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") != "" {
		return ""
	}
	host = strings.TrimSuffix(host, ":443")
	target := url.URL{Scheme: "https", Host: host, Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: req.URL.RawQuery}
	return target.String()
}

// hostOf sends requests for any host but ours to the first of ours, with the
// port that was asked for: whoever came by the IP address has to get to a name
// that the certificate covers.
func hostOf(ours []string) func(string) string {
	return func(asked string) string {
		name, port, err := net.SplitHostPort(asked)
		if err != nil {
			name, port = asked, ""
		}
		for _, d := range ours {
			if strings.EqualFold(d, name) {
				return asked
			}
		}
		if port == "" {
			return ours[0]
		}
		return net.JoinHostPort(ours[0], port)
	}
}
