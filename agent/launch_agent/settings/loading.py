"""File < environment < flags → one frozen Settings. Nothing is contacted; all problems are told at once."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Flag, auto
from pathlib import Path
from typing import Any

from launch_agent import __version__
from launch_agent.settings import custom_resources, policy, variables
from launch_agent.settings.credentials import Secret, find_key
from launch_agent.settings.description import describe
from launch_agent.settings.model import Flags, Kaniko, Settings
from launch_agent.settings.problems import COMMAND_LINE, ConfigProblems, Problem, show_text, sort
from launch_agent.settings.variables import Reader

FILE = "launch-config.yaml"
RECORDS = Path(".local/state/launch-agent")


class Need(Flag):
    """What a command can not do without."""

    NOTHING = 0
    KEY = auto()
    QUEUES = auto()
    FILE = auto()
    ALL = KEY | QUEUES


@dataclass(slots=True)
class _Sources:
    """The three sources, and what is wrong with them."""

    flags: Flags
    reader: Reader
    home: Path
    values: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def load(
    flags: Flags,
    environ: Mapping[str, str],
    *,
    home: Path,
    need: Need = Need.ALL,
    service_account: Path = variables.SERVICE_ACCOUNT,
) -> Settings:
    """The settings of this process.

    Raises:
        ConfigProblems: with everything that is wrong in the file, the environment and the flags.
    """
    sources = _Sources(flags, Reader(environ), home)
    _read_file(sources, need)
    settings = _merge(sources, need, service_account)
    problems = [*sources.problems, *sources.reader.problems]
    warnings = sort([*sources.warnings, *sources.reader.warnings])
    if problems:
        raise ConfigProblems(problems, warnings)
    return settings


def default_path(environ: Mapping[str, str], home: Path) -> Path:
    """Where W&B's agent looks for the file (protocol 6.1)."""
    folder = environ.get("WANDB_CONFIG_DIR", "").strip()
    return (Path(folder) if folder else home / ".config" / "wandb") / FILE


def _read_file(sources: _Sources, need: Need) -> None:
    explicit = sources.flags.config
    path = explicit or default_path(sources.reader.environ, sources.home)
    if explicit is None and Need.FILE not in need and not path.exists():
        return
    from launch_agent.settings import document, reading  # PyYAML costs 60 ms: only with a file

    sources.path = path
    found = document.read(path, str(path))
    sources.values, problems, warnings = reading.judge(found)
    sources.problems += problems
    sources.warnings += warnings


def _merge(sources: _Sources, need: Need, service_account: Path) -> Settings:
    reader, flags = sources.reader, sources.flags
    file = _from_file(sources)
    connection = _from_environment(sources, need)
    namespace = variables.read_namespace(reader, service_account)
    in_cluster = bool(reader.text("KUBERNETES_SERVICE_HOST"))
    seed = f"{file['entity'] or ''}\n{file['records']}"
    settings = Settings(
        **file,
        **connection,
        queues=_merge_queues(sources, need),
        macros=_read_macros(sources),
        pod_namespace=namespace,
        pod_name=reader.text("POD_NAME"),
        lease=reader.read("LAUNCH_AGENT_LEASE", variables.parse_lease, None),
        replicas=variables.read_replicas(reader),
        key_secret=variables.read_key_secret(reader, connection["release"]),
        protected=variables.read_protected(reader, namespace),
        target_namespaces=reader.read("LAUNCH_AGENT_TARGET_NAMESPACES", variables.parse_namespaces, ()),
        in_cluster=in_cluster,
        installation=name_installation(connection["release"], namespace if in_cluster else None, seed),
        health_address=_read_health_address(sources, in_cluster=in_cluster),
        log_file=flags.log_file,
        log_format=flags.log_format,
        kubeconfig=(flags.kubeconfig,) if flags.kubeconfig else _list_paths(reader.text("KUBECONFIG")),
        kube_context=flags.kube_context,
        config_path=sources.path,
        agent_config={},
    )
    warnings = tuple(one.line_text for one in sort([*sources.warnings, *reader.warnings]))
    return replace(settings, agent_config=describe(settings), warnings=warnings)


def _from_file(sources: _Sources) -> dict[str, Any]:
    """The fields that the file may set, with what overrides them."""
    values, flags, reader = sources.values, sources.flags, sources.reader
    records = values.get("records")
    max_jobs = reader.read("WANDB_LAUNCH_MAX_JOBS", variables.parse_limit, int(values.get("max_jobs", 1)))
    return {
        "entity": flags.entity or reader.text("WANDB_ENTITY") or values.get("entity"),
        "max_jobs": max_jobs if flags.max_jobs is None else flags.max_jobs,
        "max_schedulers": int(values.get("max_schedulers", 1)),
        "secure_mode": values.get("secure_mode", False),
        "verbosity": max(values.get("verbosity", 0), min(flags.verbosity, 2)),
        "stopped_run_timeout": float(values.get("stopped_run_timeout", 60)),
        "max_resume_count": int(values.get("max_resume_count", 5)),
        "image_pull_grace": float(values.get("image_pull_grace", 60)),
        "adopt_foreign": bool(values.get("adopt_foreign", True)),
        "poll_interval": float(values.get("poll_interval", 3.4)),
        "launch_concurrency": int(values.get("launch_concurrency", 8)),
        "records": _find_folder(records, sources) if records else sources.home / RECORDS,
        "environment": values.get("environment", {}),
        "registry": values.get("registry", {}),
        "builder": values.get("builder", {}),
        "custom_resources": custom_resources.read(values),
        "policy": policy.read(values),
    }


def _from_environment(sources: _Sources, need: Need) -> dict[str, Any]:
    """The fields that only the environment sets."""
    reader = sources.reader
    base_url = reader.read("WANDB_BASE_URL", variables.parse_base_url, variables.DEFAULT_BASE_URL)
    default: float | None = variables.DEFAULT_START_TIMEOUT
    return {
        "base_url": base_url,
        "api_key": _read_key(sources, base_url, need),
        "start_timeout": reader.read("WANDB_LAUNCH_START_TIMEOUT", variables.parse_start_timeout, default),
        "http_timeout": reader.read("WANDB_HTTP_TIMEOUT", variables.parse_http_timeout, variables.DEFAULT_HTTP_TIMEOUT),
        "ca_bundle": _read_ca_bundle(reader),
        "verify_tls": _read_verify_tls(reader),
        "proxies": variables.read_proxies(reader, base_url),
        "username": reader.text("WANDB_USERNAME"),
        "user_email": reader.text("WANDB_USER_EMAIL"),
        "version": _name_version(reader),
        "release": reader.text("WANDB_RELEASE_NAME"),
        "cloud_regions": {
            name: reader.text(name) for name in ("AWS_REGION", "GOOGLE_CLOUD_REGION") if reader.text(name)
        },
        "kaniko": Kaniko(
            service_account=reader.text("WANDB_LAUNCH_SERVICE_ACCOUNT_NAME", "default"),
            pvc_name=reader.text("WANDB_LAUNCH_KANIKO_PVC_NAME"),
            pvc_mount_path=reader.text("WANDB_LAUNCH_KANIKO_PVC_MOUNT_PATH", "/kaniko"),
            auth_secret=reader.text("WANDB_LAUNCH_KANIKO_AUTH_SECRET"),
            code_pvc_name=reader.text("WANDB_LAUNCH_CODE_PVC_NAME"),
            code_pvc_mount_path=reader.text("WANDB_LAUNCH_CODE_PVC_MOUNT_PATH"),
        ),
    }


def _merge_queues(sources: _Sources, need: Need) -> tuple[str, ...]:
    """The flags' queues, else the file's. None at all is a problem for a command that polls."""
    queues = tuple(dict.fromkeys(sources.flags.queues)) or tuple(sources.values.get("queues", ()))
    for name in sources.flags.queues:
        if not 1 <= len(name) <= 64:
            what = f"found `{show_text(name)}`; allowed is the name of a queue (1 to 64 characters)"
            sources.problems.append(Problem(COMMAND_LINE, 0, 0, "--queue", what, "use its name as W&B shows it"))
    if not queues and Need.QUEUES in need and not sources.problems:
        cure = "name one: `-q <name of a queue>`, or `queues:` in the file"
        where = str(sources.path or default_path(sources.reader.environ, sources.home))
        what = f"no queue to poll: no -q was given, and {where} {'names none' if sources.path else 'does not exist'}"
        sources.problems.append(Problem(COMMAND_LINE, 0, 0, "", what, cure))
    return queues


def _read_key(sources: _Sources, base_url: str, need: Need) -> Secret:
    """The API key; judged whenever it is there, missed only where it is needed."""
    environ = sources.reader.environ
    if Need.KEY not in need and not environ.get("WANDB_API_KEY", "").strip():
        return Secret("")
    key, problem = find_key(environ, base_url, sources.home)
    if problem:
        sources.reader.problems.append(problem)
    return key


def _read_ca_bundle(reader: Reader) -> Path | None:
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        path = reader.read(name, variables.parse_file, None)
        if path:
            return path
    return None


def _read_verify_tls(reader: Reader) -> bool:
    name = "WANDB_INSECURE_DISABLE_SSL"
    if reader.text(name).lower() not in {"1", "true", "yes", "on"}:
        return True
    reader.warn(
        name,
        "W&B's certificate is not checked: anyone in between can read the API key",
        "name the authority in SSL_CERT_FILE instead",
    )
    return False


def _read_health_address(sources: _Sources, *, in_cluster: bool) -> str | None:
    """Where /healthz, /readyz and /metrics are served; in a cluster everywhere on port 8080, else nowhere."""
    if sources.flags.health_address is None:
        default = "0.0.0.0:8080" if in_cluster else None
        return sources.reader.read("LAUNCH_AGENT_HEALTH_ADDRESS", variables.parse_health_address, default)
    try:
        return variables.parse_health_address(sources.flags.health_address)
    except variables.Unreadable as error:
        sources.problems.append(Problem(COMMAND_LINE, 0, 0, "--health-address", error.summary, error.cure))
        return None


def _read_macros(sources: _Sources) -> dict[str, str]:
    """The environment variables that the file allows in ``${…}``."""
    environ = sources.reader.environ
    names = sources.values.get("macro_environment", ())
    for name in names:
        if name not in environ:
            sources.reader.warn(name, "macro_environment names it, but it is not set: `${…}` stays as it is")
    return {name: environ[name] for name in names if name in environ}


def _find_folder(text: str, sources: _Sources) -> Path:
    """``~`` is the home folder; a relative path starts at the configuration file."""
    if text == "~" or text.startswith("~/"):
        return sources.home / text[2:]
    start = sources.path.parent if sources.path else Path()
    return (start / text).absolute()


def _list_paths(text: str) -> tuple[Path, ...]:
    """KUBECONFIG may list several files; they count as one, as with kubectl."""
    return tuple(Path(part) for part in text.split(os.pathsep) if part)


def _name_version(reader: Reader) -> str:
    """What W&B is told (protocol 2.1): ours, unless WANDB_AGENT_VERSION says otherwise."""
    given = reader.text("WANDB_AGENT_VERSION")
    return given if given and given != "wandb-launch-agent" else f"launch-agent@{__version__}"


def name_installation(release: str, namespace: str | None, seed: str) -> str:
    """A name that stays over restarts and fits a label: release and namespace; outside a cluster a digest."""
    if namespace is None:
        return f"local-{_digest(seed)}"
    name = f"{release or 'launch-agent'}.{namespace}"
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", name).strip("._-")
    return plain if plain == name and len(name) <= 63 else f"{plain[:54].rstrip('._-')}-{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
