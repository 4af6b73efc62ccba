"""The log: lines for people or for machines, never a secret in them."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import TextIO

from launch_agent.errors import UsageError
from launch_agent.settings import Settings
from launch_agent.settings.redaction import mask_log

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes that every log record has; what is beyond was given with ``extra`` and goes into the JSON line."""

_NOISY = ("urllib3", "kubernetes")


class UtcFormatter(logging.Formatter):
    """Times are UTC, so that logs of several machines fit together."""

    def __init__(self, secrets: tuple[str, ...], form: str | None = None) -> None:
        super().__init__(form, "%Y-%m-%dT%H:%M:%SZ")
        self.converter = time.gmtime
        self._secrets = secrets


class TextFormatter(UtcFormatter):
    """``2026-11-22T12:00:00Z INFO intake: …``."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__(secrets, "%(asctime)s %(levelname)s %(short)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line (and a traceback after it, where there is one), masked."""
        record.short = record.name.rpartition(".")[2]
        return mask_log(super().format(record), self._secrets)


class JsonFormatter(UtcFormatter):
    """One JSON object a line: time, level, logger, message, the ``extra`` fields, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, masked."""
        fields = {
            "time": f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{key: value for key, value in vars(record).items() if key not in _STANDARD},
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return mask_log(json.dumps(fields, ensure_ascii=False, default=str), self._secrets)


def set_up(settings: Settings, stdout: TextIO, stderr: TextIO) -> None:
    """Log to stderr, or where ``--log-file`` says.

    Raises:
        UsageError: the file can not be written.
    """
    secrets = tuple(filter(None, [settings.api_key.reveal()]))
    handler = _open(settings.log_file, stdout, stderr)
    handler.setFormatter(JsonFormatter(secrets) if settings.log_format == "json" else TextFormatter(secrets))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if settings.verbosity > 1 else logging.INFO)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.INFO if settings.verbosity > 1 else logging.WARNING)
    logging.raiseExceptions = False  # a full disk must not fill stderr with tracebacks of the log itself
    logging.captureWarnings(True)


def _open(target: str | None, stdout: TextIO, stderr: TextIO) -> logging.Handler:
    if target is None:
        return logging.StreamHandler(stderr)
    if target == "-":
        return logging.StreamHandler(stdout)
    try:
        return logging.FileHandler(Path(target), encoding="utf-8", errors="backslashreplace")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "the path is not usable"
        raise UsageError(
            f"-l/--log-file: `{target}` can not be written: {reason}.",
            resolution="name a file in a folder that exists and is writable, or `-` for stdout",
        ) from None
