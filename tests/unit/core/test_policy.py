"""An owner's lists and caps, what is never allowed, and the ways around them that do not work."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from launch_agent.core.policy import Caps, Lists, Policy, Profile, Protected, Rules, Subject
from tests.support.judging import judge
from tests.support.specs import PATH, make_pod

POD = f"{PATH}.spec.template.spec"
DIGEST = "sha256:" + "a" * 64
FREE = Rules(Profile.UNRESTRICTED)


def listed(subject: Subject, *, allow: tuple[str, ...] | None = None, deny: tuple[str, ...] = ()) -> Policy:
    """The lists for a submitter who may do anything else; the queue may do anything."""
    return Policy(queue=FREE, submitter=Rules(Profile.UNRESTRICTED, {subject: Lists(allow, deny)}))


def container(**fields: Any) -> dict[str, Any]:
    return make_pod(containers=[{"name": "job", **fields}])


def env_secret(name: str) -> dict[str, Any]:
    return container(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": name, "key": "k"}}}])


def volume(**fields: Any) -> dict[str, Any]:
    return make_pod(volumes=[{"name": "v", **fields}])


def affinity(operator: str, key: str = "pool", *values: str) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}
    node = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return make_pod(affinity={"nodeAffinity": node})


REFERENCES: tuple[tuple[str, Any], ...] = (
    ("variable", lambda name: env_secret(name)),
    ("all variables", lambda name: container(envFrom=[{"secretRef": {"name": name}}])),
    ("volume", lambda name: volume(secret={"secretName": name})),
    ("projected volume", lambda name: volume(projected={"sources": [{"secret": {"name": name}}]})),
    ("pull secret", lambda name: make_pod(imagePullSecrets=[{"name": name}])),
    ("init container", lambda name: make_pod(initContainers=[{"envFrom": [{"secretRef": {"name": name}}]}])),
    ("csi volume", lambda name: volume(csi={"driver": "d", "nodePublishSecretRef": {"name": name}})),
    ("azure volume", lambda name: volume(azureFile={"secretName": name, "shareName": "s"})),
    (
        "workflow's artifact",
        lambda name: {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "spec": {
                "templates": [{"inputs": {"artifacts": [{"s3": {"secretKeySecret": {"name": name, "key": "k"}}}]}}]
            },
        },
    ),
    (
        "Spark's variables",
        lambda name: {
            "apiVersion": "sparkoperator.k8s.io/v1beta2",
            "kind": "SparkApplication",
            "spec": {"driver": {"envSecretKeyRefs": {"A": {"name": name, "key": "k"}}}},
        },
    ),
    ("anywhere", lambda name: {"deeper": [{"passwordSecret": name}]}),
)


@pytest.mark.parametrize(("where", "make"), REFERENCES, ids=[name for name, _ in REFERENCES])
def test_a_denied_secret_is_found_wherever_it_is_referred_to(where: str, make: Any) -> None:
    policy = listed(Subject.SECRETS, deny=("db-*",))
    assert "the agent's owner denies the Secret `db-root`. The rule is policy.submitter.secrets.deny" in judge(
        make("db-root"), policy=policy
    )
    assert judge(make("data"), policy=policy) == ""


@pytest.mark.parametrize(("where", "make"), REFERENCES, ids=[name for name, _ in REFERENCES])
@pytest.mark.parametrize(
    "name", ["launch-agent-api-key", "wandb-api-key-run99999", "regcred-x1", "sh.helm.release.v1.a.v3"]
)
def test_no_profile_opens_the_agent_s_secrets_nor_those_of_items(where: str, make: Any, name: str) -> None:
    protected = Protected("wandb", "launch-agent", frozenset({"launch-agent-api-key"}))
    policy = Policy(queue=FREE, submitter=FREE)
    for text in (
        judge(make(name), policy=policy, protected=protected),
        judge({}, make(name), policy, protected=protected),
    ):
        assert f" is not allowed: the Secret `{name}` " in text
        assert "No profile and no owner of a queue can allow it." in text


def test_an_owner_may_name_a_secret_that_looks_like_an_item_s() -> None:
    policy = Policy(both=Rules(lists={Subject.SECRETS: Lists(("regcred-prod",))}))
    assert judge(make_pod(imagePullSecrets=[{"name": "regcred-prod"}]), policy=policy) == ""
    by_pattern = Policy(both=Rules(lists={Subject.SECRETS: Lists(("regcred-*",))}))
    assert "has a name that the Secrets of items have" in judge(
        make_pod(imagePullSecrets=[{"name": "regcred-prod"}]), policy=by_pattern
    )


def test_a_macro_can_not_name_a_protected_secret() -> None:
    text = judge(env_secret("wandb-api-key-${run_name}"), name="run99999")
    assert "the Secret `wandb-api-key-run99999` has a name that the Secrets of items have" in text


@pytest.mark.parametrize("field", ["serviceAccountName", "serviceAccount"])
def test_the_agent_s_own_account_is_denied_where_it_is_and_nowhere_else(field: str) -> None:
    protected = Protected("wandb", "launch-agent")
    policy = Policy(queue=FREE, submitter=FREE)
    manifest = {**make_pod(**{field: "launch-agent"}), "namespace": "wandb"}
    for text in (
        judge(manifest, policy=policy, protected=protected),
        judge({}, manifest, policy, protected=protected),
    ):
        assert text == (
            f"{POD}.{field} is not allowed: the service account `launch-agent` is the agent's own. No profile and no "
            "owner of a queue can allow it. Name an account made for jobs."
        )
    elsewhere = {**manifest, "namespace": "team-a"}
    assert judge(elsewhere, policy=policy, protected=protected) == ""
    in_metadata = {**make_pod(**{field: "launch-agent"}), "metadata": {"namespace": "wandb"}, "namespace": "team-a"}
    assert "is the agent's own" in judge(in_metadata, policy=policy, protected=protected)


def test_a_token_secret_of_the_agent_s_account_is_denied() -> None:
    protected = Protected("wandb", "launch-agent")
    manifest = {**env_secret("launch-agent-token-x7k2p"), "namespace": "wandb"}
    assert "is the agent's own" in judge(manifest, policy=Policy(submitter=FREE), protected=protected)


def test_a_pod_does_not_get_the_agent_s_account_by_naming_none() -> None:
    protected = Protected("wandb", "default")
    home = {"namespace": "wandb"}
    assert judge({**container(), **home}, protected=protected).startswith(f"{POD}.automountServiceAccountToken is not")
    pod = make_pod(containers=[{}], automountServiceAccountToken=False)
    assert judge({**pod, **home}, protected=protected) == ""


@pytest.mark.parametrize("name", ["launch-agent-item-0123", "launch-agent-config"])
def test_the_agent_s_records_and_configuration_are_denied(name: str) -> None:
    protected = Protected("wandb", "launch-agent", config_maps=frozenset({"launch-agent-config"}))
    for manifest in (volume(configMap={"name": name}), container(envFrom=[{"configMapRef": {"name": name}}])):
        assert "is the agent's own" in judge(manifest, policy=Policy(submitter=FREE), protected=protected)


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────────────

LISTS: tuple[tuple[Subject, str, dict[str, Any], dict[str, Any]], ...] = (
    # (subject, pattern, a manifest that it means, one that it does not)
    (Subject.NAMESPACES, "team-*", {"namespace": "team-a"}, {"namespace": "other"}),
    (Subject.NAMESPACES, "team-*", {"metadata": {"namespace": "team-a"}}, {"metadata": {"namespace": "other"}}),
    (Subject.SERVICE_ACCOUNTS, "t*", make_pod(serviceAccountName="trainer"), make_pod(serviceAccountName="admin")),
    (Subject.SECRETS, "data", env_secret("data"), env_secret("database")),
    (Subject.CONFIG_MAPS, "a", volume(configMap={"name": "a"}), volume(configMap={"name": "b"})),
    (
        Subject.CONFIG_MAPS,
        "a",
        container(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "k"}}}]),
        container(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "b", "key": "k"}}}]),
    ),
    (Subject.HOST_PATHS, "/mnt", volume(hostPath={"path": "/mnt/a"}), volume(hostPath={"path": "/mnta"})),
    (Subject.HOST_PATHS, "/mnt", volume(hostPath={"path": "/mnt//"}), volume(hostPath={"path": "/opt"})),
    (Subject.NODE_SELECTORS, "pool=a", make_pod(nodeSelector={"pool": "a"}), make_pod(nodeSelector={"pool": "b"})),
    (Subject.NODE_SELECTORS, "pool=a", affinity("In", "pool", "a"), affinity("In", "pool", "b")),
    (Subject.NODE_SELECTORS, "pool", affinity("Exists", "pool"), affinity("Exists", "zone")),
    (Subject.NODE_SELECTORS, "kubernetes.io/hostname=n1", make_pod(nodeName="n1"), make_pod(nodeName="n2")),
    (
        Subject.TOLERATIONS,
        "gpu=yes",
        make_pod(tolerations=[{"key": "gpu", "value": "yes"}]),
        make_pod(tolerations=[{"key": "cpu", "value": "yes"}]),
    ),
    (Subject.PRIORITY_CLASSES, "low", make_pod(priorityClassName="low"), make_pod(priorityClassName="high")),
    (Subject.RUNTIME_CLASSES, "gvisor", make_pod(runtimeClassName="gvisor"), make_pod(runtimeClassName="runc")),
    (Subject.SCHEDULERS, "volcano", make_pod(schedulerName="volcano"), make_pod(schedulerName="other")),
    (Subject.VOLUME_TYPES, "emptyDir", volume(emptyDir={}), volume(nfs={"server": "s", "path": "/"})),
    (
        Subject.LABELS,
        "kueue.x-k8s.io/queue-name=a",
        {"metadata": {"labels": {"kueue.x-k8s.io/queue-name": "a"}}},
        {"metadata": {"labels": {"kueue.x-k8s.io/queue-name": "b"}}},
    ),
    (
        Subject.ANNOTATIONS,
        "iam.amazonaws.com/*",
        {"spec": {"template": {"metadata": {"annotations": {"iam.amazonaws.com/role": "admin"}}}}},
        {"spec": {"template": {"metadata": {"annotations": {"prometheus.io/port": "1"}}}}},
    ),
    (Subject.IMAGES, "registry", {}, container(image="ghcr.io/evil/x")),
    (Subject.CLUSTERS, "/etc/b#gpu", {"configFile": "/etc/b", "context": "gpu"}, {"configFile": "/etc/c"}),
    (Subject.CLUSTERS, "#gpu", {"context": "gpu"}, {"context": "admin"}),
)

IDS = [f"{subject}-{pattern}-{index}" for index, (subject, pattern, _, _) in enumerate(LISTS)]


@pytest.mark.parametrize(("subject", "pattern", "inside", "outside"), LISTS, ids=IDS)
def test_a_deny_list_refuses_what_it_names_and_nothing_else(
    subject: Subject, pattern: str, inside: dict[str, Any], outside: dict[str, Any]
) -> None:
    if subject is Subject.IMAGES:  # the item has one, too
        policy = listed(subject, deny=("registry/train",))
        assert "docker.docker_image is not allowed" in judge(inside, policy=policy)
        assert judge(outside, policy=policy, docker={"docker_image": "ghcr.io/x"}) == ""
        return
    policy = listed(subject, deny=(pattern,))
    text = judge(inside, policy=policy)
    assert f"The rule is policy.submitter.{subject}.deny in launch-config.yaml; no profile changes it." in text
    assert judge(outside, policy=policy) == ""


@pytest.mark.parametrize(("subject", "pattern", "inside", "outside"), LISTS, ids=IDS)
def test_an_allow_list_opens_what_it_names_and_closes_everything_else(
    subject: Subject, pattern: str, inside: dict[str, Any], outside: dict[str, Any]
) -> None:
    patterns = ("docker.io/registry/",) if subject is Subject.IMAGES else (pattern,)
    for profile in Profile:
        policy = Policy(queue=FREE, submitter=Rules(profile, {subject: Lists(patterns)}))
        assert judge(inside, policy=policy) == ""
        text = judge(outside, policy=policy)
        assert " is not among those that the agent's owner allows." in text
        assert f"The rule is policy.submitter.{subject}.allow" in text


def test_the_item_s_own_image_is_judged() -> None:
    policy = listed(Subject.IMAGES, allow=("ghcr.io/acme",))
    assert judge({}, policy=policy) == (
        "docker.docker_image is not allowed: the image `registry/train:1` is not among those that the agent's owner "
        "allows. The rule is policy.submitter.images.allow in launch-config.yaml; no profile changes it. Use another "
        "one, or ask the agent's owner."
    )
    assert judge({}, policy=policy, docker={"docker_image": "ghcr.io/acme/train:1"}) == ""
    assert "image_uri is not allowed" in judge({}, policy=policy, docker=None, image_uri="ghcr.io/other/train")


@pytest.mark.parametrize(
    "manifest",
    [
        container(image="ghcr.io/evil/x"),
        make_pod(initContainers=[{"image": "ghcr.io/evil/x"}]),
        make_pod(ephemeralContainers=[{"image": "ghcr.io/evil/x"}]),
        volume(image={"reference": "ghcr.io/evil/x"}),
        container(image="ghcr.io/acme/../evil/x"),
        container(image="ghcr.io/acme-evil/x"),
        {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "spec": {"trainer": {"image": "evil/x"}}},
        container(image="${run_name}"),
    ],
)
def test_an_image_is_judged_wherever_it_stands(manifest: dict[str, Any]) -> None:
    policy = listed(Subject.IMAGES, allow=("ghcr.io/acme/train", "ghcr.io/acme/tools/"))
    text = judge(manifest, policy=policy, docker={"docker_image": "ghcr.io/acme/train"}, name="evil/x")
    assert "is not among those that the agent's owner allows" in text


def test_an_image_may_have_to_be_named_by_a_digest() -> None:
    policy = Policy(both=Rules(require_digest=True))
    assert judge({}, policy=policy) == (
        "docker.docker_image is not allowed: the image `registry/train:1` is not named by a digest. The rule is "
        "policy.images.requireDigest in launch-config.yaml; no profile changes it. Write it as "
        "<repository>@sha256:<digest>."
    )
    assert judge({}, policy=policy, docker={"docker_image": f"registry/train@{DIGEST}"}) == ""
    assert judge({}, policy=policy, docker={"docker_image": "registry/train@sha256:abc"}) != ""


def test_deny_wins_over_allow_whoever_has_it() -> None:
    for policy in (
        Policy(
            submitter=Rules(lists={Subject.SECRETS: Lists(("*",))}),
            both=Rules(lists={Subject.SECRETS: Lists(None, ("a",))}),
        ),
        Policy(submitter=Rules(lists={Subject.SECRETS: Lists(("a",), ("a",))})),
    ):
        assert "denies the Secret `a`" in judge(env_secret("a"), policy=policy)


def test_a_hand_s_own_allow_list_stands_in_for_the_one_for_both() -> None:
    both = Rules(lists={Subject.SECRETS: Lists(("common",))})
    own = Rules(lists={Subject.SECRETS: Lists(("mine",))})
    policy = Policy(submitter=own, both=both)
    assert judge(env_secret("mine"), policy=policy) == ""
    assert "policy.submitter.secrets.allow" in judge(env_secret("common"), policy=policy)
    assert judge({}, env_secret("common"), policy) == ""
    assert "policy.secrets.allow" in judge({}, env_secret("mine"), policy)


def test_a_list_of_one_hand_does_not_bind_the_other() -> None:
    policy = Policy(submitter=Rules(lists={Subject.SECRETS: Lists(("mine",))}))
    assert judge({}, env_secret("theirs"), policy) == ""


def test_an_item_that_names_no_namespace_counts_with_the_agent_s_default() -> None:
    policy = listed(Subject.NAMESPACES, allow=("team-a",))
    assert "metadata.namespace is not allowed: the namespace `jobs` is not among" in judge({}, policy=policy)
    taken_away = judge({"metadata": {"namespace": ""}}, {"metadata": {"namespace": "team-a"}}, policy)
    assert "the namespace `jobs` is not among" in taken_away
    assert judge({}, {"metadata": {"namespace": "team-a"}}, policy) == ""


@pytest.mark.parametrize(
    "manifest",
    [
        volume(hostPath={"path": "/var/run/docker.sock"}),
        volume(hostPath={"path": "/var/run"}),
        volume(hostPath={"path": "/var"}),
        volume(hostPath={"path": "/"}),
        volume(hostPath={"path": "//var//run//docker.sock"}),
        volume(hostPath={"path": "/mnt/../var/run/docker.sock"}),
        volume(hostPath={"path": "var/run/docker.sock"}),
        volume(hostPath={"path": "/mnt/${run_name}"}),
    ],
)
def test_a_denied_folder_is_not_reached_by_another_spelling(manifest: dict[str, Any]) -> None:
    policy = listed(Subject.HOST_PATHS, deny=("/var/run/docker.sock",))
    assert "policy.submitter.hostPaths.deny" in judge(manifest, policy=policy, name="../var/run/docker.sock")


@pytest.mark.parametrize("operator", ["Exists", "NotIn", "DoesNotExist", "Gt", "Lt"])
def test_an_affinity_that_may_reach_denied_nodes_is_refused(operator: str) -> None:
    deny = listed(Subject.NODE_SELECTORS, deny=("pool=control",))
    assert "nodeSelectors.deny" in judge(affinity(operator, "pool", "x"), policy=deny)
    allow = listed(Subject.NODE_SELECTORS, allow=("pool=gpu",))
    assert "nodeSelectors.allow" in judge(affinity(operator, "pool", "x"), policy=allow)


@pytest.mark.parametrize("toleration", [{"operator": "Exists"}, {"key": "control", "operator": "Exists"}])
def test_a_toleration_of_everything_tolerates_what_is_denied(toleration: dict[str, Any]) -> None:
    policy = listed(Subject.TOLERATIONS, deny=("control=plane",))
    assert "tolerations.deny" in judge(make_pod(tolerations=[toleration]), policy=policy)


# ── ways around ─────────────────────────────────────────────────────────────────────────────────────────────────────

PRIVILEGED = {"name": "helper", "image": "helper:1", "securityContext": {"privileged": True}}
OWNER = Policy(queue=FREE)


def test_a_queue_s_privileges_stay_its_own() -> None:
    queue = make_pod(hostPID=True, serviceAccountName="trainer", containers=[{"image": "${image_uri}"}, PRIVILEGED])
    assert judge({}, queue, OWNER) == ""
    assert judge({"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}}, queue, OWNER) == ""


@pytest.mark.parametrize(
    "containers",
    [
        [{"image": "${image_uri}"}, {**PRIVILEGED, "image": "evil"}],
        [{"image": "${image_uri}"}, {**PRIVILEGED, "command": ["sh"]}],
        [{"image": "evil"}, {"image": "${image_uri}"}, PRIVILEGED],
        [PRIVILEGED],
        [{"image": "${image_uri}"}, PRIVILEGED, PRIVILEGED],
    ],
)
def test_a_changed_list_takes_no_privileges_along(containers: list[Any]) -> None:
    queue = make_pod(containers=[{"image": "${image_uri}"}, PRIVILEGED])
    text = judge(make_pod(containers=containers), queue, OWNER)
    assert "securityContext.privileged is not allowed" in text
    assert "The submitter wrote it" in text


def test_a_submitter_does_not_choose_a_privileged_container_for_the_item() -> None:
    queue = make_pod(containers=[{"name": "job"}, PRIVILEGED])
    choice = {"metadata": {"annotations": {"launch-agent/main-container": "helper"}}}
    assert judge(choice, queue, OWNER) == (
        "resource_args.kubernetes.metadata.annotations.launch-agent/main-container is not allowed: it puts the item "
        "into a container of the queue's. The submitter wrote it, and the container that it names is in the queue's "
        "config. Leave it out: the queue's config says which container is the job's."
    )
    own = {**make_pod(containers=[{"name": "mine"}]), **choice}
    own["metadata"] = {"annotations": {"launch-agent/main-container": "mine"}}
    assert judge(own, queue, OWNER) == ""
    assert judge({}, {**queue, **choice}, OWNER) == ""


def test_a_submitter_does_not_mount_a_volume_of_the_queue_s_that_he_may_not_name() -> None:
    queue = make_pod(
        containers=[{"image": "${image_uri}"}],
        volumes=[{"name": "logs", "hostPath": {"path": "/var/log"}}, {"name": "free", "emptyDir": {}}],
    )
    mine = make_pod(containers=[{"image": "${image_uri}", "volumeMounts": [{"name": "logs", "mountPath": "/x"}]}])
    assert judge(mine, queue, OWNER).startswith(
        f"{POD}.containers[0].volumeMounts[0] (a mount of {POD}.volumes[0].hostPath.path) is not allowed: it mounts a "
    )
    free = make_pod(containers=[{"image": "${image_uri}", "volumeMounts": [{"name": "free", "mountPath": "/x"}]}])
    assert judge(free, queue, OWNER) == ""
    init = make_pod(initContainers=[{"image": "x", "volumeMounts": [{"name": "logs", "mountPath": "/x"}]}])
    assert "(a mount of" in judge(init, queue, OWNER)
    secret = make_pod(containers=[{}], volumes=[{"name": "logs", "secret": {"secretName": "db-root"}}])
    deny = Policy(queue=FREE, submitter=Rules(Profile.RESTRICTED, {Subject.SECRETS: Lists(None, ("db-*",))}))
    assert "denies the Secret `db-root`" in judge(mine, secret, deny)


def test_a_queue_s_own_mount_with_a_chosen_part_is_the_queue_s() -> None:
    queue = make_pod(
        containers=[{"volumeMounts": [{"name": "data", "mountPath": "/x", "subPath": "${run_id}"}]}],
        volumes=[{"name": "data", "hostPath": {"path": "/mnt/data"}}],
    )
    assert judge({}, queue, OWNER) == ""


def test_a_chosen_part_of_a_path_of_the_node_is_the_submitter_s() -> None:
    queue = volume(hostPath={"path": "/mnt/${project_name}"})
    assert "volumes[0].hostPath.path is not allowed" in judge({}, queue, OWNER)


def test_a_submitter_does_not_put_files_under_a_privileged_container() -> None:
    helper = {**PRIVILEGED, "volumeMounts": [{"name": "scripts", "mountPath": "/scripts"}]}
    queue = make_pod(
        containers=[{"name": "job"}, helper], volumes=[{"name": "scripts", "configMap": {"name": "scripts"}}]
    )
    assert judge({}, queue, OWNER) == ""
    mine = make_pod(volumes=[{"name": "scripts", "configMap": {"name": "mine"}}])
    assert judge(mine, queue, OWNER).startswith(
        f"{POD}.volumes[0] (mounted where {POD}.containers[1].securityContext.privileged is set) is not allowed"
    )


def test_a_template_variable_s_value_is_the_submitter_s() -> None:
    queue = make_pod(serviceAccountName="{{account}}", hostPID=True)
    given = make_pod(serviceAccountName="admin", hostPID=True)
    assert f"{POD}.serviceAccountName is not allowed" in judge(given, queue, OWNER)
    allowed = Policy(queue=FREE, submitter=Rules(Profile.RESTRICTED, {Subject.SERVICE_ACCOUNTS: Lists(("train-*",))}))
    assert judge(make_pod(serviceAccountName="train-a", hostPID=True), queue, allowed) == ""


def test_a_pod_in_a_place_that_the_kind_s_table_does_not_name_is_judged() -> None:
    for spec in (
        {"podTemplateOverrides": [{"spec": {"serviceAccountName": "admin"}}]},
        {"trainer": {"image": "x"}, "podSpecOverrides": [{"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}]},
    ):
        manifest = {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "spec": spec}
        assert " is not allowed: " in judge(manifest)
    ray = {"submitterPodTemplate": {"spec": {"containers": [{"securityContext": {"privileged": True}}]}}}
    assert "submitterPodTemplate.spec.containers[0].securityContext.privileged" in judge(
        {"apiVersion": "ray.io/v1", "kind": "RayJob", "spec": ray}
    )


# ── additional services ─────────────────────────────────────────────────────────────────────────────────────────────


def service(config: dict[str, Any]) -> dict[str, Any]:
    return {"additional_services": [{"name": "s", "config": config}]}


def test_an_additional_service_is_the_submitter_s() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"hostPID": True}}
    assert judge({}, make_pod(hostPID=True), OWNER, **service(pod)).startswith(
        "additional_services[0].config.spec.hostPID is not allowed"
    )


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"kind": "Service", "spec": {"externalIPs": ["10.0.0.1"]}}, "spec.externalIPs"),
        (
            {
                "kind": "Deployment",
                "apiVersion": "apps/v1",
                "spec": {"template": {"spec": {"serviceAccountName": "a"}}},
            },
            "spec.template.spec.serviceAccountName",
        ),
        ({"kind": "Pod", "metadata": {"labels": {"launch-agent/item": "x"}}}, "metadata.labels.launch-agent/item"),
        (
            {"kind": "Pod", "spec": {"volumes": [{"name": "v", "secret": {"secretName": "wandb-api-key-a"}}]}},
            "spec.volumes[0].secret.secretName",
        ),
    ],
)
def test_what_a_service_may_not_ask_for(config: dict[str, Any], path: str) -> None:
    assert judge({}, **service(config)).startswith(f"additional_services[0].config.{path} is not allowed")


def test_data_of_a_config_map_is_anybody_s_words() -> None:
    data = {"kind": "ConfigMap", "apiVersion": "v1", "data": {"secretName": "wandb-api-key-a", "hostNetwork": "true"}}
    assert judge({}, **service(data)) == ""


def test_kinds_of_services_may_be_listed() -> None:
    policy = listed(Subject.ADDITIONAL_SERVICES, allow=("Service",))
    assert judge({}, policy=policy, **service({"kind": "Service", "apiVersion": "v1"})) == ""
    text = judge({}, policy=policy, **service({"kind": "NetworkPolicy", "apiVersion": "networking.k8s.io/v1"}))
    assert "an additional service of the kind `NetworkPolicy` is not among" in text


# ── caps ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def capped(per_pod: Caps | None = None, per_item: Caps | None = None, *, queue: bool = False) -> Policy:
    rules = Rules(Profile.UNRESTRICTED, per_pod=per_pod or Caps(), per_item=per_item or Caps())
    return Policy(queue=rules if queue else FREE, submitter=FREE if queue else rules)


def test_a_pod_over_its_cap_is_refused() -> None:
    policy = capped(Caps(gpu=Decimal(4)))
    manifest = make_pod(containers=[{"resources": {"limits": {"nvidia.com/gpu": 3}}}] * 2)
    assert judge(manifest, policy=policy) == (
        "resource_args.kubernetes.spec.template asks for too much: each pod may take 6 GPUs. The agent's owner allows "
        "4 (policy.submitter.resources.perPod.gpu in launch-config.yaml). Ask for less, or ask the agent's owner."
    )


def test_all_pods_of_an_item_count() -> None:
    manifest = make_pod(containers=[{"resources": {"limits": {"nvidia.com/gpu": 2}}}])
    manifest["spec"]["parallelism"] = 5
    assert judge(manifest, policy=capped(per_item=Caps(gpu=Decimal(10)))) == ""
    assert "all 5 pods together may take 10 GPUs" in judge(manifest, policy=capped(per_item=Caps(gpu=Decimal(8))))


def test_a_service_s_pods_count_too() -> None:
    pod = {"containers": [{"resources": {"limits": {"nvidia.com/gpu": 4}}}]}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3, "template": {"spec": pod}}}
    text = judge({}, policy=capped(per_item=Caps(gpu=Decimal(8))), **service(deployment))
    assert "may take 12 GPUs" in text


def test_what_has_no_limit_is_refused_where_it_is_capped() -> None:
    assert judge(container(resources={"requests": {"memory": "1Gi"}}), policy=capped(Caps(memory=Decimal(2**31)))) == (
        "resource_args.kubernetes.spec.template.spec.containers[0].resources.limits.memory is not allowed: it is "
        "missing, so there is no limit, and the agent's owner caps what an item may take. The rule is "
        "policy.submitter.resources in launch-config.yaml. Give a limit there; for a kind that can not be counted, ask "
        "the agent's owner."
    )
    assert judge(container(), policy=capped(Caps(gpu=Decimal(1)))) == ""


def test_caps_of_one_hand_hold_where_that_hand_wrote_the_numbers() -> None:
    manifest = make_pod(containers=[{"image": "x", "resources": {"limits": {"nvidia.com/gpu": 8}}}])
    cap = Caps(gpu=Decimal(4))
    assert judge({}, manifest, capped(cap)) == ""
    assert "policy.queue.resources" in judge({}, manifest, capped(cap, queue=True))
    assert "policy.submitter.resources" in judge(manifest, {}, capped(cap))
    assert judge(manifest, {}, capped(cap, queue=True)) == ""
    more_pods = {"spec": {"parallelism": 9}}
    assert "all 9 pods" in judge(more_pods, manifest, capped(per_item=cap))


def test_devices_by_claim_and_kinds_that_can_not_be_counted_are_refused_under_a_cap() -> None:
    cap = capped(Caps(gpu=Decimal(4)), Caps(gpu=Decimal(4)))
    assert "devices by claim can not be counted" in judge(
        make_pod(containers=[{}], resourceClaims=[{"name": "g"}]), policy=cap
    )
    unknown = {"apiVersion": "example.com/v1", "kind": "Thing", "spec": {"template": {"spec": {"containers": [{}]}}}}
    assert "how many pods a Thing makes can not be counted" in judge(unknown, policy=cap)
    workflow = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": {"templates": [{"container": {}}]}}
    assert "how many pods a Workflow makes can not be counted" in judge(workflow, policy=cap)


def test_a_quantity_that_is_none_is_malformed() -> None:
    text = judge(container(resources={"limits": {"cpu": "lots"}}), policy=capped(Caps(cpu=Decimal(1))))
    assert text.startswith(f"{POD}.containers[0].resources.limits.cpu: 'lots' is no quantity.")


def test_ten_thousand_mounts_of_one_name_are_judged_once() -> None:
    many = 10_000
    mine = make_pod(
        containers=[{"name": "a", "volumeMounts": [{"name": "v", "mountPath": "/x"}] * many}],
        volumes=[{"name": "v", "emptyDir": {}}] * many,
    )
    queue = make_pod(containers=[{"name": "b"}], volumes=[{"name": "q", "emptyDir": {}}])
    assert judge(mine, queue, OWNER) == ""
