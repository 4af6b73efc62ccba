"""What the demo prints, on streams of several kinds."""

from __future__ import annotations

import io

import pytest
from demo.screen import WIDTH, Screen


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal, in the given encoding."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self.bytes = io.BytesIO()
        super().__init__(self.bytes, encoding=encoding)

    def isatty(self) -> bool:
        return True

    @property
    def text(self) -> str:
        return self.bytes.getvalue().decode(self.encoding)


def test_a_terminal_gets_colours() -> None:
    terminal = Terminal()
    Screen(terminal, {"TERM": "xterm"}).step("A title")
    assert terminal.text == "\n\033[1m1  A title\033[0m\n"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_that_wants_none_gets_no_colours(environ: dict[str, str]) -> None:
    terminal = Terminal()
    screen = Screen(terminal, environ)
    screen.step("A title")
    screen.state("FAILED", "why")
    screen.metrics(3, [("loss", 0.5, 0.5)])
    assert "\033" not in terminal.text


def test_a_file_gets_no_colours() -> None:
    file = io.StringIO()
    Screen(file, {"TERM": "xterm"}).step("A title")
    assert file.getvalue() == "\n1  A title\n"


def test_a_stream_without_unicode_gets_bars_of_ascii() -> None:
    terminal = Terminal("ascii")
    Screen(terminal, {"NO_COLOR": "1"}).metrics(0, [("loss", 0.25, 0.5)])
    assert terminal.text == f"   step  0  loss 0.250 {'#' * (WIDTH // 2)}{'.' * (WIDTH // 2)}\n"


@pytest.mark.parametrize(("share", "full"), [(-1.0, 0), (0.0, 0), (0.5, WIDTH // 2), (1.0, WIDTH), (7.0, WIDTH)])
def test_a_bar_is_never_longer_than_its_place(share: float, full: int) -> None:
    terminal = Terminal()
    Screen(terminal, {"NO_COLOR": "1"}).metrics(0, [("loss", 1.0, share)])
    assert (terminal.text.count("█"), terminal.text.count("░")) == (full, WIDTH - full)


def test_a_reason_of_several_lines_is_indented() -> None:
    file = io.StringIO()
    Screen(file, {}).state("FAILED", "exit code 1.\nLast lines:")
    assert [line.strip() for line in file.getvalue().splitlines()][1] == "Last lines:"
    assert file.getvalue().splitlines()[1].startswith(" " * 20)
