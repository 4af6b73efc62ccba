"""Random manifests that Kubernetes takes, for property tests; nulls, half-written parts and odd texts among them.

Each strategy draws what an owner could write: valid for Kubernetes once the agent has filled in what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]
Draws = st.SearchStrategy[Json]

WORDS = st.sampled_from(
    ["a", "train", "$(HOME)", "$$x", "é", "日本", "x y", "", "--lr=0.1", "'\"", "\n", "🐙", "${unknown}"]
)
TEXTS = WORDS | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
NAMES = st.sampled_from(["a", "b", "team", "cache-1", "x" * 40])
IMAGES = st.sampled_from(["img:1", "registry.example.com:5000/ml/train:1", f"img@sha256:{'0' * 64}", "${image_uri}"])
LABELS = st.dictionaries(
    st.sampled_from(["team", "example.com/queue", "A_b.c"]), st.sampled_from(["x", "", "1", "A.b_c"]), max_size=3
)
ANNOTATIONS = st.dictionaries(st.sampled_from(["note", "example.com/note"]), TEXTS, max_size=2)
SECONDS = st.sampled_from([1, 30, 600])
VOLUME_NAMES = ("work", "conf", "mixed", "temp")


def maybe(required: Mapping[str, st.SearchStrategy[Any]], **optional: st.SearchStrategy[Any]) -> Draws:
    """An object with these keys; the optional ones may be missing or null."""
    return st.fixed_dictionaries(dict(required), optional={key: st.none() | one for key, one in optional.items()})


def some(one: st.SearchStrategy[Any], size: int = 3) -> st.SearchStrategy[list[Any]]:
    return st.lists(one, max_size=size)


def named(one: Draws, prefix: str, size: int = 3) -> st.SearchStrategy[list[Json]]:
    """Entries with names of their own, as Kubernetes wants them in one list."""
    return some(one, size).map(lambda found: [{**each, "name": f"{prefix}{i}"} for i, each in enumerate(found)])


# ── parts of a container ──

ENV_NAMES = st.sampled_from(["A", "B_1", "LONG", "WANDB_NAME", "WANDB_RUN_ID", "WANDB_API_KEY", "x-y.z"])
KEY_REF = maybe({"name": NAMES, "key": st.just("k")}, optional=st.booleans())
VALUE_FROM = st.one_of(
    st.fixed_dictionaries({"secretKeyRef": KEY_REF}),
    st.fixed_dictionaries({"configMapKeyRef": KEY_REF}),
    st.just({"fieldRef": {"fieldPath": "metadata.name"}}),
    st.just({"resourceFieldRef": {"resource": "limits.cpu"}}),
)
VARIABLE = st.fixed_dictionaries({"name": ENV_NAMES, "value": TEXTS | st.integers(-5, 10**12)}) | st.fixed_dictionaries(
    {"name": ENV_NAMES, "valueFrom": VALUE_FROM}
)
ENV = st.lists(VARIABLE, max_size=6, unique_by=lambda entry: str(entry["name"]))
REPEATED_ENV = some(VARIABLE, 6)
ENV_FROM = some(
    st.fixed_dictionaries({"configMapRef": maybe({"name": NAMES}, optional=st.booleans())})
    | st.fixed_dictionaries({"secretRef": st.fixed_dictionaries({"name": NAMES}), "prefix": st.just("P_")}),
)
RESOURCES: Draws = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {"limits": st.sampled_from([{"cpu": 1}, {"memory": "1Gi", "nvidia.com/gpu": 2}, {"cpu": "1500m"}])}
    ),
    st.just({"requests": {"cpu": 0.5, "memory": "64Mi"}, "limits": {"cpu": "2", "memory": "1Gi"}}),
    st.just({"requests": {"ephemeral-storage": "1Gi"}, "limits": None}),
)
ACTION = st.one_of(
    st.just({"exec": {"command": ["true"]}}),
    st.fixed_dictionaries(
        {"httpGet": maybe({"port": st.sampled_from([80, 8080])}, path=st.just("/ok"), scheme=st.just("HTTPS"))}
    ),
    st.just({"tcpSocket": {"port": 9}}),
)
PROBE = st.builds(
    lambda action, more: {**action, **more},
    ACTION,
    maybe({}, periodSeconds=SECONDS, timeoutSeconds=SECONDS, failureThreshold=SECONDS),
)
CAPABILITIES = st.sampled_from(
    [{"drop": ["ALL"]}, {"add": ["SYS_PTRACE"]}, {"drop": ["NET_RAW"], "add": ["SYS_NICE"]}, {}]
)
SECCOMP = st.sampled_from(
    [{"type": "RuntimeDefault"}, {"type": "Unconfined"}, {"type": "Localhost", "localhostProfile": "p.json"}]
)
SECURITY = st.one_of(
    st.just({"privileged": True}),
    st.just({"privileged": True, "allowPrivilegeEscalation": True}),
    st.just({"capabilities": {"add": ["SYS_ADMIN"]}}),
    maybe(
        {},
        allowPrivilegeEscalation=st.just(False),
        capabilities=CAPABILITIES.filter(lambda one: "SYS_ADMIN" not in one.get("add", ())),
        seccompProfile=SECCOMP,
        runAsUser=st.sampled_from([0, 1000]),
        runAsNonRoot=st.just(False),
        readOnlyRootFilesystem=st.booleans(),
        procMount=st.just("Default"),
    ),
    maybe({}, allowPrivilegeEscalation=st.booleans(), seccompProfile=SECCOMP),
)
MOUNTS = st.lists(st.sampled_from(VOLUME_NAMES), unique=True, max_size=4).map(
    lambda found: [{"name": name, "mountPath": f"/mnt/{name}", "readOnly": name != "work"} for name in found]
)
PORTS = some(maybe({"containerPort": st.integers(1, 65535)}, protocol=st.just("TCP")), 1)

PLAIN = {
    "command": some(TEXTS | st.integers()),
    "args": some(TEXTS | st.floats(0, 1).map(lambda number: round(number, 3))),
    "env": ENV,
    "envFrom": ENV_FROM,
    "resources": RESOURCES,
    "securityContext": SECURITY,
    "volumeMounts": MOUNTS,
    "ports": PORTS,
    "workingDir": st.just("/work"),
    "imagePullPolicy": st.sampled_from(["Always", "IfNotPresent"]),
    "tty": st.booleans(),
    "terminationMessagePolicy": st.just("FallbackToLogsOnError"),
}
PROBED = {
    "livenessProbe": PROBE.map(lambda probe: {**probe, "successThreshold": 1}),
    "readinessProbe": PROBE,
    "startupProbe": PROBE,
    "lifecycle": st.just({"preStop": {"exec": {"command": ["sync"]}}}),
}
MAIN = maybe({}, image=IMAGES, name=st.just("main"), **{**PLAIN, "env": REPEATED_ENV}, **PROBED)
SIDECAR = maybe({"image": IMAGES}, **PLAIN, **PROBED)
INIT = maybe({"image": IMAGES}, **PLAIN)
NATIVE_SIDECAR = maybe({"image": IMAGES, "restartPolicy": st.just("Always")}, **PLAIN, **PROBED)

# ── a pod ──

VOLUMES = st.just(
    [
        {"name": "work", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "conf", "configMap": {"name": "team", "items": [{"key": "k", "path": "é/k"}], "defaultMode": 0o440}},
        {"name": "mixed", "projected": {"sources": [{"secret": {"name": "team"}}, {"downwardAPI": {"items": []}}]}},
        {
            "name": "temp",
            "ephemeral": {
                "volumeClaimTemplate": {
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
                }
            },
        },
    ]
)
SELECTOR = {"matchExpressions": [{"key": "gpu", "operator": "In", "values": ["a100", "h100"]}]}
POD_TERM = {"topologyKey": "kubernetes.io/hostname", "labelSelector": SELECTOR}
AFFINITY = maybe(
    {},
    nodeAffinity=st.just({"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [SELECTOR]}}),
    podAffinity=st.just({"requiredDuringSchedulingIgnoredDuringExecution": [POD_TERM]}),
    podAntiAffinity=st.just(
        {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 5, "podAffinityTerm": POD_TERM}]}
    ),
)
TOLERATIONS = some(
    st.sampled_from(
        [
            {"operator": "Exists"},
            {"key": "gpu", "value": "true", "effect": "NoSchedule"},
            {"key": "k", "operator": "Exists"},
        ]
    )
)
POD_SECURITY = maybe(
    {},
    runAsUser=st.sampled_from([0, 1000]),
    fsGroup=st.just(1000),
    supplementalGroups=st.just([1, 2]),
    seccompProfile=SECCOMP,
    sysctls=st.just([{"name": "net.ipv4.tcp_syncookies", "value": "1"}]),
)
POD_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "nodeSelector": st.dictionaries(
        st.sampled_from(["gpu", "zone"]), st.sampled_from(["a100", "1", "true"]), max_size=2
    ),
    "affinity": AFFINITY,
    "tolerations": TOLERATIONS,
    "securityContext": POD_SECURITY,
    "imagePullSecrets": some(st.fixed_dictionaries({"name": NAMES}), 2),
    "terminationGracePeriodSeconds": st.integers(0, 99),
    "serviceAccountName": st.just("default"),
    "hostname": st.just("h"),
    "dnsConfig": st.just({"options": [{"name": "ndots", "value": "1"}]}),
    "enableServiceLinks": st.booleans(),
    "shareProcessNamespace": st.booleans(),
    "schedulerName": st.just("other"),
    "topologySpreadConstraints": st.just(
        [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": SELECTOR}]
    ),
}


@st.composite
def pods(draw: st.DrawFn, /, *, is_partial: bool = True, **more: st.SearchStrategy[Any]) -> Json:
    """A pod's spec: a main container (without an image where ``is_partial``), sidecars, init containers, volumes."""
    pod: Json = draw(maybe({}, **POD_FIELDS, **more))
    first = draw(MAIN) if is_partial else {**draw(MAIN), "image": draw(IMAGES), "name": "main"}
    helpers = draw(named(SIDECAR, "side", 2))
    pod["containers"] = [first, *helpers]
    if draw(st.booleans()):
        pod["initContainers"] = draw(named(INIT | NATIVE_SIDECAR, "init", 2))
    pod["volumes"] = draw(VOLUMES)
    return pod


# ── objects ──

ODD_NAMES = st.text(st.sampled_from("abcXYZ019-_.é 日"), min_size=1, max_size=90)
OBJECT_NAMES = st.sampled_from(["train", "${run_id}", "x" * 63, "x" * 64, "Train", "a.b", "-x"]) | ODD_NAMES
METADATA = maybe(
    {},
    name=OBJECT_NAMES,
    generateName=st.sampled_from(["train-", "x" * 60, "_", "a.b."]),
    labels=LABELS,
    annotations=ANNOTATIONS,
    finalizers=st.just(["example.com/keep"]),
)
TEMPLATE_METADATA = maybe({}, labels=LABELS, annotations=ANNOTATIONS)


def templates(*, is_partial: bool = True, **more: st.SearchStrategy[Any]) -> Draws:
    return maybe({"spec": pods(is_partial=is_partial, **more)}, metadata=TEMPLATE_METADATA)


COUNTS: Draws = st.sampled_from(
    [
        {},
        {"parallelism": 3, "completions": 3},
        {"completions": 4, "parallelism": 2, "completionMode": "Indexed"},
        {"completions": 2, "completionMode": "Indexed", "backoffLimitPerIndex": 1, "maxFailedIndexes": 1},
        {"parallelism": None, "completionMode": "NonIndexed"},
    ]
)
JOB_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "backoffLimit": st.integers(0, 9),
    "ttlSecondsAfterFinished": st.integers(0, 9999),
    "activeDeadlineSeconds": SECONDS,
    "suspend": st.booleans(),
    "podReplacementPolicy": st.just("Failed"),
}


@st.composite
def jobs(draw: st.DrawFn) -> Json:
    """A queue's config for a Job, complete or with next to nothing in it, with the agent's keys beside it."""
    body: Json = draw(maybe({}, apiVersion=st.just("batch/v1"), kind=st.just("Job"), metadata=METADATA))
    body |= draw(maybe({}, max_runtime=st.sampled_from([60, "2h"]), wait_timeout=SECONDS, unknown=st.just({"a": 1})))
    if not draw(st.integers(0, 9)):
        return body
    spec: Json = {**draw(maybe({}, **JOB_FIELDS)), **draw(COUNTS)}
    template: Json = draw(templates(restartPolicy=st.sampled_from(["Never", "OnFailure"])))
    if not draw(st.integers(0, 9)):
        del template["spec"]["containers"]
    policy = {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}]}
    if draw(st.booleans()) and template["spec"].get("restartPolicy") != "OnFailure":
        spec["podFailurePolicy"] = policy
    if template["spec"].get("restartPolicy") == "OnFailure":
        spec.pop("podReplacementPolicy", None)
        spec.pop("backoffLimitPerIndex", None)
        spec.pop("maxFailedIndexes", None)
    elif "podFailurePolicy" not in spec:
        spec.pop("podReplacementPolicy", None)
    return {**body, "spec": {**spec, "template": template}}


@st.composite
def bare_pods(draw: st.DrawFn) -> Json:
    """A queue's config for a single Pod."""
    spec = draw(pods(restartPolicy=st.sampled_from(["Never", "OnFailure"]), activeDeadlineSeconds=SECONDS))
    if not draw(st.integers(0, 9)):
        del spec["containers"]
    return {"apiVersion": "v1", "kind": "Pod", **draw(maybe({}, metadata=METADATA)), "spec": spec}


@st.composite
def job_sets(draw: st.DrawFn) -> Json:
    """A queue's config for a JobSet: several replicated Jobs, each with a pod template."""
    replicated = []
    for number in range(draw(st.integers(1, 3))):
        template = draw(templates(restartPolicy=st.just("Never")))
        job = draw(
            maybe({"template": st.just(template)}, backoffLimit=st.integers(0, 3), parallelism=st.integers(1, 3))
        )
        replicated.append({"name": f"part{number}", "replicas": draw(st.integers(1, 2)), "template": {"spec": job}})
    spec = draw(maybe({"replicatedJobs": st.just(replicated)}, suspend=st.booleans(), ttlSecondsAfterFinished=SECONDS))
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        **draw(maybe({}, metadata=METADATA)),
        "spec": spec,
    }


@st.composite
def unknown_kinds(draw: st.DrawFn) -> Json:
    """A queue's config for a kind that nobody described to the agent."""
    spec: Json = {
        "leader": draw(templates(is_partial=False)),
        "groups": {"a": {"pod": draw(templates(is_partial=False))}},
    }
    spec["mode"] = draw(TEXTS)
    return {"apiVersion": "example.com/v1", "kind": "Training", **draw(maybe({}, metadata=METADATA)), "spec": spec}


OVERRIDES = maybe(
    {},
    args=some(TEXTS | st.integers()),
    entry_point=some(TEXTS.filter(bool)),
    run_config=st.dictionaries(TEXTS, TEXTS, max_size=2),
)


@st.composite
def run_specs(draw: st.DrawFn, configs: Draws) -> Json:
    """A run spec with such a queue config."""
    return {
        "entity": draw(ODD_NAMES.filter(str.strip)),
        "project": draw(ODD_NAMES.filter(str.strip)),
        "docker": {"docker_image": "registry.example.com/ml/train:7"},
        "resource": "kubernetes",
        "resource_args": {"kubernetes": draw(configs)},
        "overrides": draw(OVERRIDES),
        **draw(maybe({}, name=TEXTS.filter(bool), _wandb_api_key=st.just("a" * 40))),
    }


@st.composite
def services(draw: st.DrawFn) -> list[Json]:
    """Additional services: a Pod and a Deployment of random pods, a Service, a ConfigMap and a NetworkPolicy."""
    label = {"app": "helper"}
    metadata = draw(maybe({}, labels=LABELS, annotations=ANNOTATIONS))
    template = {"metadata": {"labels": label}, "spec": draw(pods(is_partial=False))}
    found: list[Json] = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": draw(pods(is_partial=False))},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "spec": {"selector": {"matchLabels": label}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"ports": [{"port": 80, "name": "http"}]},
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "data": {"name": draw(TEXTS), "WANDB_CONFIG": "${run_id}"}},
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "spec": {"podSelector": {"matchLabels": label}},
        },
    ]
    chosen = draw(st.lists(st.sampled_from(found), unique_by=lambda one: str(one["kind"]), min_size=1))
    return [{"name": draw(ODD_NAMES), "config": one} for one in chosen]
