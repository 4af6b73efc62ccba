"""`ci/cluster`: up, down, status, address."""

import argparse
import json
import os

from localcluster.binaries import DEFAULT_KUBERNETES
from localcluster.control_plane import admin_kubeconfig, audit_log
from localcluster.external import external_kubeconfig
from localcluster.lifecycle import (
    Size,
    bring_up,
    current_kubernetes,
    current_size,
    daemons_of,
    switch_daemon,
    take_down,
)
from localcluster.namespaces import Namespaces
from localcluster.network import ADDRESS, REGISTRY
from localcluster.paths import DEFAULT_NAME, cluster_dir
from localcluster.progress import say


def main(arguments: list[str]) -> None:
    """Parse the command line and do it; raises ToolError with what to do about it."""
    options = _parser().parse_args(arguments)
    name: str = options.name
    if options.action == "up":
        _up(name, Size(options.size), options.kubernetes)
    elif options.action == "down":
        take_down(name)
    elif options.action in {"stop", "start"}:
        switch_daemon(name, options.daemon, on=options.action == "start")
    elif options.action == "address":
        print(ADDRESS)
    else:
        _print_status(name, as_json=options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ci/cluster", description="Local clusters for tests; see ci/README.md.")
    common = argparse.ArgumentParser(add_help=False)
    name = os.environ.get("LAUNCH_AGENT_CLUSTER", DEFAULT_NAME)
    common.add_argument(
        "--name", default=name, help=f"which cluster (default {name}); different names run side by side"
    )
    actions = parser.add_subparsers(dest="action", required=True)
    up = actions.add_parser("up", parents=[common], help="bring a cluster up (again: nothing happens)")
    up.add_argument("size", choices=[str(size) for size in Size])
    version = os.environ.get("LAUNCH_AGENT_KUBERNETES", DEFAULT_KUBERNETES)
    up.add_argument(
        "--kubernetes",
        default=version,
        metavar="VERSION",
        help=f"of the API server at size apiserver (default {version})",
    )
    actions.add_parser("down", parents=[common], help="end it and remove its state")
    for action, what in (("stop", "end one daemon at once, as a crash would"), ("start", "start it again")):
        actions.add_parser(action, parents=[common], help=what).add_argument("daemon")
    status = actions.add_parser("status", parents=[common], help="what runs and where its files are")
    status.add_argument("--json", action="store_true")
    actions.add_parser("address", parents=[common], help="the node's address, where pods reach a server in ci/inside")
    return parser


def _up(name: str, size: Size, kubernetes: str) -> None:
    external = external_kubeconfig(name)
    if external and (size == Size.FULL or os.environ.get("LAUNCH_AGENT_KUBECONFIG")):
        say(f"using the cluster of {external}; nothing is started")
        return
    bring_up(name, size, kubernetes)


def _print_status(name: str, *, as_json: bool) -> None:
    size, state = current_size(name), cluster_dir(name)
    namespaces = Namespaces(state)
    answer: dict[str, object] = {"name": name, "size": size}
    if size is not None:
        answer |= {
            "address": ADDRESS,
            "kubernetes": current_kubernetes(name),
            "kubeconfig": str(admin_kubeconfig(state)),
            "logs": str(state / "logs"),
            "audit_log": None if size == Size.APISERVER else str(audit_log(state)),
            "registry": REGISTRY if size == Size.FULL else None,
            "daemons": {daemon: namespaces.running(daemon) for daemon in daemons_of(size)},
        }
    if as_json:
        print(json.dumps(answer, indent=2))
        return
    daemons = answer.pop("daemons", {})
    for key, value in answer.items():
        print(f"{key + ':':12}{value or '-'}")
    if isinstance(daemons, dict):
        for daemon, runs in daemons.items():
            print(f"  {daemon:26}{'runs' if runs else 'ENDED'}")
