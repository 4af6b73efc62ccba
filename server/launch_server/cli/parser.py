"""The options of every command, with texts that teach."""

import argparse
from collections.abc import Callable, Iterable
from typing import TypeAlias

from launch_server.cli import admin, push, queue, run
from launch_server.settings import DEFAULT_LISTEN, default_database

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Command = Callable[[argparse.Namespace], int]

_OVERVIEW = """
A self-hosted queue for W&B Launch: W&B's own client and agents talk to it as to W&B.

a first try, in three terminals' worth of commands:
  launch-server serve                                  start it; the first start prints an API key
  export WANDB_BASE_URL=http://127.0.0.1:8080 WANDB_API_KEY=<that key>
  launch-server queue create gpu --resource kubernetes --config queue.yaml
  launch-server push spec.yaml --queue gpu --follow    push a run and wait for its end

exit codes:
  0  done (push --follow: the run finished)     2    the command, a file or the server's answer was an error
  1  the pushed item or the followed run failed  3    --timeout is over      130  interrupted
"""
_WHERE = """
Works over HTTP with --url or WANDB_BASE_URL (and WANDB_API_KEY); else on the database file itself.
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="launch-server",
        description=_OVERVIEW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_serve(commands)
    _add_proxy(commands)
    _add_push(commands)
    _add_queue(commands)
    _add_item(commands)
    _add_run(commands)
    _add_agent(commands)
    _add_key(commands)
    _add_entity(commands)
    return parser


def _add_serve(commands: Commands) -> None:
    command = commands.add_parser(
        "serve", help="serve the queue until SIGINT or SIGTERM", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = command.add_argument
    add("--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT", help="where to listen; port 0 takes a free one")
    add("--database", default=default_database(), metavar="URL", help="sqlite:///PATH; made on the first start")
    add("--entity", default="local", metavar="NAME", help="the entity that the first start makes")
    add("--admin", default="admin", metavar="NAME", help="the user that the first start makes")
    add("--admin-key-file", metavar="FILE", help="a file with the admin's API key (or env LAUNCH_SERVER_ADMIN_KEY)")
    add("--print-key-to", metavar="FILE", help="write the key that the first start makes here, not to stdout")
    add("--public-url", metavar="URL", help="address that files are offered under; else the one a client used")
    add("--lease-seconds", type=_seconds, default=60.0, metavar="S", help="how long a popped item waits for its ack")
    add("--run-timeout", type=_seconds, default=300.0, metavar="S", help="a run silent for so long has crashed")
    add("--sweep-seconds", type=_seconds, default=5.0, metavar="S", help="how often silent runs are looked for")
    add("--faults", metavar="FILE", help="misbehave on purpose (docs/conformance.md): a script, or latency=50ms")
    add("--control", metavar="HOST:PORT", help="with --faults: where its events are read and its holds released")
    add("--log-level", default="info", choices=("debug", "info", "warning", "error"), help="what goes to stderr")
    command.set_defaults(run=_serve)


def _serve(options: argparse.Namespace) -> int:
    # only here: the server takes most of a command's time to import
    from launch_server.cli.serve import serve

    return serve(options)


def _add_proxy(commands: Commands) -> None:
    command = commands.add_parser(
        "proxy",
        help="a reverse proxy with faults, before a Kubernetes API server or any HTTP server",
        description="A reverse proxy that misbehaves on purpose: docs/conformance.md has the language of faults.",
        allow_abbrev=False,
    )
    where = command.add_mutually_exclusive_group(required=True)
    where.add_argument("--upstream", metavar="URL", help="the server that requests go to")
    where.add_argument("--kubeconfig", metavar="FILE", help="take server, CA and credentials from here")
    add = command.add_argument
    add("--context", metavar="NAME", help="of the kubeconfig (default: its current one)")
    add("--write-kubeconfig", metavar="FILE", help="write a kubeconfig (mode 0600) that points to the proxy")
    add("--advertise", metavar="HOST", help="the proxy's address in that kubeconfig (default: the one it listens on)")
    add("--ca", metavar="FILE", help="certificates that the upstream's is checked by (default: the system's)")
    add("--faults", metavar="FILE", required=True, help="the script of faults: YAML, JSON, or text that starts with {")
    add("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="where to listen (default: a free local port)")
    add("--control", metavar="HOST:PORT", help="where events are read and holds released")
    add("--log-level", default="info", choices=("debug", "info", "warning", "error"), help="what goes to stderr")
    command.set_defaults(run=_proxy)


def _proxy(options: argparse.Namespace) -> int:
    # only here: as with `serve`
    from launch_server.cli.proxy import proxy

    return proxy(options)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 10**8:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def _leaf(
    commands: Commands, name: str, text: str, action: Command, names: Iterable[str] = ()
) -> argparse.ArgumentParser:
    """A command that talks to the server, with the options that all of them have."""
    command = commands.add_parser(name, help=text, description=f"{text}.{_WHERE}", allow_abbrev=False)
    for positional in names:
        command.add_argument(positional, metavar=positional.upper())
    where = command.add_mutually_exclusive_group()
    where.add_argument("--url", metavar="URL", help="the server (default: WANDB_BASE_URL)")
    where.add_argument("--database", metavar="URL", help="sqlite:///PATH, to work on the file itself")
    command.add_argument("--entity", metavar="NAME", help="default: WANDB_ENTITY, else the key owner's own")
    command.add_argument("--project", default="model-registry", metavar="NAME", help=argparse.SUPPRESS)
    command.add_argument("--output", choices=("text", "json"), default="text", help="what to print")
    command.set_defaults(run=action)
    return command


def _group(commands: Commands, name: str, text: str) -> Commands:
    group = commands.add_parser(name, help=text, description=text)
    return group.add_subparsers(title="commands", metavar="COMMAND", required=True)


def _add_push(commands: Commands) -> None:
    command = _leaf(commands, "push", "put a run spec into a queue", push.push)
    add = command.add_argument
    add("file", metavar="FILE", help="the run spec: a JSON or YAML file, or JSON text")
    add("--queue", "-q", required=True, metavar="NAME", help="the queue")
    add("--priority", "-P", metavar="P", help="critical, high, medium, low, or a number (lower goes first)")
    add("--set-var", "-v", action="append", metavar="NAME=VALUE", help="a template variable of the queue; repeatable")
    add("--follow", "-f", action="store_true", help="print each change of state until the item ends")
    add("--timeout", type=_seconds, metavar="S", help="give up following after so many seconds (exit code 3)")


def _add_queue(commands: Commands) -> None:
    group = _group(commands, "queue", "create, list, show, delete queues")
    create = _leaf(group, "create", "make a queue", queue.create, ["name"])
    add = create.add_argument
    resources = ("kubernetes", "local-process", "local-container", "sagemaker", "vertex", "gcp-vertex")
    add("--resource", "-r", default="kubernetes", choices=resources, help="what its items run on (default: kubernetes)")
    add("--config", "-c", metavar="FILE", help="its default config, YAML or JSON: the resource's own arguments")
    add("--template-variables", metavar="FILE", help="schemas of the {{variables}} in the config, by name")
    add("--prioritization", choices=tuple(queue.MODES), default="fifo", help="the order of items (default: fifo)")
    add("--replace", action="store_true", help="give a queue that exists the new config")
    _leaf(group, "list", "all queues with their items by state", queue.list_all)
    _leaf(group, "show", "one queue with its config", queue.show_one, ["name"])
    _leaf(group, "delete", "delete a queue with its items", queue.delete, ["name"])


def _add_item(commands: Commands) -> None:
    group = _group(commands, "item", "look at queued items")
    listing = _leaf(group, "list", "the items of a queue", admin.list_items)
    listing.add_argument("--queue", "-q", required=True, metavar="NAME", help="the queue")
    listing.add_argument("--state", metavar="STATE", help="only items in this state")
    single = _leaf(group, "show", "one item with its error and warnings", admin.show_item, ["item"])
    single.add_argument("--queue", "-q", required=True, metavar="NAME", help="the queue")


def _add_run(commands: Commands) -> None:
    group = _group(commands, "run", "look at runs, stop them")
    look = _leaf(group, "metrics", "what a run logged", run.metrics, ["name"])
    add = look.add_argument
    add("--run-project", "-p", metavar="NAME", help="the run's project, when NAME is the run id alone")
    add("--last", type=int, default=20, metavar="N", help="how many steps to show (default: 20)")
    add("--follow", "-f", action="store_true", help="print steps as they come until the run ends")
    add("--timeout", type=_seconds, metavar="S", help="give up following after so many seconds")
    end = _leaf(group, "stop", "ask a run to stop", run.stop, ["name"])
    end.add_argument("--run-project", "-p", metavar="NAME", help="the run's project, when NAME is the run id alone")


def _add_agent(commands: Commands) -> None:
    group = _group(commands, "agent", "look at agents, stop them")
    _leaf(group, "list", "the agents of an entity, newest first", admin.list_agents)
    _leaf(group, "stop", "ask an agent to stop polling and end", admin.stop_agent, ["name"])


def _add_key(commands: Commands) -> None:
    group = _group(commands, "key", "create, list, revoke API keys")
    create = _leaf(group, "create", "make an API key and print it, this once", admin.create_key)
    create.add_argument("--user", metavar="NAME", help="whose key; made when missing (default: your own)")
    create.add_argument("--description", default="", metavar="TEXT", help="what the key is for")
    create.add_argument("--for-entity", dest="key_entity", metavar="NAME", help="the entity that the user works in")
    _leaf(group, "list", "the keys in force (their last four characters)", admin.list_keys)
    _leaf(group, "revoke", "revoke a key by id or last four characters", admin.revoke_key, ["key"])


def _add_entity(commands: Commands) -> None:
    group = _group(commands, "entity", "create and list entities (teams)")
    _leaf(group, "create", "make an entity", admin.create_entity, ["name"])
    _leaf(group, "list", "all entities", admin.list_entities)
