"""What the controls of `core/profiles.py` look for in a member of an object: functions that give the paths below it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from launch_agent.core import marks, strictness
from launch_agent.core.entries import Entry
from launch_agent.core.places import Path

Find = Callable[[Entry], Iterator[Path]]
"""What of a member a control refuses: paths below it, ``()`` for all of it."""

CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
"""Linux capabilities that may be added under ``baseline``."""

SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem", "net.ipv4.tcp_syncookies", "net.ipv4.tcp_wmem",
    }
)  # fmt: skip
"""Kernel parameters that may be set under ``baseline``."""

SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})

CONFINED = frozenset({"RuntimeDefault", "Localhost"})
"""Types of seccomp and AppArmor profiles that confine."""

BOOLEANS = frozenset(
    {
        "hostPID", "hostIPC", "hostNetwork", "hostUsers", "shareProcessNamespace", "automountServiceAccountToken",
        "privileged", "hostProcess",
    }
)  # fmt: skip
"""Fields that Kubernetes takes no text for: one of another type is malformed."""

MARKED = frozenset({"labels", "annotations", "additionalLabels"})
"""Objects that hold marks."""


KEYS = BOOLEANS | {
    "capabilities", "hostPath", "hostPort", "host", "appArmorProfile", "seLinuxOptions", "procMount", "seccompProfile",
    "sysctls", "sparkConf", "manifest", "manifestFrom", "podSpecPatch", "externalIPs", "serviceAccountName",
    "serviceAccount", "serviceAccountToken", "podCertificate", "mountPropagation", "flexVolume", "clusterSelector",
    "workflowTemplateRef", "templateRef", "finalizers", "ownerReferences",
}  # fmt: skip
"""Members that some control looks for by name."""

WORDS = ("seccomp", "apparmor", "securitycontext")
"""Parts of the names of other members that some control looks for."""


def may_matter(entry: Entry) -> bool:
    """Whether any control may find something in the member: most of a manifest is told by its key alone."""
    if entry.key in KEYS or entry.holder in MARKED:
        return True
    key = entry.key.lower()
    return any(word in key for word in WORDS)


def is_true(value: Any) -> bool:
    """Whether a value counts as true for W&B's agent: also a text that says so."""
    return value.strip().lower() in {"1", "true", "yes"} if isinstance(value, str) else bool(value)


def true(*keys: str) -> Find:
    """Fields that are true."""
    return lambda entry: whole(entry.key in keys and is_true(entry.value))


def present(*keys: str) -> Find:
    """Fields that are there, and not an empty text."""
    return lambda entry: whole(entry.key in keys and entry.value != "")


def whole(is_found: bool) -> Iterator[Path]:
    """All of the member, if so."""
    if is_found:
        yield ()


def capabilities(entry: Entry) -> Iterator[Path]:
    """Added capabilities that the standard does not name."""
    if entry.key == "capabilities" and isinstance(entry.value, Mapping):
        for index, name in enumerate(_list(entry.value.get("add"))):
            if not _is_among(name, CAPABILITIES):
                yield ("add", index)


def sysctls(entry: Entry) -> Iterator[Path]:
    """Kernel parameters that the standard does not name."""
    if entry.key == "sysctls":
        for index, one in enumerate(_list(entry.value)):
            if not isinstance(one, Mapping) or not _is_among(one.get("name"), SYSCTLS):
                yield (index, "name")


def selinux(entry: Entry) -> Iterator[Path]:
    """SELinux users, roles, and types other than those of containers."""
    if entry.key == "seLinuxOptions" and isinstance(entry.value, Mapping):
        if not _is_among(entry.value.get("type") or "", SELINUX_TYPES):
            yield ("type",)
        for field in ("user", "role"):
            if entry.value.get(field):
                yield (field,)


def seccomp(entry: Entry) -> Iterator[Path]:
    """Seccomp profiles that do not confine."""
    if entry.key == "seccompProfile":
        yield from _find_unconfined(entry.value)
    elif "seccomp" in entry.key.lower():
        yield from whole("unconfined" in str(entry.value).lower())


def apparmor(entry: Entry) -> Iterator[Path]:
    """AppArmor profiles that do not confine."""
    if entry.key == "appArmorProfile":
        yield from _find_unconfined(entry.value)
    elif entry.key.startswith("container.apparmor.security.beta.kubernetes.io/"):
        value = str(entry.value)
        yield from whole(value not in {"", "runtime/default"} and not value.startswith("localhost/"))
    elif "apparmor" in entry.key.lower():
        yield from whole("unconfined" in str(entry.value).lower())


def _find_unconfined(profile: Any) -> Iterator[Path]:
    if not isinstance(profile, Mapping):
        yield ()
    elif not _is_among(profile.get("type", "RuntimeDefault"), CONFINED):
        yield ("type",)


def probe_host(entry: Entry) -> Iterator[Path]:
    """Addresses that the node is to ask, in probes and lifecycle handlers."""
    yield from whole(entry.key == "host" and entry.holder in {"httpGet", "tcpSocket"} and bool(entry.value))


def proc_mount(entry: Entry) -> Iterator[Path]:
    """Other views of /proc than the default."""
    yield from whole(entry.key == "procMount" and entry.value != "Default")


def weak_context(entry: Entry) -> Iterator[Path]:
    """The first field of a security context that is weaker than the injected one."""
    if entry.key.lower().endswith("securitycontext"):
        weak = strictness.find_weakness(entry.value)
        if weak is not None:
            yield (weak,) if weak else ()


def propagation(entry: Entry) -> Iterator[Path]:
    """Mounts that reach the node."""
    yield from whole(entry.key == "mountPropagation" and entry.value == "Bidirectional")


def hidden_manifest(entry: Entry) -> Iterator[Path]:
    """Pods and objects that stand in a text or come from elsewhere, so that no rule sees them."""
    if entry.key == "sparkConf" and isinstance(entry.value, Mapping):
        yield from ((str(key),) for key in entry.value if str(key).startswith("spark.kubernetes."))
    elif entry.key in {"manifest", "manifestFrom"}:
        yield from whole("action" in entry.parent)
    else:
        yield from whole(entry.key == "podSpecPatch" and bool(entry.value))


def own_marks(entry: Entry) -> Iterator[Path]:
    """The agent's own labels and annotations; the one that names the main container is judged apart."""
    if entry.holder in MARKED:
        is_own = entry.key.startswith(marks.OWN) and entry.key != marks.MAIN_ANNOTATION
        yield from whole(is_own or entry.key in marks.WANDB_LABELS)


def owners(entry: Entry) -> Iterator[Path]:
    """What ties the end of an object to another."""
    yield from whole(entry.key in {"finalizers", "ownerReferences"} and bool(entry.value))


def _is_among(value: Any, names: frozenset[str]) -> bool:
    return isinstance(value, str) and value in names


def _list(value: Any) -> Iterable[Any]:
    """The entries of a list; of anything else, itself, so that a wrong type hides nothing."""
    if isinstance(value, (list, tuple)):
        return value
    return () if value is None else (value,)


def host_port(entry: Entry) -> Iterator[Path]:
    """A port of the node; 0 is none."""
    yield from whole(entry.key == "hostPort" and (bool(entry.value) or isinstance(entry.value, bool)))


def token(entry: Entry) -> Iterator[Path]:
    """A token or certificate of the pod's service account."""
    is_source = entry.key in {"serviceAccountToken", "podCertificate"}
    yield from whole(is_source or (entry.key == "automountServiceAccountToken" and is_true(entry.value)))


def nothing(_entry: Entry) -> Iterator[Path]:
    """For controls that look at more than one member; `core/judgement.py` judges them."""
    yield from ()
