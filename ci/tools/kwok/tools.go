//go:build tools

// Package tools pins what ci/binaries builds: kwok.
package tools

import _ "sigs.k8s.io/kwok/cmd/kwok"
