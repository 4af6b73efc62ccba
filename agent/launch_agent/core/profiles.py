"""What each profile refuses, as a table: `CONTROLS`. docs/security.md shows it, and a test holds the two together.

``baseline`` is the level of that name in Kubernetes' Pod Security Standards (as of 1.36), and what walks around it.
``restricted`` is that and what W&B's agent 0.31 refuses (protocol 7.1), except for security contexts that are at least
as strict as the one it injects, and what a submitter could do to others than to his own pods. Fields are looked for at
any depth, by name: a pod may stand in a place that no table knows.
"""

from __future__ import annotations

from dataclasses import dataclass

from launch_agent.core import finders
from launch_agent.core.policy import Profile, Subject

RESTRICTED, BASELINE = Profile.RESTRICTED, Profile.BASELINE


@dataclass(frozen=True, slots=True)
class Control:
    """One refusal: its name, who refuses, why (a sentence for the item), what it finds, and the list that opens it."""

    name: str
    fields: str
    refused_by: frozenset[Profile]
    why: str
    find: finders.Find = finders.nothing
    subject: Subject | None = None
    reads_words: bool = False  # also texts under keys that are anybody's words: labels, annotations

    @property
    def allowed_by(self) -> Profile:
        """The strictest profile that lets it pass."""
        return next(profile for profile in Profile if profile not in self.refused_by)


# ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────────

_BOTH = frozenset({RESTRICTED, BASELINE})
_ONE = frozenset({RESTRICTED})

CONTROLS: tuple[Control, ...] = (
    # Pod Security Standards, level baseline
    Control(
        "hostNamespaces",
        "hostPID, hostIPC, hostNetwork: true",
        _BOTH,
        "It lets the pod see its node's processes or network.",
        finders.true("hostPID", "hostIPC", "hostNetwork"),
    ),
    Control(
        "privileged",
        "privileged: true",
        _BOTH,
        "It takes all walls between container and node away.",
        finders.true("privileged"),
    ),
    Control(
        "hostProcess",
        "windowsOptions.hostProcess: true",
        _BOTH,
        "It runs the container on its Windows node itself.",
        finders.true("hostProcess"),
    ),
    Control(
        "capabilities",
        "capabilities.add, other than the thirteen of the standard",
        _BOTH,
        "It gives the container rights over its node.",
        finders.capabilities,
    ),
    Control(
        "hostPath",
        "hostPath volumes",
        _BOTH,
        "It mounts a folder of the node.",
        finders.present("hostPath"),
        Subject.HOST_PATHS,
    ),
    Control(
        "hostPort",
        "hostPort, other than 0",
        _BOTH,
        "It opens a port of the node.",
        finders.host_port,
    ),
    Control(
        "probeHost",
        "host of probes and lifecycle handlers",
        _BOTH,
        "It makes the node send requests to an address of the item's choice.",
        finders.probe_host,
    ),
    Control(
        "appArmor",
        "AppArmor profiles other than RuntimeDefault and Localhost, as field or annotation",
        _BOTH,
        "It takes the container's AppArmor profile away.",
        finders.apparmor,
        reads_words=True,
    ),
    Control(
        "seLinux",
        "seLinuxOptions.user and .role, and types other than those of containers",
        _BOTH,
        "It changes the SELinux rules that hold the container.",
        finders.selinux,
    ),
    Control("procMount", "procMount, other than Default", _BOTH, "It shows what /proc hides.", finders.proc_mount),
    Control(
        "seccomp",
        "seccomp profiles other than RuntimeDefault and Localhost, as field or annotation",
        _BOTH,
        "It takes the container's seccomp profile away.",
        finders.seccomp,
        reads_words=True,
    ),
    Control(
        "sysctls",
        "sysctls, other than the twelve safe ones",
        _BOTH,
        "It sets a parameter of the node's kernel.",
        finders.sysctls,
    ),
    # what would walk around the others
    Control(
        "hiddenManifest",
        "podSpecPatch; manifest and manifestFrom of Argo's resource templates; sparkConf keys of spark.kubernetes.",
        _BOTH,
        "It holds a pod or an object where no rule can see it.",
        finders.hidden_manifest,
    ),
    Control(
        "externalIPs",
        "externalIPs of a Service",
        _BOTH,
        "It draws other people's traffic to the item's pods.",
        finders.present("externalIPs"),
    ),
    # W&B's agent 0.31
    Control(
        "securityContext",
        "a securityContext that is weaker than the injected one",
        _ONE,
        "It is weaker than the context that every container gets: no privilege escalation, all capabilities dropped, "
        "seccomp profile RuntimeDefault.",
        finders.weak_context,
    ),
    Control(
        "serviceAccount",
        "serviceAccountName, serviceAccount",
        _ONE,
        "It lets the pod act as that account in the cluster.",
        finders.present("serviceAccountName", "serviceAccount"),
        Subject.SERVICE_ACCOUNTS,
    ),
    Control(
        "serviceAccountToken",
        "automountServiceAccountToken: true; volumes with serviceAccountToken or podCertificate",
        _ONE,
        "It gives the pod a token of a service account.",
        finders.token,
    ),
    Control(
        "sharedProcesses",
        "shareProcessNamespace: true",
        _ONE,
        "It lets the pod's containers see each other's processes, and secrets in them.",
        finders.true("shareProcessNamespace"),
    ),
    Control(
        "hostUsers", "hostUsers: true", _ONE, "It makes root in the pod root on the node.", finders.true("hostUsers")
    ),
    Control(
        "mountPropagation",
        "mountPropagation: Bidirectional",
        _ONE,
        "It lets the container mount on its node.",
        finders.propagation,
    ),
    # what reaches others than the item's own pods
    Control(
        "flexVolume",
        "flexVolume",
        _ONE,
        "It runs a driver on the node with options of the item's choice.",
        finders.present("flexVolume"),
        Subject.VOLUME_TYPES,
    ),
    Control(
        "borrowedPods",
        "clusterSelector, workflowTemplateRef, templateRef",
        _ONE,
        "It runs the item in pods that somebody else described.",
        finders.present("clusterSelector", "workflowTemplateRef", "templateRef"),
    ),
    Control(
        "owners",
        "metadata.finalizers, metadata.ownerReferences",
        _ONE,
        "It ties the object's end to something else.",
        finders.owners,
    ),
    Control(
        "marks",
        "labels and annotations of launch-agent/, and W&B's own of wandb.ai/",
        _ONE,
        "The agent finds its pods by these marks, and sets them itself.",
        finders.own_marks,
        reads_words=True,
    ),
)
"""All refusals by field, the strictest first: the first that finds something in a member is told."""


UNKNOWN_KIND = Control(
    "unknownKind",
    "a kind that neither the agent nor `customResources` knows",
    _ONE,
    "Nobody told the agent what an object of this kind does.",
)
CLUSTER = Control(
    "cluster",
    "configFile, context",
    _ONE,
    "It names a cluster, and a file on the agent's machine.",
    subject=Subject.CLUSTERS,
)
LOCAL_PROCESS = Control(
    "localProcess",
    "resource: local-process, where the agent runs in a pod",
    _BOTH,
    "It runs a command in the agent's own pod, with its rights and keys.",
)
ALL = (*CONTROLS, UNKNOWN_KIND, CLUSTER, LOCAL_PROCESS)
