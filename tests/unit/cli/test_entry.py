"""The command line itself: commands, wrong flags, exit codes, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from launch_agent.cli import main

KEY = "0123456789" * 4
PROGRAM = [sys.executable, "-c", "import sys; from launch_agent.cli import main; sys.exit(main())"]

WRONG = [
    (
        ["valdiate"],
        "error: `valdiate` is not a command.\n    → did you mean `launch-agent validate`?\n",
    ),
    (
        ["gpu"],
        (
            "error: `gpu` is not a command.\n"
            "    → the commands are `run`, `validate`, `render`, `check`, `items`, `drain`, `version`; "
            "run is the default\n"
        ),
    ),
    (
        ["--queues", "gpu"],
        "error: `--queues` is not a flag of `launch-agent`.\n    → did you mean `--queue`?\n",
    ),
    (
        ["-x"],
        "error: `-x` is not a flag of `launch-agent`.\n    → `launch-agent --help` shows every flag\n",
    ),
    (
        ["-q", "gpu", "cpu"],
        (
            "error: `cpu` stands alone: it belongs to no flag.\n"
            "    → put the flag before it (`-q a -q b`), or quotes around a text with spaces\n"
        ),
    ),
    (
        ["-q"],
        "error: -q/--queue: expected one argument\n    → `launch-agent --help` shows every flag with an example\n",
    ),
    (
        ["-j", "many"],
        (
            "error: -j/--max-jobs: found `many`; allowed is a whole number, -1 for no limit\n"
            "    → `launch-agent --help` shows every flag with an example\n"
        ),
    ),
    (
        ["--max-jobs=-7"],
        (
            "error: -j/--max-jobs: found `-7`; allowed is a whole number, -1 for no limit\n"
            "    → `launch-agent --help` shows every flag with an example\n"
        ),
    ),
    (
        ["-q", "gpu", "-u", "https://github.com/a/b"],
        (
            "error: --url is not a flag any more (nor is it one of W&B's agent).\n"
            "    → set WANDB_BASE_URL to the address of W&B's API, and name queues with -q\n"
        ),
    ),
    (
        ["run", "-q", "gpu"],
        (
            "environment: WANDB_API_KEY: no API key: it is not set, and HOME/.netrc has none for api.wandb.ai\n"
            "    → set WANDB_API_KEY (in the chart: `agent.apiKey`)\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    (
        ["-e", "team"],
        (
            "command line: no queue to poll: no -q was given, and "
            "HOME/.config/wandb/launch-config.yaml does not exist\n"
            "    → name one: `-q <name of a queue>`, or `queues:` in the file\n"
            "environment: WANDB_API_KEY: no API key: it is not set, and HOME/.netrc has none for api.wandb.ai\n"
            "    → set WANDB_API_KEY (in the chart: `agent.apiKey`)\n"
            "error: 2 problems; nothing was contacted\n"
        ),
    ),
    (
        ["validate"],
        (
            "HOME/.config/wandb/launch-config.yaml: there is no such file\n"
            "    → create it, or name another with --config\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    (
        ["validate", "--config", "."],
        ".: is a folder, not a file\n    → name the file in it\nerror: 1 problem; nothing was contacted\n",
    ),
    (
        ["validate", "--config", "a\0b"],
        (
            "a\0b: can not be read: the path is not usable\n"
            "    → check the path and its permissions\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    (
        ["validate", "--config", "loop.yaml"],
        (
            "loop.yaml: can not be read: too many levels of symbolic links\n"
            "    → check the path and its permissions\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    (
        ["validate", "--output", "xml"],
        (
            "error: --output: found `xml`; allowed are `text`, `json`\n"
            "    → `launch-agent validate --help` shows every flag with an example\n"
        ),
    ),
    (
        ["render"],
        (
            "error: the following arguments are required: --item\n"
            "    → `launch-agent render --help` shows every flag with an example\n"
        ),
    ),
]


@pytest.mark.parametrize(
    ("arguments", "message"), WRONG, ids=lambda one: " ".join(one) if isinstance(one, list) else ""
)
def test_a_wrong_call_is_refused_in_words(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop.yaml").symlink_to("loop.yaml")
    code = main(arguments, {}, tmp_path)
    captured = capsys.readouterr()
    assert captured.err.replace(str(tmp_path), "HOME") == message
    assert (code, captured.out) == (2, "")


def test_a_log_file_that_can_not_be_written_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "no/such/folder/log"
    assert main(["-q", "gpu", "-l", str(path)], {"WANDB_API_KEY": KEY}, tmp_path) == 2
    assert capsys.readouterr().err == (
        f"error: -l/--log-file: `{path}` can not be written: No such file or directory.\n"
        "    → name a file in a folder that exists and is writable, or `-` for stdout\n"
    )


def test_validate_says_ok_and_what_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("queues: [gpu, cpu]\nentity: team\nmax_jobs: -1\nbuilder: {type: noop}\nregistry: {type: ecr}\n")
    assert main(["validate", "--config", str(path)], {}, tmp_path) == 0
    captured = capsys.readouterr()
    assert captured.out == (
        f"OK: {path}\n  entity    team\n  queues    gpu, cpu\n  max_jobs  no limit\n  registry  ecr\n  builder   noop\n"
    )
    assert captured.err == (
        f"{path}:5:1: warning: registry: deprecated by W&B; still read → write the address as `builder.destination`\n"
    )


def test_validate_answers_machines_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("queues: [gpu]\n")
    assert main(["validate", "--config", str(path), "--output", "json"], {}, tmp_path) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["problems"], found["settings"]["queues"]) == (True, [], ["gpu"])
    path.write_text("queues: [gpu]\nmax_job: 1\n")
    assert main(["validate", "--config", str(path), "--output", "json"], {}, tmp_path) == 2
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert captured.err == ""
    assert found["ok"] is False
    assert found["problems"] == [
        {
            "source": str(path),
            "line": 2,
            "column": 1,
            "path": "max_job",
            "summary": "is not a key of this file",
            "cure": "did you mean `max_jobs`?",
        }
    ]


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_version_says_which(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments, {}, tmp_path) == 0
    assert capsys.readouterr().out.startswith("launch-agent 0.")
    assert main([*arguments, "--output", "json"], {}, tmp_path) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"version", "python", "wandb_protocol"}


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"]])
def test_help_teaches(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments, {}, tmp_path) == 0
    text = capsys.readouterr().out
    assert all(title in text for title in ("commands:", "examples:", "environment:", "exit codes:"))
    assert main(["render", "--help"], {}, tmp_path) == 0
    assert "--item FILE" in capsys.readouterr().out


# ── as a process ────────────────────────────────────────────────────────────────────────────────────────────────────


def call(
    arguments: list[str], folder: Path, *, stdout: int | IO[bytes] = subprocess.PIPE, **environ: str
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **environ}
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=folder,
        env=environment,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_broken_file_ends_the_process_with_2(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"queues:\n\t- <queue name>\n")
    found = call(["validate", "-c", "c.yaml"], tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        "c.yaml:2:1: line 2 starts with a tab; YAML wants spaces\n"
        "    → replace each tab by two spaces\n"
        "c.yaml:2:5: queues[0]: still the placeholder `<queue name>`\n"
        "    → put the name of a queue (1 to 64 characters); for example `gpu`\n"
        "error: 2 problems; nothing was contacted\n"
    )


def test_a_terminal_without_unicode_gets_escapes_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("größe: 1\n", encoding="utf-8")
    found = call(["validate", "-c", "c.yaml"], tmp_path, PYTHONIOENCODING="ascii", LC_ALL="C")
    assert found.returncode == 2
    assert "Traceback" not in found.stderr
    assert "\\u2192" in found.stderr


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stream:
        found = call(["--help"], tmp_path, stdout=stream)
    assert found.stderr == ""


@pytest.mark.parametrize(
    ("flags", "has_traceback"), [([], False), (["-v"], False), (["-vv"], True), (["-v", "-v"], True)]
)
def test_the_unexpected_is_one_line_and_a_hint_and_a_traceback_only_on_demand(
    flags: list[str], has_traceback: bool, tmp_path: Path
) -> None:
    (tmp_path / "yaml.py").write_text('raise TypeError(f\'no {__import__("os").environ["WANDB_API_KEY"]} here\')\n')
    (tmp_path / "c.yaml").write_text("queues: [gpu]\n")
    found = call(["-c", "c.yaml", *flags], tmp_path, WANDB_API_KEY=KEY, PYTHONPATH=str(tmp_path))
    assert found.returncode == 1
    assert ("Traceback" in found.stderr) is has_traceback
    assert "error: unexpected TypeError (yaml.py:1): no ******** here" in found.stderr
    assert ("-vv shows the traceback" in found.stderr) is not has_traceback
    assert KEY not in found.stderr


def test_version_imports_neither_yaml_nor_the_core(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom launch_agent.cli import main\nmain(['version'])\n"
        "heavy = ('yaml', 'urllib3', 'jsonschema', 'kubernetes', 'prometheus_client', 'launch_agent.core')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[]"
