"""`policy` of the configuration: what a queue's owner and a submitter may ask for, judged and read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from launch_agent.settings.problems import KeyPath, Problem, show_text

if TYPE_CHECKING:
    from launch_agent.core.policy import Caps, Lists, Policy, Profile, Rules, Subject
    from launch_agent.settings.document import Document

KEY = "policy"
HANDS = ("queue", "submitter")
CAPS = ("perPod", "perItem")

Block = Mapping[str, Any]


def check(values: Block, document: Document) -> Iterator[Problem]:
    """What a schema can not say of a policy whose types are right."""
    policy = values.get(KEY) or {}
    for path, block in ((KEY,), policy), *(((KEY, hand), policy.get(hand) or {}) for hand in HANDS):
        yield from _check_folders(path, block, document)
        yield from _check_empty(path, block, document)


def _check_folders(path: KeyPath, block: Block, document: Document) -> Iterator[Problem]:
    for name in ("allow", "deny"):
        for index, folder in enumerate((block.get("hostPaths") or {}).get(name) or ()):
            if not folder.startswith("/") or ".." in folder.split("/") or any(letter in folder for letter in "*?["):
                what = f"found `{show_text(folder)}`; allowed is a folder from `/` on, without `..` and `*`"
                where = (*path, "hostPaths", name, index)
                yield document.problem(where, what, "write for example `/mnt/datasets`: all below it is meant, too")


def _check_empty(path: KeyPath, block: Block, document: Document) -> Iterator[Problem]:
    """An empty list of what is allowed refuses everything: it may be meant, but is more often a slip."""
    for subject, lists in block.items():
        if isinstance(lists, Mapping) and lists.get("allow") == []:
            what = "an empty list: everything of this is refused"
            yield document.problem(
                (*path, subject, "allow"), what, "take the key out if the profile is to decide", is_warning=True
            )


def read(values: Block) -> Policy:
    """The policy of a file that was judged well; what it does not say is as by default."""
    from launch_agent.core.policy import Policy, Profile

    block = values.get(KEY) or {}
    default = Policy()
    return Policy(
        queue=_read_rules(block.get("queue") or {}, default.queue.profile),
        submitter=_read_rules(block.get("submitter") or {}, default.submitter.profile),
        both=_read_rules(block, Profile.UNRESTRICTED),
    )


def _read_rules(block: Block, default: Profile) -> Rules:
    from launch_agent.core.policy import Profile, Rules, Subject

    resources = block.get("resources") or {}
    return Rules(
        profile=Profile(block.get("profile") or default),
        lists={subject: _read_lists(block, subject) for subject in Subject if block.get(subject)},
        require_digest=bool((block.get("images") or {}).get("requireDigest")),
        per_pod=_read_caps(resources.get("perPod") or {}),
        per_item=_read_caps(resources.get("perItem") or {}),
    )


def _read_lists(block: Block, subject: Subject) -> Lists:
    from launch_agent.core.policy import Lists

    given = block[subject]
    allow = given.get("allow")
    return Lists(None if allow is None else tuple(allow), tuple(given.get("deny") or ()))


def _read_caps(block: Block) -> Caps:
    from launch_agent.core import quantities
    from launch_agent.core.policy import Caps

    return Caps(**{name: quantities.parse(value) for name, value in block.items() if value is not None})
