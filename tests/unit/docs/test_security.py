"""docs/security.md says what the code does."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from launch_agent.core.finders import CAPABILITIES, SYSCTLS
from launch_agent.core.permissions import CustomResource, Feature, list_permissions
from launch_agent.core.policy import Profile
from launch_agent.core.profiles import ALL
from launch_agent.core.protection import HELM_SECRETS, ITEM_SECRETS
from launch_agent.core.refusals import SECURE_KEYS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_the_table_of_rights_is_written_from_the_code() -> None:
    subprocess.run([sys.executable, str(ROOT / "ci" / "rbac-table"), "--check"], check=True)


def test_a_table_that_is_out_of_date_is_told_and_written_anew(tmp_path: Path) -> None:
    script_and_helpers = ("ci/rbac-table", "ci/localcluster/__init__.py", "ci/localcluster/generated.py")
    for name in (*script_and_helpers, "docs/security.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "agent" / "launch_agent", tmp_path / "agent" / "launch_agent")
    page = tmp_path / "docs" / "security.md"
    page.write_text(PAGE.replace("create, list, patch, delete", "create"))
    script = [sys.executable, str(tmp_path / "ci" / "rbac-table")]
    told = subprocess.run([*script, "--check"], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (1, "docs/security.md is out of date: run ci/rbac-table\n")
    subprocess.run(script, check=True)
    assert page.read_text(encoding="utf-8") == PAGE


def test_every_right_has_its_line() -> None:
    rows = list_permissions(set(Feature), custom_resources=[CustomResource("<apiGroup>", "<resources>")])
    lines = re.findall(r"^\| (?:the agent's namespace|each target namespace) \|", PAGE, re.MULTILINE)
    assert len(lines) == len(rows)


def test_other_pages_find_the_section_that_they_link_to() -> None:
    assert "\n## Rights of the agent\n" in PAGE
    assert "security.md#rights-of-the-agent" in (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_the_table_of_profiles_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (\w+) \| (\w+) \| (\w+) \|$", PAGE, re.MULTILINE)
    assert {name: (fields, *cells) for name, fields, *cells in rows} == {
        control.name: (
            control.fields,
            *("refused" if profile in control.refused_by else "allowed" for profile in Profile),
        )
        for control in ALL
    }


def test_the_page_names_what_baseline_lets_pass() -> None:
    assert {name for name in re.findall(r"\b[A-Z_]{4,}\b", PAGE) if name in CAPABILITIES} == CAPABILITIES
    numbers = {12: "twelve", 13: "thirteen"}
    assert f"the {numbers[len(SYSCTLS)]} that are safe" in PAGE
    texts = {control.name: control.fields for control in ALL}
    assert numbers[len(CAPABILITIES)] in texts["capabilities"]
    assert numbers[len(SYSCTLS)] in texts["sysctls"]


def test_the_page_names_what_is_never_allowed() -> None:
    section = PAGE.split("### Never allowed")[1].split("\n## ")[0]
    assert all(f"`{pattern}`" in section for pattern in (*ITEM_SECRETS, HELM_SECRETS))
    assert all(f"`{key}`" in section for key in SECURE_KEYS)
