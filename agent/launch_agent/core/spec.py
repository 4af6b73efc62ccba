"""A run spec (protocol section 4), read: ``parse`` gives a frozen value or says which key is wrong, and why."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from launch_agent.core import pod_shapes
from launch_agent.core.depth import check_depth
from launch_agent.core.merging import unwrap
from launch_agent.core.models import Resource
from launch_agent.core.shapes import Each, Object, Texts, boolean, duration, natural, scalar, seconds, text
from launch_agent.errors import SpecError

SCHEDULER_URI = "placeholder-uri-scheduler"
"""The ``uri`` of a sweep scheduler's run spec (protocol 2.7)."""

DEFAULT_RESOURCE = Resource.LOCAL_CONTAINER
"""What W&B takes where a run spec names no resource."""

JOB_API_VERSIONS = (None, "batch/v1", "batch/v1beta1")
"""The API versions that mean a plain Job (protocol 7.3.2)."""

AGENT_KEYS: Mapping[Resource, frozenset[str]] = {
    Resource.KUBERNETES: frozenset(
        {
            "builder",
            "namespace",
            "configFile",
            "context",
            "wait_for_ready",
            "wait_timeout",
            "max_runtime",
            "max_resume_count",
            "name",
            "runner",
            "group",
            "version",
            "plural",
        }
    ),
}
"""Keys beside a manifest's own that are meant for the agent; the other resources have ``builder`` only."""

_JOB = re.compile(r"[^/:]+/[^/:]+/[^/:]+:[^/:]+")

_OVERRIDES = Object(
    {
        "args": Each(scalar, "texts"),
        "run_config": Object(),
        "artifacts": Object(),
        "files": Object(),
        "entry_point": Each(scalar, "texts"),
        "dockerfile": text,
        "working_dir": text,
    }
)

_SPEC = Object(
    {
        "entity": text,
        "project": text,
        "queue_entity": text,
        "job": text,
        "docker": Object({"docker_image": text, "user_id": natural}),
        "image_uri": text,
        "uri": text,
        "git": Object({"version": text, "repo": text}),
        "name": text,
        "run_id": text,
        "author": text,
        "resource": text,
        "resource_args": Object(),
        "overrides": _OVERRIDES,
        "sweep_id": text,
        "python_version": scalar,
        "max_runtime": duration,
        "additional_services": Each(Object({"name": text, "config": Object()}), "objects with `name` and `config`"),
        "_resume_count": natural,
        "_wandb_api_key": text,
    }
)


@dataclass(frozen=True, slots=True)
class Overrides:
    """What this launch changes of its job (protocol section 4, ``overrides.*``)."""

    args: tuple[str, ...] = ()
    run_config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    artifacts: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Any] = field(default_factory=dict, repr=False)
    entry_point: tuple[str, ...] = ()
    dockerfile: str | None = None
    working_dir: str | None = None


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A well-formed run spec. Absent, null and empty texts are None; ``raw`` is the whole as it came.

    ``resource_args`` are those of ``resource`` without the agent's own keys, which are in ``agent_args``, read.
    ``max_runtime`` is in seconds, None: for ever.
    """

    entity: str
    project: str
    queue_entity: str | None
    job: str | None
    image: str | None
    run_id: str | None
    name: str | None
    author: str | None
    resource: Resource
    resource_args: Mapping[str, Any] = field(repr=False)
    agent_args: Mapping[str, Any] = field(repr=False)
    overrides: Overrides
    sweep_id: str | None
    resume_count: int
    uri: str | None
    additional_services: tuple[Mapping[str, Any], ...] = field(repr=False)
    api_key: str | None = field(repr=False)
    max_runtime: float | None
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def is_scheduler(self) -> bool:
        """Whether this launches a sweep's scheduler (protocol 2.7)."""
        entry = self.overrides.entry_point
        starts_scheduler = len(entry) >= 3 and entry[:2] == ("wandb", "scheduler")
        is_process = self.resource is Resource.LOCAL_PROCESS
        return self.uri == SCHEDULER_URI and (not is_process or self.job is not None or starts_scheduler)

    @property
    def is_job_manifest(self) -> bool:
        """Whether the Kubernetes manifest is a plain Job (protocol 7.3.2)."""
        return _is_job(self.resource_args)


def parse(run_spec: Mapping[str, Any]) -> RunSpec:
    """Read a run spec. Raises SpecError with the key's path, what is wanted there and the type of what was found."""
    check_depth(run_spec)
    values = _SPEC(run_spec, "")
    resource = _read_resource(values.get("resource"))
    manifest, agent_args = read_arguments(values.get("resource_args", {}), resource)
    overrides = values.get("overrides", {})
    result = RunSpec(
        entity=_require(values, "entity"),
        project=_require(values, "project").lower(),
        queue_entity=values.get("queue_entity") or None,
        job=_read_job(values.get("job")),
        image=_read_image(values),
        run_id=values.get("run_id") or None,
        name=values.get("name") or None,
        author=values.get("author") or None,
        resource=resource,
        resource_args=manifest,
        agent_args=agent_args,
        overrides=Overrides(
            args=tuple(overrides.get("args", ())),
            run_config=overrides.get("run_config", {}),
            artifacts=overrides.get("artifacts", {}),
            files=overrides.get("files", {}),
            entry_point=tuple(overrides.get("entry_point", ())),
            dockerfile=overrides.get("dockerfile") or None,
            working_dir=overrides.get("working_dir") or None,
        ),
        sweep_id=values.get("sweep_id") or None,
        resume_count=values.get("_resume_count", 0),
        uri=values.get("uri") or None,
        additional_services=tuple(values.get("additional_services", ())),
        api_key=values.get("_wandb_api_key") or None,
        max_runtime=agent_args.get("max_runtime") or values.get("max_runtime"),
        raw=run_spec,
    )
    _check_source(result)
    return result


def _require(values: Mapping[str, Any], key: str) -> str:
    value: str = values.get(key, "")
    if not value.strip():
        raise SpecError(key, "is missing.", resolution=f"Name the {key} that the run belongs to.")
    return value


def _read_resource(name: str | None) -> Resource:
    if not name:
        return DEFAULT_RESOURCE
    try:
        return Resource(name)
    except ValueError:
        near = difflib.get_close_matches(name, list(Resource), n=1)
        hint = f"Did you mean {near[0]}?" if near else ""
        raise SpecError(
            "resource",
            f"{name[:40]!r} is no kind of resource.",
            detail=f"Allowed are {', '.join(Resource)}.",
            resolution=hint or "Correct it in the queue.",
        ) from None


def _read_job(name: str | None) -> str | None:
    if not name:
        return None
    if not _JOB.fullmatch(name):
        raise SpecError(
            "job",
            "is not the name of a job.",
            resolution="Write it as <entity>/<project>/<name>:<alias or version>.",
        )
    return name


def _read_image(values: Mapping[str, Any]) -> str | None:
    image: str | None = values.get("docker", {}).get("docker_image") or None
    other: str | None = values.get("image_uri") or None
    if image and other and image != other:
        raise SpecError(
            "image_uri",
            "names another image than docker.docker_image.",
            resolution="Keep one of the two; they mean the same.",
        )
    return _check_image(image, "docker.docker_image") or _check_image(other, "image_uri")


def _check_image(image: str | None, path: str) -> str | None:
    if image is not None and (image != image.strip() or any(letter.isspace() for letter in image)):
        raise SpecError(path, "is not an image's name: it holds white space.", resolution="Correct it.")
    return image


def read_arguments(arguments: Mapping[str, Any], resource: Resource) -> tuple[dict[str, Any], dict[str, Any]]:
    """The resource's own arguments, read: (what reaches the target, what is meant for the agent). Raises SpecError."""
    path = f"resource_args.{resource}"
    given = arguments.get(resource)
    values = unwrap(Object()({} if given is None else given, path), resource)
    own = AGENT_KEYS.get(resource, frozenset({"builder"}))
    kept = {key: value for key, value in values.items() if key not in own}
    agent_args = _AGENT_ARGUMENTS({key: values[key] for key in own & values.keys()}, path)
    if resource is Resource.KUBERNETES:
        kept = _read_manifest(kept, path)
    elif resource is Resource.LOCAL_PROCESS:
        kept = _PROCESS_ARGUMENTS(kept, path)
    return kept, agent_args


_PROCESS_ARGUMENTS = Object({"env": Texts(), "working_dir": text})
_AGENT_ARGUMENTS = Object(
    {
        "namespace": text,
        "configFile": text,
        "context": text,
        "builder": Object(),
        "max_runtime": duration,
        "max_resume_count": natural,
        "wait_for_ready": boolean,
        "wait_timeout": seconds,
    }
)


def _read_manifest(values: dict[str, Any], path: str) -> dict[str, Any]:
    names = pod_shapes.NAMES({key: values[key] for key in ("apiVersion", "kind") if key in values}, path)
    known = {**{key: value for key, value in values.items() if key not in {"apiVersion", "kind"}}, **names}
    shape = pod_shapes.ANY_KIND
    if _is_job(known):
        shape = pod_shapes.JOB
    else:
        _check_names(known, path)
        if (known["apiVersion"], known["kind"]) == ("v1", "Pod"):
            shape = pod_shapes.POD
    result: dict[str, Any] = shape(known, path)
    return result


def _is_job(manifest: Mapping[str, Any]) -> bool:
    """Protocol 7.3.2: what names no kind is a Job."""
    return (manifest.get("apiVersion") or None) in JOB_API_VERSIONS and (manifest.get("kind") or "Job") == "Job"


def _check_names(manifest: Mapping[str, Any], path: str) -> None:
    """A kind without its version, or a version without its kind, is nobody's."""
    for key, other in (("apiVersion", "kind"), ("kind", "apiVersion")):
        if not manifest.get(key):
            raise SpecError(
                f"{path}.{key}",
                f"is missing, and {other} is {str(manifest[other])[:60]!r}: that alone says no kind of object.",
                resolution=f"Add {key}; for a Job leave both out.",
            )


def _check_source(spec: RunSpec) -> None:
    """Exactly one of job and image; a local process may have an entry point instead (our extension)."""
    if spec.job and spec.image:
        raise SpecError(
            "job",
            "stands beside an image, and only one of the two can be run.",
            resolution="Keep `job` (its code is run) or `docker.docker_image` (the image is run as it is).",
        )
    if spec.uri == SCHEDULER_URI or spec.job or spec.image:
        return
    if spec.resource is not Resource.LOCAL_PROCESS:
        raise SpecError(
            "docker.docker_image",
            "is missing, and so is `job`: there is nothing to run.",
            resolution="Name an image in docker.docker_image, or a job in `job`.",
        )
    if not spec.overrides.entry_point:
        raise SpecError(
            "overrides.entry_point",
            "is missing, and so is `job`: there is nothing to run.",
            resolution="Give the command as a list of words.",
        )
