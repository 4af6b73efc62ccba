//go:build tools

// Package tools pins what ci/binaries builds: kueue.
package tools

import _ "sigs.k8s.io/kueue/cmd/kueue"
