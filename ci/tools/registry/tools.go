//go:build tools

// Package tools pins what ci/binaries builds: registry.
package tools

import _ "github.com/distribution/distribution/v3/cmd/registry"
