package main

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

func TestRedirectHost(t *testing.T) {
	host := hostOf([]string{"chat.example.org", "www.example.org"})
	for _, tc := range [][2]string{
		{"chat.example.org", "chat.example.org"},
		{"CHAT.example.org:443", "CHAT.example.org:443"},
		{"www.example.org:8443", "www.example.org:8443"},
		{"203.0.113.5", "chat.example.org"},
		{"203.0.113.5:8443", "chat.example.org:8443"},
		{"evil.example", "chat.example.org"},
		{"", "chat.example.org"},
	} {
		if got := host(tc[0]); got != tc[1] {
			t.Errorf("asked for %q: sent to %q, want %q", tc[0], got, tc[1])
		}
	}
}

func TestSecureAddress(t *testing.T) {
	s := newSplitter(splitConfig{})
	for _, tc := range [][2]string{
		{"GET /a?b=c HTTP/1.1\r\nHost: x.org:443\r\n\r\n", "https://x.org/a?b=c"},
		{"GET //evil.example HTTP/1.1\r\nHost: x.org\r\n\r\n", "https://x.org//evil.example"},
		{"GET http://x.org:8443/%2f HTTP/1.1\r\nHost: other\r\n\r\n", "https://x.org:8443/%2f"},
		{"GET / HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n\r\n", "https://[2001:db8::1]:8443/"},
		{"GET / HTTP/1.1\r\nHost: a@b/c\r\n\r\n", ""},
		{"GET / HTTP/1.1\r\nHost:\r\n\r\n", ""},
	} {
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(tc[0])))
		if err != nil {
			t.Fatalf("%q: %v", tc[0], err)
		}
		if got := s.secureAddress(req); got != tc[1] {
			t.Errorf("%q: got %q, want %q", tc[0], got, tc[1])
		}
	}
}
