"""What of a queue's config is not in the workload that was made of it, but for what docs/kubernetes.md says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from launch_agent.core import spec as specs
from launch_agent.core.models import Resource

Path = tuple[str | int, ...]

OWN = specs.AGENT_KEYS[Resource.KUBERNETES]
TOP = {"apiVersion", "kind", "metadata", "spec", "status"}
RUN = re.compile(r"WANDB_\w+")


def find(run_spec: Mapping[str, Any], workload: Mapping[str, Any], run_id: str) -> list[str]:
    """A line for each value that was given and is not in the workload."""
    config = run_spec["resource_args"]["kubernetes"]
    macros = {"run_id": run_id, "image_uri": run_spec["docker"]["docker_image"]}
    lost = []
    for path, value in leaves(config):
        if not path or value is None or is_excepted(path, run_spec):
            continue
        wanted = fill(value, macros)
        found = look(workload, path)
        if not is_same(wanted, found):
            lost.append(f"{'.'.join(map(str, path))}: given {wanted!r}, found {found!r}")
    return lost + lost_variables(config, workload, macros)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every scalar, and every empty object or list, with its path; variables are compared by their names."""
    if path and path[-1] == "env":
        return
    steps = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    entries = list(steps)
    if not entries:
        yield path, value
    for key, one in entries:
        yield from leaves(one, (*path, key))


def is_excepted(path: Path, run_spec: Mapping[str, Any]) -> bool:
    """Whether the page says that the value goes.

    That is: the agent's keys, unknown ones at the top, the name's beginning, the time to live, and what the item itself
    overrides in the main container.
    """
    if path[0] in OWN or path[0] not in TOP or path[:2] == ("metadata", "generateName"):
        return True
    if path[-1] == "ttlSecondsAfterFinished" and len(path) == 2:
        return True
    if is_main(path):
        overrides = run_spec.get("overrides") or {}
        last = [step for step in path if isinstance(step, str)][-1]
        if last == "image":
            return True
        return bool((last == "command" and overrides.get("entry_point")) or (last == "args" and overrides.get("args")))
    return False


def is_main(path: Path) -> bool:
    """Whether the value belongs to a first container (these strategies name no other one)."""
    return any(path[index : index + 2] == ("containers", 0) for index in range(len(path)))


def fill(value: Any, macros: Mapping[str, str]) -> Any:
    """The value with its macros filled in."""
    if not isinstance(value, str):
        return value
    for name, text in macros.items():
        value = value.replace(f"${{{name}}}", text)
    return value


def look(body: Any, path: Path) -> Any:
    """What is at the place, None where nothing is."""
    for step in path:
        try:
            body = body[step]
        except (KeyError, IndexError, TypeError):
            return None
    return body


def is_same(wanted: Any, found: Any) -> bool:
    """Equal, or a number that became a text, or an empty object or list that is gone or was filled."""
    if wanted in ({}, []) and not isinstance(wanted, bool):
        return found is None or isinstance(found, type(wanted))
    if isinstance(found, str) and isinstance(wanted, (int, float)) and not isinstance(wanted, bool):
        return found == str(wanted)
    return type(found) is type(wanted) and bool(found == wanted)


def lost_variables(config: Any, workload: Any, macros: Mapping[str, str], path: Path = ()) -> list[str]:
    """Variables of any container that are gone; the run's own names may be replaced in a main container."""
    lost = []
    if isinstance(config, Mapping):
        for entry in config.get("env") or () if "env" in config else ():
            found = {one["name"]: one for one in look(workload, (*path, "env")) or ()}
            wanted = {key: fill(value, macros) for key, value in entry.items() if value is not None}
            last = [one for one in config["env"] if one["name"] == entry["name"]][-1]
            if entry is not last or (RUN.fullmatch(entry["name"]) and is_main(path)):
                continue
            made = found.get(entry["name"]) or {}
            if not all(is_same(wanted[key], made.get(key)) or made.get(key) == wanted[key] for key in wanted):
                lost.append(f"{'.'.join(map(str, path))}.env {entry['name']}: given {wanted!r}, found {made!r}")
    steps = config.items() if isinstance(config, Mapping) else enumerate(config) if isinstance(config, list) else ()
    for key, one in steps:
        if key != "env":
            lost += lost_variables(one, workload, macros, (*path, key))
    return lost
