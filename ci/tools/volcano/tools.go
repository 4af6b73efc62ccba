//go:build tools

// Package tools pins what ci/binaries builds: Volcano's controller manager, scheduler and webhook manager.
package tools

import (
	_ "volcano.sh/volcano/cmd/controller-manager"
	_ "volcano.sh/volcano/cmd/scheduler"
	_ "volcano.sh/volcano/cmd/webhook-manager"
)
