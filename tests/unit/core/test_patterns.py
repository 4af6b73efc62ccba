"""Which names fit the patterns of an owner's list."""

from __future__ import annotations

import pytest

from launch_agent.core import patterns
from launch_agent.core.policy import Subject

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("image", "pattern", "fits"),
    [
        ("ubuntu", "ubuntu", True),
        ("ubuntu:22.04", "ubuntu", True),
        ("ubuntu", "docker.io/library/ubuntu", True),
        ("docker.io/library/ubuntu", "ubuntu", True),
        ("index.docker.io/library/ubuntu", "docker.io", True),
        ("ubuntu", "docker.io", True),
        ("evil/ubuntu", "ubuntu", False),
        ("evil/ubuntu", "docker.io/evil", True),
        ("evil/ubuntu", "docker.io/evil/", True),
        ("evil/ubuntu", "evil/", True),
        ("evil/ubuntu", "evil", False),
        ("EVIL.io/x", "evil.io", True),
        ("ghcr.io/acme/train:1", "ghcr.io/acme", True),
        ("ghcr.io/acme/train:1", "ghcr.io/acme/", True),
        ("ghcr.io/acme/train:1", "ghcr.io", True),
        ("ghcr.io/acme-evil/train", "ghcr.io/acme", False),
        ("ghcr.io/acme/train-evil", "ghcr.io/acme/train", False),
        ("ghcr.io.evil.com/acme/train", "ghcr.io", False),
        ("ghcr.io/acme/train:1", "ghcr.io/acme/train:1", True),
        ("ghcr.io/acme/train:2", "ghcr.io/acme/train:1", False),
        ("ghcr.io/acme/train:2", "ghcr.io/*/train", True),
        ("ghcr.io/acme/train:2", "*/train", True),
        ("localhost:5000/x", "localhost:5000", True),
        ("registry.local:5000/x/y", "registry.local:5000/x", True),
        ("registry:5000/x", "registry:5000/", True),
        (f"ghcr.io/acme/train@{A}", A, True),
        (f"ghcr.io/acme/train:1@{A}", A, True),
        (f"ghcr.io/acme/train@{B}", A, False),
        (f"ghcr.io/acme/train@{A}", f"ghcr.io/acme/train@{A}", True),
        (f"ghcr.io/acme/train:1@{A}", f"ghcr.io/acme/train@{A}", True),
        (f"ghcr.io/acme/train@{B}", f"ghcr.io/acme/train@{A}", False),
        ("ghcr.io/acme/train", f"ghcr.io/acme/train@{A}", False),
        ("", "ghcr.io", False),
    ],
)
def test_which_images_a_pattern_means(image: str, pattern: str, fits: bool) -> None:
    assert patterns.is_image(image, pattern) is fits


@pytest.mark.parametrize(
    ("image", "has"),
    [(f"a@{A}", True), (f"a:1@{A}", True), ("a:1", False), ("a@sha256:abc", False), (A, False), (f"a@{A}x", False)],
)
def test_which_images_have_a_digest(image: str, has: bool) -> None:
    assert patterns.has_digest(image) is has


@pytest.mark.parametrize(
    ("path", "folder", "is_within"),
    [
        ("/mnt/a", "/mnt", True),
        ("/mnt", "/mnt", True),
        ("/mnt/", "/mnt", True),
        ("//mnt//a", "/mnt/", True),
        ("/mnt/./a", "/mnt", True),
        ("/mnta", "/mnt", False),
        ("/", "/mnt", False),
        ("/mnt/../etc", "/mnt", False),
        ("mnt/a", "/mnt", False),
        ("/a", "/", True),
        ("", "/", False),
    ],
)
def test_which_folders_lie_in_another(path: str, folder: str, is_within: bool) -> None:
    assert patterns.is_within(path, folder) is is_within


@pytest.mark.parametrize(
    ("value", "pattern", "is_allowed", "is_denied"),
    [
        ("pool=gpu", "pool=gpu", True, True),
        ("pool=gpu", "pool", True, True),
        ("pool=gpu", "pool=*", True, True),
        ("pool=gpu", "pool=g*", True, True),
        ("pool=gpu", "zone", False, False),
        ("pool=*", "pool=gpu", False, True),
        ("pool=*", "pool", True, True),
        ("*=*", "pool", False, True),
        ("*=*", "*", True, True),
    ],
)
def test_which_selectors_a_pattern_means(value: str, pattern: str, is_allowed: bool, is_denied: bool) -> None:
    assert patterns.is_allowed(Subject.NODE_SELECTORS, value, (pattern,)) is is_allowed
    assert patterns.is_denied(Subject.NODE_SELECTORS, value, (pattern,)) is is_denied


def test_an_empty_list_denies_and_allows_nothing() -> None:
    for subject in Subject:
        assert not patterns.is_allowed(subject, "/x", ())
        assert not patterns.is_denied(subject, "../x", ())
