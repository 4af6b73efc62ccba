//go:build tools

// Package tools pins what ci/binaries builds: helm4.
package tools

import _ "helm.sh/helm/v4/cmd/helm"
