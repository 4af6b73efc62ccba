"""`policy` of the configuration."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from launch_agent.core.policy import Caps, Lists, Policy, Profile, Rules, Subject
from launch_agent.settings import Flags, Need, Settings, load, schema
from launch_agent.settings.problems import ConfigProblems


def read(folder: Path, text: str) -> Settings:
    path = folder / "launch-config.yaml"
    path.write_text(text, encoding="utf-8")
    return load(Flags(config=path), {}, home=folder, need=Need.NOTHING)


def refuse(folder: Path, text: str) -> str:
    with pytest.raises(ConfigProblems) as caught:
        read(folder, text)
    return str(caught.value)


@pytest.mark.parametrize(
    "text", ["queues: [gpu]", "policy:", "policy: {}", "policy: {queue: {}, submitter: null}", "policy: {secrets: {}}"]
)
def test_without_a_word_the_queue_is_baseline_and_the_submitter_restricted(tmp_path: Path, text: str) -> None:
    policy = read(tmp_path, text).policy
    assert policy == Policy()
    assert (policy.queue.profile, policy.submitter.profile) == (Profile.BASELINE, Profile.RESTRICTED)


def test_a_whole_policy_is_read(tmp_path: Path) -> None:
    text = """
policy:
  secrets: {deny: ["db-*"]}
  resources: {perPod: {cpu: 16, memory: 64Gi}}
  queue: {profile: unrestricted}
  submitter:
    profile: baseline
    hostPaths: {allow: [/mnt/datasets]}
    images: {allow: [ghcr.io/acme], requireDigest: true}
    serviceAccounts: {allow: []}
    resources: {perItem: {gpu: 8, cpu: 500m}}
"""
    assert read(tmp_path, text).policy == Policy(
        queue=Rules(Profile.UNRESTRICTED),
        submitter=Rules(
            Profile.BASELINE,
            {
                Subject.SERVICE_ACCOUNTS: Lists(()),
                Subject.HOST_PATHS: Lists(("/mnt/datasets",)),
                Subject.IMAGES: Lists(("ghcr.io/acme",)),
            },
            require_digest=True,
            per_item=Caps(cpu=Decimal("0.5"), gpu=Decimal(8)),
        ),
        both=Rules(
            lists={Subject.SECRETS: Lists(None, ("db-*",))},
            per_pod=Caps(cpu=Decimal(16), memory=Decimal(64 * 2**30)),
        ),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("policy: restricted", "policy"),
        ("policy: <policy>", "placeholder"),
        ("policy: {submitter: <rules>}", "placeholder"),
        ("policy: {submitter: {hostPaths: {allow: <folders>}}}", "placeholder"),
        ("policy: {hostPaths: {allow: [<folder>]}}", "placeholder"),
        ("policy: {profile: baseline}", "profile"),
        ("policy: {submitter: {profile: strict}}", "restricted"),
        ("policy: {submitter: {secret: {deny: [a]}}}", "secrets"),
        ("policy: {secrets: {deny: a}}", "secrets.deny"),
        ("policy: {secrets: {forbid: [a]}}", "forbid"),
        ("policy: {secrets: {deny: [1]}}", "secrets.deny[0]"),
        ("policy: {images: {requireDigest: 1}}", "requireDigest"),
        ("policy: {resources: {perPod: {gpus: 1}}}", "gpu"),
        ("policy: {resources: {perPod: {memory: 64GB}}}", "memory"),
        ("policy: {resources: {perPod: {cpu: -1}}}", "cpu"),
        ("policy: {hostPaths: {allow: [mnt]}}", "hostPaths.allow[0]"),
        ("policy: {submitter: {hostPaths: {deny: ['/mnt/../etc']}}}", "submitter.hostPaths.deny[0]"),
        ("policy: {queue: {hostPaths: {deny: ['/mnt/*']}}}", "queue.hostPaths.deny[0]"),
    ],
)
def test_a_bad_policy_is_refused_by_its_place(tmp_path: Path, text: str, words: str) -> None:
    assert words in refuse(tmp_path, text)


def test_an_empty_list_of_what_is_allowed_is_read_with_a_doubt(tmp_path: Path) -> None:
    (warning,) = read(tmp_path, "policy: {submitter: {secrets: {allow: []}}}").warnings
    assert "policy.submitter.secrets.allow" in warning
    assert "everything of this is refused" in warning


def test_the_schema_has_the_subjects_of_the_code_for_each_hand_and_both() -> None:
    policy = schema.load()["properties"]["policy"]["properties"]
    subjects = {str(subject) for subject in Subject}
    assert set(policy) == subjects | {"queue", "submitter", "resources"}
    for hand in ("queue", "submitter"):
        assert set(policy[hand]["properties"]) == subjects | {"profile", "resources"}
        assert set(policy[hand]["properties"]["profile"]["enum"]) == {None, *map(str, Profile)}
