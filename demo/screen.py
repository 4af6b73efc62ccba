"""What the demo prints: numbered steps, commands, states, metrics as bars; in colours where a terminal wants them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

WIDTH = 18
"""Characters of a bar, so that two of them and their numbers fit into 80 columns."""

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_STATES = {"PENDING": "yellow", "LEASED": "yellow", "CLAIMED": "cyan", "FINISHED": "green", "FAILED": "red"}


class Screen:
    """Writes to one stream, a line at a time."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        # https://no-color.org: any non-empty value switches colours off
        self._is_coloured = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        self._is_wide = (stream.encoding or "").lower().replace("-", "") == "utf8"
        self._began = time.monotonic()
        self._steps = 0

    def line(self, text: str = "") -> None:
        """One line, written at once."""
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour, where there are colours."""
        return f"\033[{_CODES[colour]}m{text}\033[0m" if self._is_coloured else text

    def step(self, title: str) -> None:
        """The next numbered step."""
        self._steps += 1
        self.line(f"\n{self.paint(f'{self._steps}  {title}', 'bold')}")

    def command(self, *words: str) -> None:
        """A command that is run now, as a person would type it."""
        self.line(f"   {self.paint('$ ' + ' '.join(words), 'dim')}")

    def fact(self, text: str) -> None:
        """What came of it."""
        self.line(f"   {text}")

    def state(self, state: str, text: str) -> None:
        """The item's new state, and when."""
        shown = self.paint(f"{state:<8}", _STATES.get(state, "bold"))
        indented = text.replace("\n", "\n" + " " * 22)
        self.line(f"   {self._elapsed()}  {shown}  {indented}")

    def metrics(self, step: int, values: Iterable[tuple[str, float, float]]) -> None:
        """One step of the run: (name, value, share of the bar from 0 to 1) for each metric."""
        shown = [f"{name} {value:.3f} {self._bar(share)}" for name, value, share in values]
        self.line(f"   {self.paint(f'step {step:>2}', 'dim')}  {'  '.join(shown)}".rstrip())

    def table(self, rows: Sequence[tuple[str, str]]) -> None:
        """Two columns, aligned."""
        width = max(len(left) for left, _ in rows)
        for left, right in rows:
            self.line(f"   {left:<{width}}  {right}")

    def quote(self, title: str, lines: Sequence[str]) -> None:
        """Lines of a log."""
        self.line(f"\n   {self.paint(title, 'bold')}")
        for text in lines:
            self.line(f"   | {text}")

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._began:5.1f} s"

    def _bar(self, share: float) -> str:
        full = round(min(max(share, 0.0), 1.0) * WIDTH)
        mark, rest = ("█", "░") if self._is_wide else ("#", ".")
        return self.paint(mark * full, "cyan") + self.paint(rest * (WIDTH - full), "dim")
