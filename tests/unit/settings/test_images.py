"""Addresses of images: W&B's rules, its documentation's slip, and what it leaves out."""

from __future__ import annotations

import pytest

from launch_agent.settings import images

GOOD = [
    "us-docker.pkg.dev/project/repository/image",
    "US-docker.pkg.dev/project/repository/nested/image",
    "https://team.azurecr.io/repository",
    "team.azurecr.io/nested/repository",
    "123456789012.dkr.ecr.us-east-1.amazonaws.com/a.b/c-d",
    "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/launch",
    "registry.example.com:5000/team/launch",
    "docker.io/team/launch",
    "localhost:5000/launch",
]
BAD = [
    ("registry.example.com/launch:1.0", "ends with the tag `:1.0`"),
    ("us-docker.pkg.dev/p/r/i:latest", "ends with the tag `:latest`"),
    ("registry.example.com/launch@sha256:abc", "holds a digest (`@`)"),
    ("us-docker.pkg.dev/project/repository", "a Google address needs project, repository and image"),
    ("team.azurecr.io", "an Azure address needs a repository"),
    ("12345.dkr.ecr.us-east-1.amazonaws.com/launch", "not the host of an Amazon registry"),
    ("s3://bucket/path", "begins with `s3://`; allowed is an image's address"),
    ("registry.example.com/Launch", "not an image's address (lower case letters, digits, `.`, `_`, `-` and `/`)"),
    ("a b", "not an image's address (lower case letters, digits, `.`, `_`, `-` and `/`)"),
    ("", "not an image's address (lower case letters, digits, `.`, `_`, `-` and `/`)"),
]


@pytest.mark.parametrize("address", GOOD)
def test_a_repository_s_address_is_accepted(address: str) -> None:
    found = images.judge(address)
    assert (found.fault, found.note) == ("", "")
    assert found.value == address.removeprefix("https://")


@pytest.mark.parametrize(("address", "fault"), BAD)
def test_anything_else_is_explained(address: str, fault: str) -> None:
    found = images.judge(address)
    assert found.fault == fault
    assert found.cure


def test_the_documented_form_of_amazon_s_address_is_read_as_it_is_meant() -> None:
    found = images.judge("123456789012.ecr.us-east-1.amazonaws.com/launch")
    assert found.value == "123456789012.dkr.ecr.us-east-1.amazonaws.com/launch"
    assert found.fault == ""
    assert "the host is `<account>.dkr.ecr.<region>…`" in found.note


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("s3://bucket/launch/contexts", True),
        ("gs://bucket", True),
        ("https://account.blob.core.windows.net/container/path", True),
        ("https://account.blob.core.windows.net", False),
        ("http://bucket", False),
        ("/mnt/contexts", False),
        ("s3://", False),
    ],
)
def test_build_contexts_are_kept_in_buckets(address: str, wanted: bool) -> None:
    assert images.is_store(address) is wanted
