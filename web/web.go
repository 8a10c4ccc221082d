// Package web holds the web client, built and embedded, and serves it.
//
// The files are those of dist, which the build of ui writes and the repository
// keeps, so that installing the server needs no Node. They are read and
// compressed once; a request then costs a map look-up and one write.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// The all: prefix matters: without it names that begin with _ or . are left out.
//
//go:embed all:dist
var dist embed.FS

const (
	// index answers every address that is a place in the client and not a file.
	index = "index.html"
	// hashed is where the build puts files whose names carry a hash of their content.
	hashed = "assets/"
	// reserved belongs to the server's programming interface, never to the client.
	reserved = "api/"
)

// policy is the Content-Security-Policy. Nothing is inline and nothing comes from
// elsewhere. 'self' in connect-src covers the WebSocket of the same origin; a
// stream in a <video> is not a fetch and needs no media-src.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// types are the content types of all that a build may hold. They are fixed here
// because mime.TypeByExtension asks the system and answers differently by machine.
var types = map[string]string{
	".html":        "text/html; charset=utf-8",
	".js":          "text/javascript; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".svg":         "image/svg+xml",
	".png":         "image/png",
	".webmanifest": "application/manifest+json",
	".txt":         "text/plain; charset=utf-8",
}

// file is one file, ready to be sent.
type file struct {
	kind   string // Content-Type
	cache  string // Cache-Control
	plain  body
	packed body // empty where compressing gains nothing
}

// body is one representation of a file. They differ, and so do their tags (RFC 9110, 8.8.3.3).
type body struct {
	data []byte
	tag  string
}

// site serves a set of files. It is read-only after newSite.
type site map[string]*file

// Handler serves the embedded web client: its files, and index.html for every
// path that is not a file name, so that links such as /t/gaming work. It answers
// GET and HEAD only, and 404 to anything below /api/. Any number of requests may
// be served at once. If the embedded files are unusable, each request is
// answered with status 500.
func Handler() http.Handler {
	root, err := fs.Sub(dist, "dist")
	if err != nil {
		return broken(err)
	}
	s, err := newSite(root)
	if err != nil {
		return broken(err)
	}
	return s
}

// broken says why there is no client to serve. A test keeps it from being built in.
func broken(err error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "This build holds no usable web client: "+err.Error(), http.StatusInternalServerError)
	})
}

// newSite reads and compresses every file below root.
func newSite(root fs.FS) (site, error) {
	s := site{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		s[name], err = newFile(name, data)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the web client: %w", err)
	}
	if s[index] == nil {
		return nil, errors.New("read the web client: no " + index)
	}
	return s, nil
}

func newFile(name string, data []byte) (*file, error) {
	kind, ok := types[path.Ext(name)]
	if !ok {
		return nil, fmt.Errorf("no content type for %s", name)
	}
	f := &file{kind: kind, cache: "no-cache", plain: newBody(data)}
	if strings.HasPrefix(name, hashed) {
		f.cache = "public, max-age=31536000, immutable"
	}
	packed, err := pack(data)
	if err != nil {
		return nil, fmt.Errorf("compress %s: %w", name, err)
	}
	if len(packed) < len(data) {
		f.packed = newBody(packed)
	}
	return f, nil
}

func newBody(data []byte) body {
	sum := sha256.Sum256(data)
	return body{data, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
}

func pack(data []byte) ([]byte, error) {
	var buf bytes.Buffer
	zw, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := zw.Write(data); err != nil {
		return nil, err
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// ServeHTTP implements [http.Handler].
func (s site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	secure(h)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	f := s.find(r.URL.Path)
	if f == nil {
		h.Set("Cache-Control", "no-store")
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	f.send(w, r)
}

// secure sets the headers that every answer carries, errors too.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(), geolocation=()")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// find is the file for a path, or nil. A last element without a dot is a place in the client.
func (s site) find(urlPath string) *file {
	name := strings.TrimPrefix(urlPath, "/")
	if f := s[name]; f != nil {
		return f
	}
	if strings.HasPrefix(name, reserved) || strings.HasPrefix(name, hashed) || strings.Contains(path.Base(name), ".") && name != "" {
		return nil
	}
	return s[index]
}

func (f *file) send(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", f.cache)
	b := f.plain
	if f.packed.data != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			b = f.packed
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", b.tag)
	if matches(r.Header.Values("If-None-Match"), b.tag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(b.data)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	// The client has gone if this fails; there is nobody left to tell.
	_, _ = w.Write(b.data)
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3): whether gzip is named, or
// covered by *, with a weight that is neither zero nor below that of identity.
func acceptsGzip(values []string) bool {
	const unset = -1
	zip, star, identity := float64(unset), float64(unset), float64(unset)
	for _, item := range strings.Split(strings.Join(values, ","), ",") {
		name, params, _ := strings.Cut(item, ";")
		q := weight(params)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			zip = q
		case "*":
			star = q
		case "identity":
			identity = q
		}
	}
	if zip == unset {
		zip = star
	}
	return zip > 0 && zip >= identity
}

// weight reads the q parameter; one that cannot be read counts as "not wanted".
func weight(params string) float64 {
	for _, p := range strings.Split(params, ";") {
		key, value, ok := strings.Cut(strings.TrimSpace(p), "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(key), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || q < 0 || q > 1 {
			return 0
		}
		return q
	}
	return 1
}

// matches reads If-None-Match (RFC 9110, 13.1.2); the comparison is weak.
func matches(values []string, tag string) bool {
	for _, item := range strings.Split(strings.Join(values, ","), ",") {
		item = strings.TrimSpace(item)
		if item == "*" || strings.TrimPrefix(item, "W/") == tag {
			return true
		}
	}
	return false
}
