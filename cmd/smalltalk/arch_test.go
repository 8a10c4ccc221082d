package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed is the law of imports: which of our packages each may import. The
// media plane and the control plane meet only in cmd.
var allowed = map[string][]string{
	"smalltalk/store":         {},
	"smalltalk/sfu":           {},
	"smalltalk/web":           {},
	"smalltalk/matchmaker":    {"smalltalk/store"},
	"smalltalk/signaling":     {"smalltalk/matchmaker", "smalltalk/store"},
	"smalltalk/cmd/loadtest":  {"smalltalk/matchmaker", "smalltalk/sfu", "smalltalk/signaling", "smalltalk/store"},
	"smalltalk/cmd/smalltalk": {"smalltalk/matchmaker", "smalltalk/sfu", "smalltalk/signaling", "smalltalk/store", "smalltalk/web"},

	"smalltalk/web/e2e/quality/delay": {},
}

// forbidden is what a package must not know of, by prefix of the import path.
var forbidden = map[string][]string{
	"smalltalk/sfu":        {"go.etcd.io/", "github.com/labstack/", "github.com/coder/websocket"},
	"smalltalk/store":      {"github.com/pion/", "github.com/labstack/", "github.com/coder/websocket"},
	"smalltalk/matchmaker": {"github.com/pion/", "github.com/labstack/", "github.com/coder/websocket"},
	"smalltalk/signaling":  {"github.com/pion/", "go.etcd.io/"},
}

type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "smalltalk/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// breaches lists the imports of p that the law forbids, for tests too.
func breaches(p goPackage) []string {
	var bad []string
	for _, imp := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
		ours := strings.HasPrefix(imp, "smalltalk/")
		if ours && imp != p.ImportPath && !slices.Contains(allowed[p.ImportPath], imp) {
			bad = append(bad, imp)
		}
		for _, prefix := range forbidden[p.ImportPath] {
			if strings.HasPrefix(imp, prefix) {
				bad = append(bad, imp)
			}
		}
	}
	return bad
}

func TestImportLaw(t *testing.T) {
	list := listPackages(t)
	if len(list) < len(allowed) {
		t.Errorf("go list found %d packages, the law names %d", len(list), len(allowed))
	}
	for _, p := range list {
		if _, ok := allowed[p.ImportPath]; !ok {
			t.Errorf("%s is not in the law of imports: add it on purpose or move its code", p.ImportPath)
		}
		for _, imp := range breaches(p) {
			t.Errorf("%s must not import %s", p.ImportPath, imp)
		}
	}
}

// TestImportLawCanFail plants breaches, since a check that cannot fail proves
// nothing.
func TestImportLawCanFail(t *testing.T) {
	for _, tc := range []struct {
		name string
		p    goPackage
		want int
	}{
		{"store knows matchmaker", goPackage{ImportPath: "smalltalk/store", Imports: []string{"smalltalk/matchmaker"}}, 1},
		{"signaling knows the relay", goPackage{ImportPath: "smalltalk/signaling", Imports: []string{"smalltalk/sfu"}}, 1},
		{"signaling's test knows Pion", goPackage{ImportPath: "smalltalk/signaling", TestImports: []string{"github.com/pion/webrtc/v4"}}, 1},
		{"the relay knows the database", goPackage{ImportPath: "smalltalk/sfu", XTestImports: []string{"go.etcd.io/bbolt"}}, 1},
		{"lawful", goPackage{ImportPath: "smalltalk/signaling", Imports: []string{"smalltalk/store", "net/http"}}, 0},
	} {
		if got := breaches(tc.p); len(got) != tc.want {
			t.Errorf("%s: breaches %v, want %d", tc.name, got, tc.want)
		}
	}
}
