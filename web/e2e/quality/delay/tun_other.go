//go:build !linux

package main

import (
	"errors"
	"os"
)

// openTUN fails: the laboratory is made of Linux's namespaces.
func openTUN(string) (*os.File, error) {
	return nil, errors.ErrUnsupported
}
