//go:build tools

// Package tools pins what ci/binaries builds: jobset.
package tools

import _ "sigs.k8s.io/jobset"
