package main

import (
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/alecthomas/kong"
)

// tomlFile answers the command line's questions from a settings file: one flat
// table whose keys are the flags' names.
type tomlFile map[string]any

// loadTOML reads a settings file.
func loadTOML(r io.Reader) (kong.Resolver, error) {
	values := tomlFile{}
	if _, err := toml.NewDecoder(r).Decode(&values); err != nil {
		return nil, fmt.Errorf("settings file: %w", err)
	}
	return values, nil
}

// Validate refuses keys that are no setting: a misspelt key that is passed over
// in silence costs an operator an evening.
func (f tomlFile) Validate(app *kong.Application) error {
	known := map[string]bool{}
	_ = kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			known[flag.Name] = true
		}
		return next(nil)
	})
	var unknown []string
	for key := range f {
		if !known[key] || key == "config" || key == "help" || key == "version" {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		return fmt.Errorf("settings file: no such setting: %s", strings.Join(unknown, ", "))
	}
	return nil
}

// Resolve gives the value of one flag, nil when the file does not name it or an
// environment variable, which comes before the file, does.
func (f tomlFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return nil, nil
		}
	}
	return f[flag.Name], nil
}

var _ kong.Resolver = tomlFile{}
