"""Base-image mode (protocol 7.3.6): the job's code on a volume beside its container."""

from __future__ import annotations

import shlex
from typing import Any

from launch_agent.core import environment, places
from launch_agent.core.transforms.containers import key_reference
from launch_agent.core.transforms.facts import Body, Code, Facts
from launch_agent.core.transforms.roles import Role, change_main, list_templates, main_path

VOLUME = "wandb-source-code-volume"
INIT_CONTAINER = "wandb-source-code-init"
MOUNT = "/mnt/wandb"
INSTALL = (
    "set -e; if [ -f requirements.txt ]; then python -m pip install -r requirements.txt; "
    "elif [ -f pyproject.toml ]; then python -m pip install .; "
    "elif [ -f .job/requirements.frozen.txt ]; then python -m pip install -r .job/requirements.frozen.txt; fi; exec "
)
"""Requirements first, then the command; a failure fails the container."""


def mount_code(body: Body, facts: Facts) -> Body:
    """The code in the job's container of each template: by an init container that fetches it, or from a claim.

    Nothing sets ``facts.code`` before the agent can fetch jobs. Sidecars are not touched.
    """
    code = facts.code
    if code is None:
        return body
    for role in list_templates(body, facts.kind):
        body = _add_volume(body, role, code)
        if not code.claim:
            body = _add_fetcher(body, role, code, facts)
        body = change_main(body, role, lambda container: _use(container, code))
    return body


def _add_volume(body: Body, role: Role, code: Code) -> Body:
    source = {"persistentVolumeClaim": {"claimName": code.claim}} if code.claim else {"emptyDir": {}}
    return _append(body, (*role.path, "spec", "volumes"), {"name": VOLUME, **source})


def _append(body: Body, path: places.Path, entry: Body, *, first: bool = False) -> Body:
    given: list[Any] = places.get(body, path, [])
    others = [one for one in given if one.get("name") != entry["name"]]
    return places.put(body, path, [entry, *others] if first else [*others, entry])


def _add_fetcher(body: Body, role: Role, code: Code, facts: Facts) -> Body:
    main = places.get(body, main_path(body, role), {})
    base = {"name": "WANDB_BASE_URL", "value": facts.environment["WANDB_BASE_URL"]}
    key = [key_reference(facts)] if facts.key_secret else []
    key = key or [entry for entry in main.get("env") or () if entry["name"] == environment.API_KEY]
    fetcher: Body = {
        "name": INIT_CONTAINER,
        "image": code.image,
        "command": list(code.command),
        "env": [base, *key],
        "volumeMounts": [{"name": VOLUME, "mountPath": MOUNT}],
    }
    return _append(body, (*role.path, "spec", "initContainers"), fetcher, first=True)


def _use(container: Body, code: Code) -> Body:
    mount: Body = {"name": VOLUME, "mountPath": MOUNT}
    if code.sub_path:
        mount["subPath"] = code.sub_path
    others = [one for one in container.get("volumeMounts") or () if one.get("mountPath") != MOUNT]
    folder = f"{MOUNT}/{code.working_dir}" if code.working_dir else MOUNT
    result = {**container, "volumeMounts": [*others, mount], "workingDir": folder}
    if code.installs and container.get("command"):
        words = [*container["command"], *(container.get("args") or ())]
        result["command"] = ["sh", "-c", INSTALL + shlex.join(words)]
        result.pop("args", None)
    return result
