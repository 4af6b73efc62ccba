//go:build tools

// Package tools pins what ci/binaries builds: etcd.
package tools

import _ "go.etcd.io/etcd/server/v3"
