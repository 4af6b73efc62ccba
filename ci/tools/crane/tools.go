//go:build tools

// Package tools pins what ci/binaries builds: crane.
package tools

import _ "github.com/google/go-containerregistry/cmd/crane"
