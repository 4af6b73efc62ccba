"""Files that are written from others: write them, or with --check only say which are out of date."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(rendered: Callable[[], Mapping[Path, str]], name: str, about: str | None) -> int:
    """The exit code of the script `name`: 0 written or current, 1 out of date."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a file is out of date")
    is_check = parser.parse_args().check
    wanted = rendered()
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if is_check:
            print(f"{path.relative_to(ROOT)} is out of date: run {name}", file=sys.stderr)
        else:
            path.write_text(wanted[path], encoding="utf-8")
    return 1 if is_check and stale else 0


def replace_part(page: str, begin: str, end: str, part: str) -> str:
    """The page with other lines between its two marks; exits when it has none."""
    before, has_begin, rest = page.partition(begin)
    _, has_end, after = rest.partition(end)
    if not has_begin or not has_end:
        sys.exit(f"the page has no `{begin}` … `{end}`")
    return f"{before}{begin}\n{part}\n{end}{after}"
