"""The settings as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from launch_agent.settings.credentials import Secret

if TYPE_CHECKING:  # `version` needs no core
    from launch_agent.core.kind_facts import Kind
    from launch_agent.core.models import KeySecret
    from launch_agent.core.policy import Policy, Protected

LogFormat = Literal["text", "json"]


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says; None and empty where it says nothing."""

    config: Path | None = None
    queues: tuple[str, ...] = ()
    entity: str | None = None
    max_jobs: int | None = None
    verbosity: int = 0
    log_file: str | None = None
    log_format: LogFormat = "text"
    kubeconfig: Path | None = None
    kube_context: str | None = None
    health_address: str | None = None


@dataclass(frozen=True, slots=True)
class Kaniko:
    """Builds and code on volumes, as the chart sets them up (protocol 6.4)."""

    service_account: str = "default"
    pvc_name: str = ""
    pvc_mount_path: str = "/kaniko"
    auth_secret: str = ""
    code_pvc_name: str = ""
    code_pvc_mount_path: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the agent is told, read once. Times are seconds; ``max_jobs`` and ``max_schedulers`` -1: no limit.

    ``entity`` None: the default entity of the key's owner. ``start_timeout`` None: wait for ever. ``installation``
    names this agent over restarts. ``health_address`` None: no health server. ``lease`` None: no second agent of this
    installation is ever there. ``replicas``: how many pods share its work. ``key_secret``: where jobs take the key
    from; None: the agent makes a Secret for each.
    ``protected``: what no item may use; ``policy``: what the others may ask for.
    ``target_namespaces`` are those that jobs may be launched in, as far as told; ``*`` is every one. ``agent_config``
    is what W&B is told of the configuration, without secrets. ``warnings`` are for the log.
    """

    # from the file
    entity: str | None
    queues: tuple[str, ...]
    max_jobs: int
    max_schedulers: int
    secure_mode: bool
    verbosity: int
    stopped_run_timeout: float
    max_resume_count: int
    image_pull_grace: float
    adopt_foreign: bool
    poll_interval: float
    launch_concurrency: int
    records: Path
    environment: Mapping[str, Any]
    registry: Mapping[str, Any]
    builder: Mapping[str, Any]
    macros: Mapping[str, str] = field(repr=False)
    # from the environment
    base_url: str
    api_key: Secret
    start_timeout: float | None
    http_timeout: float
    ca_bundle: Path | None
    verify_tls: bool
    proxies: Mapping[str, str] = field(repr=False)
    username: str
    user_email: str
    version: str
    release: str
    cloud_regions: Mapping[str, str]
    pod_namespace: str | None
    pod_name: str
    lease: str | None
    key_secret: KeySecret | None
    protected: Protected
    policy: Policy
    target_namespaces: tuple[str, ...]
    in_cluster: bool
    installation: str
    kaniko: Kaniko
    # from the command line
    health_address: str | None
    log_file: str | None
    log_format: LogFormat
    kubeconfig: tuple[Path, ...]
    kube_context: str | None
    # about all of it
    config_path: Path | None
    agent_config: Mapping[str, Any]
    custom_resources: tuple[Kind, ...] = ()
    warnings: tuple[str, ...] = ()
    replicas: int = 1
