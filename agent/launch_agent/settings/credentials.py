"""The API key: where it is found and whether it can be one (protocol 3.1). It is never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from launch_agent.settings.problems import ENVIRONMENT, Problem

_KEY = re.compile(r"(?:[^\s-]+-)?[\w-]{40,}\Z", re.ASCII)
_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+\Z", re.ASCII)

SAME_HOSTS = frozenset({"api.wandb.ai", "api.forge.coreweave.com"})
"""Two names of one service: a key for one opens the other."""


class Secret:
    """A text that shows itself only when asked to."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(********)" if self._value else "Secret()"

    def __str__(self) -> str:
        return "********" if self._value else ""

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


def find_key(environ: Mapping[str, str], base_url: str, home: Path) -> tuple[Secret, Problem | None]:
    """The API key from WANDB_API_KEY, else from the netrc file; or why there is none."""
    if environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        what = "signing in with an identity token is not built yet"
        return Secret(""), _problem("WANDB_IDENTITY_TOKEN_FILE", what, "unset it and set WANDB_API_KEY")
    key = environ.get("WANDB_API_KEY", "").strip()
    if key:
        fault = judge_key(key)
        cure = "copy it again from the user's settings page, without quotes or line breaks"
        return Secret(key), _problem("WANDB_API_KEY", fault, cure) if fault else None
    host = urlsplit(base_url).hostname or ""
    key, path, fault = _read_netrc(environ, host, home)
    if fault:
        return Secret(""), Problem(str(path), 0, 0, "", fault, "correct the file, or set WANDB_API_KEY")
    if not key:
        what = f"no API key: it is not set, and {path} has none for {host}"
        return Secret(""), _problem("WANDB_API_KEY", what, "set WANDB_API_KEY (in the chart: `agent.apiKey`)")
    return Secret(key), None


def judge_key(key: str) -> str:
    """Why the text can not be an API key; empty if it can."""
    if _KEY.match(key) or _JWT.match(key):
        return ""
    if key[0] in "\"'" or key[-1] in "\"'":
        return "the API key has quotes around it"
    if re.search(r"\s", key):
        return "the API key has a space or a line break inside"
    if not re.fullmatch(r"[\w.-]+", key, re.ASCII):
        return "the API key holds a character that no key has"
    return f"not an API key: it has {len(key)} characters, a key has 40 or more"


def _read_netrc(environ: Mapping[str, str], host: str, home: Path) -> tuple[str, Path, str]:
    """The password for the host; the file; what is wrong with the file."""
    path = Path(environ["NETRC"]) if environ.get("NETRC") else home / ".netrc"
    if not path.is_file():
        return "", path, ""
    import netrc  # only where no key is in the environment

    try:
        entries = netrc.netrc(str(path))
    except (netrc.NetrcParseError, UnicodeDecodeError, OSError) as error:
        line = f" (line {error.lineno})" if isinstance(error, netrc.NetrcParseError) and error.lineno else ""
        return "", path, f"can not be read as a netrc file{line}"
    for name in [host, *sorted(SAME_HOSTS - {host} if host in SAME_HOSTS else ())]:
        found = entries.authenticators(name)
        if found and found[2]:
            fault = judge_key(found[2])
            return found[2], path, f"the password for {name}: {fault}" if fault else ""
    return "", path, ""


def _problem(name: str, summary: str, cure: str) -> Problem:
    return Problem(ENVIRONMENT, 0, 0, name, summary, cure)
