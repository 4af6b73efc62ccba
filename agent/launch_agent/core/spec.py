"""A run spec, read: the JSON object of protocol section 4 as one frozen value. Unknown keys are kept in ``raw``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from launch_agent.core import shapes
from launch_agent.core.models import Resource
from launch_agent.errors import RefusedError, SpecError

SCHEDULER_URI = "placeholder-uri-scheduler"
DEFAULT_RESOURCE = Resource.LOCAL_CONTAINER
"""Of a spec that names none (protocol section 4)."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the submitter changes of the job; None where nothing was said."""

    args: tuple[str, ...] = ()
    entry_point: tuple[str, ...] = ()
    run_config: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Any] = field(default_factory=dict)
    dockerfile: str | None = None
    working_dir: str | None = None


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run spec. ``resource_args`` is what lies below the resource's own key, its ``builder`` left out."""

    entity: str
    project: str
    resource: Resource
    resource_args: Mapping[str, Any]
    overrides: Overrides
    raw: Mapping[str, Any] = field(repr=False)
    queue_entity: str | None = None
    job: str | None = None
    image: str | None = None
    run_id: str | None = None
    name: str | None = None
    author: str | None = None
    sweep_id: str | None = None
    resume_count: int = 0
    uri: str | None = None
    additional_services: tuple[Any, ...] = ()
    api_key: str | None = field(default=None, repr=False)

    @property
    def is_scheduler(self) -> bool:
        """Whether this is a sweep's scheduler (protocol 2.7)."""
        if self.uri != SCHEDULER_URI:
            return False
        entry = self.overrides.entry_point
        is_command = len(entry) >= 3 and entry[:2] == ("wandb", "scheduler")
        return self.resource is not Resource.LOCAL_PROCESS or bool(self.job) or is_command


def parse(run_spec: Mapping[str, Any]) -> RunSpec:
    """Read a run spec. Null counts as absent.

    Raises SpecError with the path of what is wrong, RefusedError for a resource or a source that can not be.
    """
    raw = shapes.mapping(run_spec, "")
    resource = _read_resource(raw)
    docker = shapes.mapping(raw.get("docker"), "docker")
    image = shapes.text(docker.get("docker_image"), "docker.docker_image")
    image = image or shapes.text(raw.get("image_uri"), "image_uri")
    spec = RunSpec(
        entity=_read_required(raw, "entity"),
        project=_read_required(raw, "project").lower(),
        resource=resource,
        resource_args=_read_resource_args(raw, resource),
        overrides=_read_overrides(raw),
        raw=raw,
        queue_entity=shapes.text(raw.get("queue_entity"), "queue_entity"),
        job=shapes.text(raw.get("job"), "job") or None,
        image=image or None,
        run_id=shapes.text(raw.get("run_id"), "run_id") or None,
        name=shapes.text(raw.get("name"), "name") or None,
        author=shapes.text(raw.get("author"), "author") or None,
        sweep_id=shapes.text(raw.get("sweep_id"), "sweep_id") or None,
        resume_count=shapes.whole(raw.get("_resume_count"), "_resume_count"),
        uri=shapes.text(raw.get("uri"), "uri") or None,
        additional_services=tuple(shapes.sequence(raw.get("additional_services"), "additional_services")),
        api_key=shapes.text(raw.get("_wandb_api_key"), "_wandb_api_key") or None,
    )
    _check_source(spec)
    return spec


def _read_required(raw: Mapping[str, Any], key: str) -> str:
    value = shapes.text(raw.get(key), key)
    if not value:
        raise SpecError(
            key, "a run spec needs it, and it is absent or empty.", resolution=f"Give --{key} when pushing."
        )
    return value


def _read_resource(raw: Mapping[str, Any]) -> Resource:
    name = shapes.text(raw.get("resource"), "resource") or DEFAULT_RESOURCE.value
    try:
        return Resource(name)
    except ValueError:
        known = ", ".join(one.value for one in Resource)
        raise SpecError("resource", f"{name!r} is no resource.", detail=f"Known are: {known}.") from None


def _read_resource_args(raw: Mapping[str, Any], resource: Resource) -> Mapping[str, Any]:
    """What lies below the resource's key; an outer key of the same name, as in W&B's documents, is unwrapped."""
    every = shapes.mapping(raw.get("resource_args"), "resource_args")
    path = f"resource_args.{resource}"
    own = shapes.mapping(every.get(resource.value), path)
    if set(own) - {"builder"} == {resource.value}:
        own = shapes.mapping(own[resource.value], f"{path}.{resource}")
    return {key: value for key, value in own.items() if key != "builder"}


def _read_overrides(raw: Mapping[str, Any]) -> Overrides:
    values = shapes.mapping(raw.get("overrides"), "overrides")
    return Overrides(
        args=shapes.words(values.get("args"), "overrides.args"),
        entry_point=shapes.words(values.get("entry_point"), "overrides.entry_point"),
        run_config=shapes.mapping(values.get("run_config"), "overrides.run_config"),
        artifacts=shapes.mapping(values.get("artifacts"), "overrides.artifacts"),
        files=shapes.mapping(values.get("files"), "overrides.files"),
        dockerfile=shapes.text(values.get("dockerfile"), "overrides.dockerfile"),
        working_dir=shapes.text(values.get("working_dir"), "overrides.working_dir"),
    )


def _check_source(spec: RunSpec) -> None:
    if spec.job and spec.image:
        raise RefusedError(
            "The run spec names both a job and an image.",
            detail=f"job is {spec.job!r}, docker.docker_image is {spec.image!r}; exactly one may be set.",
            resolution="Push it again with --job or with --docker-image.",
        )
    if spec.job or spec.image or spec.is_scheduler:
        return
    if spec.resource is Resource.LOCAL_PROCESS and spec.overrides.entry_point:
        return
    raise SpecError(
        "docker.docker_image",
        "the run spec names neither a job nor an image.",
        resolution="Push it with --job or --docker-image; for local-process, overrides.entry_point is enough.",
    )
