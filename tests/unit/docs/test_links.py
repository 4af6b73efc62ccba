"""Links between the pages lead somewhere: the file is there, and so is the section."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "charts").rglob("*.md"), ROOT / "ci/README.md"]
)
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s]*)\)")


def anchors(page: Path) -> set[str]:
    """The names of a page's sections, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_and_a_section_that_are_there(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))
    faults = []
    for link in LINK.findall(text):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            faults.append(link)
    assert faults == []


def test_sections_are_named_as_github_names_them() -> None:
    assert "resource_argskubernetes-the-agents-own-keys" in anchors(ROOT / "docs/run-spec.md")


MODULE = re.compile(r"\b(?:core|runtime|targets|adapters|settings|registries|checks|cli)/[a-z_/]*")


def test_every_part_that_the_architecture_names_is_there() -> None:
    named = set(MODULE.findall((ROOT / "docs/architecture.md").read_text(encoding="utf-8")))
    package = ROOT / "agent/launch_agent"
    missing = {name for name in named if not (package / name).is_dir() and not (package / f"{name}.py").is_file()}
    assert len(named) > 15
    assert missing == set()
