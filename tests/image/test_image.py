"""What is in the agent's image, what is not, and that it starts as the user and on the root that it gets."""

import re
from pathlib import Path
from typing import Any

import pytest

# Building fetches packages from the index, so this runs where a cluster is tested, and not inside its network.
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

AGENT = Path("opt/launch-agent")
UNWANTED = re.compile(
    r"/(pip3?(\.\d+)?|pip|setuptools|wheel|ensurepip|gcc(-\d+)?|cc|g\+\+(-\d+)?|cc1|wandb|launch_server|kubernetes)$"
)
# W&B's own name for the configuration's folder, our adapters for two peers, and our target.
ALLOWED = {
    "home/launch_agent/.config/wandb",
    f"{AGENT}/lib/launch_agent/adapters/wandb",
    f"{AGENT}/lib/launch_agent/adapters/kubernetes",
    f"{AGENT}/lib/launch_agent/targets/kubernetes",
}


def every_path(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in root.rglob("*")]


def test_the_image_holds_no_installer_no_compiler_no_vendors_sdk_and_no_server(image: Any) -> None:
    found = [path for path in every_path(image.root) if UNWANTED.search(f"/{path}") and path not in ALLOWED]
    assert found == []


def test_python_finds_none_of_them_either(image: Any) -> None:
    done = image.run(
        "python3",
        "-c",
        "import importlib.util as u; print([n for n in ('pip','setuptools','wandb','ensurepip') if u.find_spec(n)])",
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_the_command_runs_as_the_images_user(image: Any) -> None:
    assert (image.config["User"], image.config["Entrypoint"], image.config["Cmd"]) == (
        "1000:1000",
        ["launch-agent"],
        ["run"],
    )
    assert image.config["StopSignal"] == "SIGTERM"
    assert image.config["Labels"]["org.opencontainers.image.version"] == "0.1.0"
    done = image.run("launch-agent", "version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("launch-agent 0.1.0")


def test_the_users_name_and_home_are_known(image: Any) -> None:
    done = image.run("python3", "-c", "import pwd; u = pwd.getpwuid(1000); print(u.pw_name, u.pw_dir)")
    assert done.stdout.split() == ["launch_agent", "/home/launch_agent"]


def test_the_configuration_is_checked_with_the_schema_that_is_in_the_image(image: Any) -> None:
    path = image.root / "home" / "launch_agent" / "broken.yaml"
    path.write_text("entity: e\nqueues: [q]\nmax_job: 3\n", encoding="utf-8")
    done = image.run("launch-agent", "validate", "--config", "/home/launch_agent/broken.yaml")
    assert done.returncode == 2, done.stderr
    assert "max_jobs" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_everything_that_the_agent_imports_has_byte_code(image: Any) -> None:
    library = image.root / AGENT / "lib"
    sources = [path for path in library.rglob("*.py") if path.parent.name != "__pycache__"]
    assert sources
    assert [
        path for path in sources if not list((path.parent / "__pycache__").glob(f"{path.stem}.cpython-*.pyc"))
    ] == []
    code = (
        "import sys; sys.path.insert(0, '/opt/launch-agent/lib'); import launch_agent.cli.run; "
        "print(*{m.__cached__ for m in sys.modules.values() if getattr(m, '__cached__', None)})"
    )
    done = image.run("python3", "-I", "-S", "-c", code)
    assert done.returncode == 0, done.stderr
    cached = [image.root / name.removeprefix("/") for name in done.stdout.split()]
    assert len(cached) > 20
    assert [path for path in cached if not path.exists()] == []


def test_the_installed_weight_is_far_below_sixty_megabytes(image: Any) -> None:
    weight = sum(
        path.lstat().st_size for path in (image.root / AGENT).rglob("*") if path.is_file() and not path.is_symlink()
    )
    assert 1_000_000 < weight < 30_000_000


def test_public_authorities_are_trusted_and_nothing_of_the_build_machine(image: Any) -> None:
    code = "import ssl; print(len(ssl.create_default_context().get_ca_certs()))"
    assert int(image.run("python3", "-c", code).stdout) > 100
    assert not (image.root / "run" / "build" / "ca.pem").exists()
    assert not (image.root / "run" / "build" / "pip.conf").exists()
