"""Exit codes in words, for Linux containers."""

from __future__ import annotations

NAMES = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    4: "SIGILL",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    13: "SIGPIPE",
    14: "SIGALRM",
    15: "SIGTERM",
    24: "SIGXCPU",
    25: "SIGXFSZ",
    31: "SIGSYS",
}


def describe(code: int) -> str:
    """``exit code 3``, or ``exit code 137 (killed by SIGKILL)``."""
    if 128 < code < 160:
        return f"exit code {code} (killed by {NAMES.get(code - 128, f'signal {code - 128}')})"
    return f"exit code {code}"


def advise(code: int) -> str:
    """What an exit code says about what to do."""
    return _ADVICE.get(code, "Its last log lines say why.")


_ADVICE = {
    126: "The command is there but can not be executed: check its permissions and the image's processor architecture.",
    127: "The shell did not find the command: check its spelling and what the image holds.",
    137: "Something killed it: often memory ran out on the node; raise resources.requests.memory and limits.memory.",
    139: "It touched memory that is not its own: a native library in the image may not fit the node or its driver.",
    143: "It was asked to end, by a deletion, a drain of the node or somebody in the container.",
}
