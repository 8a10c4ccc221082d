package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// get asks h for a path with the headers given as pairs.
func get(t *testing.T, h http.Handler, method, target string, headers ...string) *http.Response {
	t.Helper()
	req := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec.Result()
}

func read(t *testing.T, r io.Reader) []byte {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sample is a small site with one file of each kind of treatment.
func sample(t *testing.T) site {
	t.Helper()
	s, err := newSite(fstest.MapFS{
		"index.html":           {Data: []byte("<!doctype html>" + strings.Repeat("<p>words</p>", 50))},
		"manifest.webmanifest": {Data: []byte(`{"name":"x"}`)},
		"icon.svg":             {Data: []byte("<svg/>")},
		"assets/app-abc123.js": {Data: []byte(strings.Repeat("let a;", 99))},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRoutes(t *testing.T) {
	const forever = "public, max-age=31536000, immutable"
	h := sample(t)
	for _, c := range []struct {
		method, path string
		status       int
		kind, cache  string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8", "no-cache"},
		{"HEAD", "/", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET", "/index.html", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET", "/t/gaming", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET", "/t/gaming/", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET", "/t/movies%20%26%20tv?x=1.2", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET", "/talk", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET", "/assets/app-abc123.js", 200, "text/javascript; charset=utf-8", forever},
		{"HEAD", "/assets/app-abc123.js", 200, "text/javascript; charset=utf-8", forever},
		{"GET", "/manifest.webmanifest", 200, "application/manifest+json", "no-cache"},
		{"GET", "/icon.svg", 200, "image/svg+xml", "no-cache"},
		{"GET", "/assets/app-0ld.js", 404, "", "no-store"},
		{"GET", "/assets/folder", 404, "", "no-store"},
		{"GET", "/assets/", 404, "", "no-store"},
		{"GET", "/favicon.ico", 404, "", "no-store"},
		{"GET", "/.env", 404, "", "no-store"},
		{"GET", "/a/../web.go", 404, "", "no-store"},
		{"GET", "/..%2f..%2fetc%2fpasswd", 200, "text/html; charset=utf-8", "no-cache"},
		{"GET", "/api/v1/nothing", 404, "", "no-store"},
		{"POST", "/", 405, "", ""},
		{"DELETE", "/assets/app-abc123.js", 405, "", ""},
		{"OPTIONS", "/", 405, "", ""},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			res := get(t, h, c.method, c.path)
			if res.StatusCode != c.status {
				t.Fatalf("status %d, want %d", res.StatusCode, c.status)
			}
			if got := res.Header.Get("Cache-Control"); got != c.cache {
				t.Errorf("Cache-Control %q, want %q", got, c.cache)
			}
			if got := res.Header.Get("Content-Type"); c.kind != "" && got != c.kind {
				t.Errorf("Content-Type %q, want %q", got, c.kind)
			}
			if c.status == 405 && res.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow %q", res.Header.Get("Allow"))
			}
			body := read(t, res.Body)
			if c.method == "HEAD" && (len(body) != 0 || res.Header.Get("Content-Length") == "") {
				t.Errorf("HEAD: %d bytes, Content-Length %q", len(body), res.Header.Get("Content-Length"))
			}
		})
	}
}

func TestSecurityHeaders(t *testing.T) {
	h := sample(t)
	for _, c := range []struct{ method, path string }{
		{"GET", "/"}, {"GET", "/assets/app-abc123.js"}, {"GET", "/missing.js"}, {"PUT", "/"},
	} {
		res := get(t, h, c.method, c.path)
		for name, want := range map[string]string{
			"Content-Security-Policy":    "default-src 'none';",
			"Permissions-Policy":         "camera=(self), microphone=(self)",
			"Referrer-Policy":            "no-referrer",
			"X-Content-Type-Options":     "nosniff",
			"Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := res.Header.Get(name); !strings.HasPrefix(got, want) {
				t.Errorf("%s %s: %s is %q, want %q", c.method, c.path, name, got, want)
			}
		}
		csp := res.Header.Get("Content-Security-Policy")
		for _, bad := range []string{"unsafe", "*", "http:", "https:", "data:"} {
			if strings.Contains(csp, bad) {
				t.Errorf("the policy allows %s: %s", bad, csp)
			}
		}
	}
}

func TestEncoding(t *testing.T) {
	h := sample(t)
	for _, c := range []struct {
		accept string
		zipped bool
	}{
		{"", false},
		{"gzip", true},
		{"GZIP", true},
		{"x-gzip", true},
		{"br, gzip;q=0.8", true},
		{"gzip, deflate, br, zstd", true},
		{"gzip;q=0", false},
		{"gzip;q=0.0, *;q=1", false},
		{"*", true},
		{"*;q=0", false},
		{"br", false},
		{"identity", false},
		{"identity;q=1, gzip;q=0.5", false},
		{"identity;q=0.5, gzip;q=1", true},
		{"identity;q=0, gzip;q=0.1", true},
		{"gzip ; q=0.3", true},
		{"gzip;q=many", false},
		{"gzip;q=7", false},
		{",,;;=,", false},
	} {
		t.Run(c.accept, func(t *testing.T) {
			res := get(t, h, "GET", "/", "Accept-Encoding", c.accept)
			if res.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("Vary %q", res.Header.Get("Vary"))
			}
			if got := res.Header.Get("Content-Encoding") == "gzip"; got != c.zipped {
				t.Fatalf("gzip %v, want %v", got, c.zipped)
			}
			body := read(t, res.Body)
			if c.zipped {
				zr, err := gzip.NewReader(bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				body = read(t, zr)
			}
			if !bytes.HasPrefix(body, []byte("<!doctype html>")) {
				t.Errorf("body begins %.20q", body)
			}
		})
	}
}

func TestRevalidation(t *testing.T) {
	h := sample(t)
	plain := get(t, h, "GET", "/").Header.Get("ETag")
	zipped := get(t, h, "GET", "/", "Accept-Encoding", "gzip").Header.Get("ETag")
	if plain == zipped || !strings.HasPrefix(plain, `"`) {
		t.Fatalf("tags %s and %s: want two strong ones", plain, zipped)
	}
	for _, c := range []struct {
		name, match, accept string
		status              int
	}{
		{"same", plain, "", 304},
		{"same, zipped", zipped, "gzip", 304},
		{"the other representation", zipped, "", 200},
		{"weak form", "W/" + plain, "", 304},
		{"in a list", `"x", ` + plain + `, "y"`, "", 304},
		{"any", "*", "", 304},
		{"another", `"x"`, "", 200},
		{"unquoted", strings.Trim(plain, `"`), "", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := get(t, h, "GET", "/", "If-None-Match", c.match, "Accept-Encoding", c.accept)
			if res.StatusCode != c.status {
				t.Fatalf("status %d, want %d", res.StatusCode, c.status)
			}
			if c.status != 304 {
				return
			}
			if body := read(t, res.Body); len(body) != 0 {
				t.Errorf("a 304 with %d bytes", len(body))
			}
			for _, name := range []string{"ETag", "Cache-Control", "Vary"} {
				if res.Header.Get(name) == "" {
					t.Errorf("a 304 without %s", name)
				}
			}
		})
	}
}

func TestNewSiteRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		fsys fs.FS
		want string
	}{
		{"empty", fstest.MapFS{}, "no index.html"},
		{"unknown kind", fstest.MapFS{"index.html": {}, "x.exe": {}}, "x.exe"},
		{"unreadable", fstest.MapFS{"index.html": {Mode: fs.ModeDir}, "index.html/x.exe": {}}, "x.exe"},
	} {
		_, err := newSite(c.fsys)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that names %s", c.name, err, c.want)
		}
	}
	res := get(t, broken(io.ErrUnexpectedEOF), "GET", "/")
	if res.StatusCode != 500 {
		t.Errorf("broken: status %d", res.StatusCode)
	}
}

// The rest looks at the files that are really embedded.

var reference = regexp.MustCompile(`(?:src|href)="(/[^"]*)"`)

func TestEmbeddedIndex(t *testing.T) {
	h := Handler()
	res := get(t, h, "GET", "/")
	if res.StatusCode != 200 {
		t.Fatalf("status %d: %s", res.StatusCode, read(t, res.Body))
	}
	page := string(read(t, res.Body))
	refs := reference.FindAllStringSubmatch(page, -1)
	if len(refs) < 3 {
		t.Fatalf("only %d references: was the client built?", len(refs))
	}
	for _, ref := range refs {
		if res := get(t, h, "GET", ref[1]); res.StatusCode != 200 || strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: status %d, type %s", ref[1], res.StatusCode, res.Header.Get("Content-Type"))
		}
	}
	for what, pattern := range map[string]string{
		"inline script":   `<script(?:[^>](?:[^>]*)?)?>[^<]`,
		"inline style":    `<style|\sstyle=`,
		"event attribute": `\son[a-z]+=`,
		"foreign address": `(?:src|href)="(?:https?:)?//`,
	} {
		if m := regexp.MustCompile(pattern).FindString(page); m != "" {
			t.Errorf("index.html has an %s: %s", what, m)
		}
	}
	for _, want := range []string{`<html lang=`, `<noscript>`, `name="viewport"`, `rel="manifest"`, `name="theme-color"`} {
		if !strings.Contains(page, want) {
			t.Errorf("index.html has no %s", want)
		}
	}
}

// wire is the number of bytes of a file as a browser receives it.
func wire(t *testing.T, h http.Handler, target string) int {
	t.Helper()
	return len(read(t, get(t, h, "GET", target, "Accept-Encoding", "gzip").Body))
}

func TestEmbeddedBudget(t *testing.T) {
	const firstLoad, everything = 30 << 10, 64 << 10
	h := Handler()
	first := wire(t, h, "/")
	for _, ref := range reference.FindAllStringSubmatch(string(read(t, get(t, h, "GET", "/").Body)), -1) {
		if ext := path.Ext(ref[1]); ext == ".js" || ext == ".css" {
			first += wire(t, h, ref[1])
		}
	}
	all := 0
	err := fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if ext := path.Ext(name); ext == ".js" || ext == ".css" || ext == ".html" {
			all += wire(t, h, strings.TrimPrefix(name, "dist"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("first load %d bytes, all code %d bytes, gzip", first, all)
	if first > firstLoad {
		t.Errorf("the first load is %d bytes, more than %d", first, firstLoad)
	}
	if all > everything {
		t.Errorf("all code is %d bytes, more than %d", all, everything)
	}
}
