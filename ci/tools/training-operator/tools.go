//go:build tools

// Package tools pins what ci/binaries builds: training-operator.
package tools

import _ "github.com/kubeflow/training-operator/cmd/training-operator.v1"
