//go:build tools

// Package tools pins what ci/binaries builds: kuberay.
package tools

import _ "github.com/ray-project/kuberay/ray-operator"
