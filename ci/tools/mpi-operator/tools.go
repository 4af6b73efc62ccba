//go:build tools

// Package tools pins what ci/binaries builds: mpi-operator.
package tools

import _ "github.com/kubeflow/mpi-operator/cmd/mpi-operator"
