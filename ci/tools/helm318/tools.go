//go:build tools

// Package tools pins what ci/binaries builds: helm318.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
