"""Flags, read by argparse; mistakes become errors with a cure."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from launch_agent.errors import UsageError
from launch_agent.settings.problems import show
from launch_agent.settings.variables import Unreadable, parse_limit


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises `UsageError` and names the nearest flag for an unknown one."""

    def __init__(self, prog: str, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(prog=prog, allow_abbrev=False, **options)

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The flags.

        Raises:
            UsageError: a flag is unknown, repeated wrongly, or has a wrong value.
        """
        flags, unknown = self.parse_known_args(arguments)
        if unknown:
            self._refuse(unknown[0])
        return flags

    def error(self, message: str) -> NoReturn:
        """Called by argparse for a wrong value."""
        summary = message.removeprefix("argument ")
        raise UsageError(f"{summary}", resolution=f"`{self.prog} --help` shows every flag with an example")

    def _refuse(self, word: str) -> NoReturn:
        import difflib

        flags = [flag for action in self._actions for flag in action.option_strings if action.help != argparse.SUPPRESS]
        name = word.partition("=")[0]
        found = difflib.get_close_matches(name, flags, n=1) if name.startswith("--") else []
        if not word.startswith("-"):
            raise UsageError(
                f"{show(word)} stands alone: it belongs to no flag.",
                resolution="put the flag before it (`-q a -q b`), or quotes around a text with spaces",
            )
        cure = f"did you mean `{found[0]}`?" if found else f"`{self.prog} --help` shows every flag"
        raise UsageError(f"{show(name)} is not a flag of `{self.prog}`.", resolution=cure)


def add_common(parser: Parser) -> None:
    """Flags of every command that reads the configuration."""
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        type=Path,
        help="configuration file (default: $WANDB_CONFIG_DIR or ~/.config/wandb, launch-config.yaml)",
    )
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="say more; twice: everything, and tracebacks"
    )


def add_queues(parser: Parser, queue_help: str) -> None:
    """``-q`` and ``-e``: whose items."""
    parser.add_argument("-q", "--queue", metavar="NAME", action="append", default=[], help=queue_help)
    parser.add_argument("-e", "--entity", metavar="NAME", help="the user or team that owns the queues")


def add_cluster(parser: Parser) -> None:
    """``--kubeconfig`` and ``--context``: which cluster."""
    parser.add_argument(
        "--kubeconfig",
        metavar="FILE",
        type=Path,
        help="cluster to launch in (default: $KUBECONFIG; in a cluster, that one)",
    )
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig (default: its current one)")


def add_output(parser: Parser, *words: str, help_text: str) -> None:
    """``--output``, the first word being the default."""
    parser.add_argument("--output", metavar="|".join(words), type=one_of(*words), default=words[0], help=help_text)


def one_of(*words: str) -> Callable[[str], str]:
    """A reader of a flag's value that accepts some words."""

    def read(text: str) -> str:
        if text in words:
            return text
        allowed = ", ".join(f"`{word}`" for word in words)
        raise argparse.ArgumentTypeError(f"found {show(text)}; allowed are {allowed}")

    return read


def read_limit(text: str) -> int:
    """The value of --max-jobs."""
    try:
        return parse_limit(text)
    except Unreadable as error:
        raise argparse.ArgumentTypeError(error.summary) from None
