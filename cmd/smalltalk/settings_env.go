package main

import (
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// variablePrefix is what the environment variables of all settings begin with.
const variablePrefix = "SMALLTALK"

// chosen says whether anything was chosen of the flags that are settings.
func chosen(path []*kong.Path, settings []*kong.Flag) bool {
	return slices.ContainsFunc(path, func(p *kong.Path) bool { return slices.Contains(settings, p.Flag) }) ||
		slices.ContainsFunc(variables(settings), func(name string) bool { _, ok := os.LookupEnv(name); return ok })
}

// strays lists the names in environ that look like settings and are none, which
// is mostly a slip of the pen. They cannot be refused: container systems set
// some on their own, named for the service.
func strays(environ []string, settings []*kong.Flag) []string {
	known := variables(settings)
	var list []string
	for _, line := range environ {
		name, _, _ := strings.Cut(line, "=")
		if strings.HasPrefix(name, variablePrefix+"_") && !slices.Contains(known, name) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

func variables(settings []*kong.Flag) []string {
	var list []string
	for _, f := range settings {
		list = append(list, f.Envs...)
	}
	return list
}
