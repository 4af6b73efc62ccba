"""What the agent's owner lets a queue's owner and a submitter do (issue 5). `core/judgement.py` applies it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from launch_agent.core.hands import Hand


class Profile(StrEnum):
    """How much a hand may ask for, from little to all; `core/profiles.py` says what each refuses."""

    RESTRICTED = "restricted"
    BASELINE = "baseline"
    UNRESTRICTED = "unrestricted"


class Subject(StrEnum):
    """What an owner lists by name, as the launch config spells it."""

    NAMESPACES = "namespaces"
    SERVICE_ACCOUNTS = "serviceAccounts"
    SECRETS = "secrets"
    CONFIG_MAPS = "configMaps"
    HOST_PATHS = "hostPaths"
    NODE_SELECTORS = "nodeSelectors"
    TOLERATIONS = "tolerations"
    PRIORITY_CLASSES = "priorityClasses"
    RUNTIME_CLASSES = "runtimeClasses"
    SCHEDULERS = "schedulers"
    VOLUME_TYPES = "volumeTypes"
    LABELS = "labels"
    ANNOTATIONS = "annotations"
    IMAGES = "images"
    ADDITIONAL_SERVICES = "additionalServices"
    CLUSTERS = "clusters"


@dataclass(frozen=True, slots=True)
class Lists:
    """What of one subject is allowed and denied, as patterns. ``allow`` None: no list, the profile decides."""

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Caps:
    """The most of each that there may be: processors, bytes, pieces. None: no cap."""

    cpu: Decimal | None = None
    memory: Decimal | None = None
    gpu: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for one hand, or (in `Policy.both`, where the profile says nothing) for both."""

    profile: Profile = Profile.UNRESTRICTED
    lists: Mapping[Subject, Lists] = field(default_factory=dict)
    require_digest: bool = False
    per_pod: Caps = Caps()
    per_item: Caps = Caps()


def _drop_images(rules: Rules) -> Rules:
    lists: dict[Subject, Lists] = {}
    lists.update((subject, given) for subject, given in rules.lists.items() if subject is not Subject.IMAGES)
    return replace(rules, lists=lists, require_digest=False)


@dataclass(frozen=True, slots=True)
class Policy:
    """The owner's policy: what the queue's config may ask for, what a submitter may, and what holds for both."""

    queue: Rules = Rules(Profile.BASELINE)
    submitter: Rules = Rules(Profile.RESTRICTED)
    both: Rules = Rules()

    def without_images(self) -> Policy:
        """The policy without its rules about images."""
        return Policy(*(_drop_images(rules) for rules in (self.queue, self.submitter, self.both)))

    def of(self, hand: Hand) -> Rules:
        """The rules of one hand, without those for both."""
        return self.queue if hand is Hand.QUEUE else self.submitter


@dataclass(frozen=True, slots=True)
class Protected:
    """What no item may use, whoever wrote it: the agent's own account, Secrets and ConfigMaps (names, no patterns).

    ``namespace`` is the agent's own, None outside a cluster. Items' Secrets and Helm's are known by pattern.
    """

    namespace: str | None = None
    service_account: str = ""
    secrets: frozenset[str] = frozenset()
    config_maps: frozenset[str] = frozenset()
