package signaling_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"smalltalk/signaling"
)

const openAPIFile = "testdata/openapi.json"

// served is the OpenAPI file as the server serves it.
func served(t *testing.T, srv *signaling.Server) []byte {
	t.Helper()
	rec := httptest.NewRecorder()
	srv.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/api/v1/openapi.json", nil))
	if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("openapi.json: %d %v", rec.Code, rec.Header())
	}
	return rec.Body.Bytes()
}

// TestOpenAPIFile compares what is served with the file of which the SDK's types are made.
func TestOpenAPIFile(t *testing.T) {
	got := append(served(t, start(t, options{}).srv), '\n')
	if signaling.Update() {
		if err := os.WriteFile(openAPIFile, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(openAPIFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is not what is served: go test ./signaling -run OpenAPIFile -update, then npm run types in web/sdk", openAPIFile)
	}
}

// spec is an OpenAPI file.
type spec map[string]any

func (s spec) at(path ...string) (any, bool) {
	var v any = map[string]any(s)
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[key]; !ok {
			return nil, false
		}
	}
	return v, true
}

func readSpec(t *testing.T, b []byte) spec {
	t.Helper()
	var s spec
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestOpenAPIRoutes: what is described is answered, and what is answered is described.
func TestOpenAPIRoutes(t *testing.T) {
	e := start(t, options{})
	s := readSpec(t, served(t, e.srv))
	parameter := regexp.MustCompile(`\{([a-z]+)\}`)
	var described []string
	ids := map[string]bool{}
	paths, _ := s.at("paths")
	for path, methods := range paths.(map[string]any) {
		for method, op := range methods.(map[string]any) {
			described = append(described, strings.ToUpper(method)+" /api/v1"+parameter.ReplaceAllString(path, ":$1"))
			op := op.(map[string]any)
			id, _ := op["operationId"].(string)
			if id == "" || ids[id] || op["summary"] == "" || len(op["responses"].(map[string]any)) == 0 {
				t.Errorf("%s %s: operation %v", method, path, op)
			}
			ids[id] = true
			var names []string
			list, _ := op["parameters"].([]any)
			for _, p := range list {
				names = append(names, "{"+p.(map[string]any)["name"].(string)+"}")
			}
			if !slices.Equal(names, parameter.FindAllString(path, -1)) {
				t.Errorf("%s %s: parameters %v", method, path, names)
			}
		}
	}
	routes := e.srv.Routes()
	slices.Sort(described)
	slices.Sort(routes)
	if !slices.Equal(described, routes) {
		t.Errorf("described\n%s\nanswered\n%s", strings.Join(described, "\n"), strings.Join(routes, "\n"))
	}
	walkRefs(t, s, map[string]any(s))
}

func walkRefs(t *testing.T, s spec, v any) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			if _, ok := s.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...); !ok {
				t.Errorf("%s leads nowhere", ref)
			}
		}
		for _, sub := range v {
			walkRefs(t, s, sub)
		}
	case []any:
		for _, sub := range v {
			walkRefs(t, s, sub)
		}
	}
}

// checkReply compares a real reply with its description. Addresses that are described nowhere may only be refused.
func (s spec) checkReply(method, path string, status int, kind string, body []byte) error {
	responses := s.responses(method, path)
	if responses == nil {
		if status != http.StatusNotFound && status != http.StatusMethodNotAllowed && status != http.StatusForbidden {
			return fmt.Errorf("answered %d and is described nowhere", status)
		}
		return nil
	}
	response, ok := responses[fmt.Sprint(status)].(map[string]any)
	if !ok {
		return fmt.Errorf("answered %d, which is not described", status)
	}
	schema, ok := spec(response).at("content", "application/json", "schema")
	if !ok {
		if len(body) != 0 {
			return fmt.Errorf("answered %d with a body, which is not described", status)
		}
		return nil
	}
	if !strings.HasPrefix(kind, "application/json") {
		return fmt.Errorf("answered %d with %q", status, kind)
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return err
	}
	if err := s.fits(schema.(map[string]any), v, "reply"); err != nil {
		return err
	}
	if m, _ := v.(map[string]any); status >= http.StatusBadRequest && !strings.Contains(response["description"].(string), m["code"].(string)) {
		return fmt.Errorf("answered %d %s; described is %s", status, m["code"], response["description"])
	}
	return nil
}

func (s spec) responses(method, path string) map[string]any {
	path, _, _ = strings.Cut(strings.TrimPrefix(path, "/api/v1"), "?")
	paths, _ := s.at("paths")
	var best map[string]any
	for pattern, methods := range paths.(map[string]any) {
		expr := "^" + regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(regexp.QuoteMeta(pattern), `[^/]+`) + "$"
		expr = regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(expr, `[^/]*`)
		op, ok := methods.(map[string]any)[strings.ToLower(method)].(map[string]any)
		if ok && regexp.MustCompile(expr).MatchString(path) && (best == nil || pattern == path) {
			best = op["responses"].(map[string]any)
		}
	}
	return best
}

// fits says what of v is not as the schema says. What the schema does not name must not be there.
func (s spec) fits(schema map[string]any, v any, where string) error {
	if ref, ok := schema["$ref"].(string); ok {
		to, _ := s.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		return s.fits(to.(map[string]any), v, where)
	}
	bad := func(ok bool) error {
		if !ok {
			return fmt.Errorf("%s is %v, not %v", where, v, schema["type"])
		}
		return nil
	}
	switch schema["type"] {
	case "string":
		_, ok := v.(string)
		if values, has := schema["enum"].([]any); has {
			ok = slices.Contains(values, v)
		}
		return bad(ok)
	case "boolean":
		_, ok := v.(bool)
		return bad(ok)
	case "integer":
		n, ok := v.(float64)
		return bad(ok && n == math.Trunc(n))
	case "array":
		list, ok := v.([]any)
		for i, sub := range list {
			if err := s.fits(schema["items"].(map[string]any), sub, fmt.Sprintf("%s[%d]", where, i)); err != nil {
				return err
			}
		}
		return bad(ok)
	case "object":
		m, ok := v.(map[string]any)
		if !ok {
			return bad(false)
		}
		return s.fitsObject(schema, m, where)
	}
	return fmt.Errorf("%s: no such type %v", where, schema["type"])
}

func (s spec) fitsObject(schema, m map[string]any, where string) error {
	properties, ok := schema["properties"].(map[string]any)
	if !ok {
		return nil
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := m[name.(string)]; !ok {
			return fmt.Errorf("%s has no %s", where, name)
		}
	}
	for name, sub := range m {
		property, ok := properties[name].(map[string]any)
		if !ok {
			return fmt.Errorf("%s has %s, which is not described", where, name)
		}
		if err := s.fits(property, sub, where+"."+name); err != nil {
			return err
		}
	}
	return nil
}

// TestReplyChecksCanFail plants replies that are not as described.
func TestReplyChecksCanFail(t *testing.T) {
	s := readSpec(t, served(t, start(t, options{}).srv))
	const json = "application/json"
	for _, tc := range []struct {
		method, path string
		status       int
		kind, body   string
		ok           bool
	}{
		{"GET", "/api/v1/healthz", 200, json, `{"status":"ok"}`, true},
		{"GET", "/api/v1/healthz", 200, json, `{"status":7}`, false},
		{"GET", "/api/v1/healthz", 200, json, `{}`, false},
		{"GET", "/api/v1/healthz", 200, json, `{"status":"ok","more":1}`, false},
		{"GET", "/api/v1/healthz", 200, "text/plain", `{"status":"ok"}`, false},
		{"GET", "/api/v1/healthz", 204, json, ``, false},
		{"GET", "/api/v1/access", 200, json, `{"access":"open","guests":true,"invite":false,"passkeys":false,"email":false}`, true},
		{"GET", "/api/v1/access", 200, json, `{"access":"closed","guests":true,"invite":false,"passkeys":false,"email":false}`, false},
		{"GET", "/api/v1/nothing", 200, json, `{}`, false},
		{"GET", "/api/v1/nothing", 404, json, `{}`, true},
		{"POST", "/api/v1/sessions", 401, json, `{"code":"wrong_login","message":"m","retry":"never"}`, true},
		{"POST", "/api/v1/sessions", 401, json, `{"code":"unauthorized","message":"m","retry":"never"}`, false},
		{"DELETE", "/api/v1/sessions/x", 404, json, `{"code":"not_found","message":"m","retry":"never"}`, true},
		{"DELETE", "/api/v1/sessions/x", 204, "", `x`, false},
		{"GET", "/api/v1/sessions", 200, json, `{"sessions":[{"id":"x"}]}`, false},
		{"GET", "/api/v1/sessions", 200, json, `{"sessions":null}`, false},
	} {
		if err := s.checkReply(tc.method, tc.path, tc.status, tc.kind, []byte(tc.body)); (err == nil) != tc.ok {
			t.Errorf("%+v: %v", tc, err)
		}
	}
}
