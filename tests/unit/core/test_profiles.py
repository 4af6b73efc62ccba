"""Each control of each profile, from each hand: what it refuses, what it lets pass, and what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from launch_agent.core import admission
from launch_agent.core import spec as specs
from launch_agent.core.hands import Hand
from launch_agent.core.policy import Policy, Profile, Protected, Rules
from launch_agent.core.profiles import ALL
from launch_agent.errors import RefusedError
from tests.support.judging import judge
from tests.support.specs import CONTEXT, PATH, make_pod, make_spec

POD = f"{PATH}.spec.template.spec"
CONTAINER = f"{POD}.containers[0]"


def container(**fields: Any) -> dict[str, Any]:
    return make_pod(containers=[{"name": "job", **fields}])


def context(**fields: Any) -> dict[str, Any]:
    return container(securityContext=fields)


def volume(**fields: Any) -> dict[str, Any]:
    return make_pod(volumes=[{"name": "v", **fields}])


def argo(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": fields}


def spark(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "SparkApplication", "spec": fields}


CASES: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("hostNamespaces", make_pod(hostPID=True), f"{POD}.hostPID"),
    ("hostNamespaces", make_pod(hostIPC=True), f"{POD}.hostIPC"),
    ("hostNamespaces", make_pod(hostNetwork=True), f"{POD}.hostNetwork"),
    ("hostNamespaces", {"deeper": [{"hostNetwork": True}]}, f"{PATH}.deeper[0].hostNetwork"),
    ("privileged", context(privileged=True), f"{CONTAINER}.securityContext.privileged"),
    (
        "privileged",
        make_pod(ephemeralContainers=[{"securityContext": {"privileged": True}}]),
        f"{POD}.ephemeralContainers[0].securityContext.privileged",
    ),
    (
        "hostProcess",
        make_pod(securityContext={"windowsOptions": {"hostProcess": True}}),
        f"{POD}.securityContext.windowsOptions.hostProcess",
    ),
    ("capabilities", context(capabilities={"add": ["SYS_ADMIN"]}), f"{CONTAINER}.securityContext.capabilities.add[0]"),
    (
        "capabilities",
        context(capabilities={"add": ["CHOWN", "NET_RAW"]}),
        f"{CONTAINER}.securityContext.capabilities.add[1]",
    ),
    ("capabilities", context(capabilities={"add": ["ALL"]}), f"{CONTAINER}.securityContext.capabilities.add[0]"),
    ("capabilities", context(capabilities={"add": "chown"}), f"{CONTAINER}.securityContext.capabilities.add[0]"),
    ("hostPath", volume(hostPath={"path": "/"}), f"{POD}.volumes[0].hostPath.path"),
    ("hostPort", container(ports=[{"hostPort": 80}]), f"{CONTAINER}.ports[0].hostPort"),
    (
        "probeHost",
        container(livenessProbe={"httpGet": {"host": "169.254.169.254"}}),
        f"{CONTAINER}.livenessProbe.httpGet.host",
    ),
    (
        "probeHost",
        container(lifecycle={"preStop": {"tcpSocket": {"host": "10.0.0.1"}}}),
        f"{CONTAINER}.lifecycle.preStop.tcpSocket.host",
    ),
    (
        "appArmor",
        context(appArmorProfile={"type": "Unconfined"}),
        f"{CONTAINER}.securityContext.appArmorProfile.type",
    ),
    (
        "appArmor",
        {"metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/x": "unconfined"}}},
        f'{PATH}.metadata.annotations["container.apparmor.security.beta.kubernetes.io/x"]',
    ),
    ("seLinux", context(seLinuxOptions={"type": "spc_t"}), f"{CONTAINER}.securityContext.seLinuxOptions.type"),
    ("seLinux", context(seLinuxOptions={"user": "system_u"}), f"{CONTAINER}.securityContext.seLinuxOptions.user"),
    ("seLinux", context(seLinuxOptions={"role": "system_r"}), f"{CONTAINER}.securityContext.seLinuxOptions.role"),
    ("procMount", context(procMount="Unmasked"), f"{CONTAINER}.securityContext.procMount"),
    ("seccomp", context(seccompProfile={"type": "Unconfined"}), f"{CONTAINER}.securityContext.seccompProfile.type"),
    (
        "seccomp",
        {"metadata": {"annotations": {"seccomp.security.alpha.kubernetes.io/pod": "Unconfined"}}},
        f'{PATH}.metadata.annotations["seccomp.security.alpha.kubernetes.io/pod"]',
    ),
    (
        "sysctls",
        make_pod(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
        f"{POD}.securityContext.sysctls[0].name",
    ),
    ("hiddenManifest", argo(podSpecPatch='{"hostPID": true}'), f"{PATH}.spec.podSpecPatch"),
    (
        "hiddenManifest",
        argo(templates=[{"resource": {"action": "create", "manifest": "kind: Pod"}}]),
        f"{PATH}.spec.templates[0].resource.manifest",
    ),
    (
        "hiddenManifest",
        spark(sparkConf={"spark.kubernetes.driver.volumes.hostPath.a.mount.path": "/"}),
        f'{PATH}.spec.sparkConf["spark.kubernetes.driver.volumes.hostPath.a.mount.path"]',
    ),
    ("externalIPs", {"spec": {"externalIPs": ["10.0.0.1"]}}, f"{PATH}.spec.externalIPs"),
    (
        "securityContext",
        context(allowPrivilegeEscalation=True),
        f"{CONTAINER}.securityContext.allowPrivilegeEscalation",
    ),
    ("securityContext", context(capabilities={"add": ["CHOWN"]}), f"{CONTAINER}.securityContext.capabilities"),
    ("securityContext", context(capabilities={"drop": ["KILL"]}), f"{CONTAINER}.securityContext.capabilities"),
    ("securityContext", context(runAsUser=0), f"{CONTAINER}.securityContext.runAsUser"),
    ("securityContext", context(seccompProfile={"type": "Localhost"}), f"{CONTAINER}.securityContext.seccompProfile"),
    (
        "securityContext",
        spark(driver={"podSecurityContext": {"runAsUser": 0}}),
        f"{PATH}.spec.driver.podSecurityContext",
    ),
    ("serviceAccount", make_pod(serviceAccountName="admin"), f"{POD}.serviceAccountName"),
    ("serviceAccount", make_pod(serviceAccount="admin"), f"{POD}.serviceAccount"),
    ("serviceAccount", argo(executor={"serviceAccountName": "x"}), f"{PATH}.spec.executor.serviceAccountName"),
    ("serviceAccountToken", make_pod(automountServiceAccountToken=True), f"{POD}.automountServiceAccountToken"),
    (
        "serviceAccountToken",
        volume(projected={"sources": [{"serviceAccountToken": {"path": "t"}}]}),
        f"{POD}.volumes[0].projected.sources[0].serviceAccountToken",
    ),
    ("sharedProcesses", make_pod(shareProcessNamespace=True), f"{POD}.shareProcessNamespace"),
    ("hostUsers", make_pod(hostUsers=True), f"{POD}.hostUsers"),
    (
        "mountPropagation",
        container(volumeMounts=[{"name": "v", "mountPropagation": "Bidirectional"}]),
        f"{CONTAINER}.volumeMounts[0].mountPropagation",
    ),
    ("flexVolume", volume(flexVolume={"driver": "a/b"}), f"{POD}.volumes[0].flexVolume"),
    (
        "borrowedPods",
        {"apiVersion": "ray.io/v1", "kind": "RayJob", "spec": {"clusterSelector": {"ray.io/cluster": "theirs"}}},
        f"{PATH}.spec.clusterSelector",
    ),
    ("borrowedPods", argo(workflowTemplateRef={"name": "admin"}), f"{PATH}.spec.workflowTemplateRef"),
    ("owners", {"metadata": {"finalizers": ["example.com/wait"]}}, f"{PATH}.metadata.finalizers"),
    ("owners", {"metadata": {"ownerReferences": [{"uid": "1"}]}}, f"{PATH}.metadata.ownerReferences"),
    (
        "marks",
        {"spec": {"template": {"metadata": {"labels": {"launch-agent/item": "other"}}}}},
        f"{PATH}.spec.template.metadata.labels.launch-agent/item",
    ),
    (
        "marks",
        {"metadata": {"labels": {"wandb.ai/run-id": "other"}}},
        f'{PATH}.metadata.labels["wandb.ai/run-id"]',
    ),
    ("unknownKind", {"apiVersion": "crossplane.io/v1", "kind": "Object", "spec": {}}, f"{PATH}.kind"),
    ("cluster", {"configFile": "/etc/clusters/b"}, f"{PATH}.configFile"),
    ("cluster", {"context": "gpu"}, f"{PATH}.context"),
)

CONTROLS = {control.name: control for control in ALL}


def make_policy(hand: Hand, profile: Profile) -> Policy:
    """The other hand may do nothing, or everything: whatever would show a mix-up."""
    other = Profile.RESTRICTED if profile is not Profile.RESTRICTED else Profile.UNRESTRICTED
    rules = {hand: Rules(profile), (Hand.QUEUE if hand is Hand.SUBMITTER else Hand.SUBMITTER): Rules(other)}
    return Policy(queue=rules[Hand.QUEUE], submitter=rules[Hand.SUBMITTER])


def judge_from(hand: Hand, manifest: dict[str, Any], policy: Policy) -> str:
    return judge({}, manifest, policy) if hand is Hand.QUEUE else judge(manifest, {}, policy)


def test_every_control_has_a_case() -> None:
    assert {name for name, _, _ in CASES} == set(CONTROLS) - {"localProcess"}


@pytest.mark.parametrize("hand", list(Hand))
@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize(("name", "manifest", "path"), CASES, ids=[f"{name}-{path[-30:]}" for name, _, path in CASES])
def test_a_control_refuses_what_its_profiles_refuse(
    name: str, manifest: dict[str, Any], path: str, profile: Profile, hand: Hand
) -> None:
    text = judge_from(hand, manifest, make_policy(hand, profile))
    if profile in CONTROLS[name].refused_by:
        assert text.startswith(f"{path}")
        assert f" is not allowed: {CONTROLS[name].why[0].lower()}{CONTROLS[name].why[1:]}" in text
        assert f"the profile {profile} holds (rule {name}); the profile {CONTROLS[name].allowed_by} allows it." in text
        assert f"policy.{hand}.profile" in text
    else:
        assert text == ""


HARMLESS: tuple[dict[str, Any], ...] = (
    {},
    make_pod(hostPID=False, serviceAccountName="", automountServiceAccountToken=False),
    container(ports=[{"hostPort": 0, "containerPort": 80}]),
    make_pod(volumes=[{"name": "a", "emptyDir": {}}, {"name": "b", "hostPath": None}]),
    container(env=[{"name": "hostPath", "value": "x"}]),
    container(volumeMounts=[{"name": "a", "mountPropagation": "HostToContainer"}]),
    container(livenessProbe={"httpGet": {"path": "/", "port": 80, "host": ""}}),
    context(privileged=False, procMount="Default", readOnlyRootFilesystem=True),
    context(capabilities={"drop": ["ALL", "NET_RAW"]}, seccompProfile={"type": "RuntimeDefault"}),
    make_pod(securityContext={"fsGroup": 100, "supplementalGroups": [5], "runAsNonRoot": True}),
    make_pod(nodeSelector={"hostNetwork": "true"}),
    {"metadata": {"annotations": {"launch-agent/main-container": "job"}}},
    {"metadata": {"labels": {"wandb.ai/team": "vision"}}},
    {"spec": {"template": {"backOffLimit": 0, "securityContext": {"privileged": False}}}},
    argo(arguments={"artifacts": [{"name": "manifest", "raw": {"data": "x"}}]}),
)


@pytest.mark.parametrize("manifest", HARMLESS)
def test_harmless_values_of_the_same_fields_pass(manifest: dict[str, Any]) -> None:
    assert judge(manifest) == ""


SAFE: tuple[dict[str, Any], ...] = (
    context(capabilities={"add": ["CHOWN", "NET_BIND_SERVICE", "SYS_CHROOT"]}),
    context(seLinuxOptions={"type": "container_engine_t", "level": "s0:c1,c2"}),
    context(seccompProfile={"type": "Localhost", "localhostProfile": "a.json"}),
    context(appArmorProfile={"type": "Localhost", "localhostProfile": "a"}),
    context(runAsUser=0, allowPrivilegeEscalation=True),
    make_pod(securityContext={"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]}),
    {"metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/x": "localhost/a"}}},
    {"metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/x": "runtime/default"}}},
)


@pytest.mark.parametrize("manifest", SAFE)
def test_baseline_lets_pass_what_the_standard_lets_pass(manifest: dict[str, Any]) -> None:
    assert judge({}, manifest) == ""
    assert judge(manifest, policy=Policy(submitter=Rules(Profile.BASELINE))) == ""


def test_a_boolean_given_as_a_text_is_malformed_in_every_profile() -> None:
    policy = Policy(queue=Rules(Profile.UNRESTRICTED), submitter=Rules(Profile.UNRESTRICTED))
    text = judge({"deeper": {"hostPID": "no"}}, policy=policy)
    assert text.startswith(f"{PATH}.deeper.hostPID: expected true or false, found a text.")


def test_values_of_strange_types_are_refused_and_never_a_traceback() -> None:
    for manifest in (
        context(capabilities={"add": [["CHOWN"], {"a": 1}]}),
        context(seLinuxOptions={"type": ["spc_t"]}),
        context(seccompProfile={"type": ["Unconfined"]}),
        context(appArmorProfile="Unconfined"),
        make_pod(securityContext={"sysctls": ["kernel.msgmax"]}),
        container(ports=[{"hostPort": "80"}]),
    ):
        assert " is not allowed: " in judge(manifest)


def test_a_refusal_says_what_where_why_whose_and_who_can_change_it() -> None:
    assert judge(make_pod(serviceAccountName="admin")) == (
        "resource_args.kubernetes.spec.template.spec.serviceAccountName is not allowed: it lets the pod act as that "
        "account in the cluster. The submitter wrote it, and for submitters the profile restricted holds (rule "
        "serviceAccount); the profile baseline allows it. Leave it out, or ask the agent's owner, who sets "
        "policy.submitter.profile or policy.submitter.serviceAccounts.allow in launch-config.yaml. In the queue's own "
        "config it is allowed."
    )


def test_a_refusal_of_the_queue_s_own_config_says_so() -> None:
    assert judge({}, make_pod(hostPID=True)) == (
        "resource_args.kubernetes.spec.template.spec.hostPID is not allowed: it lets the pod see its node's processes "
        "or network. The queue's config has it, and for queues the profile baseline holds (rule hostNamespaces); the "
        "profile unrestricted allows it. Leave it out, or ask the agent's owner, who sets policy.queue.profile in "
        "launch-config.yaml."
    )


def test_a_refusal_says_when_the_queue_s_config_is_not_known() -> None:
    text = judge({}, make_pod(serviceAccountName="trainer"), is_known=False)
    assert "The queue's own config is not known to the agent, so all counts as the submitter's." in text
    assert "In the queue's own config" not in text


def test_the_field_that_fewest_profiles_allow_is_told() -> None:
    text = judge(make_pod(serviceAccountName="a", containers=[{"securityContext": {"privileged": True}}]))
    assert text.startswith(f"{CONTAINER}.securityContext.privileged is not allowed")


PROCESS: dict[str, Any] = {"resource": "local-process", "docker": None, "overrides": {"entry_point": ["env"]}}


@pytest.mark.parametrize("profile", list(Profile))
def test_a_command_in_the_agent_s_own_pod_needs_the_owner_s_leave(profile: Profile) -> None:
    policy = make_policy(Hand.SUBMITTER, profile)
    text = judge({}, policy=policy, protected=Protected("wandb", "launch-agent"), **PROCESS)
    if profile is Profile.UNRESTRICTED:
        assert text == ""
    else:
        assert text.startswith("resource is not allowed: it runs a command in the agent's own pod, with its rights and")
        assert "(rule localProcess); the profile unrestricted allows it." in text


def test_a_queue_for_local_processes_needs_it_too() -> None:
    run_spec = specs.parse(make_spec(**PROCESS))
    queue = {"resource": "local-process", "resource_args": {}}
    context = replace(CONTEXT, protected=Protected("wandb"))
    with pytest.raises(RefusedError, match="for queues the profile baseline holds"):
        admission.admit(run_spec, "run12345", context, queue)
    free = replace(context, policy=Policy(queue=Rules(Profile.UNRESTRICTED)))
    admission.admit(run_spec, "run12345", free, queue)
    with pytest.raises(RefusedError, match="for submitters the profile restricted holds"):
        admission.admit(run_spec, "run12345", free, {"resource": "kubernetes"})


def test_an_agent_on_a_person_s_own_machine_runs_local_processes() -> None:
    assert judge({}, **PROCESS) == ""
