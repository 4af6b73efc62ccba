"""W&B's own client 0.31.0, from an environment of its own, with a home folder of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.support.backend import Json
from tests.support.processes import ROOT, clean_environment

BIN = ROOT / ".venv-wandb" / "bin"

_CREATE_QUEUE = """
import json, sys
import wandb
entity, name, resource, config = sys.argv[1:]
queue = wandb.Api().create_run_queue(name=name, type=resource, entity=entity, config=json.loads(config))
print(queue.name)
"""


class WandbClient:
    """The commands of W&B's client that push."""

    def __init__(self, folder: Path, url: str, key: str, entity: str) -> None:
        assert (BIN / "wandb").exists(), "W&B's client is missing: make venv-wandb"
        self._entity = entity
        self._folder = folder
        folders = {"WANDB_CONFIG_DIR": "config", "WANDB_CACHE_DIR": "cache", "WANDB_DATA_DIR": "data", "WANDB_DIR": "."}
        variables = {name: str(folder / "wandb" / path) for name, path in folders.items()}
        self._environment = clean_environment(
            folder, {"WANDB_BASE_URL": url, "WANDB_API_KEY": key, "WANDB_ERROR_REPORTING": "false", **variables}
        )

    def create_queue(self, name: str, resource: str, config: Json) -> str:
        """`wandb.Api().create_run_queue(…)`: what it prints."""
        return self._run(str(BIN / "python"), "-c", _CREATE_QUEUE, self._entity, name, resource, json.dumps(config))

    def launch_image(self, queue: str, project: str, image: str, *arguments: str) -> str:
        """`wandb launch --queue … --docker-image …`: what it prints."""
        words = ["--queue", queue, "--docker-image", image, "--project", project, "--entity", self._entity]
        return self._run(str(BIN / "wandb"), "launch", *words, "--resource", "kubernetes", *arguments)

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, env=self._environment, cwd=self._folder, capture_output=True, text=True, check=False, timeout=90
        )
        assert done.returncode == 0, f"{command[:3]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr
