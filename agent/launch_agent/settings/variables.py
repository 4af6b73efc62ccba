"""The environment variables that the agent reads, each read once (protocol 6.4 and 3.1)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from launch_agent.settings.problems import ENVIRONMENT, Problem, show_text

if TYPE_CHECKING:  # `version` needs no core
    from launch_agent.core.models import KeySecret
    from launch_agent.core.policy import Protected

T = TypeVar("T")

DEFAULT_BASE_URL = "https://api.wandb.ai"
DEFAULT_START_TIMEOUT = 1800.0
DEFAULT_HTTP_TIMEOUT = 19.0
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

NAMES = (
    "WANDB_API_KEY",
    "WANDB_BASE_URL",
    "WANDB_ENTITY",
    "WANDB_CONFIG_DIR",
    "WANDB_HTTP_TIMEOUT",
    "WANDB_LAUNCH_MAX_JOBS",
    "WANDB_LAUNCH_START_TIMEOUT",
    "WANDB_AGENT_VERSION",
    "WANDB_USERNAME",
    "WANDB_USER_EMAIL",
    "WANDB_IDENTITY_TOKEN_FILE",
    "WANDB_INSECURE_DISABLE_SSL",
    "WANDB__PROXIES",
    "WANDB_RELEASE_NAME",
    "WANDB_LAUNCH_SERVICE_ACCOUNT_NAME",
    "WANDB_LAUNCH_KANIKO_PVC_NAME",
    "WANDB_LAUNCH_KANIKO_PVC_MOUNT_PATH",
    "WANDB_LAUNCH_KANIKO_AUTH_SECRET",
    "WANDB_LAUNCH_CODE_PVC_NAME",
    "WANDB_LAUNCH_CODE_PVC_MOUNT_PATH",
    "AWS_REGION",
    "GOOGLE_CLOUD_REGION",
    "LAUNCH_AGENT_HEALTH_ADDRESS",
    "LAUNCH_AGENT_LEASE",
    "LAUNCH_AGENT_REPLICAS",
    "LAUNCH_AGENT_API_KEY_SECRET",
    "LAUNCH_AGENT_TARGET_NAMESPACES",
    "LAUNCH_AGENT_SERVICE_ACCOUNT",
    "LAUNCH_AGENT_OWN_SECRETS",
    "POD_NAMESPACE",
    "POD_NAME",
    "KUBERNETES_SERVICE_HOST",
    "KUBECONFIG",
    "NETRC",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
)
"""Every variable that is read; docs/configuration.md describes each, and a test holds the two together."""

_HOST_AND_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+):(?P<port>\d{1,5})\Z", re.ASCII)
_SECRET_ENTRY = re.compile(r"[-._a-zA-Z0-9]{1,253}\Z", re.ASCII)
_FRONT = "https://forge.coreweave.com/api/wandb"


@dataclass(slots=True)
class Reader:
    """Reads variables and gathers what is wrong with them. An empty variable counts as not set."""

    environ: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def text(self, name: str, default: str = "") -> str:
        """The variable without surrounding white space."""
        return self.environ.get(name, "").strip() or default

    def read(self, name: str, parse: Callable[[str], T], default: T) -> T:
        """The variable as ``parse`` reads it; a ``ValueError`` with two sentences (what, cure) becomes a problem."""
        text = self.text(name)
        if not text:
            return default
        try:
            return parse(text)
        except Unreadable as error:
            self.problems.append(Problem(ENVIRONMENT, 0, 0, name, error.summary, error.cure))
            return default

    def warn(self, name: str, summary: str, cure: str = "") -> None:
        """A doubt about a variable."""
        self.warnings.append(Problem(ENVIRONMENT, 0, 0, name, summary, cure, is_warning=True))


class Unreadable(ValueError):
    """A text can not be read as what it should be."""

    def __init__(self, summary: str, cure: str) -> None:
        super().__init__(summary)
        self.summary = summary
        self.cure = cure


def parse_limit(text: str) -> int:
    """A number of items, -1 for no limit."""
    if re.fullmatch(r"-1|[0-9]{1,6}", text, re.ASCII):
        return int(text)
    raise Unreadable(f"found `{show_text(text)}`; allowed is a whole number, -1 for no limit", "write for example `8`")


def parse_seconds(text: str) -> float:
    """A finite number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value):
        return value
    raise Unreadable(f"found `{show_text(text)}`; allowed is a number of seconds", "write for example `1800`")


def parse_start_timeout(text: str) -> float | None:
    """Seconds; 0 and less: no limit."""
    value = parse_seconds(text)
    return value if value > 0 else None


def parse_http_timeout(text: str) -> float:
    """Seconds, more than 0."""
    value = parse_seconds(text)
    if value > 0:
        return value
    raise Unreadable(f"found `{show_text(text)}`; allowed is a number of seconds above 0", "write for example `19`")


def parse_base_url(text: str) -> str:
    """The address of W&B's API without trailing slash (protocol 3.1)."""
    cure = f"write for example `{DEFAULT_BASE_URL}`"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Unreadable("not an address", cure) from None
    if parts.scheme not in {"http", "https"} or not host:
        raise Unreadable(f"found `{show_text(text)}`; allowed is an address with http:// or https://", cure)
    if parts.username or parts.password:
        raise Unreadable("the address holds a user name or password", "take it out; the key belongs in WANDB_API_KEY")
    if parts.query or parts.fragment or re.search(r"\s", text):
        raise Unreadable(f"found `{show_text(text)}`; allowed is an address without `?` and `#`", cure)
    url = text.rstrip("/")
    return "https://api.forge.coreweave.com" if url == _FRONT else url


def parse_health_address(text: str) -> str | None:
    """``host:port``; ``off`` for none."""
    if text.lower() == "off":
        return None
    found = _HOST_AND_PORT.match(text)
    if found and int(found["port"]) <= 65535:
        return text
    what = f"found `{show_text(text)}`; allowed is `<host>:<port>` or `off`"
    raise Unreadable(what, "write for example `127.0.0.1:8080`")


def parse_lease(text: str) -> str:
    """The name of a Kubernetes object."""
    from launch_agent.core import names

    if names.is_object_name(text):
        return text
    what = f"found `{show_text(text)}`; allowed is a name of lower-case letters, digits, `-` and `.`"
    raise Unreadable(what, "write for example `launch-agent`, or unset it")


def parse_replicas(text: str) -> int:
    """How many pods share the queues, 1 to 8."""
    if re.fullmatch(r"[1-8]", text, re.ASCII):
        return int(text)
    raise Unreadable(f"found `{show_text(text)}`; allowed is a whole number from 1 to 8", "write for example `2`")


def read_replicas(reader: Reader) -> int:
    """LAUNCH_AGENT_REPLICAS; more than one share their work by Leases."""
    replicas = reader.read("LAUNCH_AGENT_REPLICAS", parse_replicas, 1)
    if replicas > 1 and not reader.text("LAUNCH_AGENT_LEASE"):
        cure = "set LAUNCH_AGENT_LEASE to the name of the release's Lease, or unset LAUNCH_AGENT_REPLICAS"
        what = f"{replicas} replicas share their work by Leases, but LAUNCH_AGENT_LEASE names none"
        reader.problems.append(Problem(ENVIRONMENT, 0, 0, "LAUNCH_AGENT_REPLICAS", what, cure))
    return replicas


def parse_key_secret(text: str) -> KeySecret:
    """``<Secret>/<key>``."""
    from launch_agent.core import names
    from launch_agent.core.models import KeySecret

    name, _, key = text.partition("/")
    if names.is_object_name(name) and _SECRET_ENTRY.match(key):
        return KeySecret(name, key)
    what = f"found `{show_text(text)}`; allowed is `<name of a Secret>/<key in it>`"
    raise Unreadable(what, "write for example `wandb-key/password`, or unset it")


def parse_namespaces(text: str) -> tuple[str, ...]:
    """Names with commas, or ``*`` alone for every namespace."""
    from launch_agent.core import names

    listed = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if listed == ("*",) or (listed and all(map(names.is_namespace, listed))):
        return listed
    what = f"found `{show_text(text)}`; allowed are names of namespaces with commas between, or `*`"
    raise Unreadable(what, "write for example `wandb,team-a`")


def parse_object_name(text: str) -> str:
    """The name of a Kubernetes object."""
    return parse_object_names(text)[0]


def parse_object_names(text: str) -> tuple[str, ...]:
    """Names of Kubernetes objects with commas between."""
    from launch_agent.core import names

    listed = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if listed and all(map(names.is_object_name, listed)):
        return listed
    what = f"found `{show_text(text)}`; allowed are names of Kubernetes objects with commas between"
    raise Unreadable(what, "write for example `wandb-key,git-creds`, or unset it")


def parse_proxies(text: str) -> dict[str, str]:
    """WANDB__PROXIES: a JSON object with ``http`` and ``https``."""
    cure = 'write for example `{"https": "http://proxy.example.com:3128"}`'
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise Unreadable("not a JSON object of texts", cure)
    for url in value.values():
        _check_proxy(url)
    return value


def parse_proxy(text: str) -> str:
    """The address of a proxy; without a scheme it is http."""
    url = text if "://" in text else f"http://{text}"
    _check_proxy(url)
    return url


def parse_file(text: str) -> Path:
    """A path to something that exists."""
    path = Path(text)
    try:
        if path.exists():
            return path
    except (OSError, ValueError):
        pass
    raise Unreadable(f"there is no file `{show_text(text)}`", "correct the path, or unset the variable")


def read_proxies(reader: Reader, base_url: str) -> dict[str, str]:
    """The proxies that hold for W&B's API, by scheme; none if NO_PROXY names its host."""
    nothing: dict[str, str] = {}
    own = reader.read("WANDB__PROXIES", parse_proxies, nothing)
    if own:
        return own
    proxies: dict[str, str] = {}
    for scheme in ("http", "https"):
        for name in (f"{scheme}_proxy".upper(), f"{scheme}_proxy"):
            url = reader.read(name, parse_proxy, "")
            if url:
                proxies.setdefault(scheme, url)
    if not proxies:
        return {}
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined] # 40 ms, only with a proxy

    exceptions = reader.text("NO_PROXY") or reader.text("no_proxy")
    host = urlsplit(base_url).hostname or ""
    return {} if proxy_bypass_environment(host, {"no": exceptions}) else proxies


def read_key_secret(reader: Reader, release: str) -> KeySecret | None:
    """The Secret that jobs take the API key from: the one that is named, else the release's (protocol 7.3.3)."""
    from launch_agent.core.models import KeySecret

    default = KeySecret(f"wandb-api-key-{release}") if release else None
    return reader.read("LAUNCH_AGENT_API_KEY_SECRET", parse_key_secret, default)


def read_protected(reader: Reader, namespace: str | None) -> Protected:
    """What no item may use: the agent's own account and Secrets, as the chart names them. ``namespace`` is its own."""
    from launch_agent.core.policy import Protected

    none: tuple[str, ...] = ()
    secrets = reader.read("LAUNCH_AGENT_OWN_SECRETS", parse_object_names, none)
    account = reader.read("LAUNCH_AGENT_SERVICE_ACCOUNT", parse_object_name, "")
    return Protected(namespace=namespace, service_account=account, secrets=frozenset(secrets))


def read_namespace(reader: Reader, service_account: Path) -> str | None:
    """The pod's namespace: POD_NAMESPACE, else the mounted service account's; None outside a cluster."""
    name = reader.text("POD_NAMESPACE")
    if name:
        return name
    try:
        return (service_account / "namespace").read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _check_proxy(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise Unreadable("not the address of a proxy (http:// or https://)", "write `http://<host>:<port>`")
