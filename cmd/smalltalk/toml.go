package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/alecthomas/kong"
)

// configFlag is the flag that names the settings file.
type configFlag string

// BeforeResolve reads the file before values are looked up in it.
func (configFlag) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	name, ok := ctx.FlagValue(trace.Flag).(configFlag)
	if !ok || name == "" {
		return nil
	}
	file, err := loadTOML(kong.ExpandPath(string(name)))
	if err != nil {
		return err
	}
	ctx.AddResolver(file)
	return nil
}

// tomlFile answers the command line's questions from a settings file: one flat
// table whose keys are the flags' names.
type tomlFile struct {
	name   string
	values map[string]any
}

// loadTOML reads a settings file.
func loadTOML(name string) (*tomlFile, error) {
	text, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("settings file: %w: make it readable for this user", err)
	case err != nil:
		return nil, fmt.Errorf("settings file: %w: look at --config", err)
	}
	f := &tomlFile{name: name, values: map[string]any{}}
	if err := toml.Unmarshal(text, &f.values); err != nil {
		return nil, fmt.Errorf("settings file %s is no TOML: %w", name, err)
	}
	return f, nil
}

// Validate refuses keys that are no setting: a misspelt key that is passed over
// in silence costs an operator an evening. The flags of single commands, as
// those of the doctor, are no settings.
func (f *tomlFile) Validate(app *kong.Application) error {
	known := map[string]bool{}
	for _, flag := range app.Flags {
		known[flag.Name] = flag.Name != "config" && flag.Name != "help" && flag.Name != "version"
	}
	var unknown []string
	for key := range f.values {
		if known[key] {
			continue
		}
		if meant := strings.ReplaceAll(strings.ToLower(strings.Trim(key, "-")), "_", "-"); known[meant] {
			key += " (meant is " + meant + "?)"
		}
		unknown = append(unknown, key)
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return fmt.Errorf("settings file %s: no such setting: %s: its keys are the flags without the dashes", f.name, strings.Join(unknown, ", "))
	}
	return nil
}

// Resolve gives the value of one flag, nil when the file does not name it or an
// environment variable, which comes before the file, does.
func (f *tomlFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return nil, nil
		}
	}
	value, ok := f.values[flag.Name]
	if !ok {
		return nil, nil
	}
	given, ok := asFlag(value, flag)
	if !ok {
		want := "one value, for example " + flag.Name + " = \"...\""
		if flag.IsSlice() {
			want = "a list, for example " + flag.Name + " = [\"...\", \"...\"]"
		}
		return nil, fmt.Errorf("settings file %s: it must be %s", f.name, want)
	}
	return given, nil
}

// asFlag brings a value of TOML into a form that the command line could have
// had, so that it is judged, and complained about, as if it had come from there.
func asFlag(value any, flag *kong.Flag) (any, bool) {
	switch v := value.(type) {
	case bool:
		if flag.IsBool() {
			return v, true
		}
		return fmt.Sprint(v), true
	case string, int64, float64:
		return fmt.Sprint(v), true
	case []any:
		isText := func(item any) bool { _, ok := item.(string); return ok }
		return v, flag.IsSlice() && !slices.ContainsFunc(v, func(item any) bool { return !isText(item) })
	}
	return nil, false
}

var _ kong.Resolver = (*tomlFile)(nil)
