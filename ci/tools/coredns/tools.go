//go:build tools

// Package tools pins what ci/binaries builds: coredns.
package tools

import _ "github.com/coredns/coredns"
