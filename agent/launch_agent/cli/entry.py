"""Finds the command, runs it, and turns every error into words and an exit code."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TextIO

from launch_agent.cli.world import World
from launch_agent.errors import LaunchAgentError, UsageError

COMMANDS = ("run", "validate", "render", "check", "items", "drain", "version")
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None, home: Path | None = None) -> int:
    """Run one command; the exit code. The arguments default to the process's own."""
    is_process = argv is None
    arguments = list(sys.argv[1:] if argv is None else argv)
    environ = os.environ if environ is None else environ
    world = World(environ, home or _find_home(environ), _lenient(sys.stdout), _lenient(sys.stderr))
    if is_process:
        sys.excepthook = Unexpected(arguments, world)
    try:
        return _perform(arguments, world)
    except LaunchAgentError as error:
        world.stderr.write(explain(error))
        return error.exit_code
    except SystemExit as end:  # argparse ends so after printing the help of one command
        return int(end.code or 0)
    except KeyboardInterrupt:
        world.stderr.write("interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. Python would complain again when it closes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def explain(error: LaunchAgentError) -> str:
    """What is printed for an error."""
    from launch_agent.settings.problems import ConfigProblems

    if isinstance(error, ConfigProblems):
        lines = [problem.text for problem in (*error.problems, *error.warnings)]
        count = len(error.problems)
        return "\n".join([*lines, f"error: {count} problem{'s' if count > 1 else ''}; nothing was contacted", ""])
    detail = f"\n    {error.detail}" if error.detail else ""
    cure = f"\n    → {error.resolution}" if error.resolution else ""
    return f"error: {error.summary}{detail}{cure}\n"


class Unexpected:
    """The last resort: one line and a hint; the traceback only with -vv. Python exits with 1 after it."""

    def __init__(self, arguments: Sequence[str], world: World) -> None:
        self._is_verbose = count_verbose(arguments) > 1
        self._world = world

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """The signature is `sys.excepthook`'s."""
        import traceback

        from launch_agent.settings.redaction import mask_log

        secrets = tuple(filter(None, [self._world.environ.get("WANDB_API_KEY", "").strip()]))
        if self._is_verbose:
            self._world.stderr.write(mask_log("".join(traceback.format_exception(kind, error, trace)), secrets))
        frames = traceback.extract_tb(trace)
        where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
        text = " ".join(str(error).split())[:300]
        cure = "this is a mistake in launch-agent" + ("" if self._is_verbose else "; -vv shows the traceback")
        self._world.stderr.write(mask_log(f"error: unexpected {kind.__name__}{where}: {text}\n    → {cure}\n", secrets))


def count_verbose(arguments: Sequence[str]) -> int:
    """How often -v was given, for errors that come before flags are read."""
    return sum(len(one) - 1 if re.fullmatch("-v+", one) else one == "--verbose" for one in arguments)


def _perform(arguments: list[str], world: World) -> int:
    """One command, its output written to the last byte, so that a reader that left is noticed here."""
    code = _dispatch(arguments, world)
    world.stdout.flush()
    return code


def _dispatch(arguments: list[str], world: World) -> int:
    first = arguments[0] if arguments else ""
    if first in {"-h", "--help", "help"}:
        from launch_agent.cli import manual

        world.stdout.write(manual.overview())
        return 0
    if first == "--version":
        first, arguments = "version", ["version", *arguments[1:]]
    if first and not first.startswith("-") and first not in COMMANDS:
        from launch_agent.settings.problems import show

        raise UsageError(f"{show(first)} is not a command.", resolution=_nearest_command(first))
    name, rest = (first, arguments[1:]) if first in COMMANDS else ("run", arguments)
    command = import_module(f"launch_agent.cli.{name}")
    code: int = command.main(rest, world)
    return code


def _nearest_command(word: str) -> str:
    import difflib

    found = difflib.get_close_matches(word, COMMANDS, n=1)
    listed = ", ".join(f"`{name}`" for name in COMMANDS)
    return f"did you mean `launch-agent {found[0]}`?" if found else f"the commands are {listed}; run is the default"


def _find_home(environ: Mapping[str, str]) -> Path:
    if environ.get("HOME"):
        return Path(environ["HOME"])
    try:
        return Path.home()
    except RuntimeError:  # no HOME and no entry for the user, as in some containers
        return Path("/")


def _lenient(stream: TextIO) -> TextIO:
    """A terminal that can not show a character gets its number instead of an error."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure:
        reconfigure(errors="backslashreplace")
    return stream
