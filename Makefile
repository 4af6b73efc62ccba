# launch-agent: every target works on a bare machine with Python 3.11 or newer; what it needs, it installs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE ?= 1
# The locks are whole: pip follows them, and has nothing to resolve that a newer release could disturb. `pip check` judges them.
PIP_LOCKED := install --quiet --no-deps --require-hashes -r
# Tests run on all processors; those that mostly wait for a cluster, more at a time.
PARALLEL := -n auto --dist worksteal
WAITING := -n 4 --dist worksteal
# What `make full` does not leave out: tests that take half a minute or more, and the second Helm where a cluster is needed.
QUICK := and not long
HELMS := helm3
REMOTE := apiserver or sim or cluster or e2e or conformance

##@ Start here

.PHONY: help
help: ## Show this menu
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
	/^[a-z0-9-]+:.*## / {printf "  \033[36m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST); echo

.PHONY: demo
demo: venv venv-wandb ## Run server, agent and a training script here, without a cluster or an account (2 minutes)
	@$(BIN)/python demo/run.py

.PHONY: venv
venv: .venv/.ready ## Make .venv with launch-agent and launch-server in it

.venv/.ready: requirements/dev.txt pyproject.toml
	@echo "venv: .venv from requirements/dev.txt"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "launch-agent needs Python 3.11 or newer; set PYTHON=…")'
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@$(BIN)/pip $(PIP_LOCKED) requirements/dev.txt
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/pip --quiet check
	@touch $@

.PHONY: venv-wandb
venv-wandb: .venv-wandb/.ready ## Make .venv-wandb with W&B's own client (tests and demo only)

.PHONY: venv-wandb-launch
venv-wandb-launch: .venv-wandb-launch/.ready ## Make .venv-wandb-launch with W&B's own agent (about 1 GB; tests and bench only)

.PHONY: venv-checkov
venv-checkov: .venv-checkov/.ready ## Make .venv-checkov with checkov (policy checks of the chart; about 300 MB)

.venv-%/.ready: requirements/%.txt
	@echo "venv: .venv-$* from $<"
	@test -x .venv-$*/bin/pip || $(PYTHON) -m venv .venv-$*
	@.venv-$*/bin/pip $(PIP_LOCKED) $<
	@.venv-$*/bin/pip --quiet check
	@touch $@

##@ Check

.PHONY: test
test: lint unit chart-test server-test apiserver-test ## Lint, types, imports, unit, server, chart and API-server tests

.PHONY: lint
lint: venv ## Formatting, lint, types, import contracts, written pages
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet . && echo "ruff: clean"
	@$(BIN)/mypy agent server tests bench demo
	@MYPYPATH=ci $(BIN)/mypy -p localcluster -p agentimage -p chartfigures -p wandbimage
	@$(BIN)/lint-imports
	@$(BIN)/python ci/run-spec-docs --check && $(BIN)/python ci/kinds-table --check && $(BIN)/python ci/lifecycle-drawing --check && echo "written pages: current"

.PHONY: unit
unit: venv ## Unit and adapter tests: seconds, no cluster
	@$(BIN)/pytest -q $(PARALLEL) -m "not ($(REMOTE))" tests/unit tests/adapters

.PHONY: server-test
server-test: venv venv-wandb venv-wandb-launch ## The queue server, also against W&B's own client and agent
	@$(BIN)/pytest -q $(PARALLEL) -m "not (apiserver or sim or cluster or e2e)" tests/server tests/conformance tests/demo

.PHONY: chart-lint
chart-lint: venv ## The chart's YAML, `helm lint --strict` by every Helm, the package (seconds)
	@$(BIN)/python ci/chart-lint

.PHONY: chart-test
chart-test: venv venv-checkov ## The chart under real Helm 3 (the oldest supported, too) and Helm 4
	@ci/binaries helm318 helm3 helm4 >/dev/null
	@$(BIN)/python ci/chart-lint
	@$(BIN)/pytest -q $(PARALLEL) -m "not ($(REMOTE))" tests/chart

.PHONY: chart-test-all
chart-test-all: venv venv-checkov ## … the long tables under the oldest Helm, too
	@ci/binaries helm318 helm3 helm4 >/dev/null
	@LAUNCH_AGENT_HELMS="helm318 helm3 helm4" $(BIN)/pytest -q $(PARALLEL) -m "not ($(REMOTE))" tests/chart

.PHONY: apiserver-test
apiserver-test: venv ## Adapters, agent and chart against a real API server
	@ci/cluster up sim --name test
	@trap 'ci/cluster down --name test' EXIT; \
	LAUNCH_AGENT_HELMS="$(HELMS)" \
	ci/inside --name test $(BIN)/pytest -q $(WAITING) --durations=15 -m "(apiserver or sim) and not alone $(QUICK)" tests

.PHONY: outage-test
outage-test: venv ## Two agents while the API server is away for longer than their Lease
	@ci/cluster up sim --name outage
	@trap 'ci/cluster down --name outage' EXIT; \
	ci/inside --name outage $(BIN)/pytest -q -m "alone" tests

CRASH_CLUSTER ?= crash
CRASH_PARALLEL ?= 3

.PHONY: crash
crash: venv ## Kills at every step, faults, outages of ten minutes; counted by an auditor (35 minutes and more; docs/crash.md)
	@ci/cluster up sim --name $(CRASH_CLUSTER)
	@mkdir -p dist && rm -f dist/crash.jsonl
	@trap 'ci/cluster down --name $(CRASH_CLUSTER)' EXIT; \
	status=0; LAUNCH_AGENT_CRASH_RESULTS=$(CURDIR)/dist/crash.jsonl \
	ci/inside --name $(CRASH_CLUSTER) $(BIN)/pytest -q -n $(CRASH_PARALLEL) --dist worksteal -m crash tests/crash || status=$$?; \
	$(BIN)/python -m tests.crash.report dist/crash.jsonl && exit $$status

.PHONY: crash-short
crash-short: venv ## A seeded sample of the same (4 minutes; LAUNCH_AGENT_CRASH_SEED=N)
	@ci/cluster up sim --name $(CRASH_CLUSTER)
	@trap 'ci/cluster down --name $(CRASH_CLUSTER)' EXIT; \
	ci/inside --name $(CRASH_CLUSTER) $(BIN)/pytest -q -n 2 -m crash -k "auditor or tables or every_request or a_sample" tests/crash

.PHONY: crash-pods
crash-pods: venv ## A kill at every step while real pods run (4 minutes)
	@ci/cluster up full --name crashp
	@mkdir -p dist && rm -f dist/crash-pods.jsonl
	@trap 'ci/cluster down --name crashp' EXIT; \
	LAUNCH_AGENT_CLUSTER=crashp ci/images base && ci/jobimage --name crashp --version crash tests/crash/jobs/*.py >/dev/null && \
	LAUNCH_AGENT_CRASH_RESULTS=$(CURDIR)/dist/crash-pods.jsonl \
	ci/inside --name crashp $(BIN)/pytest -q -m crash_pods tests/crash && \
	$(BIN)/python -m tests.crash.report dist/crash-pods.jsonl

.PHONY: crash-wandb
crash-wandb: venv venv-wandb-launch ## The same auditor on W&B's agent and on ours, under the same faults and kills (30 minutes)
	@ci/cluster up sim --name crashw
	@rm -f dist/crash-wandb.jsonl
	@trap 'ci/cluster down --name crashw' EXIT; \
	ci/inside --name crashw $(BIN)/python -m tests.crash.compare --out dist/crash-wandb.jsonl && \
	$(BIN)/python -m tests.crash.tables dist/crash-wandb.jsonl --write docs/crash-results.md --short README.md

.PHONY: chart-live
chart-live: venv ## The chart on API servers of the oldest and the newest supported Kubernetes (built once, minutes)
	@trap 'ci/cluster down --name versions' EXIT; \
	for version in 1.29 1.37; do \
	  ci/cluster up apiserver --name versions --kubernetes $$version && \
	  LAUNCH_AGENT_HELMS="$$([ $$version = 1.29 ] && echo helm318) helm3 helm4" \
	  ci/inside --name versions $(BIN)/pytest -q $(WAITING) -m "apiserver and not sim" tests/chart || exit 1; \
	done

.PHONY: e2e
e2e: venv venv-wandb ## The main job on a real cluster: W&B's client pushes, Helm's agent launches, real pods run
	@ci/cluster up full --name e2e
	@trap 'ci/cluster down --name e2e' EXIT; \
	LAUNCH_AGENT_CLUSTER=e2e ci/images base && \
	LAUNCH_AGENT_CLUSTER=e2e ci/image --tag reg.local:5000/launch-agent:e2e --push && \
	LAUNCH_AGENT_CLUSTER=e2e tests/e2e/images.sh && \
	$(if $(QUICK),,LAUNCH_AGENT_CLUSTER=e2e ci/wandbagent &&) \
	ci/inside --name e2e $(BIN)/pytest -q --durations=15 -m "(e2e or cluster) $(QUICK)" tests

.PHONY: operators
operators: venv ## Real operators as pods: JobSet, training-operator, Kueue, KubeRay; items launched under them (built once, 10 minutes)
	@ci/operators build jobset training-operator kueue kuberay
	@ci/cluster up full --name ops
	@trap 'ci/cluster down --name ops' EXIT; \
	ci/operators up jobset training-operator kueue kuberay --name ops >/dev/null && \
	ci/jobimage --name ops --version ops tests/operators/jobs/*.py >/dev/null && \
	ci/inside --name ops $(BIN)/pytest -q -m operators tests/operators

.PHONY: full
full: QUICK :=
full: HELMS := helm3 helm4
full: test chart-test-all outage-test chart-live e2e operators crash-short crash-pods bench ## Everything, the long loops too

.PHONY: bench
bench: venv venv-wandb-launch ## Figures next to W&B's agent and to the raw limit, in one run
	@ci/cluster up apiserver --name bench
	@$(BIN)/python -m bench --only weight
	@ci/binaries helm318 helm3 helm4 >/dev/null && $(BIN)/python -m bench --only chart
	@trap 'ci/cluster down --name bench' EXIT; \
	ci/inside --name bench $(BIN)/python -m bench --only burst && ci/inside --name bench $(BIN)/python -m bench --only start

##@ Clusters (from packages, in a network of their own; KUBECONFIG replaces them)

.PHONY: apiserver
apiserver: ## Start etcd and a Kubernetes API server
	@ci/cluster up apiserver

.PHONY: cluster-sim
cluster-sim: ## … and controllers, a scheduler and kwok pods that run until told
	@ci/cluster up sim

.PHONY: cluster
cluster: ## … and a real node: kubelet, containerd, DNS, a registry
	@ci/cluster up full

.PHONY: cluster-down
cluster-down: ## Stop the cluster, leave no trace
	@ci/cluster down

.PHONY: image
image: ## Build the agent's image with docker or buildah; push it to the cluster's registry if that is up
	@ci/image --tag reg.local:5000/launch-agent:dev --push-if-up

##@ Housekeeping

.PHONY: format
format: venv ## Format the code
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .

.PHONY: chart-figures
chart-figures: venv venv-checkov ## Run all the chart's tests and write docs/chart-tests.md (10 minutes)
	@$(BIN)/python ci/chart-figures

.PHONY: chart-package
chart-package: ## Write dist/launch-agent-<version>.tgz, the same bytes from every clone
	@ci/chart-package

.PHONY: chart-snapshots
chart-snapshots: venv ## Renew tests/chart/snapshots after a change of the chart that is meant; look at the diff
	@$(BIN)/python -m tests.support.snapshots $$(ci/binaries helm4)/helm4

.PHONY: lock
lock: venv ## Resolve the dependencies anew into requirements/
	@$(BIN)/pip install --quiet uv
	@$(BIN)/python ci/lock

.PHONY: clean
clean: ## Remove environments and caches below this folder
	@rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
