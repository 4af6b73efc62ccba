//go:build tools

// Package tools pins what ci/binaries builds from k8s.io/kubernetes 1.37.2.
package tools

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
