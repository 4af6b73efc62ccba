"""What a refusal by the owner's policy says: the path, what is wrong, the rule, whose it is, and who can change it."""

from __future__ import annotations

from collections.abc import Mapping

from launch_agent.core import patterns
from launch_agent.core.hands import Hand
from launch_agent.core.policy import Lists, Policy, Profile, Subject
from launch_agent.core.profiles import Control
from launch_agent.errors import RefusedError

NOUNS: Mapping[Subject, str] = {
    Subject.NAMESPACES: "the namespace",
    Subject.SERVICE_ACCOUNTS: "the service account",
    Subject.SECRETS: "the Secret",
    Subject.CONFIG_MAPS: "the ConfigMap",
    Subject.HOST_PATHS: "the node's folder",
    Subject.NODE_SELECTORS: "nodes with",
    Subject.TOLERATIONS: "nodes with the taint",
    Subject.PRIORITY_CLASSES: "the priority class",
    Subject.RUNTIME_CLASSES: "the runtime class",
    Subject.SCHEDULERS: "the scheduler",
    Subject.VOLUME_TYPES: "a volume of the type",
    Subject.LABELS: "the label",
    Subject.ANNOTATIONS: "the annotation",
    Subject.IMAGES: "the image",
    Subject.ADDITIONAL_SERVICES: "an additional service of the kind",
    Subject.CLUSTERS: "the cluster",
}

WRITERS: Mapping[Hand, str] = {
    Hand.QUEUE: "The queue's config has it, and for queues the profile {profile} holds",
    Hand.SUBMITTER: "The submitter wrote it, and for submitters the profile {profile} holds",
}

UNKNOWN_QUEUE = "The queue's own config is not known to the agent, so all counts as the submitter's."


def refuse_field(
    path: str, control: Control, hand: Hand, policy: Policy, *, through: str = "", is_queue_known: bool = True
) -> RefusedError:
    """A field that the hand's profile refuses. ``through`` says how the submitter reaches it, with ``{path}``."""
    profile = policy.of(hand).profile
    rule = f"(rule {control.name}); the profile {control.allowed_by} allows it."
    setting = f"policy.{hand}.profile"
    if control.subject is not None:
        setting += f" or policy.{hand}.{control.subject}.allow"
    cure = f"Leave it out, or ask the agent's owner, who sets {setting} in launch-config.yaml."
    if hand is Hand.SUBMITTER and is_queue_known and _allows(policy.queue.profile, control):
        cure += " In the queue's own config it is allowed."
    notes = [f"{WRITERS[hand].format(profile=profile)} {rule}"]
    if not is_queue_known:
        notes.append(UNKNOWN_QUEUE)
    return RefusedError(
        f"{_place(path, through)} is not allowed: {control.why[0].lower()}{control.why[1:]}",
        detail=" ".join(notes),
        resolution=cure,
    )


def _allows(profile: Profile, control: Control) -> bool:
    return profile not in control.refused_by


def refuse_listed(path: str, subject: Subject, value: str, setting: str, *, through: str = "") -> RefusedError:
    """A value that a ``deny`` list names, or that an ``allow`` list does not; ``setting`` is the list's key path."""
    what = f"{NOUNS[subject]} {show(value)}"
    if setting.endswith(".deny"):
        reason = f"the agent's owner denies {what}."
    else:
        reason = f"{what} is not among those that the agent's owner allows."
    return RefusedError(
        f"{_place(path, through)} is not allowed: {reason}",
        detail=f"The rule is {setting} in launch-config.yaml; no profile changes it.",
        resolution="Use another one, or ask the agent's owner.",
    )


def refuse_protected(path: str, subject: Subject, value: str, why: str, cure: str) -> RefusedError:
    """What belongs to the agent or to another item."""
    return RefusedError(
        f"{path} is not allowed: {NOUNS[subject]} {show(value)} {why}.",
        detail="No profile and no owner of a queue can allow it.",
        resolution=cure,
    )


def find_list(policy: Policy, hand: Hand, subject: Subject, value: str) -> tuple[str, bool | None]:
    """What the lists say of a value: (the key path of the list that decides, whether it passes).

    The second is None where no list decides. ``deny`` wins over all; a hand's own ``allow`` goes before the one for
    both.
    """
    blocks: list[tuple[str, Lists]] = []
    for name, rules in ((f"policy.{hand}", policy.of(hand)), ("policy", policy.both)):
        if subject in rules.lists:
            blocks.append((f"{name}.{subject}", rules.lists[subject]))
    for name, lists in blocks:
        if patterns.is_denied(subject, value, lists.deny):
            return f"{name}.deny", False
    for name, lists in blocks:
        if lists.allow is not None:
            return f"{name}.allow", patterns.is_allowed(subject, value, lists.allow)
    return "", None


def show(value: str) -> str:
    """A name as a message shows it: in one line, and not too long."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in value)
    return f"`{plain if len(plain) <= 80 else plain[:77] + '…'}`"


def _place(path: str, through: str) -> str:
    return through.format(path=path) if through else path
