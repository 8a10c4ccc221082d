package signaling

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// object is a JSON object whose keys are written in order.
type object = map[string]any

// openAPI describes the HTTP side as OpenAPI 3.1 does (https://spec.openapis.org/oas/v3.1.0), made of the table of routes
// and of the types in it.
func (s *Server) openAPI() ([]byte, error) {
	d := describer{schemas: object{}}
	d.schema(reflect.TypeFor[failure]())
	paths := object{}
	for _, r := range s.table() {
		path, parameters := openAPIPath(r.path)
		at, ok := paths[path].(object)
		if !ok {
			at = object{}
			paths[path] = at
		}
		at[strings.ToLower(r.method)] = d.operation(r, parameters)
	}
	return json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Small Talk", "version": strconv.Itoa(protocolVersion), "license": object{"name": "MIT", "identifier": "MIT"},
			"description": "What lasts: accounts, sessions, friends. The live session is described in signaling/PROTOCOL.md. Times are milliseconds since 1970.",
		},
		"servers": []object{{"url": apiPrefix}},
		"paths":   paths,
		"components": object{
			"schemas": d.schemas,
			"securitySchemes": object{
				"cookie": object{"type": "apiKey", "in": "cookie", "name": cookieSecure},
				"bearer": object{"type": "http", "scheme": "bearer"},
			},
		},
	}, "", "  ")
}

// handleOpenAPI serves the description, which is made once.
func (s *Server) handleOpenAPI(c echo.Context) error {
	text, err := s.described()
	if err != nil {
		s.log.Error("describe the API", "err", err)
		return errInternal
	}
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, text)
}

// openAPIPath brings echo's form of a parameter into OpenAPI's.
func openAPIPath(path string) (string, []object) {
	parts := strings.Split(path, "/")
	var parameters []object
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			parts[i] = "{" + name + "}"
			parameters = append(parameters, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	return strings.Join(parts, "/"), parameters
}

// describer collects the schemas of the types it meets.
type describer struct{ schemas object }

func (d *describer) operation(r route, parameters []object) object {
	op := object{"summary": r.summary, "operationId": operationID(r), "responses": d.responses(r)}
	if len(parameters) > 0 {
		op["parameters"] = parameters
	}
	if r.body != nil {
		op["requestBody"] = object{"required": !r.optional, "content": d.content(r.body)}
	}
	if r.who != anybody {
		op["security"] = []object{{"cookie": []string{}}, {"bearer": []string{}}}
	}
	return op
}

// operationID is the request in one word: "getUsersMe".
func operationID(r route) string {
	id := strings.ToLower(r.method)
	for part := range strings.FieldsFuncSeq(r.path, func(c rune) bool { return strings.ContainsRune("/.:", c) }) {
		id += exported(part)
	}
	return id
}

func (d *describer) responses(r route) object {
	responses := object{}
	for status, reply := range r.replies {
		response := object{"description": http.StatusText(status)}
		if reply != nil {
			response["content"] = d.content(reply)
		}
		responses[strconv.Itoa(status)] = response
	}
	byStatus := map[int][]string{}
	add := func(status int, code string) {
		if !slices.Contains(byStatus[status], code) {
			byStatus[status] = append(byStatus[status], code)
		}
	}
	for _, fail := range slices.Concat(r.fails, commonFails(r)) {
		add(fail.status(), fail.Code)
	}
	if r.body != nil && r.method != http.MethodDelete {
		add(http.StatusUnsupportedMediaType, codeBadMessage)
	}
	if r.method != http.MethodGet {
		add(http.StatusForbidden, codeUnauthorized)
	}
	if r.path == "/ws" {
		add(http.StatusUpgradeRequired, codeBadMessage)
		add(http.StatusForbidden, codeUnauthorized)
	}
	for status, codes := range byStatus {
		slices.Sort(codes)
		responses[strconv.Itoa(status)] = object{
			"description": "code: " + strings.Join(codes, ", "),
			"content":     d.content(failure{}),
		}
	}
	return responses
}

// commonFails are what all requests of a kind may be answered with.
func commonFails(r route) []*failure {
	fails := []*failure{errInternal}
	if r.limited {
		fails = append(fails, rateLimited(0))
	}
	if r.body != nil {
		fails = append(fails, badMessage(""), errTooLarge)
	}
	if r.who != anybody {
		fails = append(fails, unauthorized(""))
	}
	if r.who == owners {
		fails = append(fails, errAccountRequired)
	}
	return fails
}

func (d *describer) content(example any) object {
	return object{echo.MIMEApplicationJSON: object{"schema": d.schema(reflect.TypeOf(example))}}
}

// schema describes a type: a struct under its name, anything else in place.
func (d *describer) schema(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return object{"type": "object"}
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.schema(t.Elem())
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string", "contentEncoding": "base64"}
		}
		return object{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Struct:
		name := exported(t.Name())
		if _, known := d.schemas[name]; !known {
			d.schemas[name] = nil // it may have itself inside
			d.schemas[name] = d.structure(t)
		}
		return object{"$ref": "#/components/schemas/" + name}
	case reflect.Map:
		return object{"type": "object"}
	default:
		return object{"type": "integer"}
	}
}

func (d *describer) structure(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, field := range reflect.VisibleFields(t) {
		name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous || name == "" || name == "-" {
			continue
		}
		property := d.schema(field.Type)
		if values := field.Tag.Get("enum"); values != "" {
			property["enum"] = strings.Split(values, ",")
		}
		properties[name] = property
		if option == "" {
			required = append(required, name)
		}
	}
	slices.Sort(required)
	out := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func exported(name string) string {
	if name == "" {
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:]
}
