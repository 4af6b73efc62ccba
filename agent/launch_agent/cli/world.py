"""What every command is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True, slots=True)
class World:
    """What a command may see of the process."""

    environ: Mapping[str, str]
    home: Path
    stdout: TextIO
    stderr: TextIO
