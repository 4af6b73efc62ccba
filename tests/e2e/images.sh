#!/usr/bin/env bash
# Make the images of the e2e tests' jobs and push them to the cluster's registry (LAUNCH_AGENT_CLUSTER).
set -euo pipefail
cd "$(dirname "$0")/../.."
ci/jobimage tests/e2e/jobs/*.py
