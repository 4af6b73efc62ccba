"""What no item may use, whoever wrote it and whatever the profile: the agent's own, and what is another item's."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from launch_agent.core import verdicts
from launch_agent.core.entries import Entry
from launch_agent.core.places import Path
from launch_agent.core.policy import Policy, Protected, Subject
from launch_agent.core.uses import Use
from launch_agent.errors import RefusedError

ITEM_SECRETS = ("wandb-api-key-*", "regcred-*")
"""What the Secrets of items are called (protocol 7.3.3)."""

HELM_SECRETS = "sh.helm.release.v1.*"
"""Helm keeps the values of releases in these, API keys among them."""

RECORDS = "launch-agent-item-*"
"""The ConfigMaps that hold the agent's records."""

OWN = "is the agent's own"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that must not be used: where, what, why, and what to do instead."""

    path: Path
    subject: Subject
    value: str
    why: str
    cure: str

    def refuse(self, path: str) -> RefusedError:
        """The refusal; ``path`` is the path as people see it."""
        return verdicts.refuse_protected(path, self.subject, self.value, self.why, self.cure)


def find(use: Use, protected: Protected, namespace: str, policy: Policy) -> Fault | None:
    """What is wrong with using this in the namespace."""
    is_home = namespace == protected.namespace
    if use.subject is Subject.SERVICE_ACCOUNTS:
        if is_home and use.value == protected.service_account:
            return _fault(use, OWN, "Name an account made for jobs.")
    elif use.subject is Subject.CONFIG_MAPS:
        if use.value in protected.config_maps or fnmatchcase(use.value, RECORDS):
            return _fault(use, OWN, "Leave it out.")
    elif use.subject is Subject.SECRETS:
        account = protected.service_account
        is_token = bool(account) and is_home and use.value.startswith(f"{account}-token-")
        if use.value in protected.secrets or is_token or fnmatchcase(use.value, HELM_SECRETS):
            return _fault(use, OWN, "Leave it out. The agent gives each job its API key.")
        if any(fnmatchcase(use.value, pattern) for pattern in ITEM_SECRETS) and not _is_listed(use.value, policy):
            return _fault(
                use,
                "has a name that the Secrets of items have",
                "Leave it out, or give your own Secret another name; the agent's owner may also name it, without `*`, "
                "in policy.secrets.allow.",
            )
    return None


def _fault(use: Use, why: str, cure: str) -> Fault:
    return Fault(use.path, use.subject, use.value, why, cure)


def _is_listed(secret: str, policy: Policy) -> bool:
    """Whether the agent's owner names just this Secret: then it is none of an item's."""
    every = (policy.both, policy.queue, policy.submitter)
    lists = (rules.lists[Subject.SECRETS] for rules in every if Subject.SECRETS in rules.lists)
    return any(secret in (one.allow or ()) for one in lists)


def find_default_account(entry: Entry, protected: Protected, namespace: str) -> Fault | None:
    """A pod that names no account gets the namespace's ``default``, which may be the agent's own."""
    if entry.key != "containers" or protected.service_account != "default" or namespace != protected.namespace:
        return None
    pod = entry.parent
    names_account = pod.get("serviceAccountName") or pod.get("serviceAccount")
    if names_account or pod.get("automountServiceAccountToken") is False:
        return None
    return Fault(
        (*entry.path[:-1], "automountServiceAccountToken"),
        Subject.SERVICE_ACCOUNTS,
        "default",
        f"{OWN}, and its token would be in the pod",
        "Set it to false, or launch in another namespace.",
    )
